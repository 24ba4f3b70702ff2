"""What is wrong with the graph; a click goes to the node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QListView, QWidget

from nodegraph.planning.plan import Problem
from ui.base.text import label
from ui.base.theme import color, colors
from ui.documents.document import Document
from ui.runs.node_run import owner
from ui.runs.run_state import RunState
from ui.widgets.seen import WhenSeen

Index = QModelIndex | QPersistentModelIndex


class Problems(QListView):
    """Problems found by planning, and failures of the latest run."""

    chosen = Signal(str)  # node id, as the engine calls it
    counted = Signal()  # there are more or fewer
    helped = Signal(str)  # the name of what helps with the first for which there is something; empty when there is none

    def __init__(self, document: Document, runs: RunState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document, self.runs = document, runs
        self.rows = _Rows(document, self)
        self._problems: Sequence[Problem] = ()
        self.remedy = ""  # what was last told to help
        self._planned: set[str] = set()  # what they say
        self._failed: dict[str, str] = {}
        self.setModel(self.rows)
        self.setAccessibleName("Problems")
        self.setToolTip("Click a problem to go to its node")
        self.setWordWrap(True)
        self.setLayoutMode(QListView.LayoutMode.Batched)  # rows differ in height, and there may be thousands
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.clicked.connect(lambda index: self.chosen.emit(index.data(Qt.ItemDataRole.UserRole)))
        self._to_list = WhenSeen(self, self._list)
        self._counted = 0  # how many there were when it was last told
        self._soon = QTimer(self, interval=0, singleShot=True)  # a run may fail in thousands of nodes at once
        self._soon.timeout.connect(self._changed)
        runs.changed.connect(self._run_changed)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self.count():
            painter = QPainter(self.viewport())
            painter.setPen(color(colors().dim))
            painter.drawText(self.viewport().rect(), Qt.AlignmentFlag.AlignCenter, "Nothing is wrong.")

    def count(self) -> int:
        """How many there are, listed or not yet."""
        return len(self._problems) + len(self._failures())

    def show_problems(self, problems: Sequence[Problem]) -> None:
        self._problems, self._planned = problems, {problem.message for problem in problems}
        before, self.remedy = self.remedy, next((problem.remedy for problem in problems if problem.remedy), "")
        if self.remedy != before:
            self.helped.emit(self.remedy)
        self._changed()

    def _run_changed(self, node: str) -> None:
        if owner(node) != node:  # inside a group, which says the same
            return
        run = self.runs.of(node)
        message = run.message if run.state == "failed" else None
        if message == self._failed.get(node):
            return
        self._failed.pop(node, None)
        if message is not None:
            self._failed[node] = message
        self._soon.start()

    def _changed(self) -> None:
        self._to_list.ask()
        before, self._counted = self._counted, self.count()
        if self._counted != before:
            self.counted.emit()

    def _failures(self) -> list[tuple[str, str]]:
        """Nodes that failed and what they said, where planning did not say it."""
        known = self.document.graph.nodes
        return [
            (id, text) for id, text in self._failed.items() if text not in self._planned and (id in known or not id)
        ]

    def _list(self) -> None:
        found = [(p.node, f", {label(p.socket)}" if p.socket else "", p.message) for p in self._problems]
        self.rows.show([*found, *((id, " failed", text) for id, text in self._failures())])


class _Rows(QAbstractListModel):
    """A row is put into words when it is looked at."""

    def __init__(self, document: Document, parent: QWidget) -> None:
        super().__init__(parent)
        self._document = document
        self._found: Sequence[tuple[str, str, str]] = ()

    def show(self, found: Sequence[tuple[str, str, str]]) -> None:
        """found: the node of each, what is said after its title, and the message."""
        self.beginResetModel()
        self._found = found
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  what Qt's own default is
        return 0 if parent.isValid() else len(self._found)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        node, what, message = self._found[index.row()]
        match role:
            case Qt.ItemDataRole.UserRole:
                return node
            case Qt.ItemDataRole.DisplayRole:
                return f"{self._title(node)}{what}: {message}"
            case _:
                return None

    def _title(self, node: str) -> str:
        top = owner(node)
        return self._document.title_of(top) if top in self._document.graph.nodes else node or "The engine"

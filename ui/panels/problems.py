"""What is wrong with the graph; a click goes to the node."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QWidget

from nodegraph.planning.plan import Problem
from ui.base.text import label
from ui.base.theme import color, colors
from ui.documents.document import Document
from ui.runs.run_state import RunState, owner


class Problems(QListWidget):
    """Problems found by planning, and failures of the latest run."""

    chosen = Signal(str)  # node id, as the engine calls it
    counted = Signal()  # there are more or fewer

    def __init__(self, document: Document, runs: RunState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document, self.runs = document, runs
        self._problems: Sequence[Problem] = ()
        self.setAccessibleName("Problems")
        self.setToolTip("Click a problem to go to its node")
        self.setWordWrap(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.itemClicked.connect(lambda item: self.chosen.emit(item.data(Qt.ItemDataRole.UserRole)))
        runs.changed.connect(self._run_changed)
        self._failed: dict[str, str] = {}

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self.count():
            painter = QPainter(self.viewport())
            painter.setPen(color(colors().dim))
            painter.drawText(self.viewport().rect(), Qt.AlignmentFlag.AlignCenter, "Nothing is wrong.")

    def show_problems(self, problems: Sequence[Problem]) -> None:
        self._problems = problems
        self._fill()

    def _run_changed(self, node: str) -> None:
        if owner(node) != node:  # inside a group, which says the same
            return
        run = self.runs.of(node)
        failed = {**self._failed}
        failed.pop(node, None)
        if run.state == "failed":
            failed[node] = run.message
        if failed != self._failed:
            self._failed = failed
            self._fill()

    def _fill(self) -> None:
        before = self.count()
        self.clear()
        for problem in self._problems:
            socket = f", {label(problem.socket)}" if problem.socket else ""
            self._add(problem.node, f"{self._title(problem.node)}{socket}: {problem.message}")
        planned = {problem.message for problem in self._problems}
        for node, message in self._failed.items():
            if message not in planned and (node in self.document.graph.nodes or not node):
                self._add(node, f"{self._title(node)} failed: {message}")
        if self.count() != before:
            self.counted.emit()

    def _add(self, node: str, text: str) -> None:
        item = QListWidgetItem(text, self)
        item.setData(Qt.ItemDataRole.UserRole, node)

    def _title(self, node: str) -> str:
        top = owner(node)
        return self.document.title_of(top) if top in self.document.graph.nodes else node or "The engine"

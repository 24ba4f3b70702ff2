"""What is wrong with the graph; a click goes to the node."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QWidget

from nodegraph.plan import Problem
from ui.document import Document
from ui.run_state import RunState, owner
from ui.text import label


class Problems(QListWidget):
    """Problems found by planning, and failures of the latest run."""

    chosen = Signal(str)  # node id
    found = Signal(bool)  # the first problem has come, or the last has gone

    def __init__(self, document: Document, runs: RunState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document, self.runs = document, runs
        self._problems: Sequence[Problem] = ()
        self.setWordWrap(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.itemClicked.connect(lambda item: self.chosen.emit(item.data(Qt.ItemDataRole.UserRole)))
        runs.changed.connect(self._run_changed)
        self._failed: dict[str, str] = {}

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
            self._add(owner(problem.node), f"{self._title(problem.node)}{socket}: {problem.message}")
        planned = {problem.message for problem in self._problems}
        for node, message in self._failed.items():
            if message not in planned:
                self._add(node, f"{self._title(node)} failed: {message}")
        if (self.count() > 0) != (before > 0):
            self.found.emit(self.count() > 0)

    def _add(self, node: str, text: str) -> None:
        item = QListWidgetItem(text, self)
        item.setData(Qt.ItemDataRole.UserRole, node)

    def _title(self, node: str) -> str:
        shown = self.document.graph.nodes.get(owner(node))
        return (shown.title or self.document.type_of(owner(node)).title) if shown else node or "The engine"

"""A layout that takes a while: made in pieces, with its progress to see and a way to stop it."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QProgressDialog

from nodegraph.editing.layout import Layout
from nodegraph.pieces import Work
from ui.canvas.scene.state import CanvasState

AT_ONCE = 300
"""Nodes that are laid out before anybody notices."""
SLICE = 0.012
"""Seconds of work after which the window answers."""


class Arranging(QObject):
    """One at a time on a canvas. It ends by itself when the graph it is made for is edited meanwhile."""

    work: Work[Layout]

    def __init__(self, state: CanvasState) -> None:
        super().__init__(state)
        self._state, self._graph = state, state.scope.graph
        self._apply: Callable[[Layout], None] | None = None
        self._done = 0.0
        self._dialog: QProgressDialog | None = None
        # Single shots: a modal dialog lets others act while it is told a value.
        self._timer = QTimer(self, interval=0, singleShot=True)
        self._timer.timeout.connect(self._go_on)

    def report(self, done: float) -> None:
        """done: 0..1."""
        self._done = done

    def start(self, count: int, apply: Callable[[Layout], None]) -> None:
        """count: of nodes. apply: told the layout, unless it is stopped."""
        if count <= AT_ONCE and self.work.go_on(inf):
            apply(self.work.result)
            self.deleteLater()
            return
        self._apply = apply
        self._dialog = QProgressDialog("Arranging the nodes", "Stop", 0, 1000, self._state.widget)
        self._dialog.setWindowTitle("Arrange")
        # Modal: what is edited meanwhile would be laid out by where it was before.
        self._dialog.setWindowModality(Qt.WindowModality.WindowModal)
        self._dialog.setAutoClose(False)
        self._dialog.canceled.connect(self._end)
        self._dialog.show()
        self._timer.start()

    def _go_on(self) -> None:
        if self._state.scope.graph is not self._graph:
            self._end()
        elif self.work.go_on(SLICE) and self._apply:
            apply = self._apply
            self._end()
            apply(self.work.result)
        elif self._dialog:
            self._dialog.setValue(round(self._done * 1000))
            if self._dialog:  # or it was stopped meanwhile
                self._timer.start()

    def _end(self) -> None:
        self._timer.stop()
        if self._dialog:
            self._dialog.canceled.disconnect(self._end)
            self._dialog.deleteLater()
            self._dialog = None
            self.deleteLater()

"""Of very many pictures only some are kept as they came: those of the nodes that are in sight come first."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer

from ui.canvas.paint.levels import NEAR
from ui.canvas.scene.state import CanvasState
from ui.runs.run_state import RunState

PAUSE_MS = 200
MOST = 150
"""Nodes of one look. So many pictures fit into what is kept, and no look takes from itself."""


class Sharpener(QObject):
    """Gets pictures back that were made small, a moment after the view came to rest or a run to its end."""

    def __init__(self, state: CanvasState, runs: RunState) -> None:
        super().__init__(state)
        self._state, self._runs = state, runs
        self._pause = QTimer(self, interval=PAUSE_MS, singleShot=True)
        self._pause.timeout.connect(self._look)
        state.view_changed.connect(self._pause.start)
        runs.progressed.connect(self._went_on)

    def _went_on(self) -> None:
        if not self._runs.running:
            self._pause.start()

    def _look(self) -> None:
        state = self._state
        if state.widget.isVisible() and state.view.scale >= NEAR:
            items = state.scene.nodes_in(state.view.rect_to_world(state.area))
            self._runs.sharpen([state.scope.prefix + item.id for item in items if item.run.aspect][:MOST])

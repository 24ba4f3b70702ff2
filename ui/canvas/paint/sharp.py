"""Of very many pictures only some are kept as they came: those of the nodes that are in sight come first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QRectF, QTimer

from ui.canvas.paint.nodes import READABLE

if TYPE_CHECKING:
    from ui.canvas.canvas import Canvas

PAUSE_MS = 200
MOST = 150
"""Nodes of one look. So many pictures fit into what is kept, and no look takes from itself."""


class Sharpener(QObject):
    """Gets pictures back that were made small, a moment after the view came to rest or a run to its end."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._pause = QTimer(self, interval=PAUSE_MS, singleShot=True)
        self._pause.timeout.connect(self._look)
        canvas.view_changed.connect(self._pause.start)
        canvas.runs.progressed.connect(self._went_on)

    def _went_on(self) -> None:
        if not self._canvas.runs.running:
            self._pause.start()

    def _look(self) -> None:
        canvas = self._canvas
        if canvas.isVisible() and canvas.view.scale >= READABLE:
            items = canvas.scene.nodes_in(canvas.view.rect_to_world(QRectF(canvas.rect())))
            canvas.runs.sharpen([canvas.scope.prefix + item.id for item in items if item.run.aspect][:MOST])

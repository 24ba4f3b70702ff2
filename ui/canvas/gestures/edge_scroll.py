"""The view follows what is dragged to the edge of the canvas and beyond."""

from __future__ import annotations

from PySide6.QtCore import QObject, QPointF, QTimer

from ui.canvas.gestures.gestures import Gesture
from ui.canvas.scene.state import CanvasState

PERIOD_MS = 16
EDGE = 12  # pixels inside the canvas from which it begins
PART, MOST = 0.25, 40.0  # of the way beyond the edge that one step goes, and pixels of a step at most


class EdgeScroll(QObject):
    """Works as long as the gesture wants it and the pointer is out there."""

    def __init__(self, state: CanvasState) -> None:
        super().__init__(state)
        self.state = state
        self._gesture: Gesture | None = None
        self._timer = QTimer(self, interval=PERIOD_MS)
        self._timer.timeout.connect(self._step)

    def follow(self, gesture: Gesture | None) -> None:
        """The pointer was moved; None: the gesture is over."""
        self._gesture = gesture
        if self._away().isNull():
            self._timer.stop()
        elif not self._timer.isActive():
            self._timer.start()

    def _away(self) -> QPointF:
        """How far the pointer is beyond the edge, in pixels."""
        gesture = self._gesture
        if gesture is None or not gesture.scrolls:
            return QPointF()
        inner, at = self.state.area.adjusted(EDGE, EDGE, -EDGE, -EDGE), gesture.at
        inside = QPointF(min(max(at.x(), inner.left()), inner.right()), min(max(at.y(), inner.top()), inner.bottom()))
        return at - inside

    def _step(self) -> None:
        away, gesture = self._away(), self._gesture
        if away.isNull() or gesture is None:
            self._timer.stop()
            return
        dx, dy = (max(-MOST, min(part * PART, MOST)) for part in (away.x(), away.y()))
        self.state.show_view(self.state.view.panned(-dx, -dy))
        gesture.move(gesture.at)

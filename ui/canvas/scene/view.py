"""Which part of the world the canvas shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QNativeGestureEvent, QPointingDevice, QWheelEvent

from ui.base import theme

NOTCH = 1.2  # zoom factor of one wheel notch
MIN_SCALE, MAX_SCALE = 0.03, 3.0
SPARE = 0.05  # of the width, the most that is left free on either side
LEGIBLE = 0.85  # the scale from which a note is read with ease, at the usual text size


@dataclass(frozen=True, slots=True)
class View:
    """screen = world * scale + (x, y). The offset is whole pixels, so that panning moves painted tiles exactly."""

    scale: float = 1.0
    x: int = 0
    y: int = 0

    def to_screen(self, world: QPointF) -> QPointF:
        return QPointF(world.x() * self.scale + self.x, world.y() * self.scale + self.y)

    def to_world(self, screen: QPointF) -> QPointF:
        return QPointF((screen.x() - self.x) / self.scale, (screen.y() - self.y) / self.scale)

    def rect_to_world(self, screen: QRectF) -> QRectF:
        return QRectF(self.to_world(screen.topLeft()), screen.size() / self.scale)

    def rect_to_screen(self, world: QRectF) -> QRectF:
        return QRectF(self.to_screen(world.topLeft()), world.size() * self.scale)

    def panned(self, dx: float, dy: float) -> View:
        return View(self.scale, self.x + round(dx), self.y + round(dy))

    def zoomed(self, factor: float, at: QPointF) -> View:
        """at: the screen position that stays where it is."""
        scale = min(max(self.scale * factor, MIN_SCALE), MAX_SCALE)
        world = self.to_world(at)
        return View(scale, round(at.x() - world.x() * scale), round(at.y() - world.y() * scale))


def fitted(world: QRectF, size: QSizeF, margin: float = 40.0) -> View:
    """The view that shows all of `world`, in the middle; not larger than text is.

    margin: pixels on every side; a small window has less to spare.
    """
    margin = min(margin, SPARE * size.width())
    if world.isEmpty():
        return View(theme.scale(), round(size.width() / 2), round(size.height() / 2))
    across, down = (size.width() - 2 * margin) / world.width(), (size.height() - 2 * margin) / world.height()
    scale = min(max(min(across, down), MIN_SCALE), theme.scale())
    middle = world.center() * scale
    return View(scale, round(size.width() / 2 - middle.x()), round(size.height() / 2 - middle.y()))


def opened(world: QRectF, notes: Sequence[QPointF], size: QSizeF, margin: float = 40.0) -> View:
    """What is first seen: all of `world`; when notes could not be read then, from the first of them on.

    notes: their upper left corners.
    """
    whole = fitted(world, size, margin)
    legible = LEGIBLE * theme.scale()
    if not notes or whole.scale >= legible:
        return whole
    corner = min(notes, key=lambda at: at.x() + at.y()) * legible
    return View(legible, round(margin - corner.x()), round(margin - corner.y()))


def wheeled(view: View, event: QWheelEvent) -> View:
    """A touchpad pans, a wheel zooms at the pointer; Ctrl zooms with either."""
    touchpad = event.device().type() == QPointingDevice.DeviceType.TouchPad and not event.pixelDelta().isNull()
    if touchpad and not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
        return view.panned(event.pixelDelta().x(), event.pixelDelta().y())
    return view.zoomed(NOTCH ** (event.angleDelta().y() / 120), event.position())


def pinched(view: View, event: QNativeGestureEvent) -> View:
    """Two fingers that come together or part zoom between them."""
    if event.gestureType() != Qt.NativeGestureType.ZoomNativeGesture:
        return view
    return view.zoomed(1 + event.value(), event.position())

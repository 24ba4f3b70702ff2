"""A picture that can be zoomed and moved, or two of them compared."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QWheelEvent
from PySide6.QtWidgets import QWidget

from nodegraph.types import PREVIEW_SIDE
from ui.base.theme import color, colors, panel_font, scaled

Mode = Literal["single", "slider", "side"]
Side = Literal["a", "b"]

MARGIN = 12.0
NOTCH = 1.2  # zoom factor of one wheel notch
REACH = 8.0  # pixels from the dividing line at which it is taken hold of
LITTLE = 110  # pixels, before the user's scale, in which nothing can be said
STEP = 0.02  # of the dividing line, with an arrow key


class PictureView(QWidget):
    """The wheel zooms at the pointer, dragging moves, a double click fits again; the dividing line can be dragged.

    zoom: 1 = fitted. shift: of the picture's centre from that of its area, in pixels. split: where the line is, 0..1 of
    the width. a and b fill their areas alike, whatever their sizes, so that one place of them is under one place of the
    window.
    """

    shown = Signal()  # another picture, or the same in another size

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.a: QPixmap | None = None
        self.b: QPixmap | None = None
        self.said: dict[Side, str] = {}  # of a and b while they are compared
        self.small: dict[Side, QPixmap] = {}  # of a and b where they were sharpened: good to look at from afar
        self.mode: Mode = "single"
        self.zoom, self.shift, self.split = 1.0, QPointF(), 0.5
        self._held: QPointF | None = None
        self._splitting = False
        self.setMinimumSize(160, 100)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAccessibleName("Picture")

    def sizeHint(self) -> QSize:
        return QSize(340, 320)

    def show_one(self, picture: QPixmap | None) -> None:
        self.a, self.b, self.small, self.mode = picture, None, {}, "single"
        self._changed()

    def show_two(self, a: QPixmap, b: QPixmap, mode: Mode) -> None:
        self.a, self.b, self.small, self.mode = a, b, {}, mode
        self._changed()

    def sharpen(self, side: Side, picture: QPixmap) -> None:
        """Show the same in full size: where it is and how large it looks stays as it was, but for 1:1."""
        small = self.a if side == "a" else self.b
        if small is not None:
            actual = self.zoom == self._actual_zoom() != 1.0
            self.small[side] = small if _side(small) >= min(PREVIEW_SIDE, _side(picture)) else _reduced(picture)
            setattr(self, side, picture)
            if actual:
                self.show_actual()
            self._changed()

    def blunt(self) -> None:
        """Let go of the full size."""
        self.a, self.b = self.small.get("a", self.a), self.small.get("b", self.b)
        self.small = {}
        self._changed()

    def _changed(self) -> None:
        self.update()
        self.shown.emit()

    # View ---------------------------------------------------------------------------------------------

    def fit(self) -> None:
        self.zoom, self.shift = 1.0, QPointF()
        self.update()

    def show_actual(self) -> None:
        """One pixel of the picture on one pixel of the screen."""
        self.zoom, self.shift = self._actual_zoom(), QPointF()
        self.update()

    def _actual_zoom(self) -> float:
        return 1.0 / (self._fit(self.a, self._areas()[0]) * self.devicePixelRatioF()) if self.a else 1.0

    def zoom_at(self, factor: float, at: QPointF) -> None:
        before = self.zoom
        self.zoom = min(max(self.zoom * factor, 0.2), 60.0)
        area = next((area for area in self._areas() if area.contains(at)), self._areas()[0])
        away = at - area.center()
        self.shift = away - (away - self.shift) * (self.zoom / before)
        self.update()

    def _areas(self) -> list[QRectF]:
        """Where pictures are: one area, or two side by side."""
        whole = QRectF(self.rect()).adjusted(MARGIN, MARGIN / 2, -MARGIN, -MARGIN / 2)
        if self.mode != "side":
            return [whole]
        half = QSizeF((whole.width() - MARGIN / 2) / 2, whole.height())
        return [QRectF(whole.topLeft(), half), QRectF(QPointF(whole.right() - half.width(), whole.top()), half)]

    def _fit(self, picture: QPixmap, area: QRectF) -> float:
        return min(area.width() / picture.width(), area.height() / picture.height())

    def place(self, picture: QPixmap, area: QRectF) -> QRectF:
        """Where a picture goes."""
        place = QRectF(QPointF(), QSizeF(picture.size()) * self._fit(picture, area) * self.zoom)
        place.moveCenter(area.center() + self.shift)
        return place

    @property
    def line(self) -> float:
        """Where the dividing line is, in pixels from the left."""
        area = self._areas()[0]
        return area.left() + area.width() * self.split

    # Painting -----------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), color(colors().panel))
        painter.setFont(panel_font(12))
        if self.a is None:
            painter.setPen(color(colors().faint))
            hint = "The picture appears here\nwhen you run the graph."
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, hint)
            return
        areas = self._areas()
        if self.b is None:
            self._paint(painter, "a", areas[0], areas[0])
        elif self.mode == "side":
            self._paint(painter, "a", areas[0], areas[0])
            self._paint(painter, "b", areas[1], areas[1])
        else:
            self._paint_divided(painter, areas[0])

    def _paint_divided(self, painter: QPainter, area: QRectF) -> None:
        left, right = QRectF(area), QRectF(area)
        left.setRight(self.line)
        right.setLeft(self.line)
        self._paint(painter, "a", area, left)
        self._paint(painter, "b", area, right)
        painter.setPen(QPen(color(colors().accent), 2))
        painter.drawLine(QPointF(self.line, area.top()), QPointF(self.line, area.bottom()))
        painter.setBrush(color(colors().accent))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawEllipse(QPointF(self.line, area.center().y()), 5, 5)

    def _paint(self, painter: QPainter, side: Side, area: QRectF, clip: QRectF) -> None:
        picture = self.a if side == "a" else self.b
        if picture is None:
            return
        place = self.place(picture, area)
        across = place.width() * self.devicePixelRatioF()
        small = self.small.get(side)
        if small is not None and across <= small.width():  # it was made smaller with more care than there is time for
            picture = small
        painter.setClipRect(clip)
        # Enlarged by choice, pixels stay visible as pixels.
        smooth = self.zoom <= 2 or across < 2 * picture.width()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.drawPixmap(place, picture, QRectF(picture.rect()))
        if self.b is not None:
            self._paint_tag(painter, side, place & clip)
        painter.setClipping(False)

    def _paint_tag(self, painter: QPainter, side: Side, seen: QRectF) -> None:
        """Which of the two it is and what is said of it, on the picture: at the outer corner, as far as it is seen."""
        text, metrics = self.tag(side, max(seen.width() - 24, 8)), QFontMetricsF(painter.font())
        width = metrics.horizontalAdvance(text) + 12
        left = seen.left() + 4 if side == "a" else seen.right() - 4 - width
        tag = QRectF(left, seen.top() + 4, width, metrics.height() + 4)
        painter.fillRect(tag, color(colors().panel, 200))
        painter.setPen(color(colors().text))
        painter.drawText(tag, Qt.AlignmentFlag.AlignCenter, text)

    def tag(self, side: Side, room: float) -> str:
        """The letter, and what is said, as far as it has room; where that is too little to say anything, the letter."""
        said = ": ".join(filter(None, (side.upper(), self.said.get(side, ""))))
        metrics = QFontMetricsF(panel_font(12))
        if room < min(metrics.horizontalAdvance(said), scaled(LITTLE)):
            return side.upper()
        return metrics.elidedText(said, Qt.TextElideMode.ElideRight, room)

    # Mouse and keys -----------------------------------------------------------------------------------

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.zoom_at(NOTCH ** (event.angleDelta().y() / 120), event.position())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._splitting = self._near_line(event.position())
        self._held = event.position() - self.shift

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is None:
            near = self._near_line(event.position())
            self.setCursor(Qt.CursorShape.SplitHCursor if near else Qt.CursorShape.ArrowCursor)
        elif self._splitting:
            area = self._areas()[0]
            self._put_line((event.position().x() - area.left()) / area.width())
        else:
            self.shift = event.position() - self._held
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held, self._splitting = None, False

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.fit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        middle = self._areas()[0].center()
        match event.key():
            case Qt.Key.Key_Plus | Qt.Key.Key_Equal:
                self.zoom_at(NOTCH, middle)
            case Qt.Key.Key_Minus:
                self.zoom_at(1 / NOTCH, middle)
            case Qt.Key.Key_0 | Qt.Key.Key_F:
                self.fit()
            case Qt.Key.Key_1:
                self.show_actual()
            case Qt.Key.Key_Left if self.mode == "slider":
                self._put_line(self.split - STEP)
            case Qt.Key.Key_Right if self.mode == "slider":
                self._put_line(self.split + STEP)
            case _:
                event.ignore()

    def _near_line(self, at: QPointF) -> bool:
        return self.mode == "slider" and abs(at.x() - self.line) <= REACH

    def _put_line(self, split: float) -> None:
        self.split = min(max(split, 0.0), 1.0)
        self.update()


def _side(picture: QPixmap) -> int:
    return max(picture.width(), picture.height())


def _reduced(picture: QPixmap) -> QPixmap:
    size = picture.size().scaled(PREVIEW_SIDE, PREVIEW_SIDE, Qt.AspectRatioMode.KeepAspectRatio)
    return picture.scaled(size, mode=Qt.TransformationMode.SmoothTransformation)

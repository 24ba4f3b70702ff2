"""The newest picture, large: live while a run goes on, the result after it."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPixmap, QWheelEvent
from PySide6.QtWidgets import QWidget

from ui.canvas.scene import pixmap
from ui.document import Document
from ui.run_state import RunState
from ui.theme import DARK, color, font

CAPTION = 30


class Preview(QWidget):
    """Fits the picture; the wheel zooms at the pointer, dragging moves it, a double click fits it again."""

    def __init__(self, document: Document, runs: RunState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document, self.runs = document, runs
        self.node: str | None = None
        self.pixmap: QPixmap | None = None
        self.zoom = 1.0  # 1 = fitted
        self.shift = QPointF()  # of the picture's centre from the panel's, in pixels
        self._held: QPointF | None = None
        self.setMinimumHeight(180)
        self.setAccessibleName("Preview")
        runs.pictured.connect(self.show_node)
        runs.changed.connect(lambda node: self.update() if node == self.node else None)

    def sizeHint(self) -> QSize:
        return QSize(340, 380)

    def show_node(self, node: str) -> None:
        """Show the picture of this node; nothing changes when it has none."""
        picture = self.runs.of(node).picture
        if picture is not None:
            self.node, self.pixmap = node, pixmap(picture)
            self.update()

    def clear(self) -> None:
        self.node = self.pixmap = None
        self.update()

    def _area(self) -> QRectF:
        return QRectF(self.rect()).adjusted(12, 8, -12, -CAPTION)

    def _place(self, size: QSizeF) -> QRectF:
        """Where a picture of this size goes."""
        area = self._area()
        fit = min(area.width() / size.width(), area.height() / size.height()) * self.zoom
        place = QRectF(QPointF(), size * fit)
        place.moveCenter(area.center() + self.shift)
        return place

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), color(DARK.panel))
        painter.setFont(font(12))
        if self.pixmap is None:
            painter.setPen(color(DARK.faint))
            painter.drawText(
                self.rect(), Qt.AlignmentFlag.AlignCenter, "The picture appears here\nwhen you run the graph."
            )
            return
        place = self._place(QSizeF(self.pixmap.size()))
        painter.setClipRect(self._area())
        # Enlarged by choice, pixels stay visible as pixels.
        smooth = self.zoom <= 2
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.drawPixmap(place, self.pixmap, QRectF(self.pixmap.rect()))
        painter.setClipping(False)
        painter.setPen(color(DARK.dim))
        foot = QRectF(12, self.height() - CAPTION, self.width() - 24, CAPTION)
        painter.drawText(foot, Qt.AlignmentFlag.AlignCenter, self.caption())

    def caption(self) -> str:
        """Whose picture it is, its size, and how far it is."""
        if self.node is None or self.pixmap is None:
            return ""
        shown = self.document.graph.nodes.get(self.node)
        title = (shown.title or self.document.type_of(self.node).title) if shown else self.node
        run = self.runs.of(self.node)
        parts = [title, f"{self.pixmap.width()} × {self.pixmap.height()}"]
        if run.state == "running" and run.calls > 1:
            parts.append(f"step {min(run.done + 1, run.calls)} of {run.calls}")
        if run.stale:
            parts.append("of earlier settings")
        return "  ·  ".join(parts)

    def wheelEvent(self, event: QWheelEvent) -> None:
        before = self.zoom
        self.zoom = min(max(self.zoom * 1.2 ** (event.angleDelta().y() / 120), 0.2), 40.0)
        away = event.position() - self._area().center()
        self.shift = away - (away - self.shift) * (self.zoom / before)
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._held = event.position() - self.shift

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is not None:
            self.shift = event.position() - self._held
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.zoom, self.shift = 1.0, QPointF()
        self.update()

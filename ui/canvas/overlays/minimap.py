"""All of the graph in a corner of the canvas, with what is in sight; a press or drag there goes there."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, QSizeF, Qt, QTimer
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QWidget

from nodegraph.editing.tint import tint_of as tint_of_node
from ui.base.theme import color, colors, mixed
from ui.canvas.paint.frames import frame_tint
from ui.canvas.paint.sockets import tint_of
from ui.canvas.scene.items import NodeItem
from ui.canvas.scene.state import CanvasState
from ui.canvas.scene.view import View, fitted

SIZE = QSize(200, 130)  # pixels
FROM_EDGE = 12
PAUSE_MS = 60  # between a change of the graph and the map that shows it


class Minimap(QWidget):
    """Hidden until it is asked for."""

    def __init__(self, state: CanvasState) -> None:
        super().__init__(state.widget)
        self.state = state
        self._picture = QPixmap()
        self._map = View()
        self._timer = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._timer.timeout.connect(self._redraw)
        self.setFixedSize(SIZE)
        self.setAccessibleName("Map of the graph")
        self.setToolTip("Press or drag to go there")
        state.scene.touched.connect(self._changed)
        state.view_changed.connect(self.update)
        self.hide()

    def place(self) -> None:
        """In the lower right corner."""
        room = self.state.widget.size() - SIZE
        self.move(room.width() - FROM_EDGE, room.height() - FROM_EDGE)

    def show_map(self, on: bool) -> None:
        self.setVisible(on)
        if on:
            self.place()
            self._redraw()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:  # another theme
            self._changed()

    def _changed(self) -> None:
        if self.isVisible() and not self._timer.isActive():
            self._timer.start()

    def _redraw(self) -> None:
        scene = self.state.scene
        if not scene.complete:
            self._timer.start()
            return
        self._map = fitted(scene.extent(), QSizeF(SIZE), 8.0)
        self._picture = QPixmap(SIZE * self.devicePixelRatioF())
        self._picture.setDevicePixelRatio(self.devicePixelRatioF())
        self._picture.fill(color(colors().panel))
        painter = QPainter(self._picture)
        for item in sorted(scene.nodes.values(), key=lambda item: item.figure != "frame"):
            rect = self._map.rect_to_screen(item.rect)
            painter.fillRect(rect.united(QRectF(rect.topLeft(), QSizeF(2, 2))), self._color(item))
        painter.end()
        self.update()

    def _color(self, item: NodeItem) -> QColor:
        theme = colors()
        if item.figure == "frame":
            return mixed(theme.panel, frame_tint(item), 0.35)
        if item.run.state in ("running", "failed"):
            return color(getattr(theme, item.run.state))
        if own := tint_of_node(item.node):  # the colour that a person gave it
            return mixed(theme.faint, own, 0.75)
        sockets = item.type.outputs or item.type.inputs
        return mixed(theme.faint, tint_of(sockets[0].type), 0.5) if sockets else color(theme.faint)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._picture)
        seen = self.state.view.rect_to_world(self.state.area)
        painter.setPen(QPen(color(colors().accent), 1.5))
        painter.setBrush(color(colors().accent, 24))
        painter.drawRect(self._map.rect_to_screen(seen))
        painter.setPen(QPen(color(colors().border), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._go(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go(event.position())

    def _go(self, at: QPointF) -> None:
        """Bring the place into the middle of the canvas."""
        view = self.state.view
        away = self.state.middle - view.to_screen(self._map.to_world(at))
        self.state.show_view(view.panned(away.x(), away.y()))

"""Small pictures of workflows."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QPointF, QRectF, QSize
from PySide6.QtGui import QColor, QIcon, QImage, QPainter, QPen, QPixmap

from nodegraph.builtin import FRAME, NOTE
from nodegraph.graph import Graph, Node
from ui.base import theme
from ui.canvas.scene.shape import wire
from ui.widgets.pixmaps import fitted

BOX = (200.0, 110.0)  # world units; how large a node is does not matter here
MARGIN = 0.06  # of the picture


def icon(picture: QImage, size: QSize) -> QIcon:
    """For a list: in the middle of a field of `size`, so that the texts stand in line, and not tinted when selected."""
    field = QPixmap(size)
    field.fill(theme.color(theme.colors().canvas))
    painter = QPainter(field)
    shown = fitted(picture, size)
    painter.drawImage((size.width() - shown.width()) // 2, (size.height() - shown.height()) // 2, shown)
    painter.end()
    made = QIcon(field)
    made.addPixmap(field, QIcon.Mode.Selected)
    return made


def drawing(graph: Graph, size: QSize) -> QImage:
    """The nodes as plain boxes with their wires: what a workflow looks like from far away."""
    picture = QImage(size, QImage.Format.Format_RGB32)
    picture.fill(theme.color(theme.colors().canvas))
    if not graph.nodes:
        return picture
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    boxes = {id: _box(node) for id, node in graph.nodes.items()}
    _look_at(painter, _around(boxes.values()), size)
    frames = [id for id, node in graph.nodes.items() if node.type == FRAME]
    for id in frames:
        _paint_box(painter, graph.nodes[id], boxes[id])
    for dst, src in graph.links.items():
        _paint_wire(painter, boxes[src.node], boxes[dst.node])
    for id, node in graph.nodes.items():
        if node.type != FRAME:
            _paint_box(painter, node, boxes[id])
    painter.end()
    return picture


def _box(node: Node) -> QRectF:
    width, height = node.size if node.size and node.type in (FRAME, NOTE) else BOX
    return QRectF(*node.pos, width, height)


def _around(boxes: Iterable[QRectF]) -> QRectF:
    found = QRectF()
    for box in boxes:
        found = found.united(box)
    return found


def _look_at(painter: QPainter, world: QRectF, size: QSize) -> None:
    room = 1 - 2 * MARGIN
    scale = min(size.width() * room / world.width(), size.height() * room / world.height(), 0.5)
    painter.translate(size.width() / 2, size.height() / 2)
    painter.scale(scale, scale)
    painter.translate(-world.center())


def _paint_box(painter: QPainter, node: Node, box: QRectF) -> None:
    colors = theme.colors()
    fill, edge = {
        FRAME: (theme.color(colors.text, 18), theme.color(colors.border)),
        NOTE: (theme.color(colors.accent, 40), theme.color(colors.accent, 120)),
    }.get(node.type, (theme.color(colors.raised), theme.color(colors.faint)))
    painter.setPen(_pen(edge))
    painter.setBrush(fill)
    painter.drawRoundedRect(box, 14, 14)


def _paint_wire(painter: QPainter, src: QRectF, dst: QRectF) -> None:
    start, end = QPointF(src.right(), src.center().y()), QPointF(dst.left(), dst.center().y())
    painter.setPen(_pen(theme.color(theme.colors().accent)))
    painter.drawPolyline(wire(start, end))


def _pen(color: QColor) -> QPen:
    pen = QPen(color, 1.5)
    pen.setCosmetic(True)
    return pen

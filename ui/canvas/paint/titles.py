"""Titles of nodes seen from afar: as large on the screen as can be read, on as many lines as the node has room for."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QPointF
from PySide6.QtGui import QPainter

from ui.base.theme import color, colors, font
from ui.canvas.paint.levels import LEADING, least
from ui.canvas.scene.items import NodeItem
from ui.canvas.scene.shape import HEADER
from ui.widgets.lettering import wrapped

INSET = 6.0  # pixels: clear of the sockets
NARROW = 30.0  # pixels of a node in which no word has room
FARTHEST = 0.06  # the scale below which no node has room


def paint_titles(painter: QPainter, items: Iterable[NodeItem], scale: float) -> None:
    """Below the headers; where there is no room, on them. The painter is in world units; letters are drawn in pixels,
    so that zooming reuses them.
    """
    if scale < FARTHEST:
        return
    to_pixels, size = painter.worldTransform(), least()
    high = size * LEADING
    painter.setFont(font(size, strong=True))
    painter.setPen(color(colors().text))
    painter.setWorldMatrixEnabled(False)
    for item in items:
        wide = item.shape.width * scale
        if wide < NARROW:
            continue
        top, count = _lines(item, scale, high)
        if count < 1:
            continue
        corner = to_pixels.map(item.pos + QPointF(0, top))
        for number, line in enumerate(wrapped(item.title, round(wide - 2 * INSET), count, size=size, strong=True)):
            painter.drawText(QPointF(round(corner.x() + INSET), round(corner.y() + (number + 0.8) * high)), line)
    painter.setWorldMatrixEnabled(True)


def _lines(item: NodeItem, scale: float, high: float) -> tuple[float, int]:
    """From where on a title is written, from the node's corner, and on how many lines. high: of a line, in pixels."""
    shape = item.shape
    low = shape.picture.top() if shape.picture is not None else shape.height
    below = int((low - HEADER) * scale / high)
    if below >= 1:
        return HEADER, below
    return 0.0, int(low * scale / high)

"""Titles of nodes seen from afar: as large on the screen as can be read, on as many lines as the node has room for."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QPointF
from PySide6.QtGui import QPainter

from ui.base.theme import color, colors, font
from ui.canvas.paint.levels import LEADING, LEAST, least
from ui.canvas.scene.items import NodeItem
from ui.canvas.scene.shape import HEADER, SOCKET
from ui.widgets.lettering import wrapped

INSET = 2  # pixels from the sockets at the left
SEAM = 1  # pixels before the right edge
NARROW = 30.0  # pixels of a node in which no word has room
FARTHEST = 0.06  # the scale below which no node has room


def paint_titles(painter: QPainter, items: Iterable[NodeItem], scale: float) -> None:
    """Below the headers; where there is no room, on them. The painter is in world units; letters are drawn in pixels,
    so that zooming reuses them.
    """
    if scale < FARTHEST:
        return
    to_pixels, inset = painter.worldTransform(), round(SOCKET * scale) + INSET
    painter.setPen(color(colors().text))
    painter.setWorldMatrixEnabled(False)
    for item in items:
        wide = item.shape.width * scale
        if wide < NARROW:
            continue
        size, top, lines = _written(item, scale, round(wide - inset - SEAM))
        corner, high = to_pixels.map(item.pos + QPointF(0, top)), size * LEADING
        painter.setFont(font(size, strong=True))
        for number, line in enumerate(lines):
            painter.drawText(QPointF(round(corner.x() + inset), round(corner.y() + (number + 0.8) * high)), line)
    painter.setWorldMatrixEnabled(True)


def _written(item: NodeItem, scale: float, room: int) -> tuple[int, float, tuple[str, ...]]:
    """How large a title is written, from where on, from the node's corner, and its lines. Large text is given up
    step by step where it would cut the title.

    room: across, in pixels.
    """
    for size in (least(), (least() + LEAST) // 2):
        top, lines = _lines(item, scale, room, size)
        if size == LEAST or " ".join(lines) == item.title:
            return size, top, lines
    return (LEAST, *_lines(item, scale, room, LEAST))


def _lines(item: NodeItem, scale: float, room: int, size: int) -> tuple[float, tuple[str, ...]]:
    top, count = _place(item, scale, size)
    return top, wrapped(item.title, room, count, size=size, strong=True) if count else ()


def _place(item: NodeItem, scale: float, size: int) -> tuple[float, int]:
    """From where on a title is written, and on how many lines at most."""
    shape, high = item.shape, size * LEADING
    low = shape.picture.top() if shape.picture is not None else shape.height
    below = int((low - HEADER) * scale / high)
    return (HEADER, below) if below else (0.0, int(low * scale / high))

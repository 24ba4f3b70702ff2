"""Titles of nodes seen from afar: as large on the screen as can be read, on as many lines as the node has room for."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QPointF
from PySide6.QtGui import QPainter

from ui.base.theme import color, colors, font
from ui.canvas.scene.items import NodeItem
from ui.canvas.scene.shape import HEADER
from ui.widgets.lettering import wrapped

LEAST = 10  # pixels: the smallest text that is read
LINE = 12.0  # pixels
INSET = 3.0  # pixels
NARROW = 30.0  # pixels of a node in which no word has room
FARTHEST = 0.06  # the scale below which no node has room


def paint_titles(painter: QPainter, items: Iterable[NodeItem], scale: float) -> None:
    """Below the headers. The painter is in world units; letters are drawn in pixels, so that zooming reuses them."""
    if scale < FARTHEST:
        return
    to_pixels = painter.worldTransform()
    painter.setFont(font(LEAST, strong=True))
    painter.setPen(color(colors().text))
    painter.setWorldMatrixEnabled(False)
    for item in items:
        shape = item.shape
        wide = shape.width * scale
        low = shape.picture.top() if shape.picture is not None else shape.height
        count = int((low - HEADER) * scale / LINE)
        if wide < NARROW or count < 1:
            continue
        corner = to_pixels.map(item.pos + QPointF(0, HEADER))
        for number, line in enumerate(wrapped(item.title, round(wide - 2 * INSET), count, size=LEAST, strong=True)):
            painter.drawText(QPointF(round(corner.x() + INSET), round(corner.y() + (number + 0.85) * LINE)), line)
    painter.setWorldMatrixEnabled(True)

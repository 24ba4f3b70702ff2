"""Paint wires. The painter is in world units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from PySide6.QtCore import QLineF, QPointF, Qt
from PySide6.QtGui import QPainter, QPen

from ui.base.theme import colors, inked, mixed
from ui.canvas.paint.nodes import SMALL
from ui.canvas.scene.items import LinkItem
from ui.canvas.scene.shape import TURN


def paint_wires(painter: QPainter, links: Iterable[LinkItem], scale: float) -> None:
    """Far out, wires are hairlines with corners: curves would cost ten times as much and look the same."""
    by_color: defaultdict[str, list[LinkItem]] = defaultdict(list)
    for link in links:
        by_color[link.color].append(link)
    far = scale < SMALL
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, not far)
    for name, group in by_color.items():
        if far:
            painter.setPen(QPen(mixed(colors().canvas, name, 0.55), 0))
            corners = [QPointF(max(link.b.x() - TURN, link.a.x()), link.a.y()) for link in group]
            painter.drawLines([QLineF(link.a, corner) for link, corner in zip(group, corners, strict=True)])
            painter.drawLines([QLineF(corner, link.b) for link, corner in zip(group, corners, strict=True)])
            continue
        painter.setPen(wire_pen(name, scale))
        for link in group:
            painter.drawPolyline(link.points)


def wire_pen(name: str, scale: float) -> QPen:
    pen = QPen(mixed(colors().canvas, inked(name), 0.85), max(2.0, 1.2 / scale))
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    return pen

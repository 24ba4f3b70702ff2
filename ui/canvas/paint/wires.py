"""Paint wires. The painter is in world units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable

from PySide6.QtCore import QLineF, Qt
from PySide6.QtGui import QPainter, QPen

from ui.base.theme import color, colors, inked, mixed
from ui.canvas.paint.levels import NEAR, SMALL
from ui.canvas.scene.items import LinkItem
from ui.canvas.scene.shape import SOCKET, TURN

INK, FAR_INK = 0.85, 0.55
"""How much of its colour a wire has near and far out; the rest is the canvas's."""
DIMMED = 0.3
"""How much of that is left while other wires are lit."""


def paint_wires(painter: QPainter, links: Iterable[LinkItem], scale: float, *, dim: bool = False) -> None:
    """Far out, wires are hairlines with corners: curves would cost ten times as much and look the same."""
    _paint(painter, links, scale, lambda name: wire_pen(name, scale, DIMMED if dim else 1.0))


def paint_lit(painter: QPainter, links: Collection[LinkItem], scale: float) -> None:
    """Wires that stand out, above everything, with the sockets at their ends."""
    _paint(painter, links, scale, lambda name: _lit_pen(name, scale))
    if scale < NEAR:
        return
    for link in links:
        painter.setPen(QPen(color(inked(link.color)), 2.0))
        painter.setBrush(color(colors().canvas))
        for end in (link.a, link.b):
            painter.drawEllipse(end, SOCKET + 1.5, SOCKET + 1.5)


def _paint(painter: QPainter, links: Iterable[LinkItem], scale: float, pen: Callable[[str], QPen]) -> None:
    by_color: defaultdict[str, list[LinkItem]] = defaultdict(list)
    for link in links:
        by_color[link.color].append(link)
    far = scale < SMALL
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, not far)
    for name, group in by_color.items():
        if far:
            painter.setPen(pen(name))
            bent: list[tuple[float, float, float, float, float]] = []
            for link in group:
                ax, ay, bx, by = link.ends
                bent.append((ax, ay + link.aside.rise, max(bx - TURN, ax), bx, by))
            painter.drawLines([QLineF(ax, y, x, y) for ax, y, x, _, _ in bent])
            painter.drawLines([QLineF(x, y, bx, by) for _, y, x, bx, by in bent])
            continue
        painter.setPen(pen(name))
        for link in group:
            painter.drawPolyline(link.points)


def wire_pen(name: str, scale: float, share: float = 1.0) -> QPen:
    """share: how much is left of the wire's colour."""
    if scale < SMALL:
        return QPen(mixed(colors().canvas, name, FAR_INK * share), 0)
    pen = QPen(mixed(colors().canvas, inked(name), INK * share), max(2.0, 1.2 / scale))
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    return pen


def _lit_pen(name: str, scale: float) -> QPen:
    pen = QPen(color(inked(name)), max(3.0, 2.0 / scale))
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    return pen

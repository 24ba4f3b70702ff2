"""How a socket looks: its form says what kind of thing travels there, its colour which one."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainter, QPen

from nodegraph.node import Input
from nodegraph.types import ListOf, is_plain, style
from ui.base.theme import color, colors, inked, mixed
from ui.canvas.scene.items import NodeItem

Form = Literal["dot", "disc", "square", "diamond"]

LIGHTER = {"dot": 0.76, "disc": 1.0, "square": 0.85, "diamond": 1.25}
"""Half the height of each form, relative to the disc's: so that all look equally heavy, but for the small dot."""


@lru_cache(maxsize=256)
def form_of(tp: Any) -> Form:
    """A dot for a number, switch or text; a square for a list; a diamond for a model; a disc for what is computed."""
    if isinstance(tp, ListOf):
        return "square"
    if tp in (bool, int, float, str):
        return "dot"
    return "diamond" if is_plain(tp) else "disc"


@lru_cache(maxsize=256)
def tint_of(tp: Any) -> str:
    return style(tp).color


def paint_sockets(painter: QPainter, item: NodeItem) -> None:
    """Filled where something is linked or made; hollow where a link is possible or, bright, needed."""
    theme, shape = colors(), item.shape
    edge, hollow = QPen(color(theme.canvas), 1.5), color(theme.canvas)
    painter.setPen(edge)
    types = item.type.output_by_name
    for name, center in shape.outputs.items():
        tp = types[name].type
        painter.setBrush(color(inked(tint_of(tp))))
        _draw(painter, form_of(tp), center, shape.socket)
    specs = item.type.input_by_name
    for name, center in shape.inputs.items():
        spec = specs[name]
        if name in item.linked:
            painter.setPen(edge)
            painter.setBrush(color(inked(tint_of(spec.type))))
            _draw(painter, form_of(spec.type), center, shape.socket)
        else:
            painter.setBrush(hollow)
            _draw_open(painter, spec, center, shape.socket)


def _draw_open(painter: QPainter, spec: Input, center: QPointF, radius: float) -> None:
    tint = inked(tint_of(spec.type))
    painter.setPen(QPen(color(tint) if spec.required else mixed(colors().raised, tint, 0.6), 1.5))
    _draw(painter, form_of(spec.type), center, radius - 0.5 if spec.required else radius - 1.5)


def _draw(painter: QPainter, form: Form, center: QPointF, radius: float) -> None:
    size = radius * LIGHTER[form]
    match form:
        case "square":
            painter.drawRect(QRectF(center.x() - size, center.y() - size, 2 * size, 2 * size))
        case "diamond":
            x, y = center.x(), center.y()
            painter.drawConvexPolygon([QPointF(x, y - size), QPointF(x + size, y), QPointF(x, y + size),
                                       QPointF(x - size, y)])  # fmt: skip
        case _:
            painter.drawEllipse(center, size, size)

"""What a node looks like that does not take part: hatched when it is muted, led through when it is bypassed."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QBrush, QPainter, QPen

from nodegraph.graph import Port
from nodegraph.planning.expand import passes
from ui.base.theme import color, colors, inked
from ui.canvas.paint.rows import NO_BRUSH, NO_PEN
from ui.canvas.paint.sockets import tint_of
from ui.canvas.scene.items import NodeItem
from ui.canvas.scene.shape import HEADER, wire

COVER = 150  # of 255: how much of a muted node is covered
THIN_COVER = 110  # the same of a bypassed one
HATCH = 70
THROUGH = 3.0  # width of the line


def paint_mode(painter: QPainter, item: NodeItem) -> None:
    """Over the node. Nothing comes out of a muted one; a bypassed one hands on what its line leads through."""
    muted = item.node.mode == "muted"
    painter.setPen(NO_PEN)
    painter.setBrush(color(colors().canvas, COVER if muted else THIN_COVER))
    painter.drawPath(item.shape.body)
    if muted:
        painter.setBrush(QBrush(color(colors().dim, HATCH), Qt.BrushStyle.BDiagPattern))
        painter.drawPath(item.shape.body)
    else:
        paint_through(painter, item)


def paint_through(painter: QPainter, item: NodeItem) -> None:
    """From each output back to the input whose value it passes on; broken where nothing is linked to that."""
    painter.setBrush(NO_BRUSH)
    for tint, start, end, linked in _lines(item):
        line = Qt.PenStyle.SolidLine if linked else Qt.PenStyle.DashLine
        painter.setPen(QPen(color(inked(tint)), THROUGH, line))
        painter.drawPolyline(wire(start, end))


def _lines(item: NodeItem) -> Iterator[tuple[str, QPointF, QPointF, bool]]:
    """The colour of each, its ends from the node's corner, and whether anything is linked there."""
    for output in item.type.outputs:
        source = passes(item.type, Port(item.id, output.name))
        if source is not None:
            start = item.shape.inputs.get(source.socket) or QPointF(0, HEADER / 2)
            end = item.shape.outputs.get(output.name) or QPointF(item.shape.width, HEADER / 2)
            yield tint_of(output.type), start, end, source.socket in item.linked

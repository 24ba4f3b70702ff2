"""Where the parts of a node are. Lengths are in world units: pixels at scale 1; y grows downwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainterPath

from nodegraph.node import Input, Multiline, NodeType, Output

WIDTH = 220.0
HEADER = 32.0
ROW = 24.0
PARAGRAPH = 76.0  # a multiline text: its name and three lines
PAD = 8.0
RADIUS = 8.0
SOCKET = 5.0
MARGIN = 14.0  # shadow, sockets and outlines around the node


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a node. An editable input has its value on it."""

    y: float
    height: float
    input: Input | None
    output: Output | None

    @property
    def editable(self) -> bool:
        return self.input is not None and self.input.editable

    @property
    def rect(self) -> QRectF:
        return QRectF(PAD, self.y + 1, WIDTH - 2 * PAD, self.height - 2)


@dataclass(frozen=True)
class Shape:
    """inputs, outputs: centres of the sockets by name, from the node's top left corner. Shared by equal nodes."""

    height: float
    rows: tuple[Row, ...]
    inputs: Mapping[str, QPointF]
    outputs: Mapping[str, QPointF]
    picture: QRectF | None
    body: QPainterPath
    header: QPainterPath


def make_shape(type: NodeType, linked: frozenset[str], spare: frozenset[str], aspect: float | None) -> Shape:
    """linked: the inputs that take their value from a link. spare: sockets that are not shown.

    aspect: height / width of the node's picture; None for none.
    """
    rows = _rows(type, linked, spare)
    bottom = rows[-1].y + rows[-1].height if rows else HEADER
    picture = None
    if aspect is not None:
        width = WIDTH - 2 * PAD
        picture = QRectF(PAD, bottom + 4, width, min(width * aspect, 2 * width))
        bottom = picture.bottom()
    height = bottom + PAD
    inputs = {r.input.name: QPointF(0, _socket_y(r)) for r in rows if r.input}
    outputs = {r.output.name: QPointF(WIDTH, _socket_y(r)) for r in rows if r.output}
    return Shape(height, rows, inputs, outputs, picture, _rounded(height), _top(HEADER))


def spare_sockets(type: NodeType, used: frozenset[str]) -> frozenset[str]:
    """The tail of each row of sockets named like `state`, `state_2`, `state_3`: all but one after the last in use.

    used: inputs and outputs with a link.
    """
    names = [i.name for i in type.inputs if not i.editable] + [o.name for o in type.outputs]
    spare: set[str] = set()
    for name in names:
        stem, _, number = name.rpartition("_")
        if number.isdigit() and name not in used:
            before = stem if number == "2" else f"{stem}_{int(number) - 1}"
            if before in names and before not in used:
                spare.add(name)
    return frozenset(spare)


def _rows(type: NodeType, linked: frozenset[str], spare: frozenset[str]) -> tuple[Row, ...]:
    rows: list[Row] = []
    y = HEADER + 4
    inputs = [i for i in type.inputs if not i.editable and i.name not in spare]
    outputs = [o for o in type.outputs if o.name not in spare]
    for input, output in zip_longest(inputs, outputs):
        rows.append(Row(y, ROW, input, output))
        y += ROW
    for input in (i for i in type.inputs if i.editable):
        height = PARAGRAPH if input.get(Multiline) and input.name not in linked else ROW
        rows.append(Row(y, height, input, None))
        y += height
    return tuple(rows)


def _socket_y(row: Row) -> float:
    return row.y + ROW / 2


def _rounded(height: float) -> QPainterPath:
    path = QPainterPath()
    path.addRoundedRect(QRectF(0, 0, WIDTH, height), RADIUS, RADIUS)
    return path


def _top(height: float) -> QPainterPath:
    """The header: only its upper corners are round."""
    lower = QPainterPath()
    lower.addRect(QRectF(0, RADIUS, WIDTH, height - RADIUS))
    upper = QPainterPath()
    upper.addRoundedRect(QRectF(0, 0, WIDTH, 2 * RADIUS), RADIUS, RADIUS)
    return upper.united(lower)


def _bezier(count: int) -> tuple[tuple[float, float, float, float], ...]:
    """Weights of a cubic's four points at the ends of `count` segments along it."""
    places = (i / count for i in range(count + 1))
    return tuple(((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3) for t in places)


SHORT, MIDDLE, LONG = _bezier(12), _bezier(24), _bezier(48)
"""So many segments that the corners between them are not seen at scale 1.5."""


def reach(a: QPointF, b: QPointF) -> float:
    """How far a wire leaves its sockets horizontally before it turns."""
    gap = b.x() - a.x()
    return min(max(abs(gap) * 0.5, 30.0), 160.0 if gap < 0 else 400.0)


def wire(a: QPointF, b: QPointF) -> list[QPointF]:
    """Points along the wire from output `a` to input `b`."""
    x0, y0, x3, y3 = a.x(), a.y(), b.x(), b.y()
    far = reach(a, b)
    x1, x2 = x0 + far, x3 - far
    size = abs(x3 - x0) + abs(y3 - y0)
    weights = SHORT if size < 150 else MIDDLE if size < 500 else LONG
    return [
        QPointF(w0 * x0 + w1 * x1 + w2 * x2 + w3 * x3, (w0 + w1) * y0 + (w2 + w3) * y3) for w0, w1, w2, w3 in weights
    ]


def wire_rect(a: QPointF, b: QPointF) -> QRectF:
    """Encloses the wire with its width."""
    far = reach(a, b) if b.x() < a.x() + 60 else 0.0
    left, right = min(a.x(), b.x() - far), max(b.x(), a.x() + far)
    top, bottom = min(a.y(), b.y()), max(a.y(), b.y())
    return QRectF(left - 4, top - 4, right - left + 8, bottom - top + 8)

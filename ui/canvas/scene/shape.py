"""Where the parts of a node are. Lengths are in world units: pixels at scale 1; y grows downwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from math import hypot
from typing import NamedTuple

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainterPath

from nodegraph.editing.layout import COLUMN_GAP
from nodegraph.node import Input, Multiline, NodeType, Output
from ui.canvas.scene.grid import Box

WIDTH = 220.0
MIN_WIDTH, MAX_WIDTH = 140.0, 960.0
HEADER = 32.0
ROW = 24.0
PARAGRAPH = 76.0  # a multiline text: its name and three lines
PAD = 8.0
RADIUS = 8.0
SOCKET = 5.0
MARGIN = 18.0  # shadow, sockets, outlines and the badge around the node
CHEVRON = QRectF(4, 4, 22, HEADER - 8)  # folds the node
EDGE = 6.0  # the strip inside the right edge that is dragged to resize
ASIDE = 24.0  # across which a wire leaves its socket's height, where others lie there
TURN = COLUMN_GAP  # across which a wire turns, so that in a layout it does between columns


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a node. An editable input has its value on it."""

    y: float
    height: float
    width: float  # of the node
    input: Input | None
    output: Output | None

    @property
    def editable(self) -> bool:
        return self.input is not None and self.input.editable

    @property
    def rect(self) -> QRectF:
        return QRectF(PAD, self.y + 1, self.width - 2 * PAD, self.height - 2)

    @property
    def button(self) -> QRectF:
        """At the right end: the die of a seed, or what looks for a file."""
        return QRectF(self.width - PAD - 24, self.y + 1, 24, self.height - 2)

    @property
    def mode_button(self) -> QRectF:
        """Left of the die: what becomes of the seed before a run."""
        return self.button.adjusted(-46, 0, -24, 0)


class Look(NamedTuple):
    """What decides a node's shape beside its type.

    linked: the inputs that take their value from a link. spare: sockets that are not shown. aspect: height / width of
    the node's picture; None for none.
    """

    linked: frozenset[str] = frozenset()
    spare: frozenset[str] = frozenset()
    aspect: float | None = None
    width: float = WIDTH
    collapsed: bool = False


@dataclass(frozen=True)
class Shape:
    """inputs, outputs: centres of the sockets by name, from the node's top left corner. Shared by equal nodes.

    socket: how large the sockets are, at most.
    """

    width: float
    height: float
    rows: tuple[Row, ...]
    inputs: Mapping[str, QPointF]
    outputs: Mapping[str, QPointF]
    picture: QRectF | None
    body: QPainterPath
    header: QPainterPath
    socket: float = SOCKET


def make_shape(type: NodeType, look: Look) -> Shape:
    if look.collapsed:
        return _collapsed(type, look)
    width = look.width
    rows = _rows(type, look)
    bottom = rows[-1].y + rows[-1].height if rows else HEADER
    picture = None
    if look.aspect is not None:
        picture = picture_place(width, bottom, look.aspect)
        bottom = picture.bottom()
    height = bottom + PAD
    inputs = {r.input.name: QPointF(0, _socket_y(r)) for r in rows if r.input}
    outputs = {r.output.name: QPointF(width, _socket_y(r)) for r in rows if r.output}
    return Shape(width, height, rows, inputs, outputs, picture, _rounded(width, height), _top(width, HEADER))


def picture_place(width: float, top: float, aspect: float) -> QRectF:
    """Where the picture of a node is. top: where its rows end; aspect: height / width."""
    across = width - 2 * PAD
    return QRectF(PAD, top + 4, across, min(across * aspect, 2 * across))


def _collapsed(type: NodeType, look: Look) -> Shape:
    """The header alone, with the sockets along its sides; parameters without a link have none."""
    inputs = [i.name for i in type.inputs if i.name in look.linked or not (i.editable or i.name in look.spare)]
    outputs = [o.name for o in type.outputs if o.name not in look.spare]
    body = _rounded(look.width, HEADER)
    size = min(SOCKET, 0.45 * HEADER / (max(len(inputs), len(outputs), 1) + 1))
    places = (_along(inputs, 0.0), _along(outputs, look.width))
    return Shape(look.width, HEADER, (), *places, None, body, body, size)


def _along(names: list[str], x: float) -> dict[str, QPointF]:
    """Places from the top to the bottom of a collapsed node."""
    return {name: QPointF(x, HEADER * (place + 1) / (len(names) + 1)) for place, name in enumerate(names)}


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


def _rows(type: NodeType, look: Look) -> tuple[Row, ...]:
    rows: list[Row] = []
    y = HEADER + 4
    inputs = [i for i in type.inputs if not i.editable and i.name not in look.spare]
    outputs = [o for o in type.outputs if o.name not in look.spare]
    for input, output in zip_longest(inputs, outputs):
        rows.append(Row(y, ROW, look.width, input, output))
        y += ROW
    for input in (i for i in type.inputs if i.editable):
        height = PARAGRAPH if input.get(Multiline) and input.name not in look.linked else ROW
        rows.append(Row(y, height, look.width, input, None))
        y += height
    return tuple(rows)


def _socket_y(row: Row) -> float:
    return row.y + ROW / 2


def _rounded(width: float, height: float) -> QPainterPath:
    path = QPainterPath()
    path.addRoundedRect(QRectF(0, 0, width, height), RADIUS, RADIUS)
    return path


def _top(width: float, height: float) -> QPainterPath:
    """The header: only its upper corners are round."""
    lower = QPainterPath()
    lower.addRect(QRectF(0, RADIUS, width, height - RADIUS))
    upper = QPainterPath()
    upper.addRoundedRect(QRectF(0, 0, width, 2 * RADIUS), RADIUS, RADIUS)
    return upper.united(lower)


def _bezier(count: int) -> tuple[tuple[float, float, float, float], ...]:
    """Weights of a cubic's four points at the ends of `count` segments along it."""
    places = (i / count for i in range(count + 1))
    return tuple(((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3) for t in places)


SHORT, MIDDLE, LONG = _bezier(12), _bezier(24), _bezier(48)
"""So many segments that the corners between them are not seen at scale 1.5."""


def reach(gap: float) -> float:
    """How far a wire leaves its sockets horizontally where it turns. gap: across, from its output to its input."""
    return min(max(abs(gap) * 0.5, 30.0), 160.0 if gap < 0 else TURN / 2)


class Aside(NamedTuple):
    """How far a wire gives way to others: its level part by `rise` downwards, its turn by `shift` to the right."""

    rise: float = 0.0
    shift: float = 0.0


STRAIGHT = Aside()


def wire(a: QPointF, b: QPointF, aside: Aside = STRAIGHT) -> list[QPointF]:
    """Points along the wire from output `a` to input `b`: level as long as it can, and a turn in the last TURN."""
    if not turns(a.x(), b.x()):
        return _turn(a, b)
    y, first = a.y() + aside.rise, turn_begin(b, aside)
    begin = _turn(a, QPointF(a.x() + ASIDE, y), ASIDE / 2) if aside.rise else [a]
    end = QPointF(b.x() + 2 * min(aside.shift, 0.0), b.y())
    return [*begin, *_turn(QPointF(first, y), end), *([b] if aside.shift < 0 else [])]


def turns(ax: float, bx: float) -> bool:
    """Whether there is room for a level part before the turn. ax, bx: where output and input are, across."""
    return bx - ax > TURN


def turn_begin(b: QPointF, aside: Aside) -> float:
    """Where the level part ends, across."""
    return b.x() - TURN + 2 * max(aside.shift, 0.0)


def _turn(a: QPointF, b: QPointF, far: float | None = None) -> list[QPointF]:
    """far: how far it goes on level at both ends, unless as far as there is room for."""
    x0, y0, x3, y3 = a.x(), a.y(), b.x(), b.y()
    far = reach(x3 - x0) if far is None else far
    x1, x2 = x0 + far, x3 - far
    size = abs(x3 - x0) + abs(y3 - y0)
    weights = SHORT if size < 150 else MIDDLE if size < 500 else LONG
    return [
        QPointF(w0 * x0 + w1 * x1 + w2 * x2 + w3 * x3, (w0 + w1) * y0 + (w2 + w3) * y3) for w0, w1, w2, w3 in weights
    ]


def halfway(points: Sequence[QPointF]) -> QPointF:
    """The middle of a line through the points, by its length."""
    steps = [(a, b, hypot(b.x() - a.x(), b.y() - a.y())) for a, b in pairwise(points)]
    left = sum(length for *_, length in steps) / 2
    for a, b, length in steps:
        if length >= left:
            return a + (b - a) * (left / length if length else 0.0)
        left -= length
    return points[-1]


def wire_box(ends: Box) -> Box:
    """Encloses the wire with its width. ends: x and y of the output, then of the input."""
    ax, ay, bx, by = ends
    far = reach(bx - ax) if bx < ax + 60 else 0.0
    left, right = (ax, bx) if ax < bx - far else (bx - far, max(bx, ax + far))
    return (left - 4, ay - 4, right + 4, by + 4) if ay < by else (left - 4, by - 4, right + 4, ay + 4)


def touches(points: list[QPointF], area: QRectF) -> bool:
    """Whether a line through the points passes through the area."""
    left, top, right, bottom = area.left(), area.top(), area.right(), area.bottom()
    x0, y0 = points[0].x(), points[0].y()
    for point in points[1:]:
        x1, y1 = point.x(), point.y()
        beside = max(x0, x1) < left or min(x0, x1) > right or max(y0, y1) < top or min(y0, y1) > bottom
        if not beside:
            # The area's corners lie on both sides of the segment.
            dx, dy = x1 - x0, y1 - y0
            sides = [dx * (y - y0) - dy * (x - x0) for x in (left, right) for y in (top, bottom)]
            if min(sides) <= 0 <= max(sides):
                return True
        x0, y0 = x1, y1
    return False


def crosses(a: QPointF, b: QPointF, c: QPointF, d: QPointF) -> bool:
    """Whether the segments a-b and c-d have a point in common, other than lying on one line."""
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: QPointF, b: QPointF, p: QPointF) -> float:
    return (b.x() - a.x()) * (p.y() - a.y()) - (b.y() - a.y()) * (p.x() - a.x())

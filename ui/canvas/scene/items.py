"""What one node and one wire look like, where they lie, and what is hit by a press."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QPointF, QRectF, QSizeF
from PySide6.QtGui import QPixmap

from nodegraph.formats.app_rows import shows_picture
from nodegraph.graph import Node, Port
from nodegraph.node import NodeType
from nodegraph.types import Picture, style
from ui.canvas.scene.figures import Figure, figure_of, frame_is_hit
from ui.canvas.scene.grid import Box
from ui.canvas.scene.shape import (
    ASIDE,
    HEADER,
    MARGIN,
    STRAIGHT,
    TURN,
    Aside,
    Shape,
    picture_place,
    touches,
    turns,
    wire,
    wire_box,
)
from ui.runs.node_run import IDLE, NodeRun
from ui.widgets.pixmaps import Pixmaps, one_of

MESSAGE = 64.0  # height of the strip below a failed node
COUNTER = QSizeF(96.0, 22.0)  # of what says which picture of a batch is shown
BADGE_INSET, BADGE_HEIGHT = 8.0, 16.0


class NodeItem:
    """What one node looks like."""

    def __init__(self, id: str, order: int, node: Node, type: NodeType, shape: Shape, pixmaps: Pixmaps) -> None:
        self.id, self.order, self.node, self.type, self.shape = id, order, node, type, shape
        self._pixmaps = pixmaps
        self.linked: frozenset[str] = frozenset()
        self.run: NodeRun = IDLE
        self.chosen: int | None = None  # of a batch the picture that is shown; None: all of them
        self._cut: tuple[Picture, int, Picture] | None = None  # out of which, which, and what it is
        self.problem = ""
        self.badge = ""  # of what kind it makes something
        self.idle: Mapping[str, str] = {}  # by input, why it has no meaning here; "" is the whole node
        self.known = True
        self.figure: Figure = figure_of(node.type)
        self.color = style(Any).color  # of a reroute: that of what it passes on

    @property
    def picture(self) -> Picture | None:
        """Of the run: that of all, or the one that was chosen of a batch."""
        whole = self.run.picture
        if whole is None or self.chosen is None or self.chosen >= whole.count:
            return whole
        if self._cut is None or self._cut[0] is not whole or self._cut[1] != self.chosen:
            self._cut = whole, self.chosen, one_of(whole, self.chosen)
        return self._cut[2]

    @property
    def count(self) -> int:
        """How many pictures there are to choose from."""
        return self.run.picture.count if self.run.picture else 0

    @property
    def counter(self) -> QRectF | None:
        """Where one chooses: on the lower edge of the picture, from the node's corner; None without a choice."""
        place = self.shape.picture
        if place is None or self.count < 2:
            return None
        width = min(COUNTER.width(), place.width())
        return QRectF(place.center().x() - width / 2, place.bottom() - COUNTER.height() - 3, width, COUNTER.height())

    @property
    def pixmap(self) -> QPixmap | None:
        """Of the picture, for a node that can be read; made when it is painted."""
        return self._pixmaps.of(self.id, self.picture, self.shape.width)

    @property
    def block(self) -> QPixmap | None:
        """The same for one of very many nodes far away."""
        return self._pixmaps.small(self.id, self.picture)

    def forget_picture(self) -> None:
        """It is another one now, or has another size."""
        self._pixmaps.drop(self.id)

    @property
    def pos(self) -> QPointF:
        return QPointF(*self.node.pos)

    @property
    def rect(self) -> QRectF:
        return QRectF(*self.node.pos, self.shape.width, self.shape.height)

    @property
    def room(self) -> QRectF:
        """The rectangle with the picture that comes with the first run."""
        lacks = self.figure == "node" and not self.node.collapsed and self.run.picture is None
        more = picture_place(self.shape.width, 0.0, 1.0).bottom() if lacks and shows_picture(self.type) else 0.0
        return self.rect.adjusted(0, 0, 0, more)

    @property
    def head(self) -> QRectF:
        """What must lie in a frame for the node to be in it: a node grows downwards when it has a picture."""
        return QRectF(self.pos, QSizeF(self.shape.width, HEADER)) if self.figure == "node" else self.rect

    @property
    def box(self) -> Box:
        """The rectangle with everything painted around it."""
        (x, y), shape = self.node.pos, self.shape
        below = MARGIN + (MESSAGE if self.run.state == "failed" else 0.0)
        return x - MARGIN, y - MARGIN, x + shape.width + MARGIN, y + shape.height + below

    @property
    def bounds(self) -> QRectF:
        """The same for Qt."""
        return boxed(self.box)

    @property
    def title(self) -> str:
        return self.node.title or self.type.title

    @property
    def badge_place(self) -> QRectF:
        """From its corner: on the upper edge."""
        return QRectF(BADGE_INSET, -BADGE_HEIGHT, min(self.shape.width - 2 * BADGE_INSET, 200.0), BADGE_HEIGHT)

    def why_idle(self, input: str) -> str:
        """Why the input has no meaning here; empty when it has one."""
        return self.idle.get(input) or self.idle.get("", "")

    def hit(self, point: QPointF) -> bool:
        """Whether a press there is on the node."""
        return frame_is_hit(self.rect, point) if self.figure == "frame" else self.rect.contains(point)


class LinkItem:
    """One wire, named by the input it feeds. ends: x and y of the output, then of the input."""

    __slots__ = ("_points", "aside", "box", "color", "dst", "ends", "src")

    def __init__(self, src: Port, dst: Port, color: str, ends: Box, aside: Aside = STRAIGHT) -> None:
        self.src, self.dst, self.color, self.ends, self.aside = src, dst, color, ends, aside
        (left, top, right, bottom), high = wire_box(ends), abs(aside.rise)
        self.box = left, top - high, right, bottom + high
        self._points: list[QPointF] | None = None

    @property
    def a(self) -> QPointF:
        return QPointF(self.ends[0], self.ends[1])

    @property
    def b(self) -> QPointF:
        return QPointF(self.ends[2], self.ends[3])

    @property
    def rect(self) -> QRectF:
        """Encloses it with its width."""
        return boxed(self.box)

    @property
    def points(self) -> list[QPointF]:
        if self._points is None:
            self._points = wire(self.a, self.b, self.aside)
        return self._points

    def near(self, point: QPointF, radius: float) -> bool:
        """Whether the wire passes within `radius` of the point. Of very many, most are ruled out by two numbers."""
        ax, ay, bx, _ = self.ends
        if turns(ax, bx) and ax + ASIDE < point.x() < bx - TURN - radius:
            return abs(point.y() - ay - self.aside.rise) <= radius
        area = QRectF(point.x() - radius, point.y() - radius, 2 * radius, 2 * radius)
        return self.rect.intersects(area) and touches(self.points, area)


def boxed(box: Box) -> QRectF:
    left, top, right, bottom = box
    return QRectF(left, top, right - left, bottom - top)

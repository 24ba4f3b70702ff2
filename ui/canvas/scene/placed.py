"""Where the things on the canvas lie, and what is where. No widget and no painting here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from operator import attrgetter

from PySide6.QtCore import QObject, QPointF, QRectF, Signal

from nodegraph.graph import Port
from nodegraph.pieces import Pieces
from ui.base.slices import Slices
from ui.canvas.scene.grid import Box, Grid
from ui.canvas.scene.items import LinkItem, NodeItem
from ui.canvas.scene.shape import HEADER
from ui.canvas.scene.zones import ZoneItem

EVERYWHERE = QRectF(-1e9, -1e9, 2e9, 2e9)
"""What is to be painted again when very many things look different."""


class Placed(QObject):
    """Items for nodes, links and zones.

    A change to very many things is followed in pieces. Whoever asks for what is there meanwhile, such as a press, has
    the rest done first; painting does not ask, and shows what there is.
    """

    touched = Signal(QRectF)  # this rectangle, in world units, looks different now

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._nodes: dict[str, NodeItem] = {}
        self._links: dict[Port, LinkItem] = {}
        self.zones: list[ZoneItem] = []
        self._links_of: defaultdict[str, set[Port]] = defaultdict(set)
        self._node_grid: Grid[str] = Grid()
        self._link_grid: Grid[Port] = Grid()
        self._change = Slices(self)  # what is to be done of one

    @property
    def nodes(self) -> dict[str, NodeItem]:
        """By id."""
        self.finish()
        return self._nodes

    @property
    def links(self) -> dict[Port, LinkItem]:
        """By the input that they feed."""
        self.finish()
        return self._links

    # A large change -----------------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be done of a change."""
        return not self._change.busy

    def finish(self) -> None:
        """Do at once what is left to be done."""
        self._change.finish()

    def _begin(self, pieces: Pieces[None]) -> None:
        self._change.put_off(pieces, lambda _: self._followed())  # the edit itself has taken its time

    def _followed(self) -> None:
        """The items show the change."""

    # Places -------------------------------------------------------------------------------------------

    def socket_pos(self, port: Port, *, output: bool) -> QPointF:
        """World position. A socket that the type no longer has is shown on the header."""
        return QPointF(*self._socket_place(port, output=output))

    def _socket_place(self, port: Port, *, output: bool) -> tuple[float, float]:
        """The same in numbers."""
        item = self._nodes[port.node]
        (x, y), shape = item.node.pos, item.shape
        place = (shape.outputs if output else shape.inputs).get(port.socket)
        if place is None:
            return x + (shape.width if output else 0.0), y + HEADER / 2
        return x + place.x(), y + place.y()

    def nodes_in(self, rect: QRectF) -> list[NodeItem]:
        """Items whose paint touches the rectangle, lowest first."""
        near = self._node_grid.touching(_box(rect))
        if len(near) == len(self._nodes):
            return list(self._nodes.values())
        return sorted(map(self._nodes.__getitem__, near), key=attrgetter("order"))

    def links_in(self, rect: QRectF) -> list[LinkItem]:
        return [self._links[dst] for dst in self._link_grid.touching(_box(rect))]

    def links_of(self, ids: Iterable[str]) -> list[LinkItem]:
        self.finish()
        return [self._links[dst] for dst in {dst for id in ids for dst in self._links_of[id]}]

    def node_at(self, point: QPointF) -> NodeItem | None:
        """The topmost node under the point; frames are below all others."""
        self.finish()
        found = [item for item in self.nodes_in(QRectF(point.x(), point.y(), 1, 1)) if item.hit(point)]
        return max(found, key=lambda item: (item.figure != "frame", item.order), default=None)

    def link_at(self, point: QPointF, radius: float) -> LinkItem | None:
        """A wire within `radius` world units."""
        self.finish()
        area = QRectF(point.x() - radius, point.y() - radius, 2 * radius, 2 * radius)
        return next((link for link in self.links_in(area) if link.near(point, radius)), None)

    def zones_in(self, rect: QRectF) -> list[ZoneItem]:
        """The outer ones first."""
        return [zone for zone in self.zones if zone.bounds.intersects(rect)]

    def zone_at(self, point: QPointF) -> ZoneItem | None:
        """The zone whose choice of a round is there."""
        return next((zone for zone in reversed(self.zones) if zone.step_at(point)), None)

    def socket_at(self, point: QPointF, radius: float) -> tuple[Port, bool] | None:
        """The nearest socket within `radius` world units, and whether it is an output."""
        self.finish()
        best: tuple[Port, bool] | None = None
        area = QRectF(point.x() - radius, point.y() - radius, 2 * radius, 2 * radius)
        for item in self.nodes_in(area):
            if item.figure == "reroute" and item.rect.adjusted(9, -4, -9, 4).contains(point):
                continue  # its middle is there to be moved by
            for output, sockets in ((False, item.shape.inputs), (True, item.shape.outputs)):
                for name, place in sockets.items():
                    away = (item.pos + place - point).manhattanLength()
                    if away <= radius:
                        best, radius = (Port(item.id, name), output), away
        return best

    def with_members(self, ids: Collection[str]) -> frozenset[str]:
        """These nodes, and all that lies inside the frames among them."""
        self.finish()
        frames = [self._nodes[id].rect for id in ids if self._nodes[id].figure == "frame"]
        near = {item for rect in frames for item in self.nodes_in(rect)}
        return frozenset(ids).union(item.id for item in near if any(rect.contains(item.head) for rect in frames))

    def extent(self, ids: Collection[str] | None = None) -> QRectF:
        """Encloses these nodes, or all."""
        nodes = self.nodes
        items = nodes.values() if ids is None else [nodes[id] for id in ids]
        if not items:
            return QRectF()
        # Numbers: with a rectangle for each, ten thousand nodes take 30 ms.
        places = ((*item.node.pos, item.shape) for item in items)
        edges = zip(*((x, y, x + shape.width, y + shape.height) for x, y, shape in places), strict=True)
        left, top, right, bottom = (find(edge) for find, edge in zip((min, min, max, max), edges, strict=True))
        return QRectF(left, top, right - left, bottom - top)


def _box(rect: QRectF) -> Box:
    return rect.left(), rect.top(), rect.right(), rect.bottom()

"""The things on the canvas, kept equal to the document. No widget and no painting here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QImage, QPixmap

from nodegraph.graph import Diff, Node, Port
from nodegraph.node import Multiline, NodeType
from nodegraph.types import Picture, style
from ui.canvas.grid import Grid
from ui.canvas.shape import MARGIN, WIDTH, Shape, make_shape, spare_sockets, wire, wire_rect
from ui.document import Document
from ui.run_state import IDLE, NodeRun, RunState

MESSAGE = 64.0  # height of the strip below a failed node


class NodeItem:
    """What one node looks like."""

    def __init__(self, id: str, order: int, node: Node, type: NodeType, shape: Shape) -> None:
        self.id, self.order, self.node, self.type, self.shape = id, order, node, type, shape
        self.linked: frozenset[str] = frozenset()
        self.run: NodeRun = IDLE
        self.problem = ""
        self.pixmap: QPixmap | None = None
        self.known = True

    @property
    def pos(self) -> QPointF:
        return QPointF(*self.node.pos)

    @property
    def rect(self) -> QRectF:
        return QRectF(*self.node.pos, WIDTH, self.shape.height)

    @property
    def bounds(self) -> QRectF:
        """The rectangle with everything painted around it."""
        below = MARGIN + (MESSAGE if self.run.state == "failed" else 0.0)
        return self.rect.adjusted(-MARGIN, -MARGIN, MARGIN, below)

    @property
    def title(self) -> str:
        return self.node.title or self.type.title


class LinkItem:
    """One wire, named by the input it feeds."""

    def __init__(self, src: Port, dst: Port, color: str, a: QPointF, b: QPointF) -> None:
        self.src, self.dst, self.color, self.a, self.b = src, dst, color, a, b
        self.rect = wire_rect(a, b)
        self._points: list[QPointF] | None = None

    @property
    def points(self) -> list[QPointF]:
        if self._points is None:
            self._points = wire(self.a, self.b)
        return self._points


class Scene(QObject):
    """Items for the nodes and links of the document."""

    touched = Signal(QRectF)  # this rectangle, in world units, looks different now
    animated = Signal()  # a running node looks different now

    def __init__(self, document: Document, runs: RunState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.document, self.runs = document, runs
        self.nodes: dict[str, NodeItem] = {}
        self.links: dict[Port, LinkItem] = {}
        self.problems: dict[str, str] = {}
        self._next = 0
        self._links_of: defaultdict[str, set[Port]] = defaultdict(set)
        self._node_grid: Grid[str] = Grid()
        self._link_grid: Grid[Port] = Grid()
        self._shapes: dict[tuple[int, frozenset[str], frozenset[str], float | None], tuple[NodeType, Shape]] = {}
        document.changed.connect(self.apply)
        runs.changed.connect(self._show_run)
        self.apply(Diff(added=tuple(document.graph.nodes), linked=tuple(document.graph.links)))

    def apply(self, change: Diff) -> None:
        """Make the items show the document again."""
        graph = self.document.graph
        loose = {self._drop_link(dst) for dst in change.unlinked} | {dst.node for dst in change.unlinked}
        for id in change.removed:
            self._drop_node(id)
        for dst in change.linked:
            self._links_of[dst.node].add(dst)
            self._links_of[graph.links[dst].node].add(dst)
        ends = {port.node for dst in change.linked for port in (dst, graph.links[dst])}
        # A dict keeps the order of the document, which is the order in which nodes lie on each other.
        touched = dict.fromkeys((*change.added, *change.changed, *ends, *(loose & graph.nodes.keys())))
        for id in touched:
            self._place(id)
        for dst in {dst for id in touched for dst in self._links_of[id]}:
            self._route(dst)

    def _place(self, id: str) -> None:
        """Make or remake the item of a node."""
        node, type = self.document.graph.nodes[id], self.document.type_of(id)
        linked = frozenset(dst.socket for dst in self._links_of[id] if dst.node == id)
        old = self.nodes.get(id)
        if old is not None:
            self.touched.emit(old.bounds)
        run = self.runs.of(id)
        sources = (self.document.graph.links[dst] for dst in self._links_of[id])
        used = linked.union(src.socket for src in sources if src.node == id)
        shape = self._shape(type, linked, used, aspect(run.picture))
        item = old or NodeItem(id, self._next, node, type, shape)
        self._next += old is None
        item.node, item.type, item.linked, item.run, item.shape = node, type, linked, run, shape
        item.known, item.problem = self.document.known(id), self.problems.get(id, "")
        if run.picture is None:
            item.pixmap = None
        elif item.pixmap is None:
            item.pixmap = thumbnail(run.picture)
        self.nodes[id] = item
        self._node_grid.put(id, item.bounds)
        self.touched.emit(item.bounds)

    def _shape(self, type: NodeType, linked: frozenset[str], used: frozenset[str], ratio: float | None) -> Shape:
        """The shape that all nodes of this kind share; links matter to it only as far as they change it."""
        linked = frozenset(name for name in linked if (spec := type.input(name)) and spec.get(Multiline))
        spare = spare_sockets(type, used)
        if type.id not in self.document.registry:
            return make_shape(type, linked, spare, ratio)
        key = (id(type), linked, spare, ratio)
        if key not in self._shapes:
            # The type is held so that its id stays its own.
            self._shapes[key] = (type, make_shape(type, linked, spare, ratio))
        return self._shapes[key][1]

    def _route(self, dst: Port) -> None:
        src = self.document.graph.links[dst]
        old = self.links.get(dst)
        if old is not None:
            self.touched.emit(old.rect)
        output = self.nodes[src.node].type.output(src.socket)
        input = self.nodes[dst.node].type.input(dst.socket)
        # An output of any type shows what it is used as.
        shown = next((s.type for s in (output, input) if s is not None and s.type is not Any), Any)
        color = style(shown).color
        link = LinkItem(src, dst, color, self.socket_pos(src, output=True), self.socket_pos(dst, output=False))
        self.links[dst] = link
        self._link_grid.put(dst, link.rect)
        self.touched.emit(link.rect)

    def _drop_link(self, dst: Port) -> str:
        """The node it came from."""
        link = self.links.pop(dst)
        self._link_grid.remove(dst)
        self._links_of[dst.node].discard(dst)
        self._links_of[link.src.node].discard(dst)
        self.touched.emit(link.rect)
        return link.src.node

    def _drop_node(self, id: str) -> None:
        item = self.nodes.pop(id)
        self._node_grid.remove(id)
        self.touched.emit(item.bounds)

    def _show_run(self, id: str) -> None:
        item = self.nodes.get(id)
        if item is None:
            return
        run = self.runs.of(id)
        same_place = aspect(run.picture) == aspect(item.run.picture) and run.state == item.run.state
        if run.picture is not item.run.picture:
            item.pixmap = thumbnail(run.picture) if run.picture else None
        if same_place:
            item.run = run
            if run.state == "running":
                self.animated.emit()
            else:
                self.touched.emit(item.bounds)
            return
        self._place(id)
        for dst in self._links_of[id]:
            self._route(dst)

    def show_problems(self, problems: dict[str, str]) -> None:
        """problems: sentence by node id."""
        changed = {id for id in {*problems, *self.problems} if problems.get(id) != self.problems.get(id)}
        self.problems = problems
        for id in changed & self.nodes.keys():
            self.nodes[id].problem = problems.get(id, "")
            self.touched.emit(self.nodes[id].bounds)

    def socket_pos(self, port: Port, *, output: bool) -> QPointF:
        """World position. A socket that the type no longer has is shown on the header."""
        item = self.nodes[port.node]
        sockets = item.shape.outputs if output else item.shape.inputs
        place = sockets.get(port.socket) or QPointF(WIDTH if output else 0.0, 16.0)
        return item.pos + place

    def nodes_in(self, rect: QRectF) -> list[NodeItem]:
        """Items whose paint touches the rectangle, lowest first."""
        near = self._node_grid.near(rect)
        if len(near) == len(self.nodes):
            return list(self.nodes.values())
        found = [self.nodes[id] for id in near]
        return sorted((item for item in found if item.bounds.intersects(rect)), key=lambda item: item.order)

    def links_in(self, rect: QRectF) -> list[LinkItem]:
        near = self._link_grid.near(rect)
        if len(near) == len(self.links):
            return list(self.links.values())
        return [link for link in (self.links[dst] for dst in near) if link.rect.intersects(rect)]

    def links_of(self, ids: Iterable[str]) -> list[LinkItem]:
        return [self.links[dst] for dst in {dst for id in ids for dst in self._links_of[id]}]

    def node_at(self, point: QPointF) -> NodeItem | None:
        """The topmost node under the point."""
        found = [item for item in self.nodes_in(QRectF(point.x(), point.y(), 1, 1)) if item.rect.contains(point)]
        return found[-1] if found else None

    def socket_at(self, point: QPointF, radius: float) -> tuple[Port, bool] | None:
        """The nearest socket within `radius` world units, and whether it is an output."""
        best: tuple[Port, bool] | None = None
        area = QRectF(point.x() - radius, point.y() - radius, 2 * radius, 2 * radius)
        for item in self.nodes_in(area):
            for output, sockets in ((False, item.shape.inputs), (True, item.shape.outputs)):
                for name, place in sockets.items():
                    away = (item.pos + place - point).manhattanLength()
                    if away <= radius:
                        best, radius = (Port(item.id, name), output), away
        return best

    def extent(self, ids: Collection[str] | None = None) -> QRectF:
        """Encloses these nodes, or all."""
        found = QRectF()
        for id in self.nodes if ids is None else ids:
            found = found.united(self.nodes[id].rect)
        return found


def aspect(picture: Picture | None) -> float | None:
    """Height / width; None when there is nothing to see: no picture, or all of one colour, as of an empty latent."""
    if picture is None:
        return None
    pixels = memoryview(picture.rgb)
    return None if pixels[3:] == pixels[:-3] else picture.height / picture.width


def thumbnail(picture: Picture) -> QPixmap:
    """Twice as wide as a node at most: scaling a large picture down again in every frame would show."""
    full = pixmap(picture)
    most = round(2 * WIDTH)
    return full if full.width() <= most else full.scaledToWidth(most, Qt.TransformationMode.SmoothTransformation)


def pixmap(picture: Picture) -> QPixmap:
    image = QImage(picture.rgb, picture.width, picture.height, 3 * picture.width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image)

"""The things on the canvas, kept equal to the document. No widget and no painting here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, QPointF, QRectF, Signal

from nodegraph.builtin import REROUTE, VARIABLE_GET, VARIABLE_SET
from nodegraph.graph import Diff, Node, Port
from nodegraph.node import Multiline, NodeType
from nodegraph.reach import ZoneNodes, zone_nodes
from nodegraph.types import style
from ui.canvas.scene.figures import figure_of, figure_shape
from ui.canvas.scene.grid import Grid
from ui.canvas.scene.items import LinkItem, NodeItem
from ui.canvas.scene.rounds import Rounds
from ui.canvas.scene.shape import (
    HEADER,
    WIDTH,
    Look,
    Shape,
    make_shape,
    spare_sockets,
    touches,
)
from ui.canvas.scene.zones import ZoneItem, depths, zone_item
from ui.documents.scope import Scope
from ui.runs.run_state import RunState
from ui.widgets.pixmaps import Pixmaps

MANY = 300
"""Changes that are painted one by one."""


class Scene(QObject):
    """Items for the nodes and links of the graph that is shown."""

    touched = Signal(QRectF)  # this rectangle, in world units, looks different now
    animated = Signal()  # a running node looks different now

    def __init__(self, scope: Scope, runs: RunState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.scope, self.runs, self.rounds = scope, runs, Rounds(runs)
        self.nodes: dict[str, NodeItem] = {}
        self.running: dict[str, NodeItem] = {}  # those of the nodes that are computed now
        self.links: dict[Port, LinkItem] = {}
        self.problems: dict[str, str] = {}  # by node of the graph that is shown
        self._reported: Mapping[str, str] = {}
        self.zones: list[ZoneItem] = []
        self._zones: tuple[ZoneNodes, ...] = ()
        self._zone_index: dict[str, int] = {}  # by begin
        self.pixmaps = Pixmaps()
        self._area: QRectF | None = None  # what is to be painted again, during a change to very many things
        self._next = 0
        self._links_of: defaultdict[str, set[Port]] = defaultdict(set)
        self._node_grid: Grid[str] = Grid()
        self._link_grid: Grid[Port] = Grid()
        self._shapes: dict[tuple[int, Look], tuple[NodeType, Shape]] = {}
        scope.changed.connect(self.apply)
        scope.moved.connect(self._mark_problems)
        runs.changed.connect(self._show_run)
        runs.planned.connect(self._frame_zones)
        self.apply(Diff(added=tuple(scope.graph.nodes), linked=tuple(scope.graph.links)))

    def apply(self, change: Diff) -> None:
        """Make the items show the document again."""
        self._area = QRectF() if _count(change) > MANY else None
        self._follow(change)
        if area := self._area:
            self._area = None
            self.touched.emit(area)

    def _touch(self, area: QRectF) -> None:
        """It looks different now. Of a change to very many things, all that is between them is painted again."""
        if self._area is None:
            self.touched.emit(area)
        else:
            self._area |= area

    def _follow(self, change: Diff) -> None:
        graph = self.scope.graph
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
            if id in ends or not self._move(id):
                self._place(id)
        for dst in {dst for id in (*touched, *self._passers(touched)) for dst in self._links_of[id]}:
            self._route(dst)
        if change.added or change.removed or change.linked or change.unlinked:
            self._zones = zone_nodes(graph)
            self.rounds.follow(self._zones)
        self._frame_zones()

    def _passers(self, ids: Iterable[str]) -> set[str]:
        """Reroutes and variables further down, whose wires take the colour of what now reaches them."""
        found: set[str] = set()
        todo = [id for id in ids if self.nodes[id].node.type in (REROUTE, VARIABLE_SET, VARIABLE_GET)]
        while todo:
            id = todo.pop()
            if id in found:
                continue
            found.add(id)
            todo += [d.node for d in self._links_of[id] if d.node != id and self.nodes[d.node].figure == "reroute"]
            if self.nodes[id].node.type == VARIABLE_SET:
                todo += [other for other, item in self.nodes.items() if item.node.type == VARIABLE_GET]
        return found

    def _frame_zones(self) -> None:
        """Keep the frames of the zones around their nodes."""
        if not self._zones and not self.zones:
            return
        rects = {id: self.nodes[id].rect for zone in self._zones for id in zone.nodes}
        depth = depths(self._zones)
        zones = [
            replace(
                zone_item(zone, self.nodes[zone.begin].node, rects, depth[zone.begin]),
                rounds=self.rounds.count(self.scope.prefix, zone),
                round=self.rounds.picked.get(zone.begin),
            )
            for zone in self._zones
        ]
        before, self.zones = self.zones, zones
        self._zone_index = {zone.begin: index for index, zone in enumerate(zones)}
        for zone in [*(z for z in before if z not in zones), *(z for z in zones if z not in before)]:
            self.touched.emit(zone.bounds)

    def _place(self, id: str) -> None:
        """Make or remake the item of a node."""
        node, type = self.scope.graph.nodes[id], self.scope.type_of(id)
        linked = frozenset(dst.socket for dst in self._links_of[id] if dst.node == id)
        old = self.nodes.get(id)
        if old is not None:
            self._touch(old.bounds)
        run = self.rounds.run(self.scope.prefix, id)
        sources = (self.scope.graph.links[dst] for dst in self._links_of[id])
        used = linked.union(src.socket for src in sources if src.node == id)
        shape = self._shape(node, type, linked, used, run.aspect)
        item = old or NodeItem(id, self._next, node, type, shape, self.pixmaps)
        self._next += old is None
        item.node, item.type, item.linked, item.run, item.shape = node, type, linked, run, shape
        item.known, item.problem = self.scope.known(id), self.problems.get(id, "")
        item.forget_picture()
        self.nodes[id] = item
        self._note_running(item)
        self._node_grid.put(id, item.bounds)
        self._touch(item.bounds)

    def _move(self, id: str) -> bool:
        """Put the item where its node is, if that is all that is different."""
        item, node = self.nodes.get(id), self.scope.graph.nodes[id]
        if item is None or item.node is node or replace(item.node, pos=node.pos) != node:
            return False
        if item.type is not self.scope.type_of(id):  # its group has other sockets
            return False
        self._touch(item.bounds)
        item.node = node
        self._node_grid.put(id, item.bounds)
        self._touch(item.bounds)
        return True

    def _shape(
        self, node: Node, type: NodeType, linked: frozenset[str], used: frozenset[str], ratio: float | None
    ) -> Shape:
        """The shape that all nodes of this kind share; links matter to it only as far as they change it."""
        figure = figure_of(node.type)
        if figure != "node":
            return figure_shape(figure, node.size)
        if not node.collapsed:
            linked = frozenset(name for name in linked if (spec := type.input(name)) and spec.get(Multiline))
        width = node.size[0] if node.size else WIDTH
        look = Look(linked, spare_sockets(type, used), None if node.collapsed else ratio, width, node.collapsed)
        if type.id not in self.scope.registry or width != WIDTH:
            return make_shape(type, look)
        key = (id(type), look)
        if key not in self._shapes:
            # The type is held so that its id stays its own.
            self._shapes[key] = (type, make_shape(type, look))
        return self._shapes[key][1]

    def _route(self, dst: Port) -> None:
        src = self.scope.graph.links[dst]
        output = self.nodes[src.node].type.output(src.socket)
        if self.nodes[src.node].node.type in (REROUTE, VARIABLE_GET):
            output = self.scope.output(src)  # the type of what it passes on
        input = self.nodes[dst.node].type.input(dst.socket)
        # An output of any type shows what it is used as.
        shown = next((s.type for s in (output, input) if s is not None and s.type is not Any), Any)
        color = style(shown).color
        if self.nodes[dst.node].figure == "reroute":
            self.nodes[dst.node].color = color
        a, b = self.socket_pos(src, output=True), self.socket_pos(dst, output=False)
        old = self.links.get(dst)
        if old is not None:
            if (old.src, old.color, old.a, old.b) == (src, color, a, b):
                return  # another value in a node moves no wire
            self._touch(old.rect)
        link = LinkItem(src, dst, color, a, b)
        self.links[dst] = link
        self._link_grid.put(dst, link.rect)
        self._touch(link.rect)

    def _drop_link(self, dst: Port) -> str:
        """The node it came from."""
        link = self.links.pop(dst)
        self._link_grid.remove(dst)
        self._links_of[dst.node].discard(dst)
        self._links_of[link.src.node].discard(dst)
        self._touch(link.rect)
        return link.src.node

    def _drop_node(self, id: str) -> None:
        item = self.nodes.pop(id)
        self.running.pop(id, None)
        item.forget_picture()
        self._node_grid.remove(id)
        self._touch(item.bounds)

    def _show_run(self, node: str) -> None:
        """node: as the engine calls it."""
        id = node.removeprefix(self.scope.prefix)
        item = self.nodes.get(id)
        if item is None or self.scope.prefix + id != node:
            return
        run, before = self.rounds.run(self.scope.prefix, id), item.run
        if run.aspect != before.aspect:
            self._place(id)
            for dst in self._links_of[id]:
                self._route(dst)
            return self._frame_zones()
        failed = "failed" in (run.state, before.state)
        around, item.run = item.bounds, run
        if run.picture is not before.picture:
            item.forget_picture()
        if run.state == before.state == "running":
            return self.animated.emit()
        self._note_running(item)
        if failed:  # it has its message below it
            self._node_grid.put(id, item.bounds)
            around = around.united(item.bounds)
        self.touched.emit(around)
        self._count_rounds(id)

    def _note_running(self, item: NodeItem) -> None:
        self.running.pop(item.id, None)
        if item.run.state == "running":
            self.running[item.id] = item

    def _count_rounds(self, id: str) -> None:
        """The zones around a node may have one more round to look at."""
        for begin, rounds in self.rounds.of(self.scope.prefix, id).items():
            if (index := self._zone_index.get(begin)) is not None and rounds > self.zones[index].rounds:
                self.zones[index] = replace(self.zones[index], rounds=rounds)
                self.touched.emit(self.zones[index].bounds)

    def show_problems(self, problems: Mapping[str, str]) -> None:
        """problems: sentence by node, as the engine calls it; a group has those of what is inside it."""
        self._reported = problems
        self._mark_problems()

    def _mark_problems(self) -> None:
        prefix = self.scope.prefix
        shown: dict[str, str] = {}
        for node, sentence in self._reported.items():
            if node.startswith(prefix):
                shown.setdefault(node.removeprefix(prefix).split("/", 1)[0], sentence)
        changed = {id for id in {*shown, *self.problems} if shown.get(id) != self.problems.get(id)}
        self.problems = shown
        for id in changed & self.nodes.keys():
            self.nodes[id].problem = shown.get(id, "")
            self.touched.emit(self.nodes[id].bounds)

    def socket_pos(self, port: Port, *, output: bool) -> QPointF:
        """World position. A socket that the type no longer has is shown on the header."""
        item = self.nodes[port.node]
        sockets = item.shape.outputs if output else item.shape.inputs
        place = sockets.get(port.socket) or QPointF(item.shape.width if output else 0.0, HEADER / 2)
        return item.pos + place

    def nodes_in(self, rect: QRectF) -> list[NodeItem]:
        """Items whose paint touches the rectangle, lowest first."""
        near = self._node_grid.near(rect)
        if len(near) == len(self.nodes):
            return list(self.nodes.values())
        found = (item for item in map(self.nodes.__getitem__, near) if item.bounds.intersects(rect))
        return sorted(found, key=lambda item: item.order)

    def links_in(self, rect: QRectF) -> list[LinkItem]:
        near = self._link_grid.near(rect)
        if len(near) == len(self.links):
            return list(self.links.values())
        return [link for link in (self.links[dst] for dst in near) if link.rect.intersects(rect)]

    def links_of(self, ids: Iterable[str]) -> list[LinkItem]:
        return [self.links[dst] for dst in {dst for id in ids for dst in self._links_of[id]}]

    def node_at(self, point: QPointF) -> NodeItem | None:
        """The topmost node under the point; frames are below all others."""
        found = [item for item in self.nodes_in(QRectF(point.x(), point.y(), 1, 1)) if item.hit(point)]
        return max(found, key=lambda item: (item.figure != "frame", item.order), default=None)

    def link_at(self, point: QPointF, radius: float) -> LinkItem | None:
        """A wire within `radius` world units."""
        area = QRectF(point.x() - radius, point.y() - radius, 2 * radius, 2 * radius)
        return next((link for link in self.links_in(area) if touches(link.points, area)), None)

    def zones_in(self, rect: QRectF) -> list[ZoneItem]:
        """The outer ones first."""
        return [zone for zone in self.zones if zone.bounds.intersects(rect)]

    def look_at_round(self, zone: ZoneItem, step: int) -> None:
        """Show the pictures of the round before (-1) or after (1) in the zone."""
        if zone.rounds < 2:
            return
        now = zone.rounds - 1 if zone.round is None else zone.round
        self.rounds.picked[zone.begin] = min(max(now + step, 0), zone.rounds - 1)
        for id in zone.nodes:
            self._show_run(self.scope.prefix + id)
        self._frame_zones()

    def zone_at(self, point: QPointF) -> ZoneItem | None:
        """The zone whose choice of a round is there."""
        return next((zone for zone in reversed(self.zones) if zone.step_at(point)), None)

    def socket_at(self, point: QPointF, radius: float) -> tuple[Port, bool] | None:
        """The nearest socket within `radius` world units, and whether it is an output."""
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
        frames = [self.nodes[id].rect for id in ids if self.nodes[id].figure == "frame"]
        near = {item for rect in frames for item in self.nodes_in(rect)}
        return frozenset(ids).union(item.id for item in near if any(rect.contains(item.head) for rect in frames))

    def extent(self, ids: Collection[str] | None = None) -> QRectF:
        """Encloses these nodes, or all."""
        found = QRectF()
        for id in self.nodes if ids is None else ids:
            found = found.united(self.nodes[id].rect)
        return found


def _count(change: Diff) -> int:
    return sum(map(len, (change.added, change.removed, change.changed, change.linked, change.unlinked)))

"""The things on the canvas, kept equal to the document. No widget and no painting here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from PySide6.QtCore import QObject, Signal

from nodegraph.builtin import REROUTE, VARIABLE_GET, VARIABLE_SET
from nodegraph.graph import Diff, Node, Port
from nodegraph.node import Multiline, NodeType
from nodegraph.pieces import Pieces, finish, in_parts
from nodegraph.reach import ZoneNodes, zone_nodes
from nodegraph.types import style
from ui.canvas.scene.figures import figure_of, figure_shape
from ui.canvas.scene.grid import Box
from ui.canvas.scene.items import LinkItem, NodeItem, boxed
from ui.canvas.scene.placed import EVERYWHERE, Placed
from ui.canvas.scene.rounds import Rounds
from ui.canvas.scene.shape import (
    TURN,
    WIDTH,
    Aside,
    Look,
    Shape,
    make_shape,
    spare_sockets,
    turns,
)
from ui.canvas.scene.tracks import Stretch, Tracks, beside
from ui.canvas.scene.zones import ZoneItem, depths, zone_item
from ui.documents.scope import Scope
from ui.runs.kinds import Kinds
from ui.runs.node_run import NodeRun
from ui.runs.run_state import RunState
from ui.widgets.pixmaps import Pixmaps

MANY = 300
"""Changes that are followed at once and painted one by one."""
APART = 5.0
"""World units between wires that would lie on each other."""
STEEP = 48.0
"""World units that a wire climbs, from which it runs upright for a while where it turns."""
SOME = 100
"""Nodes or wires in one piece."""


class Scene(Placed):
    """Items for the nodes and links of the graph that is shown."""

    animated = Signal()  # a running node looks different now

    def __init__(self, scope: Scope, runs: RunState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.scope, self.runs, self.rounds = scope, runs, Rounds(runs)
        self.running: dict[str, NodeItem] = {}  # those of the nodes that are computed now
        self.problems: dict[str, str] = {}  # by node of the graph that is shown
        self._reported: Mapping[str, str] = {}
        self.kinds = Kinds()
        self._marked: frozenset[str] = frozenset()  # nodes of the graph that is shown that these say something of
        self._zones: tuple[ZoneNodes, ...] = ()
        self._zone_index: dict[str, int] = {}  # by begin
        self._levels: Tracks[Port] = Tracks()
        self._turns: Tracks[Port] = Tracks()
        self.pixmaps = Pixmaps()
        self._many = False  # during a change to very many things, which are not painted one by one
        self._next = 0
        self._later: dict[str, None] = {}  # nodes as the engine calls them, of which there is news meanwhile
        self._shapes: dict[tuple[int, Look], tuple[NodeType, Shape]] = {}
        scope.changing.connect(self.finish)
        scope.changed.connect(self.apply)
        scope.moved.connect(self._mark_problems)
        scope.moved.connect(self._mark_kinds)
        runs.changed.connect(self._show_run)
        runs.planned.connect(self._frame_zones)
        runs.picked.changed.connect(self._show_run)
        self.apply(Diff(added=tuple(scope.graph.nodes), linked=tuple(scope.graph.links)))

    def apply(self, change: Diff) -> None:
        """Make the items show the document again."""
        if _count(change) > MANY:
            self._many = True
            self._begin(self._follow(change))
        else:
            finish(self._follow(change))
            self._frame_zones()

    def _followed(self) -> None:
        self._many = False
        self.touched.emit(EVERYWHERE)
        self._frame_zones()
        self._mark_problems()
        self._mark_kinds()

    def _touch(self, box: Box) -> None:
        """It looks different now. Of a change to very many things, everything is painted again."""
        if not self._many:
            self.touched.emit(boxed(box))

    def _follow(self, change: Diff) -> Pieces[None]:
        graph = self.scope.graph
        loose = {dst.node for dst in change.unlinked}
        for ports in in_parts(change.unlinked, SOME):
            loose |= {self._drop_link(dst) for dst in ports}
            yield
        for part in in_parts(change.removed, SOME):
            for id in part:
                self._drop_node(id)
            yield
        ends: set[str] = set()
        for ports in in_parts(change.linked):
            for dst in ports:
                for id in (dst.node, graph.links[dst].node):
                    self._links_of[id].add(dst)
                    ends.add(id)
            yield
        # A dict keeps the order of the document, which is the order in which nodes lie on each other.
        touched = dict.fromkeys((*change.added, *change.changed, *ends, *(loose & graph.nodes.keys())))
        for part in in_parts(touched, SOME):
            for id in part:
                if id in ends or not self._move(id):
                    self._place(id)
            yield
        wires = {dst for id in (*touched, *self._passers(touched)) for dst in self._links_of[id]}
        for part in in_parts(wires, SOME):
            yield
            for dst in part:
                self._route(dst)
        yield from self._telling_apart()
        if change.added or change.removed or change.linked or change.unlinked:
            self._zones = zone_nodes(graph)
            self.rounds.follow(self._zones)
        yield from self._showing_later()

    def _passers(self, ids: Iterable[str]) -> set[str]:
        """Reroutes and variables further down, whose wires take the colour of what now reaches them."""
        found: set[str] = set()
        todo = [id for id in ids if self._nodes[id].node.type in (REROUTE, VARIABLE_SET, VARIABLE_GET)]
        while todo:
            id = todo.pop()
            if id in found:
                continue
            found.add(id)
            todo += [d.node for d in self._links_of[id] if d.node != id and self._nodes[d.node].figure == "reroute"]
            if self._nodes[id].node.type == VARIABLE_SET:
                todo += [other for other, item in self._nodes.items() if item.node.type == VARIABLE_GET]
        return found

    def _frame_zones(self) -> None:
        """Keep the frames of the zones around their nodes."""
        if not self.complete or not (self._zones or self.zones):
            return
        rects = {id: self._nodes[id].rect for zone in self._zones for id in zone.nodes}
        depth = depths(self._zones)
        zones = [
            replace(
                zone_item(zone, self._nodes[zone.begin].node, rects, depth[zone.begin]),
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
        old = self._nodes.get(id)
        if old is not None:
            self._touch(old.box)
        run = self.rounds.run(self.scope.prefix, id)
        sources = (self.scope.graph.links[dst] for dst in self._links_of[id])
        used = linked.union(src.socket for src in sources if src.node == id)
        chosen = self._chosen(id, run)
        shape = self._shape(node, type, linked, used, run.aspect if chosen is None else _aspect(run))
        item = old or NodeItem(id, self._next, node, type, shape, self.pixmaps)
        self._next += old is None
        item.node, item.type, item.linked, item.run, item.shape = node, type, linked, run, shape
        item.chosen = chosen
        item.known, item.problem = self.scope.known(id), self.problems.get(id, "")
        self._show_kind(item)
        item.forget_picture()
        self._nodes[id] = item
        self._note_running(item)
        self._node_grid.put(id, item.box)
        self._touch(item.box)

    def _chosen(self, id: str, run: NodeRun) -> int | None:
        """Of a batch, the picture that is to be shown."""
        return self.runs.picked.of(self.scope.prefix + id, run.picture)

    def look_at_picture(self, id: str, step: int) -> None:
        """Of a batch, show the picture before (-1) or after (1): from all of them to the first, and round."""
        item = self._nodes.get(id)
        if item is None or item.count < 2:
            return
        now = -1 if item.chosen is None else item.chosen
        after = (now + 1 + step) % (item.count + 1) - 1
        self.runs.picked.pick(self.scope.prefix + id, after if after >= 0 else None)

    def _replace(self, id: str) -> None:
        """Its picture has another size."""
        self._place(id)
        for dst in self._links_of[id]:
            self._route(dst)
        self._tell_apart()
        self._frame_zones()

    def _move(self, id: str) -> bool:
        """Put the item where its node is, if that is all that is different."""
        item, node = self._nodes.get(id), self.scope.graph.nodes[id]
        if item is None or item.node is node or replace(item.node, pos=node.pos) != node:
            return False
        if item.type is not self.scope.type_of(id):  # its group has other sockets
            return False
        self._touch(item.box)
        item.node = node
        self._node_grid.put(id, item.box)
        self._touch(item.box)
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
        output = self._nodes[src.node].type.output(src.socket)
        if self._nodes[src.node].node.type in (REROUTE, VARIABLE_GET):
            output = self.scope.output(src)  # the type of what it passes on
        input = self._nodes[dst.node].type.input(dst.socket)
        # An output of any type shows what it is used as.
        shown = next((s.type for s in (output, input) if s is not None and s.type is not Any), Any)
        color = style(shown).color
        if self._nodes[dst.node].figure == "reroute":
            self._nodes[dst.node].color = color
        ends = *self._socket_place(src, output=True), *self._socket_place(dst, output=False)
        old = self._links.get(dst)
        if old is not None and (old.src, old.color, old.ends) == (src, color, ends):
            return  # another value in a node moves no wire
        self._lay(LinkItem(src, dst, color, ends, self._aside(dst)))

    def _lay(self, link: LinkItem) -> None:
        """Put a wire in the place of the one to its input."""
        old, dst = self._links.get(link.dst), link.dst
        if old is not None:
            self._touch(old.box)
        self._links[dst] = link
        self._link_grid.put(dst, link.box)
        self._touch(link.box)
        ax, ay, bx, by = link.ends
        if not turns(ax, bx):
            self._levels.remove(dst)
            self._turns.remove(dst)
            return
        self._levels.put(dst, ay, Stretch(link.src, ax, bx - TURN))
        low, high = (ay, by) if ay < by else (by, ay)
        if high - low > STEEP:
            self._turns.put(dst, bx, Stretch(link.src, low, high))
        else:
            self._turns.remove(dst)

    def _aside(self, dst: Port) -> Aside:
        return Aside(beside(self._levels.of(dst), APART), beside(self._turns.of(dst), APART))

    def _tell_apart(self) -> None:
        """Let wires that would lie on each other run side by side."""
        finish(self._telling_apart())

    def _telling_apart(self) -> Pieces[None]:
        moved = (yield from self._levels.settling()) | (yield from self._turns.settling())
        for part in in_parts(moved, SOME):
            for dst in part:
                old = self._links[dst]
                self._lay(LinkItem(old.src, dst, old.color, old.ends, self._aside(dst)))
            yield

    def _drop_link(self, dst: Port) -> str:
        """The node it came from."""
        link = self._links.pop(dst)
        self._link_grid.remove(dst)
        self._levels.remove(dst)
        self._turns.remove(dst)
        self._links_of[dst.node].discard(dst)
        self._links_of[link.src.node].discard(dst)
        self._touch(link.box)
        return link.src.node

    def _drop_node(self, id: str) -> None:
        item = self._nodes.pop(id)
        self.running.pop(id, None)
        item.forget_picture()
        self._node_grid.remove(id)
        self._touch(item.box)

    def _show_run(self, node: str) -> None:
        """node: as the engine calls it."""
        if not self.complete:
            self._later[node] = None
        else:
            self._follow_run(node)

    def _showing_later(self) -> Pieces[None]:
        """What was told of runs meanwhile."""
        while self._later:
            for node in list(islice(self._later, SOME)):
                del self._later[node]
                self._follow_run(node)
            yield

    def _follow_run(self, node: str) -> None:
        id = node.removeprefix(self.scope.prefix)
        item = self._nodes.get(id)
        if item is None or self.scope.prefix + id != node:
            return
        run, before = self.rounds.run(self.scope.prefix, id), item.run
        if run.aspect != before.aspect or self._chosen(id, run) != item.chosen:
            return self._replace(id)
        failed = "failed" in (run.state, before.state)
        before_box, item.run = item.box, run
        if run.picture is not before.picture:
            item.forget_picture()
        if run.state == before.state == "running":
            return self.animated.emit()
        self._note_running(item)
        if failed:  # it has its message below it
            self._node_grid.put(id, item.box)
            self._touch(before_box)
        self._touch(item.box)
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

    def faulty(self) -> list[NodeItem]:
        """The nodes with a problem, and those that failed."""
        failed = [item for item in self._nodes.values() if item.run.state == "failed"]
        return [*(self._nodes[id] for id in self.problems if id in self._nodes), *failed]

    def _mark_problems(self) -> None:
        if not self.complete:
            return
        prefix = self.scope.prefix
        shown: dict[str, str] = {}
        for node, sentence in self._reported.items():
            if node.startswith(prefix):
                shown.setdefault(node.removeprefix(prefix).split("/", 1)[0], sentence)
        changed = {id for id in {*shown, *self.problems} if shown.get(id) != self.problems.get(id)}
        self.problems = shown
        for id in changed & self._nodes.keys():
            self._nodes[id].problem = shown.get(id, "")
            self.touched.emit(self._nodes[id].bounds)

    def show_kinds(self, kinds: Kinds) -> None:
        """Of what is made on the nodes and taken by them."""
        self.kinds = kinds
        self._mark_kinds()

    def _mark_kinds(self) -> None:
        if not self.complete:
            return
        before, self._marked = self._marked, self.kinds.nodes_in(self.scope.prefix)
        for id in (before | self._marked) & self._nodes.keys():
            item = self._nodes[id]
            shown = item.badge, item.idle
            self._show_kind(item)
            if (item.badge, item.idle) != shown:
                self.touched.emit(item.bounds)

    def _show_kind(self, item: NodeItem) -> None:
        node = self.scope.prefix + item.id
        item.badge, item.idle = self.kinds.title(node), self.kinds.idle(node, item.node.type)

    def look_at_round(self, zone: ZoneItem, step: int) -> None:
        """Show the pictures of the round before (-1) or after (1) in the zone."""
        if zone.rounds < 2:
            return
        now = zone.rounds - 1 if zone.round is None else zone.round
        self.rounds.picked[zone.begin] = min(max(now + step, 0), zone.rounds - 1)
        for id in zone.nodes:
            self._show_run(self.scope.prefix + id)
        self._frame_zones()


def _aspect(run: NodeRun) -> float | None:
    """Of one of a batch."""
    width, height = run.picture.cell if run.picture else (0, 0)
    return height / width if width else run.aspect


def _count(change: Diff) -> int:
    return sum(map(len, (change.added, change.removed, change.changed, change.linked, change.unlinked)))

"""Edits that branch off in the middle of a loop: look at a step, or go on from it in another way.

The first steps of a branch are those of the run that is there already, so they come from the cache. Nodes that an
earlier branch added are used again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nodegraph.builtin import REPEAT_BEGIN, REPEAT_END, STATES
from nodegraph.domain import Branching
from nodegraph.graph import Graph, Node, Port, add_node, fresh_id
from nodegraph.node import TypeOf
from nodegraph.planning.expand import expand
from nodegraph.planning.structure import Cycle, structure
from nodegraph.reach import downstream
from ui.base.text import label
from ui.runs.node_run import owner

WIDTH, GAP = 220.0, 80.0
"""Of new nodes without a size of their own, and between them; in world units."""


@dataclass(frozen=True, slots=True)
class Loop:
    """The nodes of the document that do the steps: a group, or a repeat zone in the open; sources first.

    way: how it is cut. entry: the input that takes what the steps work on. exit: the output that passes it on. picture:
    the output that passes on what a step shows. schedules: the inputs that take the schedule. count: the input that
    says how many rounds there are; None when the schedule says so. carried: the links that lead to `picture`, which the
    loop may not have yet. states: what else steps take from the steps before: the inputs that begin with it, by the
    outputs that end with it.
    """

    way: Branching
    nodes: tuple[str, ...]
    entry: Port
    exit: Port
    picture: Port
    schedules: tuple[Port, ...]
    count: Port | None = None
    carried: Mapping[Port, Port] = field(default_factory=dict[Port, Port])
    states: Mapping[Port, Port] = field(default_factory=dict[Port, Port])


def find_loop(graph: Graph, type_of: TypeOf, way: Branching, node: str) -> Loop:
    """The loop around a node, by its id as the engine calls it. Raises ValueError when there is none to branch off."""
    found = (_group if "/" in node else _zone)(graph, type_of, way, node)
    if not all(port in graph.links for port in (found.entry, *found.schedules)) or not found.schedules:
        raise ValueError(
            f"there is nothing to branch off here: the loop needs a linked {way.entry} and linked {way.schedule}"
        )
    return found


def _group(graph: Graph, type_of: TypeOf, way: Branching, node: str) -> Loop:
    id, _, inner = node.partition("/")
    type = type_of(graph.nodes[id].type) if id in graph.nodes else None
    if type is None or type.group is None or "/" in inner or not type.outputs:
        raise ValueError("the loop lies too deep inside groups; unpack the outer group to branch off here")
    if not (type.input(way.entry) and type.input(way.schedule)):
        raise ValueError(f"{type.title!r} takes no {way.entry} and {way.schedule}, so there is no way to cut it")
    step = type.group.graph.nodes.get(inner)
    shown = _shown(type_of, step) or type.outputs[0].name
    if not type.output(shown):
        raise ValueError(f"{type.title!r} has no output {shown!r}: carry it through the repeat zone inside, to the end")
    history = Port(id, way.history)
    states = {history: history} if type.input(way.history) and type.output(way.history) else {}
    exit, schedules = Port(id, type.outputs[0].name), (Port(id, way.schedule),)
    return Loop(way, (id,), Port(id, way.entry), exit, Port(id, shown), schedules, states=states)


def _shown(type_of: TypeOf, node: Node | None) -> str:
    """The output whose picture a node shows, where it says so."""
    type = type_of(node.type) if node else None
    return type.shows if type else ""


def _zone(graph: Graph, type_of: TypeOf, way: Branching, node: str) -> Loop:
    try:
        zones = structure(expand(graph, type_of)).zones.values()
    except Cycle as cycle:
        raise ValueError(str(cycle)) from cycle
    for zone in zones:
        inside = dict.fromkeys((zone.begin, *map(owner, zone.body), zone.end))
        if node in inside and graph.nodes[zone.end].type == REPEAT_END and graph.nodes[zone.begin].type == REPEAT_BEGIN:
            outer = [dst for dst, src in graph.links.items() if dst.node in inside and src.node not in inside]
            schedules = tuple(dst for dst in outer if dst.socket == way.schedule)
            entry, exit, count = Port(zone.begin, "initial"), Port(zone.end, "value"), Port(zone.begin, "count")
            shown = _shown(type_of, graph.nodes[node])
            picture, carried = _carried(graph, zone.end, Port(node, shown)) if shown else (exit, {})
            states = _states(graph, zone.begin, zone.end)
            return Loop(way, (*inside,), entry, exit, picture, schedules, count, carried, states)
    raise ValueError("this node is in no repeat zone")


def _states(graph: Graph, begin: str, end: str) -> dict[Port, Port]:
    """Of the states beyond the first, those that a round takes from the one before."""
    taken = {src for src in graph.links.values() if src.node == begin}
    return {
        Port(begin, f"initial{state}"): Port(end, f"value{state}")
        for state in STATES[1:]
        if Port(begin, f"state{state}") in taken
    }


def _carried(graph: Graph, end: str, shown: Port) -> tuple[Port, dict[Port, Port]]:
    """The output of a zone that passes on what is shown inside, and the link inside that brings it there."""
    takes = {state: graph.links.get(Port(end, f"next{state}")) for state in STATES}
    state = next((state for state, src in takes.items() if src in (shown, None)), None)
    if state is None:
        raise ValueError("the repeat zone carries four states already, so there is no room for the picture of a step")
    return Port(end, f"value{state}"), {Port(end, f"next{state}"): shown}


def decode_here(graph: Graph, loop: Loop, step: int, top: float) -> tuple[Graph, str]:
    """The graph with nodes that decode what a step shows, counted from 0; and the id of the one that shows it.

    top: below it nothing lies. Raises ValueError when there is nothing to decode with.
    """
    branch = _Branch(graph, loop, top)
    names = branch.steps(0, step + 1)
    shown = branch.picture(Port(names[loop.picture.node], loop.picture.socket))
    return branch.graph, shown


def continue_from(
    graph: Graph, loop: Loop, step: int, steps: int, settings: Mapping[Port, Any], top: float
) -> tuple[Graph, str]:
    """The graph with nodes that go on after a step; and the id of the one that shows where that leads.

    steps: how many there are in all. settings: parameters of the loop that are different from there on. top: below it
    nothing lies. Raises ValueError after the last step, and when there is nothing to decode with.
    """
    if step + 1 >= steps:
        raise ValueError("there is nothing left to do after the last step")
    branch = _Branch(graph, loop, top)
    before = branch.steps(0, step + 1)
    names = branch.steps(step + 1, steps, before, settings)
    shown = branch.picture(Port(names[loop.exit.node], loop.exit.socket))
    return branch.graph, shown


class _Branch:
    """Adds nodes in a row below everything else, from left to right; where there is an equal node, that one is used."""

    def __init__(self, graph: Graph, loop: Loop, top: float) -> None:
        self.graph, self.loop, self.top = graph, loop, top
        self.left = min(graph.nodes[id].pos[0] for id in loop.nodes)
        self.decoder = _decoder(graph, loop)

    def steps(
        self,
        start: int,
        stop: int,
        before: Mapping[str, str] | None = None,
        settings: Mapping[Port, Any] | None = None,
    ) -> dict[str, str]:
        """A copy of the loop that does the steps from `start` up to `stop`; its nodes by those they are copies of.

        before: the copy that it goes on from; without, it starts as the loop does. settings: its other parameters.
        """
        name = f"Steps {start + 1} to {stop}"
        cut = self.loop.way.slice
        piece = Node(cut.type, {cut.start: start, cut.end: stop}, title=f"{name} of the schedule")
        slice = self._add(piece, {cut.schedule: self.graph.links[self.loop.schedules[0]]})
        nodes = {id: self._copy(id, name, settings or {}) for id in self.loop.nodes}
        links = {dst: src for dst, src in self.graph.links.items() if dst.node in nodes}
        links |= {**self.loop.carried, **dict.fromkeys(self.loop.schedules, Port(slice, cut.schedule))}
        if before:
            ends = {self.loop.entry: self.loop.exit, **self.loop.states}
            links |= {dst: _renamed(src, before) for dst, src in ends.items()}
        if self.loop.count:
            links[self.loop.count] = Port(slice, cut.rounds)
        copy = Graph(nodes, links)
        return _find(self.graph, copy) or self._place(copy)

    def picture(self, made: Port) -> str:
        """Decode what steps made and show it; the node that does."""
        decode, show = self.loop.way.decode, self.loop.way.show
        decoded = self._add(Node(decode.type), {decode.takes: made, decode.by: self.decoder})
        return self._add(Node(show.type), {show.takes: Port(decoded, decode.gives)})

    def _copy(self, id: str, title: str, settings: Mapping[Port, Any]) -> Node:
        node = self.graph.nodes[id]
        params = {**node.params, **{port.socket: value for port, value in settings.items() if port.node == id}}
        named = len(self.loop.nodes) == 1 or node.type == REPEAT_BEGIN
        return replace(node, params=params, title=title if named else node.title)

    def _add(self, node: Node, sources: Mapping[str, Port]) -> str:
        id = node.type.rpartition(".")[2]
        single = Graph({id: node}, {Port(id, socket): src for socket, src in sources.items()})
        return (_find(self.graph, single) or self._place(single))[id]

    def _place(self, part: Graph) -> dict[str, str]:
        """Add nodes with their links, side by side as they are; their new ids."""
        x, y = (min(node.pos[axis] for node in part.nodes.values()) for axis in (0, 1))
        right = max(node.pos[0] + (node.size[0] if node.size else WIDTH) for node in part.nodes.values())
        names: dict[str, str] = {}
        for id, node in part.nodes.items():
            names[id] = fresh_id(self.graph, id)
            pos = (round(self.left + node.pos[0] - x), round(self.top + node.pos[1] - y))
            self.graph = add_node(self.graph, names[id], replace(node, pos=pos))
        links = {Port(names[dst.node], dst.socket): _renamed(src, names) for dst, src in part.links.items()}
        self.graph = replace(self.graph, links={**self.graph.links, **links})
        self.left += right - x + GAP
        return names


def _renamed(port: Port, names: Mapping[str, str]) -> Port:
    return Port(names.get(port.node, port.node), port.socket)


def _find(graph: Graph, part: Graph) -> dict[str, str] | None:
    """Nodes of the graph that do the same as these, by their ids; None when they are not all there.

    part: nodes, sources first, with links among themselves and from nodes of the graph.
    """
    first, *others = part.nodes
    for start in _alike(graph, part, first, {}):
        names = {first: start}
        for id in others:
            found = next(_alike(graph, part, id, names), None)
            if found is None:
                break
            names[id] = found
        else:
            return names
    return None


def _alike(graph: Graph, part: Graph, id: str, names: Mapping[str, str]) -> Iterator[str]:
    """The nodes that have the type, the parameters and the sources of a node of the part."""
    node = part.nodes[id]
    sources = {dst.socket: _renamed(src, names) for dst, src in part.links.items() if dst.node == id}
    for other, candidate in graph.nodes.items():
        if (candidate.type, candidate.params, candidate.mode) == (node.type, node.params, node.mode) and sources == {
            dst.socket: src for dst, src in graph.links.items() if dst.node == other
        }:
            yield other


def _decoder(graph: Graph, loop: Loop) -> Port:
    """What decodes further on; or else what any node decodes or encodes with."""
    by = loop.way.decode.by
    found = [(dst.node, src) for dst, src in graph.links.items() if dst.socket == by]
    if not found:
        raise ValueError(f"there is no {label(by)} in this graph to decode with: link one to some node first")
    after = downstream(graph, loop.exit.node)
    return next((src for node, src in found if node in after), found[0][1])

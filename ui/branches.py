"""Edits that branch off in the middle of a denoising: look at a step, or go on from it in another way.

The first steps of a branch are those of the run that is there already, so they come from the cache.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nodegraph.builtin import REPEAT_BEGIN, REPEAT_END
from nodegraph.expand import GROUP, TypeOf, expand
from nodegraph.graph import Graph, Node, Port, add_node, connect, fresh_id
from nodegraph.structure import Cycle, structure
from ui.run_state import owner

COLUMN, ROW = 300.0, 420.0
"""Distances between new nodes, in world units."""


@dataclass(frozen=True, slots=True)
class Loop:
    """The nodes of the document that denoise: a group, or a repeat zone in the open.

    entry: the input that takes the latent. exit: the output that passes it on. schedules: the inputs that take the
    noise levels. count: the input that says how many rounds there are; None when the schedule says so.
    """

    nodes: tuple[str, ...]
    entry: Port
    exit: Port
    schedules: tuple[Port, ...]
    count: Port | None = None


def find_loop(graph: Graph, type_of: TypeOf, node: str) -> Loop:
    """The loop around a node, by its id as the engine calls it. Raises ValueError when there is none to branch off."""
    found = _group(graph, type_of, node) if "/" in node else _zone(graph, type_of, node)
    if not all(port in graph.links for port in (found.entry, *found.schedules)) or not found.schedules:
        raise ValueError("there is nothing to branch off here: the loop needs a linked latent and linked sigmas")
    return found


def _group(graph: Graph, type_of: TypeOf, node: str) -> Loop:
    id = owner(node)
    type = type_of(graph.nodes[id].type) if id in graph.nodes else None
    if type is None or not type.id.startswith(GROUP) or node.count("/") > 1 or not type.outputs:
        raise ValueError("the loop lies too deep inside groups; unpack the outer group to branch off here")
    if not (type.input("latent") and type.input("sigmas")):
        raise ValueError(f"{type.title!r} takes no latent and sigmas, so there is no way to cut it")
    return Loop((id,), Port(id, "latent"), Port(id, type.outputs[0].name), (Port(id, "sigmas"),))


def _zone(graph: Graph, type_of: TypeOf, node: str) -> Loop:
    try:
        zones = structure(expand(graph, type_of)).zones.values()
    except Cycle as cycle:
        raise ValueError(str(cycle)) from cycle
    for zone in zones:
        inside = dict.fromkeys((zone.begin, *map(owner, zone.body), zone.end))
        if node in inside and graph.nodes[zone.end].type == REPEAT_END and graph.nodes[zone.begin].type == REPEAT_BEGIN:
            outer = [dst for dst, src in graph.links.items() if dst.node in inside and src.node not in inside]
            schedules = tuple(dst for dst in outer if dst.socket == "sigmas")
            entry, count = Port(zone.begin, "initial"), Port(zone.begin, "count")
            return Loop((*inside,), entry, Port(zone.end, "value"), schedules, count)
    raise ValueError("this node is in no repeat zone")


def decode_here(graph: Graph, loop: Loop, step: int) -> tuple[Graph, str]:
    """The graph with nodes that show the latent after a step, counted from 0; and the id of the one that shows it.

    Raises ValueError when there is no VAE to decode with.
    """
    base = _Place(graph, loop)
    after, exit = _cut(graph, loop, 0, step + 1, base)
    return _shown(after, exit, _vae(graph, loop.exit.node), base)


def continue_from(graph: Graph, loop: Loop, step: int, steps: int, settings: Mapping[Port, Any]) -> tuple[Graph, str]:
    """The graph with nodes that go on after a step; and the id of the one that shows where that leads.

    steps: how many there are in all. settings: parameters of the loop that are different from there on. Raises
    ValueError after the last step, and when there is no VAE to decode with.
    """
    if step + 1 >= steps:
        raise ValueError("there is nothing left to do after the last step")
    base = _Place(graph, loop)
    after, exit = _cut(graph, loop, 0, step + 1, base)
    after, last = _cut(after, loop, step + 1, steps, base, exit, settings)
    return _shown(after, last, _vae(graph, loop.exit.node), base)


class _Place:
    """Where new nodes go: in a row below everything else."""

    def __init__(self, graph: Graph, loop: Loop) -> None:
        self.left = min(graph.nodes[id].pos[0] for id in loop.nodes)
        self.top = max(node.pos[1] for node in graph.nodes.values()) + ROW
        self.column = 0

    def next(self) -> tuple[float, float]:
        self.column += 1
        return self.left + (self.column - 1) * COLUMN, self.top


def _cut(
    graph: Graph,
    loop: Loop,
    start: int,
    stop: int,
    place: _Place,
    latent: Port | None = None,
    settings: Mapping[Port, Any] | None = None,
) -> tuple[Graph, Port]:
    """A copy of the loop that does the steps from `start` up to `stop`; and its output.

    latent: what it starts from, in place of what the loop starts from.
    """
    name = f"Steps {start + 1} to {stop}"
    slice = fresh_id(graph, "slice")
    source = graph.links[loop.schedules[0]]
    after = add_node(
        graph, slice, Node("schedule.slice", {"start": start, "end": stop}, place.next(), f"{name} of the schedule")
    )
    after = connect(after, source, Port(slice, "sigmas"))
    after, names = _copied(after, loop, place, name, settings or {})
    for port in loop.schedules:
        after = connect(after, Port(slice, "sigmas"), Port(names[port.node], port.socket))
    if latent:
        after = connect(after, latent, Port(names[loop.entry.node], loop.entry.socket))
    if loop.count:
        begin = names[loop.count.node]
        after = connect(after, Port(slice, "steps"), Port(begin, loop.count.socket))
    return after, Port(names[loop.exit.node], loop.exit.socket)


def _copied(
    graph: Graph, loop: Loop, place: _Place, title: str, settings: Mapping[Port, Any]
) -> tuple[Graph, dict[str, str]]:
    """The loop's nodes once more, linked among themselves as they are and to the same nodes outside."""
    x, y = place.next()
    corner = graph.nodes[loop.nodes[0]].pos
    names: dict[str, str] = {}
    after = graph
    for id in loop.nodes:
        node, names[id] = graph.nodes[id], fresh_id(after, id)
        pos = (x + node.pos[0] - corner[0], y + node.pos[1] - corner[1])
        params = {**node.params, **{port.socket: value for port, value in settings.items() if port.node == id}}
        after = add_node(after, names[id], replace(node, params=params, pos=pos, title=_title(node, title, loop)))
    place.column += round((max(graph.nodes[id].pos[0] for id in loop.nodes) - corner[0]) / COLUMN)
    links = {
        Port(names[dst.node], dst.socket): Port(names.get(src.node, src.node), src.socket)
        for dst, src in graph.links.items()
        if dst.node in names
    }
    return replace(after, links={**after.links, **links}), names


def _title(node: Node, title: str, loop: Loop) -> str | None:
    return title if len(loop.nodes) == 1 or node.type == REPEAT_BEGIN else node.title


def _shown(graph: Graph, latent: Port, vae: Port, place: _Place) -> tuple[Graph, str]:
    decode = fresh_id(graph, "decode")
    graph = add_node(graph, decode, Node("vae.decode", pos=place.next()))
    graph = connect(connect(graph, latent, Port(decode, "latent")), vae, Port(decode, "vae"))
    show = fresh_id(graph, "preview")
    graph = add_node(graph, show, Node("output.preview", pos=place.next()))
    return connect(graph, Port(decode, "image"), Port(show, "image")), show


def _vae(graph: Graph, node: str) -> Port:
    """What decodes further on; or else what any node decodes or encodes with."""
    for ids in ({*_downstream(graph, node)}, graph.nodes.keys()):
        found = _vaes(graph, ids)
        if found:
            return found[0]
    raise ValueError("there is no VAE in this graph to decode with: link one to some node first")


def _vaes(graph: Graph, ids: Collection[str]) -> list[Port]:
    return [src for dst, src in graph.links.items() if dst.socket == "vae" and dst.node in ids]


def _downstream(graph: Graph, node: str) -> Iterator[str]:
    todo, seen = [node], set[str]()
    while todo:
        id = todo.pop()
        for dst, src in graph.links.items():
            if src.node == id and dst.node not in seen:
                seen.add(dst.node)
                todo.append(dst.node)
                yield dst.node

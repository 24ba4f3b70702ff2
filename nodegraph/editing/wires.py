"""Edits of wires and nodes that people make by hand: pure functions from a graph to a graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from nodegraph.builtin import REROUTE, VARIABLE_GET, VARIABLE_SET
from nodegraph.editing.group_body import is_wall
from nodegraph.graph import Graph, Mode, Node, Port, connect, fresh_id, remove_nodes
from nodegraph.node import NodeType
from nodegraph.planning.expand import passes
from nodegraph.text import quoted

Point = tuple[float, float]


def remove(graph: Graph, ids: Collection[str]) -> Graph:
    """Take nodes away; the walls of a group stay."""
    return remove_nodes(graph, {id for id in ids if not is_wall(graph.nodes[id])})


def remove_and_heal(graph: Graph, ids: Collection[str], types: Mapping[str, NodeType]) -> Graph:
    """Take nodes away and link what came before them to what came after, where a bypassed node would pass it on.

    types: of these nodes, by id.
    """
    gone = {id for id in ids if not is_wall(graph.nodes[id])}
    healed = {
        dst: source
        for dst, src in graph.links.items()
        if src.node in gone and dst.node not in gone and (source := _before(graph, src, gone, types)) is not None
    }
    after = remove_nodes(graph, gone)
    return replace(after, links={**after.links, **healed})


def _before(graph: Graph, src: Port, gone: set[str], types: Mapping[str, NodeType]) -> Port | None:
    """The first source that stays, on the way back from an output of a node that goes."""
    seen: set[Port] = set()
    while src.node in gone:
        input = passes(types[src.node], src)
        source = graph.links.get(input) if input else None
        if source is None or source in seen:
            return None
        seen.add(source)
        src = source
    return src


def set_mode(graph: Graph, ids: Collection[str], mode: Mode) -> Graph:
    """Give nodes the mode, or switch them on again when all of them have it."""
    chosen = {id: graph.nodes[id] for id in ids}
    wanted: Mode = "on" if all(node.mode == mode for node in chosen.values()) else mode
    return replace(graph, nodes={**graph.nodes, **{id: replace(n, mode=wanted) for id, n in chosen.items()}})


def insert_on_link(graph: Graph, node: str, link: Port, input: str, output: str) -> Graph:
    """Put a node into a wire. link: the input that the wire feeds; input, output: the node's sockets for it."""
    between = connect(graph, graph.links[link], Port(node, input))
    return connect(between, Port(node, output), link)


def add_reroute(graph: Graph, link: Port, pos: Point) -> Graph:
    """Bend a wire at a place."""
    id = fresh_id(graph, "reroute")
    after = replace(graph, nodes={**graph.nodes, id: Node(REROUTE, pos=pos)})
    return insert_on_link(after, id, link, "value", "value")


def swap_inputs(graph: Graph, a: Port, b: Port) -> Graph:
    """Exchange what two inputs are linked to."""
    links = {dst: src for dst, src in graph.links.items() if dst not in (a, b)}
    swapped = {b: graph.links.get(a), a: graph.links.get(b)}
    return replace(graph, links={**links, **{dst: src for dst, src in swapped.items() if src is not None}})


def make_variable(graph: Graph, src: Port, name: str, set_at: Point, get_at: Mapping[Port, Point]) -> Graph:
    """Give an output a name, and let inputs take it by that name instead of by their wires.

    set_at: where the node goes that names it; get_at: the inputs, each with the place of the node it takes it from.
    Raises ValueError when there is no name, or it is taken in this graph.
    """
    if not name:
        raise ValueError("a variable needs a name")
    if name in variables(graph):
        raise ValueError(f"there is already a variable {quoted(name)}")
    nodes, links = dict(graph.nodes), dict(graph.links)
    setter = fresh_id(graph, "set_variable")
    nodes[setter] = Node(VARIABLE_SET, {"name": name}, set_at)
    links[Port(setter, "value")] = src
    for dst, pos in get_at.items():
        getter = fresh_id(Graph(nodes), "get_variable")
        nodes[getter] = Node(VARIABLE_GET, {"name": name}, pos)
        links[dst] = Port(getter, "value")
    return replace(graph, nodes=nodes, links=links)


def variables(graph: Graph) -> tuple[str, ...]:
    """The names that are set in this graph."""
    return tuple(str(n.params.get("name", "")) for n in graph.nodes.values() if n.type == VARIABLE_SET)

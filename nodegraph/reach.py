"""What depends on what, from the links alone: for views, which show graphs that are not finished yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nodegraph.builtin import BEGIN_OF, VARIABLE_GET, VARIABLE_SET
from nodegraph.graph import Graph, Port
from nodegraph.limits import MAX_LINKS


def downstream(graph: Graph, node: str) -> set[str]:
    """The node and everything that its results reach."""
    return _reached(node, readers(graph))


def upstream(graph: Graph, node: str) -> set[str]:
    """The node and everything it depends on."""
    return _reached(node, sources(graph))


def leading_to(graph: Graph, node: str) -> Graph:
    """The part of a graph that decides what a node shows; all of it when it has no such node."""
    if node not in graph.nodes:
        return graph
    before = sources(graph)
    setters: dict[Any, list[str]] = {}
    for id, n in graph.nodes.items():
        if n.type == VARIABLE_SET:
            setters.setdefault(n.params.get("name"), []).append(id)
    todo, found = [node], set[str]()
    while todo:
        id = todo.pop()
        if id not in found:
            found.add(id)
            todo += before.get(id, ())
            if graph.nodes[id].type == VARIABLE_GET:
                todo += setters.get(graph.nodes[id].params.get("name"), ())
    nodes = {id: n for id, n in graph.nodes.items() if id in found}
    return replace(graph, nodes=nodes, links={dst: src for dst, src in graph.links.items() if dst.node in found})


def readers(graph: Graph) -> dict[str, list[str]]:
    """The nodes that take something from a node."""
    found: dict[str, list[str]] = {}
    for dst, src in graph.links.items():
        found.setdefault(src.node, []).append(dst.node)
    return found


def sources(graph: Graph) -> dict[str, list[str]]:
    """The nodes that a node takes something from."""
    found: dict[str, list[str]] = {}
    for dst, src in graph.links.items():
        found.setdefault(dst.node, []).append(src.node)
    return found


def _reached(node: str, steps: Mapping[str, list[str]], end: str | None = None) -> set[str]:
    """end: it is reached, and nothing beyond it."""
    found: set[str] = set()
    todo = [node]
    while todo:
        id = todo.pop()
        if id not in found:
            found.add(id)
            todo += steps.get(id, []) if id != end else []
    return found


@dataclass(frozen=True, slots=True)
class ZoneNodes:
    """A repeat or for-each zone as it is drawn. nodes: begin, end, and all between, with the zones inside."""

    begin: str
    end: str
    nodes: frozenset[str]


def zone_nodes(graph: Graph) -> tuple[ZoneNodes, ...]:
    """The zones whose begin and end are linked, the inner ones last.

    `nodegraph.planning.structure` says which nodes are planned with a zone; it wants a graph that can be planned.
    """
    ends = {graph.links.get(Port(id, "zone")): id for id, node in graph.nodes.items() if node.type in BEGIN_OF}
    after, before = (readers(graph), sources(graph)) if ends else ({}, {})
    found: list[ZoneNodes] = []
    looked_at = 0
    for src, end in ends.items():
        if src is None or graph.nodes[src.node].type != BEGIN_OF[graph.nodes[end].type]:
            continue
        # What leads out of a zone other than through its end is a mistake; many of them must not take for ever.
        ahead = _reached(src.node, after, end) if looked_at < MAX_LINKS else {src.node, end}
        looked_at += len(ahead)
        inside = {id: [source for source in before.get(id, ()) if source in ahead] for id in ahead}
        found.append(ZoneNodes(src.node, end, frozenset(_reached(end, inside, src.node))))
    return tuple(sorted(found, key=lambda zone: -len(zone.nodes)))

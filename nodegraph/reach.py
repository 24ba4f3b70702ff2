"""What depends on what, from the links alone: for views, which show graphs that are not finished yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nodegraph.builtin import BEGIN_OF
from nodegraph.graph import Graph, Port


def downstream(graph: Graph, node: str) -> set[str]:
    """The node and everything that its results reach."""
    return _reached(node, ((src.node, dst.node) for dst, src in graph.links.items()))


def upstream(graph: Graph, node: str) -> set[str]:
    """The node and everything it depends on."""
    return _reached(node, ((dst.node, src.node) for dst, src in graph.links.items()))


def _reached(node: str, steps: Iterable[tuple[str, str]]) -> set[str]:
    after: dict[str, list[str]] = {}
    for a, b in steps:
        after.setdefault(a, []).append(b)
    found: set[str] = set()
    todo = [node]
    while todo:
        id = todo.pop()
        if id not in found:
            found.add(id)
            todo += after.get(id, [])
    return found


@dataclass(frozen=True, slots=True)
class ZoneNodes:
    """A repeat or for-each zone as it is drawn. nodes: begin, end, and all between, with the zones inside."""

    begin: str
    end: str
    nodes: frozenset[str]


def zone_nodes(graph: Graph) -> tuple[ZoneNodes, ...]:
    """The zones whose begin and end are linked, the inner ones last.

    `nodegraph.structure` says which nodes are planned with a zone; it wants a graph that can be planned.
    """
    ends = {graph.links.get(Port(id, "zone")): id for id, node in graph.nodes.items() if node.type in BEGIN_OF}
    found = [
        ZoneNodes(src.node, end, frozenset(downstream(graph, src.node) & upstream(graph, end)))
        for src, end in ends.items()
        if src is not None and graph.nodes[src.node].type == BEGIN_OF[graph.nodes[end].type]
    ]
    return tuple(sorted(found, key=lambda zone: -len(zone.nodes)))

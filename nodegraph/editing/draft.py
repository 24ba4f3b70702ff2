"""The cheaper graph that live mode runs while a person holds a slider."""

from __future__ import annotations

from dataclasses import replace

from nodegraph.graph import Graph, Node, Port
from nodegraph.node import Draft, TypeOf


def draft(graph: Graph, type_of: TypeOf) -> Graph:
    """Every parameter without a link that has a Draft limit, lowered to it; also in the document's own groups."""
    nodes = {id: _lowered(graph, id, node, type_of) for id, node in graph.nodes.items()}
    groups = {name: replace(group, graph=draft(group.graph, type_of)) for name, group in graph.groups.items()}
    return replace(graph, nodes=nodes, groups=groups if groups != graph.groups else graph.groups)


def _lowered(graph: Graph, id: str, node: Node, type_of: TypeOf) -> Node:
    type = type_of(node.type)
    lower: dict[str, float] = {}
    for spec in type.inputs if type else ():
        limit = spec.get(Draft)
        value = node.params.get(spec.name, spec.default)
        free = Port(id, spec.name) not in graph.links
        if limit and free and isinstance(value, int | float) and value > limit.limit:
            lower[spec.name] = limit.limit
    return replace(node, params={**node.params, **lower}) if lower else node

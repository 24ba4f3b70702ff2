"""Parameters that follow what a node is linked to, as far as nobody has set them.

A node keeps what was set for it in its field "suited" of the file: {"steps": 30}. A parameter that has another value by
now was set by a person, and stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from nodegraph.graph import Graph, Node
from nodegraph.node import NodeType, TypeOf

SUITED = "suited"


def suit(graph: Graph, wanted: Mapping[str, Mapping[str, Any]], type_of: TypeOf) -> Graph:
    """Set these parameters, by node, where no person has and no link does. One that is the type's default is left out.

    What the node's type does not take is not set.
    """
    nodes = {
        id: _suited(node, values, type, {dst.socket for dst in graph.links if dst.node == id})
        for id, values in wanted.items()
        if (node := graph.nodes.get(id)) is not None and (type := type_of(node.type)) is not None
    }
    changed = {id: node for id, node in nodes.items() if node != graph.nodes[id]}
    return replace(graph, nodes={**graph.nodes, **changed}) if changed else graph


def differing(before: Graph, after: Graph, type_of: TypeOf) -> tuple[str, ...]:
    """The names of the parameters that have another value, of nodes that both have."""
    found: dict[str, None] = {}
    for id, node in after.nodes.items():
        old, type = before.nodes.get(id), type_of(node.type)
        if old is not None and old is not node and type is not None:
            for spec in type.inputs:
                if node.params.get(spec.name, spec.default) != old.params.get(spec.name, spec.default):
                    found[spec.name] = None
    return tuple(found)


def _suited(node: Node, wanted: Mapping[str, Any], type: NodeType, linked: set[str]) -> Node:
    params, ours = dict(node.params), _ours(node)
    for name, value in wanted.items():
        spec = type.input(name)
        free = name not in params or name in ours
        if spec is None or not free or name in linked or spec.complaint(value):
            continue
        params.pop(name, None)
        ours.pop(name, None)
        if value != spec.default:
            params[name] = ours[name] = value
    extra = {name: value for name, value in node.extra.items() if name != SUITED}
    return replace(node, params=params, extra=extra | ({SUITED: ours} if ours else {}))


def _ours(node: Node) -> dict[str, Any]:
    """What was set for the node and is as it was then."""
    kept = node.extra.get(SUITED)
    if not isinstance(kept, dict):
        return {}
    values = cast("dict[str, Any]", kept)
    return {name: value for name, value in values.items() if name in node.params and node.params[name] == value}

"""The cheaper graph that live mode runs while a person holds a slider."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nodegraph.graph import Graph, Node, Port
from nodegraph.node import Draft, NodeType, TypeOf

Change = Callable[[Draft, Any, float], Any]
"""A rule, the value of its parameter, and that of the parameter which it goes by."""


def draft(graph: Graph, type_of: TypeOf) -> Graph:
    """Every parameter without a link that has a Draft limit, lowered to it; also in the document's own groups.

    Where that lowers anything, choices with a Draft change to what goes with it.
    """
    lowered = _with(graph, type_of, _lowered)
    return graph if lowered == graph else _with(lowered, type_of, _instead)


def _with(graph: Graph, type_of: TypeOf, change: Change) -> Graph:
    nodes = {id: _changed(graph, id, node, type_of, change) for id, node in graph.nodes.items()}
    groups = {name: replace(group, graph=_with(group.graph, type_of, change)) for name, group in graph.groups.items()}
    return replace(graph, nodes=nodes, groups=groups if groups != graph.groups else graph.groups)


def _changed(graph: Graph, id: str, node: Node, type_of: TypeOf, change: Change) -> Node:
    type = type_of(node.type)
    changed: dict[str, Any] = {}
    for spec in type.inputs if type else ():
        rule = spec.get(Draft)
        if type and rule and Port(id, spec.name) not in graph.links:
            before = node.params.get(spec.name, spec.default)
            after = change(rule, before, _by(graph, id, node, type, rule.by))
            if after != before:
                changed[spec.name] = after
    return replace(node, params={**node.params, **changed}) if changed else node


def _by(graph: Graph, id: str, node: Node, type: NodeType, name: str) -> float:
    """The value of the parameter; infinity where nobody can tell."""
    spec = type.input(name)
    value = node.params.get(name, spec.default) if spec and Port(id, name) not in graph.links else math.inf
    return value if isinstance(value, int | float) else math.inf


def _lowered(rule: Draft, value: Any, by: float) -> Any:
    is_more = rule.limit is not None and isinstance(value, int | float) and value > rule.limit
    return rule.limit if is_more else value


def _instead(rule: Draft, value: Any, by: float) -> Any:
    return next((other for choice, least, other in rule.instead if choice == value and by >= least), value)

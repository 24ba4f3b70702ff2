"""The cheaper graph that live mode runs while a person holds a slider."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nodegraph.graph import Graph, Node, Port
from nodegraph.node import Draft, TypeOf


def draft(graph: Graph, type_of: TypeOf) -> Graph:
    """Every parameter without a link that has a Draft limit, lowered to it; also in the document's own groups.

    Where that lowers anything, choices with a Draft change to what goes with it.
    """
    lowered = _with(graph, type_of, _lowered)
    return graph if lowered == graph else _with(lowered, type_of, _instead)


def _with(graph: Graph, type_of: TypeOf, change: Callable[[Draft, Any], Any]) -> Graph:
    nodes = {id: _changed(graph, id, node, type_of, change) for id, node in graph.nodes.items()}
    groups = {name: replace(group, graph=_with(group.graph, type_of, change)) for name, group in graph.groups.items()}
    return replace(graph, nodes=nodes, groups=groups if groups != graph.groups else graph.groups)


def _changed(graph: Graph, id: str, node: Node, type_of: TypeOf, change: Callable[[Draft, Any], Any]) -> Node:
    type = type_of(node.type)
    changed: dict[str, Any] = {}
    for spec in type.inputs if type else ():
        rule = spec.get(Draft)
        if rule and Port(id, spec.name) not in graph.links:
            before = node.params.get(spec.name, spec.default)
            after = change(rule, before)
            if after != before:
                changed[spec.name] = after
    return replace(node, params={**node.params, **changed}) if changed else node


def _lowered(rule: Draft, value: Any) -> Any:
    is_more = rule.limit is not None and isinstance(value, int | float) and value > rule.limit
    return rule.limit if is_more else value


def _instead(rule: Draft, value: Any) -> Any:
    return next((other for choice, other in rule.instead if choice == value), value)

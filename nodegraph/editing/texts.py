"""The texts that a person writes, such as prompts, taken over from another graph."""

from __future__ import annotations

from dataclasses import replace

from nodegraph.graph import Graph, Node, Port
from nodegraph.node import Multiline, TypeOf


def with_texts_of(graph: Graph, earlier: Graph, type_of: TypeOf) -> Graph:
    """The graph with the texts of an earlier one: of the same nodes, as far as no link decides, and of no note."""
    nodes = {id: _with_texts(graph, id, node, earlier.nodes.get(id), type_of) for id, node in graph.nodes.items()}
    return replace(graph, nodes=nodes)


def _with_texts(graph: Graph, id: str, node: Node, before: Node | None, type_of: TypeOf) -> Node:
    type = type_of(node.type)
    if type is None or type.annotation or before is None or before.type != node.type:
        return node
    names = (spec.name for spec in type.inputs if spec.get(Multiline) and Port(id, spec.name) not in graph.links)
    taken = {name: before.params[name] for name in names if name in before.params}
    return replace(node, params={**node.params, **taken})

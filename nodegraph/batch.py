"""One item of what is made several at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from nodegraph.graph import Graph, Port
from nodegraph.node import BatchIndex, BatchSize, TypeOf
from nodegraph.reach import leading_to


def alone(graph: Graph, node: str, item: int, count: int, type_of: TypeOf) -> Graph | None:
    """The graph in which `node` shows item `item` of its `count` alone, from the same noise.

    None where that is not told by one BatchSize of `count` and a BatchIndex before the node, none of them linked.
    """
    before = leading_to(graph, node)
    sizes = [port for port, size in _values(before, BatchSize, type_of) if size > 1]
    firsts = dict(_values(before, BatchIndex, type_of))
    if len(sizes) != 1 or not firsts or dict(_values(before, BatchSize, type_of))[sizes[0]] != count:
        return None
    nodes = dict(graph.nodes)
    for (id, name), value in {sizes[0]: 1, **{port: first + item for port, first in firsts.items()}}.items():
        nodes[id] = replace(nodes[id], params={**nodes[id].params, name: value})
    return replace(graph, nodes=nodes)


def _values(graph: Graph, kind: type[Any], type_of: TypeOf) -> Iterator[tuple[Port, int]]:
    """The parameters of this kind that a person sets."""
    for id, node in graph.nodes.items():
        type = type_of(node.type)
        for spec in type.inputs if type else ():
            port, value = Port(id, spec.name), node.params.get(spec.name, spec.default)
            if spec.get(kind) and isinstance(value, int) and port not in graph.links:
                yield port, value

"""What becomes of seeds before a run: fixed, counted up, or drawn. Pure edits; chance is handed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from nodegraph.graph import Graph, Node, Port
from nodegraph.node import Range, Seed, TypeOf

NUM_SEEDS = 2**32
"""Drawn seeds are below this: short enough to read, say and type."""


def seeds(graph: Graph, type_of: TypeOf) -> dict[Port, int]:
    """The seeds that a person sets, by node and parameter; not those that are linked."""
    types = {type: type_of(type) for type in {node.type for node in graph.nodes.values()}}
    known = {id: [spec for spec in type.inputs if spec.get(Seed)] for id, type in types.items() if type}
    specs = {id: seeded for id, seeded in known.items() if seeded}
    found: dict[Port, int] = {}
    for id, node in [(id, node) for id, node in graph.nodes.items() if node.type in specs]:
        for spec in specs[node.type]:
            port, value = Port(id, spec.name), node.params.get(spec.name, spec.default)
            if isinstance(value, int) and port not in graph.links:
                found[port] = value
    return found


def with_new_seeds(graph: Graph, type_of: TypeOf, draw: Callable[[int], int]) -> Graph:
    """The graph for the next run: seeds of nodes that count up or draw are new ones.

    draw: a number from 0 up to its argument, which is not included. The document's own groups are included.
    """
    new: dict[Port, int] = {}
    for port, seed in seeds(graph, type_of).items():
        mode = graph.nodes[port.node].seed_mode
        if mode == "random":
            new[port] = draw(NUM_SEEDS)
        elif mode == "increment":
            new[port] = _after(seed, _last(graph.nodes[port.node], port.socket, type_of))
    groups = {
        name: replace(group, graph=with_new_seeds(group.graph, type_of, draw)) for name, group in graph.groups.items()
    }
    return replace(_with(graph, new), groups=groups if groups != graph.groups else graph.groups)


def with_seeds_of(graph: Graph, earlier: Graph, type_of: TypeOf) -> Graph:
    """The graph with the seeds of an earlier one, kept from now on: their nodes are set to fixed."""
    old = {port: seed for port, seed in seeds(earlier, type_of).items() if port in seeds(graph, type_of)}
    after = _with(graph, old)
    fixed = {port.node: replace(after.nodes[port.node], seed_mode="fixed") for port in old}
    groups = {
        name: replace(group, graph=with_seeds_of(group.graph, earlier.groups[name].graph, type_of))
        if name in earlier.groups
        else group
        for name, group in graph.groups.items()
    }
    return replace(after, nodes={**after.nodes, **fixed}, groups=groups if groups != graph.groups else graph.groups)


def _with(graph: Graph, values: Mapping[Port, int]) -> Graph:
    nodes = dict(graph.nodes)
    for (id, name), value in values.items():
        nodes[id] = replace(nodes[id], params={**nodes[id].params, name: value})
    return replace(graph, nodes=nodes)


def _last(node: Node, name: str, type_of: TypeOf) -> int:
    type = type_of(node.type)
    spec = type.input(name) if type else None
    limits = spec.get(Range) if spec else None
    return int(limits.max) if limits else NUM_SEEDS - 1


def _after(seed: int, last: int) -> int:
    return seed + 1 if seed < last else 0

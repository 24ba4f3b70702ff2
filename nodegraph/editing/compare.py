"""In what two graphs differ, as far as it can show in a result."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from nodegraph.graph import GROUP, Graph, Node, Port
from nodegraph.group_type import document_types
from nodegraph.node import REQUIRED, NodeType

Types = Mapping[str, NodeType]


class Difference(NamedTuple):
    """One thing that is not the same.

    node: its id, behind the name of the group it is inside ("Denoise/step"). name: the parameter or input; None for
    the node as such. before, after: plain values; the Port that is linked; a Node, None where it is missing; or the
    modes of a node when one is muted or bypassed.
    """

    node: str
    name: str | None
    before: Any
    after: Any


def counterparts(before: Graph, after: Graph) -> dict[str, str]:
    """What stands in the newer graph for nodes that only the older one has, by their ids.

    One of the same type and title, or else of the same type.
    """
    found: dict[str, str] = {}
    for alike in (_type_and_title, _type):
        taken, free = {*found.values()}, defaultdict[object, list[str]](list)
        for id in reversed([*after.nodes]):
            if id not in before.nodes and id not in taken:
                free[alike(after.nodes[id])].append(id)
        for id, node in before.nodes.items():
            if id not in after.nodes and id not in found and free[alike(node)]:
                found[id] = free[alike(node)].pop()
    return found


def _type_and_title(node: Node) -> object:
    return node.type, node.title


def _type(node: Node) -> object:
    return node.type


def with_names(graph: Graph, names: Mapping[str, str]) -> Graph:
    """The same graph with other ids for these nodes."""

    def renamed(port: Port) -> Port:
        return Port(names.get(port.node, port.node), port.socket)

    nodes = {names.get(id, id): node for id, node in graph.nodes.items()}
    return replace(graph, nodes=nodes, links={renamed(dst): renamed(src) for dst, src in graph.links.items()})


def differences(before: Graph, after: Graph, registry: Types) -> tuple[Difference, ...]:
    """What makes the results of two graphs differ, in the order of the newer graph; in groups as well.

    Positions, titles and sizes do not count. What is set in a node that only one of them has, is listed as well.
    registry: the installed types by id; each graph adds its own groups.
    """
    types = (document_types(before.groups, registry), document_types(after.groups, registry))
    found = list(_in_nodes(before, after, types))
    for name in dict.fromkeys((*_groups(after, types[1]), *_groups(before, types[0]))):
        old, new = (known[name].group if name in known else None for known in types)
        if old is not None and new is not None and old.graph is not new.graph:
            prefix = name.removeprefix(GROUP)
            found += [d._replace(node=f"{prefix}/{d.node}") for d in _in_nodes(old.graph, new.graph, types)]
    return tuple(found)


def _groups(graph: Graph, types: Types) -> Iterable[str]:
    """The types of the groups it uses, also inside others."""
    found: dict[str, None] = {}
    todo = [graph]
    while todo:
        for node in todo.pop().nodes.values():
            type = types.get(node.type)
            if type and type.group and type.id not in found:
                found[type.id] = None
                todo.append(type.group.graph)
    return found


def _in_nodes(before: Graph, after: Graph, types: tuple[Types, Types]) -> Iterator[Difference]:
    linked = _linked(before, after)
    for id in dict.fromkeys((*after.nodes, *before.nodes)):
        a, b = before.nodes.get(id), after.nodes.get(id)
        if a is None or b is None or a.type != b.type:
            yield Difference(id, None, a, b)
            yield from _settings(id, a, b)
            continue
        if a.mode != b.mode:
            yield Difference(id, None, a.mode, b.mode)
        for name in dict.fromkeys((*a.params, *b.params, *linked.get(id, ()))):
            old, new = _value(before, id, name, types[0]), _value(after, id, name, types[1])
            if old != new or isinstance(old, bool) != isinstance(new, bool):
                yield Difference(id, name, old, new)


def _settings(id: str, before: Node | None, after: Node | None) -> Iterator[Difference]:
    """What is set in nodes that have nothing to do with each other."""
    old: Mapping[str, Any] = before.params if before else {}
    new: Mapping[str, Any] = after.params if after else {}
    for name in dict.fromkeys((*new, *old)):
        yield Difference(id, name, old.get(name), new.get(name))


def _linked(*graphs: Graph) -> dict[str, list[str]]:
    """The inputs of each node that are linked in one of the graphs."""
    found: dict[str, list[str]] = {}
    for graph in graphs:
        for dst in graph.links:
            found.setdefault(dst.node, []).append(dst.socket)
    return found


def _value(graph: Graph, id: str, name: str, types: Types) -> Any:
    """What an input is linked to, or else set to, or else its default; None when it has none."""
    node = graph.nodes[id]
    source = graph.links.get(Port(id, name))
    if source is not None:
        return source
    type = types.get(node.type)
    spec = type.input(name) if type else None
    return node.params.get(name, None if spec is None or spec.default is REQUIRED else spec.default)

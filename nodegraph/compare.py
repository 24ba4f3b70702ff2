"""In what two graphs differ, as far as it can show in a result."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

from nodegraph.graph import Graph, Node, Port
from nodegraph.reach import upstream

DefaultOf = Callable[[Node, str], Any]
"""The value of a parameter that a node does not set; None when it has none."""


class Difference(NamedTuple):
    """One thing that is not the same.

    node: its id, behind the names of the groups it is inside ("Denoise/step"). name: the parameter or input; None for
    the node as such. before, after: plain values; the Port that is linked; a Node, None where it is missing; or the
    modes of a node when one is muted or bypassed.
    """

    node: str
    name: str | None
    before: Any
    after: Any


def differences(before: Graph, after: Graph, default_of: DefaultOf, target: str = "") -> tuple[Difference, ...]:
    """What makes the results of two graphs differ, in the order of the newer graph.

    Positions, titles and sizes do not count. target: count only this node and what it depends on; all nodes when empty
    or when neither graph has it.
    """
    counted = {id for graph in (before, after) if target in graph.nodes for id in upstream(graph, target)}
    counted = counted or {*before.nodes, *after.nodes}
    found = list(_in_nodes(before, after, counted, default_of))
    for name, group in after.groups.items():
        old = before.groups.get(name)
        if old is not None and old.graph is not group.graph:
            inner = differences(old.graph, group.graph, default_of)
            found += [d._replace(node=f"{name}/{d.node}") for d in inner]
    return tuple(found)


def _in_nodes(before: Graph, after: Graph, ids: Collection[str], default_of: DefaultOf) -> Iterator[Difference]:
    for id in dict.fromkeys((*after.nodes, *before.nodes)):
        if id not in ids:
            continue
        a, b = before.nodes.get(id), after.nodes.get(id)
        if a is None or b is None or a.type != b.type:
            yield Difference(id, None, a, b)
            continue
        if a.mode != b.mode:
            yield Difference(id, None, a.mode, b.mode)
        for name in _names(id, before, after):
            old, new = _value(before, id, name, default_of), _value(after, id, name, default_of)
            if old != new or isinstance(old, bool) != isinstance(new, bool):
                yield Difference(id, name, old, new)


def _names(id: str, *graphs: Graph) -> list[str]:
    """The inputs of a node that are set or linked in one of the graphs."""
    names = [name for graph in graphs for name in graph.nodes[id].params]
    names += [dst.socket for graph in graphs for dst in graph.links if dst.node == id]
    return list(dict.fromkeys(names))


def _value(graph: Graph, id: str, name: str, default_of: DefaultOf) -> Any:
    node = graph.nodes[id]
    source = graph.links.get(Port(id, name))
    if source is not None:
        return source
    return node.params[name] if name in node.params else default_of(node, name)

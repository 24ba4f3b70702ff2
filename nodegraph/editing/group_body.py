"""The body of a group, seen and edited as a graph of its own: pure functions."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from nodegraph.builtin import GROUP_INPUT, GROUP_OUTPUT
from nodegraph.graph import GROUP, Graph, Group, Node, Port, fresh_id
from nodegraph.node import REQUIRED, Input, NodeType, Output

NEW_SOCKET = "+"
"""The socket of a wall that stands for one the group does not have yet: a link to it makes one."""


def inside(graph: Graph, group: Group) -> Graph:
    """The body of a group with the groups of the whole document, so that it can be edited like any graph."""
    return replace(group.graph, groups=graph.groups)


def with_inside(graph: Graph, group: Group, body: Graph, value_at: Callable[[Port], Any]) -> Graph:
    """The document with that body for every instance; the first edit of a group that ships makes it the document's own.

    body: as `inside` gave it, edited. value_at: the plain value of an input inside, or REQUIRED: what a new input of
    the group starts with. Groups are defined once for the whole document, so those that the edit made or took away
    are made or taken away there; one that something still uses stays.
    """
    if body == inside(graph, group):
        return graph
    own = _with_new_sockets(replace(group, graph=replace(body, groups=group.graph.groups)), value_at)
    after = replace(graph, groups={**body.groups, group.name: own})
    lost = [name for name in graph.groups if name not in after.groups and uses(after, GROUP + name)]
    return replace(after, groups={**after.groups, **{name: graph.groups[name] for name in lost}})


def uses(graph: Graph, type: str) -> bool:
    """Whether a node of the document, or of one of its groups, is of this type."""
    here = any(node.type == type for node in graph.nodes.values())
    return here or any(uses(group.graph, type) for group in graph.groups.values())


def _with_new_sockets(group: Group, value_at: Callable[[Port], Any]) -> Group:
    """Links to or from a new socket get one named after their other end."""
    inputs, outputs = dict(group.inputs), [*group.outputs]
    links: dict[Port, Port] = {}
    for dst, src in group.graph.links.items():
        if src.socket == NEW_SOCKET:
            src = Port(src.node, _free(dst.socket, inputs))
            inputs[src.socket] = value_at(dst)
        elif dst.socket == NEW_SOCKET:
            dst = Port(dst.node, _free(src.socket, outputs))
            outputs.append(dst.socket)
        links[dst] = src
    return replace(group, graph=replace(group.graph, links=links), inputs=inputs, outputs=(*outputs,))


def _free(stem: str, taken: Collection[str]) -> str:
    return fresh_id(Graph(dict.fromkeys(taken, Node(""))), stem)


def wall_type(wall: NodeType, outside: NodeType) -> NodeType:
    """The `group.input` or `group.output` of a group: its sockets are those of the group, seen from inside.

    outside: the type of the group's instances.
    """
    if wall.id == GROUP_INPUT:
        return replace(wall, outputs=(*(Output(i.name, i.type) for i in outside.inputs), Output(NEW_SOCKET, Any)))
    inputs = (*(Input(o.name, o.type, REQUIRED) for o in outside.outputs), Input(NEW_SOCKET, Any, None))
    return replace(wall, inputs=inputs)


def is_wall(node: Node) -> bool:
    return node.type in (GROUP_INPUT, GROUP_OUTPUT)

"""The body of a group, seen and edited as a graph of its own: pure functions."""

from __future__ import annotations

from dataclasses import replace

from nodegraph.builtin import GROUP_INPUT, GROUP_OUTPUT
from nodegraph.expand import GROUP
from nodegraph.graph import Graph, Group, Port
from nodegraph.node import REQUIRED, Input, NodeType, Output

NEW_SOCKET = "+"
"""The socket of a wall to which a wire is drawn to give the group one more socket; never linked in a document."""


def inside(graph: Graph, group: Group) -> Graph:
    """The body of a group with the groups of the whole document, so that it can be edited like any graph."""
    return replace(group.graph, groups=graph.groups)


def with_inside(graph: Graph, group: Group, body: Graph) -> Graph:
    """The document with that body for every instance of the group; the first edit of a shipped group makes it its own.

    body: as `inside` gave it, edited. Groups are defined once for the whole document, so those that the edit made or
    took away are made or taken away there; one that something still uses stays.
    """
    if body == inside(graph, group):
        return graph
    own = replace(group, graph=replace(body, groups=group.graph.groups))
    after = replace(graph, groups={**body.groups, group.name: own})
    lost = [name for name in graph.groups if name not in after.groups and _uses(after, GROUP + name)]
    return replace(after, groups={**after.groups, **{name: graph.groups[name] for name in lost}})


def _uses(graph: Graph, type: str) -> bool:
    bodies = (graph, *(group.graph for group in graph.groups.values()))
    return any(node.type == type for body in bodies for node in body.nodes.values())


def wall_type(wall: NodeType, outside: NodeType) -> NodeType:
    """The `group.input` or `group.output` of a group: its sockets are those of the group, seen from inside.

    outside: the type of the group's instances.
    """
    if wall.id == GROUP_INPUT:
        return replace(wall, outputs=(*(Output(i.name, i.type) for i in outside.inputs), Output(NEW_SOCKET, object)))
    inputs = (*(Input(o.name, o.type, REQUIRED) for o in outside.outputs), Input(NEW_SOCKET, object, None))
    return replace(wall, inputs=inputs)


def with_socket(graph: Graph, group: Group, src: Port, dst: Port) -> Graph:
    """The document with one more socket for the group, for a link inside from or to the new socket of a wall.

    src, dst: the link, of which one end is NEW_SOCKET. The socket is named after the other end.
    """
    walls = {id for id, node in group.graph.nodes.items() if node.type in (GROUP_INPUT, GROUP_OUTPUT)}
    body = group.graph
    if src.node in walls:
        name = _free(dst.socket, group.inputs)
        group = replace(group, inputs={**group.inputs, name: REQUIRED})
        links = {**body.links, dst: Port(src.node, name)}
    else:
        name = _free(src.socket, group.outputs)
        group = replace(group, outputs=(*group.outputs, name))
        links = {**body.links, Port(dst.node, name): src}
    own = replace(group, graph=replace(body, links=links))
    return replace(graph, groups={**graph.groups, group.name: own})


def _free(stem: str, taken: object) -> str:
    raise NotImplementedError

"""Changing what a group is called and which sockets it has, for all of its instances: pure functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from nodegraph.builtin import GROUP_INPUT, GROUP_OUTPUT
from nodegraph.editing.group_body import NEW_SOCKET, uses
from nodegraph.formats.app_rows import App, app_of, set_app
from nodegraph.graph import GROUP, Graph, Group, Node, Port
from nodegraph.text import quoted

Names = Mapping[str, str]
"""The sockets that stay, in their new order: by their names before, their names after."""


def redefine(graph: Graph, group: Group, name: str, inputs: Names, outputs: Names) -> Graph:
    """Rename a group and rename, reorder and take away its sockets, with their wires, values and app view.

    group: the definition; one that ships becomes the document's own. Raises ValueError when a name is missing or taken.
    """
    if not name:
        raise ValueError("a group needs a name")
    if name != group.name and (name in graph.groups or uses(graph, GROUP + name)):
        raise ValueError(f"there is already a group {quoted(name)}")
    _check(inputs)
    _check(outputs)
    own = replace(
        group,
        name=name,
        graph=_inside(group.graph, inputs, outputs),
        inputs={new: group.inputs[old] for old, new in inputs.items()},
        outputs=(*outputs.values(),),
    )
    others = {known: other for known, other in graph.groups.items() if known != group.name}
    type = GROUP + group.name

    def changed(body: Graph) -> Graph:
        return _with_instances(body, type, GROUP + name, inputs, outputs)

    groups = {known: replace(other, graph=changed(other.graph)) for known, other in others.items()}
    after = replace(changed(graph), groups={**groups, name: own})
    return _with_app(after, {id for id, node in graph.nodes.items() if node.type == type}, inputs)


def _with_app(graph: Graph, instances: Collection[str], inputs: Names) -> Graph:
    """The graph with an app view that knows the sockets of these nodes by their new names."""
    app = app_of(graph)
    if app == App():
        return graph
    kept = [port for port in app.inputs if port.node not in instances or port.socket in inputs]
    ports = (Port(p.node, inputs[p.socket]) if p.node in instances else p for p in kept)
    return set_app(graph, replace(app, inputs=tuple(ports)))


def _check(names: Names) -> None:
    for name in names.values():
        if not name or name == NEW_SOCKET:
            raise ValueError("a socket needs a name")
        if [*names.values()].count(name) > 1:
            raise ValueError(f"there are two sockets {quoted(name)} on one side")


def _inside(body: Graph, inputs: Names, outputs: Names) -> Graph:
    """The body of the group with other sockets: its inputs come out of one wall, its outputs go into the other."""
    entries, exits = ({id for id, n in body.nodes.items() if n.type == t} for t in (GROUP_INPUT, GROUP_OUTPUT))
    return replace(body, links=_relinked(body, exits, outputs, entries, inputs))


def _with_instances(body: Graph, type: str, to: str, inputs: Names, outputs: Names) -> Graph:
    ids = {id for id, node in body.nodes.items() if node.type == type}
    nodes = {id: _instance(node, to, inputs) if id in ids else node for id, node in body.nodes.items()}
    return replace(body, nodes=nodes, links=_relinked(body, ids, inputs, ids, outputs)) if ids else body


def _instance(node: Node, type: str, inputs: Names) -> Node:
    params: dict[str, Any] = {inputs[name]: value for name, value in node.params.items() if name in inputs}
    return replace(node, type=type, params=params)


def _relinked(
    body: Graph, readers: Collection[str], inputs: Names, sources: Collection[str], outputs: Names
) -> dict[Port, Port]:
    """The links of a graph in which the inputs of some nodes, and the outputs of some, have other names or are gone."""
    links: dict[Port, Port] = {}
    for dst, src in body.links.items():
        to = inputs.get(dst.socket) if dst.node in readers else dst.socket
        of = outputs.get(src.socket) if src.node in sources else src.socket
        if to is not None and of is not None:
            links[Port(dst.node, to)] = Port(src.node, of)
    return links

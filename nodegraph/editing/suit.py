"""Parameters that follow what a node is linked to, as far as nobody has set them.

A node keeps what was set for it in its field "suited" of the file: {"steps": 30}. A parameter that has another value by
now was set by a person, and stays.

Nodes are named as the engine does: "kiln/pot" is the pot inside the group's instance "kiln". All instances share its
body, so a value is set there only when it suits all of them. Where the body takes it from outside, it is set there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, cast

from nodegraph.builtin import GROUP_INPUT
from nodegraph.graph import GROUP, Graph, Node, Port
from nodegraph.node import NodeType, TypeOf

SUITED = "suited"

Wanted = Mapping[str, Mapping[str, Any]]
"""By node, as the engine calls it, and parameter."""


def suit(graph: Graph, wanted: Wanted, type_of: TypeOf, kept: Wanted | None = None) -> Graph:
    """Set these parameters, where no person has and no link does. One that is the type's default is left out.

    kept: what suits the other nodes, which are as they were: bodies of groups may be theirs too. What the node's type
    does not take is not set, and groups that ship with the program are not changed.
    """
    claims = [*_claims(wanted, True), *_claims(kept or {}, False)]
    settled = _settled(graph, claims)
    groups = {
        name: replace(group, graph=_with(group.graph, settled[name], type_of))
        for name, group in graph.groups.items()
        if name in settled
    }
    changed = {name: group for name, group in groups.items() if group.graph is not graph.groups[name].graph}
    after = replace(graph, groups={**graph.groups, **changed}) if changed else graph
    return _with(after, settled.get("", {}), type_of)


def node_at(graph: Graph, path: str) -> Node | None:
    """The node with this name, in the document or in one of its own groups; None when there is none."""
    found = _place(graph, tuple(path.split("/")))
    return found.body.nodes.get(found.id) if found else None


def differing(before: Graph, after: Graph, type_of: TypeOf) -> tuple[str, ...]:
    """The names of the parameters that have another value, of nodes that both have."""
    found: dict[str, None] = {}
    for id, node in after.nodes.items():
        old, type = before.nodes.get(id), type_of(node.type)
        if old is not None and old is not node and type is not None:
            for spec in type.inputs:
                if node.params.get(spec.name, spec.default) != old.params.get(spec.name, spec.default):
                    found[spec.name] = None
    return tuple(found)


def differing_inside(before: Graph, after: Graph, type_of: TypeOf) -> dict[str, tuple[str, ...]]:
    """The same of the nodes inside groups, by group."""
    groups = {name: (old, after.groups[name]) for name, old in before.groups.items() if name in after.groups}
    found = {name: differing(old.graph, new.graph, type_of) for name, (old, new) in groups.items() if old is not new}
    return {name: names for name, names in found.items() if names}


class _Claim(NamedTuple):
    """A value that suits a node. mine: it is to be set; if not, it only stands against others."""

    path: tuple[str, ...]
    name: str
    value: Any
    mine: bool


class _Place(NamedTuple):
    """Where a node is: in the body of a group; in the document, where that has no name."""

    group: str
    body: Graph
    id: str


def _claims(wanted: Wanted, mine: bool) -> Iterator[_Claim]:
    for path, values in wanted.items():
        for name, value in values.items():
            yield _Claim(tuple(path.split("/")), name, value, mine)


def _place(graph: Graph, path: tuple[str, ...]) -> _Place | None:
    """None when the path leads nowhere, or into a group that is not the document's own."""
    name, body = "", graph
    for id in path[:-1]:
        node = body.nodes.get(id)
        name = node.type.removeprefix(GROUP) if node is not None and node.type.startswith(GROUP) else ""
        group = graph.groups.get(name)
        if group is None:
            return None
        body = group.graph
    return _Place(name, body, path[-1])


def _settled(graph: Graph, claims: Iterable[_Claim]) -> dict[str, dict[str, dict[str, Any]]]:
    """What is to be set: by group ("" is the document), node and parameter."""
    found: dict[tuple[str, str, str], list[_Claim]] = {}
    for claim in claims:
        if landed := _landed(graph, claim):
            place, claim = landed
            found.setdefault((place.group, place.id, claim.name), []).append(claim)
    settled: dict[str, dict[str, dict[str, Any]]] = {}
    for (group, id, name), of in found.items():
        if any(claim.mine for claim in of) and all(claim.value == of[0].value for claim in of):
            settled.setdefault(group, {}).setdefault(id, {})[name] = of[0].value
    return settled


def _landed(graph: Graph, claim: _Claim) -> tuple[_Place, _Claim] | None:
    """Where a value is to be set: at the node, or at the instance that it takes it from; None when a link gives it."""
    while True:
        place = _place(graph, claim.path)
        node = place.body.nodes.get(place.id) if place else None
        if place is None or node is None:
            return None
        source = place.body.links.get(Port(place.id, claim.name))
        if source is None:
            return place, claim
        wall = place.body.nodes.get(source.node)
        if not place.group or wall is None or wall.type != GROUP_INPUT or not _free(node, claim.name):
            return None
        claim = claim._replace(path=claim.path[:-1], name=source.socket)


def _with(graph: Graph, wanted: Wanted, type_of: TypeOf) -> Graph:
    nodes = {
        id: _suited(node, values, type)
        for id, values in wanted.items()
        if (node := graph.nodes.get(id)) is not None and (type := type_of(node.type)) is not None
    }
    changed = {id: node for id, node in nodes.items() if node != graph.nodes[id]}
    return replace(graph, nodes={**graph.nodes, **changed}) if changed else graph


def _suited(node: Node, wanted: Mapping[str, Any], type: NodeType) -> Node:
    params, ours = dict(node.params), _ours(node)
    for name, value in wanted.items():
        spec = type.input(name)
        if spec is None or not _free(node, name) or spec.complaint(value):
            continue
        params.pop(name, None)
        ours.pop(name, None)
        if value != spec.default:
            params[name] = ours[name] = value
    extra = {name: value for name, value in node.extra.items() if name != SUITED}
    return replace(node, params=params, extra=extra | ({SUITED: ours} if ours else {}))


def _free(node: Node, name: str) -> bool:
    """Whether no person has set it."""
    return name not in node.params or name in _ours(node)


def _ours(node: Node) -> dict[str, Any]:
    """What was set for the node and is as it was then."""
    kept = node.extra.get(SUITED)
    if not isinstance(kept, dict):
        return {}
    values = cast("dict[str, Any]", kept)
    return {name: value for name, value in values.items() if name in node.params and node.params[name] == value}

"""One node as planning sees it: its plain arguments checked once, its links looked up once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nodegraph.graph import Node, Port
from nodegraph.node import REQUIRED, Input, NodeType
from nodegraph.planning.expand import Flat
from nodegraph.planning.keys import canonical
from nodegraph.planning.sizes import excess
from nodegraph.text import quoted
from nodegraph.types import accepts, type_name

Complaint = tuple[str, str | None, str]
"""Node, input and sentence, as the user sees them."""


_NONE: Mapping[str, Port] = {}
_NUMBERS, _LARGE = frozenset({int, float}), 1e300


# Several of each of these are made for every node, so they are not frozen: that would take four times as long.
@dataclass(slots=True)
class Link:
    """An input that is linked. position: which output of the source. place: where the user sees the
    input; None for where it is.

    trusted: the declared types of both ends say enough, so that a result needs no second look.
    """

    input: Input
    source: str
    position: int
    trusted: bool
    place: Port | None


@dataclass(slots=True)
class Site:
    """constants: the checked plain arguments. problems: node, input and sentence, as the user sees them.

    type: None when it is not installed.
    """

    type: NodeType | None
    constants: Mapping[str, Any]
    links: Mapping[str, Link]
    sources: tuple[str, ...]
    problems: tuple[Complaint, ...]


class Sites:
    """Makes sites, for one structure of a graph. nodes: all of them by flat id; the caller keeps it up to date."""

    def __init__(
        self,
        flat: Flat,
        incoming: Mapping[str, Mapping[str, Port]],
        nodes: Mapping[str, Node],
        type_of: Callable[[str], NodeType | None],
    ) -> None:
        self._incoming, self._nodes, self._type_of = incoming, nodes, type_of
        self._places, self._cut = flat.places, flat.cut
        self._literals: dict[str, dict[str, Port]] = {}
        for dst, port in flat.literals.items():
            self._literals.setdefault(dst.node, {})[dst.socket] = port

    def takers(self) -> dict[str, set[str]]:
        """The nodes that take a plain value from a node rewritten away."""
        found: dict[str, set[str]] = {}
        for id, ports in self._literals.items():
            for port in ports.values():
                found.setdefault(port.node, set()).add(id)
        return found

    def site(self, id: str) -> Site:
        node = self._nodes[id]
        type = self._type_of(node.type)
        if type is None:
            return Site(None, {}, {}, (), ((id, None, f"node type {quoted(node.type)} is not installed"),))
        incoming = self._incoming.get(id, _NONE)
        literals = self._literals.get(id, _NONE)
        params = node.params
        constants: dict[str, Any] = {}
        links: dict[str, Link] = {}
        problems: list[Complaint] = []
        for spec in type.inputs:
            name = spec.name
            if name in incoming:
                made = self._link(id, spec, incoming[name])
                if isinstance(made, Link):
                    links[name] = made
                    continue
            elif name in literals:
                made = self._literal(spec, literals[name])
            elif name in params:
                made = _constant(spec, params[name], id, name)
            elif spec.default is REQUIRED:
                made = self._unconnected(Port(id, name))
            else:
                constants[name] = spec.default
                continue
            if len(made) == 1:
                constants[name] = made[0]
            else:
                problems.append(made)
        if len(incoming) > len(links) and not incoming.keys() <= type.input_by_name.keys():
            unknown = (name for name in incoming if name not in type.input_by_name)
            problems += [(id, name, f"there is no input {quoted(name)}") for name in unknown]
        sources = tuple([link.source for link in links.values()]) if links else ()
        return Site(type, constants, links, sources, tuple(problems))

    def _link(self, id: str, spec: Input, src: Port) -> Link | Complaint:
        place = self._places.get(Port(id, spec.name)) if self._places else None
        spec = replace(spec, name=place.socket) if place else spec
        source = self._type_of(self._nodes[src.node].type)
        if source is None:  # it has a problem of its own
            return Link(spec, src.node, 0, False, place)
        position = source.output_index.get(src.socket)
        seen = place.node if place else id
        if position is None:
            return seen, spec.name, f"{spec.name}: {quoted(src.node)} has no output {quoted(src.socket)}"
        declared = source.outputs[position].type
        if declared is not spec.type and not accepts(spec.type, declared):
            return seen, spec.name, f"{spec.name} takes {type_name(spec.type)}, not {type_name(declared)}"
        return Link(spec, src.node, position, declared is not Any, place)

    def _literal(self, spec: Input, port: Port) -> tuple[Any] | Complaint:
        """The value that the socket of a group, or of a bypassed node, has there."""
        node = self._nodes[port.node]
        type = self._type_of(node.type)
        outer = type.input(port.socket) if type else None
        value = node.params.get(port.socket, outer.default if outer else REQUIRED)
        if value is REQUIRED:
            return self._unconnected(port)
        return _constant(replace(spec, name=port.socket), value, *port)

    def _unconnected(self, port: Port) -> Complaint:
        node, socket = self._places.get(port, port)
        why = ": what it is linked to is muted, bypassed or linked to nothing" if port in self._cut else ""
        return node, socket, f"{socket} is not connected{why}"


def _constant(spec: Input, value: Any, node: str, socket: str) -> tuple[Any] | Complaint:
    """node, socket: where the user sees it."""
    kind = value.__class__
    if kind is spec.type and not spec.meta and (kind is bool or (kind in _NUMBERS and -_LARGE < value < _LARGE)):
        return (value,)  # most are: what follows would find nothing
    much = excess(value)
    complaint = f"{spec.name} {much}" if much else spec.complaint(value)
    if complaint:
        return node, socket, complaint
    return (canonical(spec.type, value),)

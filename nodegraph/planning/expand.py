"""Rewrite groups, reroutes, variables, annotations, muted and bypassed nodes away; the planner never sees them.

The body of a group instance gets ids "INSTANCE/INNER", so an event about an inner node still says
which instance it belongs to. Parameters are not copied: an inner input that takes its value from the
instance says so (`literals`), so an edit of a parameter leaves all of this as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from nodegraph import limits
from nodegraph.builtin import FRAME, GROUP_INPUT, GROUP_OUTPUT, NOTE, REROUTE, VARIABLE_GET, VARIABLE_SET
from nodegraph.graph import GROUP, Graph, Node, Port
from nodegraph.node import NodeType, TypeOf
from nodegraph.pieces import Pieces, finish, in_parts
from nodegraph.text import quoted
from nodegraph.types import accepts

PASSED = frozenset({REROUTE, VARIABLE_GET, VARIABLE_SET, NOTE, FRAME})
"""Types of nodes that compute nothing: what is linked to them is linked to what they lead to."""


def _ports() -> dict[Port, Port]:
    return {}


@dataclass(frozen=True, slots=True)
class Flat:
    """A graph without groups, reroutes, variables, annotations, muted or bypassed nodes.

    nodes: what is left to plan. gone: what was rewritten away. links: by the input they feed.
    literals: inputs that take a plain value from the socket of a node that is gone.
    places: for an input that takes its value from outside its group, where the user sees that.
    cut: inputs whose link leads to nothing, because what it leads to is muted, bypassed or linked to nothing.
    exits: for each instance of a group, where its outputs come from. problems: by node that cannot be planned.
    """

    nodes: Mapping[str, Node]
    links: Mapping[Port, Port]
    gone: Mapping[str, Node] = field(default_factory=dict[str, Node])
    literals: Mapping[Port, Port] = field(default_factory=_ports)
    places: Mapping[Port, Port] = field(default_factory=_ports)
    cut: frozenset[Port] = frozenset()
    exits: Mapping[str, tuple[Port, ...]] = field(default_factory=dict[str, tuple[Port, ...]])
    problems: Mapping[str, str] = field(default_factory=dict[str, str])


def expand(graph: Graph, type_of: TypeOf) -> Flat:
    """type_of: the type with an id, groups included; None when it is not installed. Raises limits.TooMuch."""
    return finish(expanding(graph, type_of))


def expanding(graph: Graph, type_of: TypeOf) -> Pieces[Flat]:
    """The same in pieces."""
    if complaint := limits.extent(graph, {}).complaint():
        raise limits.TooMuch(next(iter(graph.nodes), ""), f"the graph {complaint}")
    types, modes = {node.type for node in graph.nodes.values()}, {node.mode for node in graph.nodes.values()}
    if modes <= {"on"} and types.isdisjoint(PASSED) and not any(type.startswith(GROUP) for type in types):
        return Flat(graph.nodes, graph.links)
    expansion = _Expansion(type_of)
    yield from expansion.open(graph)
    return (yield from expansion.flat())


class _Expansion:
    """All nodes and links of a graph and of the bodies of its groups, before they are rewritten."""

    def __init__(self, type_of: TypeOf) -> None:
        self.type_of = type_of
        self.nodes: dict[str, Node] = {}
        self.links: dict[Port, Port] = {}
        self.types: dict[str, NodeType] = {}  # of the instances that were opened, and of the bypassed nodes
        self.exits: dict[str, str] = {}  # instance -> the group.output of its body
        self.problems: dict[str, str] = {}
        self.setters: dict[str, str] = {}  # variable.get -> the variable.set that it takes its value from
        self._sources: dict[Port, tuple[Port | None, Port | None]] = {}  # what is known of `_beyond`

    def open(self, graph: Graph) -> Pieces[None]:
        self._extents = limits.extents({node.type for node in graph.nodes.values()}, self.type_of)
        self._refuse(graph)
        yield from self._inline(graph, "")

    def _refuse(self, graph: Graph) -> None:
        """Say of which instances the graph would become too much; the others are opened."""
        whole = limits.extent(graph, {})
        for id, node in graph.nodes.items():
            inner = self._extents.get(node.type)
            if node.mode == "on" and inner is not None:
                own = f"the group {quoted(node.type.removeprefix(GROUP))}"
                together = whole.plus(inner.inside(id))
                if complaint := inner.inside(id).complaint():
                    self.problems[id] = f"{own} {complaint}"
                elif complaint := together.complaint():
                    self.problems[id] = f"with {own} the graph {complaint}"
                else:
                    whole = together

    def _inline(self, graph: Graph, prefix: str) -> Pieces[None]:
        for part in in_parts(graph.nodes.items()):
            for id, node in part:
                self.nodes[prefix + id] = node
                if node.type == GROUP_OUTPUT:
                    self.exits[prefix.removesuffix("/")] = prefix + id
            yield
        for links in in_parts(graph.links.items()):
            for dst, src in links:
                self.links[Port(prefix + dst.node, dst.socket)] = Port(prefix + src.node, src.socket)
            yield
        self._pair_variables(graph, prefix)
        for id, node in graph.nodes.items():
            type = self.type_of(node.type) if node.type.startswith(GROUP) or node.mode == "bypassed" else None
            if type is None:
                continue
            if type.group is None or node.mode != "on":
                self.types[prefix + id] = type
            elif self._extents.get(node.type) is None:
                self.problems[prefix + id] = f"the group {quoted(type.group.name)} contains itself"
            elif prefix + id not in self.problems:
                self.types[prefix + id] = type
                yield from self._inline(type.group.graph, f"{prefix}{id}/")

    def _pair_variables(self, graph: Graph, prefix: str) -> None:
        setters: dict[str, list[str]] = {}
        for id, node in graph.nodes.items():
            if node.type == VARIABLE_SET:
                setters.setdefault(_name(node), []).append(prefix + id)
        for id, node in graph.nodes.items():
            if node.type == VARIABLE_GET and node.mode == "on":
                match setters.get(_name(node), []):
                    case [setter]:
                        self.setters[prefix + id] = setter
                    case []:
                        self.problems[prefix + id] = f"no variable {quoted(_name(node))} is set in this graph"
                    case _:
                        self.problems[prefix + id] = f"the variable {quoted(_name(node))} is set more than once"

    def flat(self) -> Pieces[Flat]:
        gone = {id for id, node in self.nodes.items() if self._rewritten(id, node)}
        yield
        links: dict[Port, Port] = {}
        literals: dict[Port, Port] = {}
        places: dict[Port, Port] = {}
        cut: set[Port] = set()
        for part in in_parts(self.links):
            for dst in part:
                if dst.node not in gone:
                    source, place = self._source(dst)
                    if place != dst:
                        places[dst] = place
                    if source is None:
                        cut.add(dst)
                    else:
                        (literals if source.node in gone else links)[dst] = source
            yield
        exits = {id: tuple(self._exits(id)) for id in gone if id in self.types and self.nodes[id].mode == "on"}
        nodes = {id: node for id, node in self.nodes.items() if id not in gone}
        rewritten = {id: self.nodes[id] for id in gone}
        return Flat(nodes, links, rewritten, literals, places, frozenset(cut), exits, self.problems)

    def _rewritten(self, id: str, node: Node) -> bool:
        if node.type in (GROUP_INPUT, GROUP_OUTPUT):
            return "/" in id
        return node.mode != "on" or ((id in self.types or node.type in PASSED) and id not in self.problems)

    def _exits(self, id: str) -> Iterator[Port]:
        for output in self.types[id].outputs:
            source = self._enter(Port(id, output.name))
            origin = source and self._source(source)[0]
            if origin and not self._rewritten(origin.node, self.nodes[origin.node]):
                yield origin

    def _source(self, dst: Port) -> tuple[Port | None, Port]:
        """Where an input's value comes from, and where the user sees that input.

        The source is an output of a real node, or an input of a node rewritten away whose plain value it takes.
        """
        if dst not in self.links:
            return None, dst
        source, place = self._beyond(dst)
        return source, place or dst

    def _beyond(self, dst: Port) -> tuple[Port | None, Port | None]:
        """The same; without a place for an input that is seen where it is.

        Every input on the way is asked once: many wires may lead through one long chain of reroutes.
        """
        way: dict[Port, Port | None] = {}  # by input on the way, the input of a group that comes next, if one does
        port, found = dst, self._sources.get(dst)
        while found is None:
            next = self._next(port)
            if isinstance(next, Port):
                way[port] = next if self.nodes[self.links[port].node].type == GROUP_INPUT else None
                port = next
                # Reroutes in a circle: nothing ever enters it.
                found = (None, None) if port in way else self._sources.get(port)
            else:
                found = self._sources[port] = *next, None
        for port in reversed(way):
            found = self._sources[port] = found[0], found[1] or way[port]
        return found

    def _next(self, dst: Port) -> Port | tuple[Port | None]:
        """The input from which an input gets its value in turn; or its source, when it gets it from no other."""
        src = self.links.get(dst)
        if src is None:
            return (None if self.nodes[dst.node].type in PASSED else dst,)
        if src.node not in self.nodes or not self._rewritten(src.node, self.nodes[src.node]):
            return (src,)
        inner = self._enter(src)
        return (None,) if inner is None else inner

    def _enter(self, output: Port) -> Port | None:
        """The input whose value an output of a node rewritten away passes on; None when it passes none."""
        node = self.nodes[output.node]
        if node.type == GROUP_INPUT:
            return Port(output.node.rsplit("/", 1)[0], output.socket)
        if node.mode == "muted":
            return None
        if node.type == REROUTE:
            return Port(output.node, "value")
        if node.type == VARIABLE_GET:
            setter = self.setters.get(output.node)
            return Port(setter, "value") if setter and self.nodes[setter].mode != "muted" else None
        if output.node not in self.types:
            return None
        if node.mode == "bypassed":
            return passes(self.types[output.node], output)
        exit = self.exits.get(output.node)
        return Port(exit, output.socket) if exit else None


def _name(variable: Node) -> str:
    return str(variable.params.get("name", ""))


def passes(type: NodeType, output: Port) -> Port | None:
    """The first input of a bypassed node that can stand for the output: one of just its type, or else one that fits."""
    out = type.output(output.socket)
    if out is None:
        return None
    names = [i.name for i in type.inputs if i.type == out.type] + [
        i.name for i in type.inputs if accepts(out.type, i.type)
    ]
    return Port(output.node, names[0]) if names else None

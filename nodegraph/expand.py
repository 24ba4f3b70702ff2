"""Rewrite groups, reroutes, variables, annotations, muted and bypassed nodes away; the planner never sees them.

The body of a group instance gets ids "INSTANCE/INNER", so an event about an inner node still says
which instance it belongs to. Parameters are not copied: an inner input that takes its value from the
instance says so (`literals`), so an edit of a parameter leaves all of this as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from nodegraph.builtin import FRAME, GROUP_INPUT, GROUP_OUTPUT, NOTE, REROUTE, VARIABLE_GET, VARIABLE_SET
from nodegraph.graph import Graph, Node, Port
from nodegraph.node import NodeType
from nodegraph.types import accepts

GROUP = "group:"
PASSED = frozenset({REROUTE, VARIABLE_GET, VARIABLE_SET, NOTE, FRAME})
"""Types of nodes that compute nothing: what is linked to them is linked to what they lead to."""

TypeOf = Callable[[str], NodeType | None]


def _ports() -> dict[Port, Port]:
    return {}


@dataclass(frozen=True, slots=True)
class Flat:
    """A graph without groups, reroutes, variables, annotations, muted or bypassed nodes.

    nodes: what is left to plan. gone: what was rewritten away. links: by the input they feed.
    literals: inputs that take a plain value from the socket of a node that is gone.
    places: for an input that takes its value from outside its group, where the user sees that.
    cut: inputs whose link leads to nothing, because what it leads to is muted or bypassed.
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
    """type_of: the type with an id, groups included; None when it is not installed."""
    if all(
        node.mode == "on" and node.type not in PASSED and not node.type.startswith(GROUP)
        for node in graph.nodes.values()
    ):
        return Flat(graph.nodes, graph.links)
    return _Expansion(graph, type_of).flat()


class _Expansion:
    """All nodes and links of a graph and of the bodies of its groups, before they are rewritten."""

    def __init__(self, graph: Graph, type_of: TypeOf) -> None:
        self.type_of = type_of
        self.nodes: dict[str, Node] = {}
        self.links: dict[Port, Port] = {}
        self.types: dict[str, NodeType] = {}  # of the instances that were opened, and of the bypassed nodes
        self.exits: dict[str, str] = {}  # instance -> the group.output of its body
        self.problems: dict[str, str] = {}
        self.setters: dict[str, str] = {}  # variable.get -> the variable.set that it takes its value from
        self._inline(graph, "", ())

    def _inline(self, graph: Graph, prefix: str, opened: tuple[str, ...]) -> None:
        for id, node in graph.nodes.items():
            self.nodes[prefix + id] = node
            if node.type == GROUP_OUTPUT:
                self.exits[prefix.removesuffix("/")] = prefix + id
        for dst, src in graph.links.items():
            self.links[Port(prefix + dst.node, dst.socket)] = Port(prefix + src.node, src.socket)
        self._pair_variables(graph, prefix)
        for id, node in graph.nodes.items():
            type = self.type_of(node.type) if node.type.startswith(GROUP) or node.mode == "bypassed" else None
            if type is None:
                continue
            if type.group is None or node.mode != "on":
                self.types[prefix + id] = type
            elif node.type in opened:
                self.problems[prefix + id] = f"the group {type.group.name!r} contains itself"
            else:
                self.types[prefix + id] = type
                self._inline(type.group.graph, f"{prefix}{id}/", (*opened, node.type))

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
                        self.problems[prefix + id] = f"no variable {_name(node)!r} is set in this graph"
                    case _:
                        self.problems[prefix + id] = f"the variable {_name(node)!r} is set more than once"

    def flat(self) -> Flat:
        gone = {id for id, node in self.nodes.items() if self._rewritten(id, node)}
        links: dict[Port, Port] = {}
        literals: dict[Port, Port] = {}
        places: dict[Port, Port] = {}
        cut: set[Port] = set()
        for dst in self.links:
            if dst.node not in gone:
                source, place = self._source(dst)
                if place != dst:
                    places[dst] = place
                if source is None:
                    cut.add(dst)
                else:
                    (literals if source.node in gone else links)[dst] = source
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
        port, place = dst, dst
        passed = {dst}
        while True:
            src = self.links.get(port)
            if src is None:
                no_value = port == dst or self.nodes[port.node].type in PASSED
                return (None if no_value else port), place
            node = self.nodes.get(src.node)
            if node is None or not self._rewritten(src.node, node):
                return src, place
            inner = self._enter(src)
            if inner is None:
                return None, place
            if inner in passed:
                return None, place  # reroutes in a circle: nothing ever enters it
            passed.add(inner)
            if node.type == GROUP_INPUT:
                place = inner
            port = inner

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

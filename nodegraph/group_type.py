"""What a group looks like from outside: its sockets are those of the inner nodes they lead to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from nodegraph.builtin import FOR_EACH_END, GROUP_INPUT, GROUP_OUTPUT, REPEAT_BEGIN, REPEAT_END, REROUTE, SWITCH
from nodegraph.expand import GROUP, TypeOf
from nodegraph.graph import Graph, Group, Port
from nodegraph.node import Input, NodeType, Output
from nodegraph.types import ListOf


def group_type(group: Group, type_of: TypeOf) -> NodeType:
    """The node type of a group; an input takes type, range and choices from the inner input it feeds.

    type_of: node types by id, such as `registry.get`.
    """
    body = _Body(group.graph, type_of)
    inputs = tuple(body.input(name, default) for name, default in group.inputs.items())
    outputs = tuple(Output(name, body.output_type(name)) for name in group.outputs)
    return NodeType(GROUP + group.name, 1, group.name, group.doc, inputs, outputs, _never_run, group=group)


def _never_run() -> None:
    raise TypeError("planning opens a group; it has nothing to run")


def document_types(groups: Mapping[str, Group], registry: Mapping[str, NodeType]) -> dict[str, NodeType]:
    """The types that a document can use: those installed, and its own groups, which come first."""
    types = dict(registry)
    own = {GROUP + name: group for name, group in groups.items()}
    opened: set[str] = set()

    def type_of(id: str) -> NodeType | None:
        if id in own and id not in opened:
            opened.add(id)  # a group that contains itself has no type while its own body is looked at
            types[id] = group_type(own[id], type_of)
        return types.get(id)

    for id in own:
        type_of(id)
    return types


class _Body:
    """A form passes values of any type: what it is linked to inside says more."""

    def __init__(self, graph: Graph, type_of: TypeOf) -> None:
        self.graph, self.type_of = graph, type_of
        self.walls = {node.type: id for id, node in graph.nodes.items() if node.type in (GROUP_INPUT, GROUP_OUTPUT)}

    def input(self, name: str, default: Any) -> Input:
        wall = Port(self.walls.get(GROUP_INPUT, ""), name)
        found = next(self._fed(wall, set()), None)
        return replace(found, name=name, default=default) if found else Input(name, Any, default)

    def _fed(self, src: Port, seen: set[Port]) -> Iterator[Input]:
        """The typed inputs that an output feeds."""
        if src in seen:
            return
        seen.add(src)
        for dst in (dst for dst, source in self.graph.links.items() if source == src):
            node = self.graph.nodes[dst.node]
            type = self.type_of(node.type)
            spec = type.input(dst.socket) if type else None
            if spec and spec.type not in (Any, ListOf(Any)):
                yield spec
            for socket in _through(node.type, dst.socket):
                yield from self._fed(Port(dst.node, socket), seen)

    def output_type(self, name: str) -> Any:
        return next(self._feeding(Port(self.walls.get(GROUP_OUTPUT, ""), name), set()), Any)

    def _feeding(self, dst: Port, seen: set[Port]) -> Iterator[Any]:
        """The definite types of what feeds an input."""
        src = self.graph.links.get(dst)
        if src is None or dst in seen:
            return
        seen.add(dst)
        node = self.graph.nodes[src.node]
        type = self.type_of(node.type)
        out = type.output(src.socket) if type else None
        if out and out.type not in (Any, ListOf(Any)):
            yield out.type
        elif node.type == GROUP_INPUT:
            yield self.input(src.socket, None).type
        elif node.type == FOR_EACH_END:
            yield from map(ListOf, self._feeding(Port(src.node, "result"), seen))
        for socket in _behind(node.type, src.socket):
            yield from self._feeding(Port(src.node, socket), seen)


def _through(type: str, input: str) -> list[str]:
    """The outputs of a form that pass on what an input takes."""
    if type == REPEAT_BEGIN and input.startswith("initial"):
        return [input.replace("initial", "state")]
    if type == REPEAT_END and input.startswith("next"):
        return [input.replace("next", "value")]
    if type == REROUTE or (type == SWITCH and input != "condition"):
        return ["value"]
    return []


def _behind(type: str, output: str) -> list[str]:
    """The inputs of a form that an output passes on."""
    if type == REPEAT_BEGIN and output.startswith("state"):
        return [output.replace("state", "initial")]
    if type == REPEAT_END and output.startswith("value"):
        return [output.replace("value", "next")]
    if type == REROUTE:
        return ["value"]
    return ["if_true", "if_false"] if type == SWITCH else []

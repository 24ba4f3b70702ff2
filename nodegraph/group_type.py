"""What a group looks like from outside: its sockets are those of the inner nodes they lead to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from nodegraph.builtin import FOR_EACH_END, GROUP_INPUT, GROUP_OUTPUT, REPEAT_BEGIN, REPEAT_END, REROUTE, SWITCH
from nodegraph.graph import GROUP, Graph, Group, Port
from nodegraph.limits import MAX_NESTING
from nodegraph.node import Input, NodeType, Output, TypeOf
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
    """The types that a document can use: those installed, and its own groups, which come first.

    A group that contains itself has no type while its own body is looked at.
    """
    types = dict(registry)
    own = {GROUP + name: group for name, group in groups.items()}
    for id in _inner_first(own):
        types[id] = group_type(own[id], types.get)
    return types


def _inner_first(groups: Mapping[str, Group]) -> list[str]:
    """The groups' ids, each after those it uses."""
    found: dict[str, None] = {}
    opened: set[str] = set()
    todo = [*groups][::-1]
    while todo:
        id = todo[-1]
        if id in opened:
            found[todo.pop()] = None
        else:
            opened.add(id)
            used = {node.type: None for node in groups[id].graph.nodes.values()}
            todo += [inner for inner in [*used][::-1] if inner in groups and inner not in opened]
    return list(found)


def _same(found: Any) -> Any:
    return found


class _Step(NamedTuple):
    """What is found at a socket, or else where to look further, and what becomes of what is found there."""

    found: Any = None
    further: Port | None = None
    become: Callable[[Any], Any] = _same


@dataclass(slots=True)
class _Stop:
    """A socket on the way, and what there is still to see from it. become: of the step that is taken."""

    port: Port
    steps: Iterator[_Step]
    become: Callable[[Any], Any] = _same


class _Body:
    """A form passes values of any type: what it is linked to inside says more."""

    def __init__(self, graph: Graph, type_of: TypeOf) -> None:
        self.graph, self.type_of = graph, type_of
        self.walls = {node.type: id for id, node in graph.nodes.items() if node.type in (GROUP_INPUT, GROUP_OUTPUT)}
        self.readers: dict[Port, list[Port]] = {}
        for dst, src in graph.links.items():
            self.readers.setdefault(src, []).append(dst)
        self._fed: dict[Port, Input | None] = {}
        self._feeding: dict[Port, Any] = {}

    def input(self, name: str, default: Any) -> Input:
        found = _first(Port(self.walls.get(GROUP_INPUT, ""), name), self._takers, self._fed)
        return replace(found, name=name, default=default) if found else Input(name, Any, default)

    def _takers(self, src: Port) -> Iterator[_Step]:
        """The typed inputs that an output feeds, and the outputs that pass it on."""
        for dst in self.readers.get(src, ()):
            node = self.graph.nodes[dst.node]
            type = self.type_of(node.type)
            spec = type.input(dst.socket) if type else None
            if spec and spec.type not in (Any, ListOf(Any)):
                yield _Step(spec)
            for socket in _through(node.type, dst.socket):
                yield _Step(further=Port(dst.node, socket))

    def output_type(self, name: str) -> Any:
        found = _first(Port(self.walls.get(GROUP_OUTPUT, ""), name), self._givers, self._feeding)
        return Any if found is None else found

    def _givers(self, dst: Port) -> Iterator[_Step]:
        """The definite type of what feeds an input, and the inputs it is passed on from."""
        src = self.graph.links.get(dst)
        if src is None:
            return
        node = self.graph.nodes[src.node]
        type = self.type_of(node.type)
        out = type.output(src.socket) if type else None
        if out and out.type not in (Any, ListOf(Any)):
            yield _Step(out.type)
        elif node.type == GROUP_INPUT:
            yield _Step(self.input(src.socket, None).type)
        elif node.type == FOR_EACH_END:
            yield _Step(further=Port(src.node, "result"), become=_list_of)
        for socket in _behind(node.type, src.socket):
            yield _Step(further=Port(src.node, socket))


def _first(start: Port, steps: Callable[[Port], Iterator[_Step]], known: dict[Port, Any]) -> Any:
    """What is found first on the ways from a socket; None when there is nothing. known: what was found before.

    Not recursive: a chain of reroutes may be of any length. Each socket is looked at once; a circle leads to nothing.
    """
    way: list[_Stop] = [] if start in known else [_Stop(start, steps(start))]
    known.setdefault(start, None)
    while way:
        step = next(way[-1].steps, None)
        if step is None:
            way.pop()
        elif step.further is None:
            _arrive(way, step.found, known)
        elif step.further not in known:
            way[-1].become = step.become
            way.append(_Stop(step.further, steps(step.further)))
            known[step.further] = None
        elif known[step.further] is not None:
            _arrive(way, step.become(known[step.further]), known)
    return known[start]


def _arrive(way: list[_Stop], found: Any, known: dict[Port, Any]) -> None:
    while way:
        known[way.pop().port] = found
        found = way[-1].become(found) if way else found


def _list_of(element: Any) -> Any:
    """A list of lists of ... beyond reason is a list of anything."""
    depth, inner = 1, element
    while isinstance(inner, ListOf):
        depth, inner = depth + 1, inner.element
    return ListOf(element if depth <= MAX_NESTING else Any)


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

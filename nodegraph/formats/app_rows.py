"""The app view of a workflow: the few parameters and results that somebody who does not want the graph gets to see.

It is kept in the workflow file: {"app": {"inputs": [["positive", "text"]], "outputs": ["decode"]}}.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, cast

from nodegraph.graph import Graph, Port
from nodegraph.node import Multiline, NodeType, Seed, TypeOf
from nodegraph.types import is_pictured

FIELD = "app"


@dataclass(frozen=True, slots=True)
class App:
    """inputs: parameters, in the order of the form. outputs: nodes whose pictures are shown."""

    inputs: tuple[Port, ...] = ()
    outputs: tuple[str, ...] = ()


def app_of(graph: Graph) -> App:
    """What the workflow says; entries of another shape, and of nodes that are gone, are left out."""
    entry = graph.extra.get(FIELD)
    if not isinstance(entry, dict):
        return App()
    fields = cast("dict[str, Any]", entry)
    inputs = [Port(*pair) for pair in _tuple(fields.get("inputs")) if _is_port(pair) and pair[0] in graph.nodes]
    outputs = [id for id in _tuple(fields.get("outputs")) if isinstance(id, str) and id in graph.nodes]
    return App(tuple(dict.fromkeys(inputs)), tuple(dict.fromkeys(outputs)))


def set_app(graph: Graph, app: App) -> Graph:
    """The workflow with this app view; without the field when it is empty."""
    extra = {name: value for name, value in graph.extra.items() if name != FIELD}
    if app != App():
        extra[FIELD] = {"inputs": tuple(tuple(port) for port in app.inputs), "outputs": app.outputs}
    return replace(graph, extra=extra)


def shows_picture(type: NodeType) -> bool:
    """Whether nodes of this type show a picture: of what they make, or, where they make nothing, of what they take."""
    return any(is_pictured(socket.type) for socket in type.outputs or type.inputs)


def suggested(graph: Graph, type_of: TypeOf, usual: Collection[str] = ()) -> App:
    """A form for a workflow that has none: texts, the usual numbers and seeds that are not linked; what sinks show.

    usual: names of parameters that people turn in nearly every workflow.
    """
    texts: list[Port] = []
    numbers: list[Port] = []
    for id, node in graph.nodes.items():
        type = type_of(node.type)
        if type is None or type.annotation or node.mode != "on":
            continue
        for spec in type.inputs:
            port = Port(id, spec.name)
            if port in graph.links:
                continue
            if spec.get(Multiline):
                texts.append(port)
            elif spec.name in usual or spec.get(Seed):
                numbers.append(port)
    types = {id: type_of(node.type) for id, node in graph.nodes.items() if node.mode == "on"}
    sinks = tuple(id for id, type in types.items() if type and type.is_sink and shows_picture(type))
    return App((*texts, *numbers), sinks)


def _tuple(value: Any) -> tuple[Any, ...]:
    return cast("tuple[Any, ...]", value) if isinstance(value, tuple) else ()


def _is_port(value: Any) -> bool:
    return isinstance(value, tuple) and [type(part) for part in cast("tuple[Any, ...]", value)] == [str, str]

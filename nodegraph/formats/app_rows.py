"""The app view of a workflow: the few parameters and results that somebody who does not want the graph gets to see.

It is kept in the workflow file: {"app": {"inputs": [["positive", "text"]], "outputs": ["decode"]}}.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

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
    offers = {id: _offered(type_of(id), usual) for id in {node.type for node in graph.nodes.values()}}
    texts: list[Port] = []
    numbers: list[Port] = []
    sinks: list[str] = []
    for id, node in graph.nodes.items():
        offered = offers[node.type]
        if offered == _NOTHING or node.mode != "on":
            continue
        for names, ports in ((offered.texts, texts), (offered.numbers, numbers)):
            ports += [port for port in (Port(id, name) for name in names) if port not in graph.links]
        if offered.shown:
            sinks.append(id)
    return App((*texts, *numbers), tuple(sinks))


class _Offered(NamedTuple):
    """What nodes of one type have for a form. texts, numbers: inputs. shown: whether it is a sink to look at."""

    texts: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    shown: bool = False


_NOTHING = _Offered()


def _offered(type: NodeType | None, usual: Collection[str]) -> _Offered:
    if type is None or type.annotation:
        return _NOTHING
    texts = tuple(spec.name for spec in type.inputs if spec.get(Multiline))
    named = (spec for spec in type.inputs if spec.name in usual or spec.get(Seed))
    numbers = tuple(spec.name for spec in named if spec.name not in texts)
    return _Offered(texts, numbers, type.is_sink and shows_picture(type))


def _tuple(value: Any) -> tuple[Any, ...]:
    return cast("tuple[Any, ...]", value) if isinstance(value, tuple) else ()


def _is_port(value: Any) -> bool:
    return isinstance(value, tuple) and [type(part) for part in cast("tuple[Any, ...]", value)] == [str, str]

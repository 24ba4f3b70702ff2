"""Set a parameter from text, as the command line does: "noise.seed=7"."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from nodegraph.graph import Graph, Port, set_param
from nodegraph.node import Input, NodeType
from nodegraph.numerals import ambiguity
from nodegraph.text import quoted, shortened
from nodegraph.types import type_name


def assign(graph: Graph, registry: Mapping[str, NodeType], assignment: str) -> Graph:
    """The graph with one parameter changed; `assignment` is "node.parameter=value", the value written as its type.

    Text stays as it is, truth is `true` or `false`, a list is JSON. Raises ValueError naming node and parameter.
    """
    target, equals, text = assignment.partition("=")
    id, dot, name = target.strip().rpartition(".")
    if not (equals and dot):
        raise ValueError(f"write node.parameter=value, such as noise.seed=7; got {quoted(assignment)}")
    spec = parameter(graph, registry, Port(id, name))
    try:
        return set_param(graph, id, name, parse(spec, text))
    except ValueError as error:
        raise ValueError(f"node {quoted(id)}: {error}") from error


def parameter(graph: Graph, registry: Mapping[str, NodeType], port: Port) -> Input:
    """The input of a node that a person can set. Raises ValueError when there is none, or it comes by a link."""
    id, name = port
    if id not in graph.nodes:
        raise ValueError(f"there is no node {quoted(id)}{_instead(id, graph.nodes)}")
    node_type = registry.get(graph.nodes[id].type)
    if node_type is None:
        raise ValueError(f"node {quoted(id)} is of type {quoted(graph.nodes[id].type)}, which is not installed")
    spec = node_type.input(name)
    if spec is None:
        editable = [i.name for i in node_type.inputs if i.editable]
        raise ValueError(
            f"node {quoted(id)} ({node_type.title}) has no parameter {quoted(name)}{_instead(name, editable)}"
        )
    if source := graph.links.get(port):
        raise ValueError(
            f"{name} of node {quoted(id)} comes by a link from {shortened('.'.join(source))}: set it there"
        )
    return spec


def parse(spec: Input, text: str) -> Any:
    """The value an input takes from text. Raises ValueError naming the input, the text and what is allowed."""
    if not spec.editable:
        raise ValueError(f"{spec.name} takes {type_name(spec.type)}, which comes by a link and cannot be typed")
    try:
        value = _read(spec.type, text)
    except (ValueError, RecursionError) as error:
        notation = _NOTATION.get(spec.type, "a JSON list")
        readings = ambiguity(text, spec.type) if spec.type in (int, float) else ""
        raise ValueError(f"{spec.name} takes {notation}, not {quoted(text)}{readings}") from error
    if complaint := spec.complaint(value):
        raise ValueError(complaint)
    return value


_NOTATION: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number"}


def _read(kind: Any, text: str) -> Any:
    if kind is str:
        return text
    if kind in (int, float):
        return kind(text)
    value = json.loads(text)
    if kind is bool and not isinstance(value, bool):
        raise ValueError(text)
    return _tuples(value)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in cast("list[Any]", value)) if isinstance(value, list) else value


def _instead(name: str, known: Iterable[str]) -> str:
    """What could have been meant, to stand behind a sentence."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"; did you mean {quoted(close[0])}?"
    return f"; there are {shortened(', '.join(names))}" if names else ""

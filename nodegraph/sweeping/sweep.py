"""A sweep: which parameters vary, how their values go together, and the workflow of each of its cells."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any, Literal, cast, get_args

from nodegraph.editing.assign import parameter
from nodegraph.graph import Graph, Port
from nodegraph.node import NodeType
from nodegraph.sweeping.axes import MOST_CELLS, Axis
from nodegraph.text import quoted

FIELD = "sweep"
MANY = 10**15
"""Cells of which no person wants to know the number."""

MOST_AXES = 100
"""Parameters that vary in one sweep; of a workflow with more it would take seconds to show them."""

Mode = Literal["grid", "zip"]
Cell = tuple[int, ...]
"""Which of its values each axis has."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """mode: "grid", every value with every other; "zip", the first of each together, the second of each, and so on.

    sample: so many of the cells, drawn by chance, always the same ones; 0 is all of them.
    """

    axes: tuple[Axis, ...]
    mode: Mode = "grid"
    sample: int = 0

    def __len__(self) -> int:
        """How many cells it has; of more than any list can have, so many."""
        return min(self.count, sys.maxsize)

    @property
    def count(self) -> int:
        """How many cells it has, whatever the number."""
        lengths = [len(axis.values) for axis in self.axes]
        whole = prod(lengths) if self.mode == "grid" else min(lengths, default=0)
        return min(whole, self.sample or whole)

    def cells(self) -> list[Cell]:
        """All cells, the last axis going fastest. Raises ValueError when it is no sweep: `complaint` says why."""
        if why := self.complaint():
            raise ValueError(why)
        lengths = [len(axis.values) for axis in self.axes]
        if self.mode == "zip":
            whole: Sequence[int] = range(lengths[0])
            picked = self._drawn(len(whole))
            return [(index,) * len(lengths) for index in picked]
        if not self.sample:
            return list(product(*map(range, lengths)))
        return [_cell(number, lengths) for number in self._drawn(prod(lengths))]

    def _drawn(self, whole: int) -> Sequence[int]:
        chance = random.Random(0)
        if not self.sample or self.sample >= whole:
            return range(whole)
        if whole <= sys.maxsize:
            return sorted(chance.sample(range(whole), self.sample))
        drawn: set[int] = set()  # no range is longer
        while len(drawn) < self.sample:
            drawn.add(chance.randrange(whole))
        return sorted(drawn)

    def complaint(self) -> str | None:
        """Why it cannot be run, as a sentence; None when it can."""
        if not self.axes:
            return "nothing varies: give a parameter several values, such as 0..3, 1:9:2 or a|b"
        if len(self.axes) > MOST_AXES:
            return f"{len(self.axes):,} parameters vary; {MOST_AXES} is the most"
        names = [axis.name for axis in self.axes]
        if twice := next((name for name in names if names.count(name) > 1), None):
            return f"{quoted(twice)} varies twice: give all its values at once, with | between them"
        lengths = {axis.name: len(axis.values) for axis in self.axes}
        if empty := next((name for name, length in lengths.items() if not length), None):
            return f"{quoted(empty)} has no values"
        if self.mode == "zip" and len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length}" for name, length in lengths.items())
            return f"values that go together must be as many each; here are {told}"
        if self.count > MOST_CELLS:
            made = f"{self.count:,}" if self.count < MANY else f"more than {MANY:,}"
            return f"that makes {made} pictures; {MOST_CELLS:,} is the most"
        return None

    def values(self, cell: Cell) -> dict[Port, Any]:
        """What a cell sets."""
        return {axis.port: axis.values[index] for axis, index in zip(self.axes, cell, strict=True)}

    def labels(self, cell: Cell) -> dict[str, str]:
        """The same for people, by the parameter's name."""
        return {axis.name: axis.label(index) for axis, index in zip(self.axes, cell, strict=True)}


def _cell(number: int, lengths: Sequence[int]) -> Cell:
    indices: list[int] = []
    for length in reversed(lengths):
        number, index = divmod(number, length)
        indices.append(index)
    return tuple(reversed(indices))


def graph_of(graph: Graph, values: Mapping[Port, Any]) -> Graph:
    """The workflow with these values."""
    nodes = dict(graph.nodes)
    for (id, name), value in values.items():
        nodes[id] = replace(nodes[id], params={**nodes[id].params, name: value})
    return replace(graph, nodes=nodes)


def in_order(cells: Iterable[Cell], slowest: Sequence[int]) -> list[Cell]:
    """The cells so that those stand together that share most. slowest: the axes, by how much hangs on them."""
    return sorted(cells, key=lambda cell: tuple(cell[axis] for axis in slowest))


# In the workflow file --------------------------------------------------------------------------------------


def sweep_of(graph: Graph, types: Mapping[str, NodeType]) -> Sweep | None:
    """The sweep that a workflow brings: {"sweep": {"axes": [["noise", "seed", [0, 1]]], "mode": "grid"}}.

    None when it brings none. Raises ValueError when it cannot be meant: each value is checked.
    """
    entry = graph.extra.get(FIELD)
    if entry is None:
        return None
    fields = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
    mode, sample, axes = fields.get("mode", "grid"), fields.get("sample", 0), fields.get("axes")
    if mode not in get_args(Mode) or type(sample) is not int or sample < 0 or not isinstance(axes, tuple):
        raise ValueError('the sweep in the workflow is damaged: it is {"axes": [...], "mode": "grid" or "zip"}')
    listed = cast("tuple[Any, ...]", axes)
    if len(listed) > MOST_AXES:
        raise ValueError(f"the sweep in the workflow varies {len(listed):,} parameters; {MOST_AXES} is the most")
    return Sweep(tuple(_axis_of(axis, graph, types) for axis in listed), mode, sample)


def _axis_of(entry: Any, graph: Graph, types: Mapping[str, NodeType]) -> Axis:
    parts: tuple[Any, ...] = cast("tuple[Any, ...]", entry) if isinstance(entry, tuple) else tuple[Any, ...]()
    if [type(part) for part in parts] != [str, str, tuple]:
        raise ValueError("the sweep in the workflow is damaged: an axis is [node, parameter, [values]]")
    id, name, values = parts
    spec = parameter(graph, types, Port(id, name))
    if len(values) > MOST_CELLS:
        raise ValueError(f"{id}.{name} has {len(values):,} values; {MOST_CELLS:,} is the most")
    for value in values:
        if complaint := spec.complaint(value):
            raise ValueError(f"node {quoted(id)}: {complaint}")
    return Axis(Port(id, name), values)


def with_sweep(graph: Graph, sweep: Sweep | None) -> Graph:
    """The workflow with this sweep; None takes it out."""
    extra = {name: value for name, value in graph.extra.items() if name != FIELD}
    if sweep is not None:
        axes = tuple((*axis.port, axis.values) for axis in sweep.axes)
        extra[FIELD] = {"axes": axes, "mode": sweep.mode, **({"sample": sweep.sample} if sweep.sample else {})}
    return replace(graph, extra=extra)

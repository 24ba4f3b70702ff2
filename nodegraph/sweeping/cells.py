"""What a sweep comes to before it runs: the plan of each cell, what the cells share, what is wrong with which value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from nodegraph.graph import Graph
from nodegraph.planning.plan import Plan, Problem
from nodegraph.sweeping.sweep import Cell, Sweep, graph_of, with_sweep

MOST_FORESEEN = 2_000
"""Cells of which it is told beforehand what they share: each takes a plan."""

Planned = Callable[[Graph, tuple[str, ...]], Plan]
"""What plans a graph for targets; asked for one cell after the other, it plans what differs."""


class Wrong(NamedTuple):
    """A value that cannot be computed with, or the workflow itself where name is empty."""

    name: str
    label: str
    problem: Problem


class Foreseen(NamedTuple):
    """apart: the results that as many separate runs compute. together: the different ones among them. kept: of these,
    those that need not be computed. sinks: the keys of each cell's sinks.
    """

    apart: int
    together: int
    kept: int


def graphs(graph: Graph, sweep: Sweep, cells: Sequence[Cell]) -> Iterator[Graph]:
    """The workflow of each cell, which makes its picture alone and is no sweep itself."""
    alone = with_sweep(graph, None)
    return (graph_of(alone, sweep.values(cell)) for cell in cells)


def wrong(graph: Graph, targets: tuple[str, ...], sweep: Sweep, plan: Planned) -> Iterator[Wrong]:
    """What is wrong with the workflow, and else with each value where the others are the first of theirs."""
    first = sweep.cells()[0]
    (alone,) = graphs(graph, sweep, [first])
    told: set[Problem] = set()
    for problem in plan(alone, targets).problems:
        told.add(problem)
        yield Wrong("", "", problem)
    for axis, varied in enumerate(sweep.axes):
        for index in range(len(varied.values)):
            (one,) = graphs(graph, sweep, [(*first[:axis], index, *first[axis + 1 :])])
            for problem in plan(one, targets).problems:
                if problem not in told:
                    told.add(problem)
                    yield Wrong(varied.name, varied.label(index), problem)


def slowest(graph: Graph, targets: tuple[str, ...], sweep: Sweep, plan: Planned) -> list[int]:
    """The axes, that first on whose value most results hang: the others had better change within it."""
    (alone,) = graphs(graph, sweep, [(0,) * len(sweep.axes)])
    base = set(plan(alone, targets).calls)
    hanging: list[int] = []
    for axis, varied in enumerate(sweep.axes):
        last = tuple(len(varied.values) - 1 if other == axis else 0 for other in range(len(sweep.axes)))
        (one,) = graphs(graph, sweep, [last])
        hanging.append(len(base - set(plan(one, targets).calls)))
    return sorted(range(len(sweep.axes)), key=lambda axis: -hanging[axis])


def foreseen(
    graph: Graph,
    targets: tuple[str, ...],
    sweep: Sweep,
    cells: Sequence[Cell],
    plan: Planned,
    is_kept: Callable[[str], bool],
) -> Foreseen:
    """What these cells take. is_kept: whether the result with a key is there."""
    apart, different = 0, set[str]()
    for one in graphs(graph, sweep, cells):
        calls = plan(one, targets).calls
        keys = {key for key, call in calls.items() if call.type.outputs}
        apart += len(keys)
        different |= keys
    return Foreseen(apart, len(different), sum(map(is_kept, different)))

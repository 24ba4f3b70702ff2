"""What a sweep comes to before it runs: the plan of each cell, what the cells share, what is wrong with which value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from nodegraph.graph import Graph
from nodegraph.planning.plan import Plan, Problem
from nodegraph.running.pace import CallKinds
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
    """Of the cells that are not made: apart: the results that as many separate runs compute. together: the different
    ones among them. kept: of these, those that need not be computed. made: cells that are. kinds: by key, the kind of
    each result that is to be computed, see `CallKinds`.
    """

    apart: int
    together: int
    kept: int
    made: int
    kinds: dict[str, str]


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
    is_made: Callable[[Plan], bool] = lambda plan: False,
) -> Foreseen:
    """What these cells take. is_kept: whether a result is there, by its key. is_made: whether a cell's pictures are."""
    apart, made, kinds = 0, 0, dict[str, str]()
    for one in graphs(graph, sweep, cells):
        planned = plan(one, targets)
        if is_made(planned):
            made += 1
            continue
        of = CallKinds()
        results = {key: of.of(call) for key, call in planned.calls.items() if call.type.outputs}
        apart += len(results)
        kinds.update(results)
    to_come = {key: kind for key, kind in kinds.items() if not is_kept(key)}
    return Foreseen(apart, len(kinds), len(kinds) - len(to_come), made, to_come)

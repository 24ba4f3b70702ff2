"""The names of the cells of a sweep, which their results decide, and what they come to together. No Qt here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

from nodegraph.graph import Graph
from nodegraph.pieces import Pieces, in_parts
from nodegraph.planning.plan import Plan
from nodegraph.running.pace import CallKinds
from nodegraph.sweeping.cells import MOST_FORESEEN, graphs
from nodegraph.sweeping.sweep import Cell, Sweep

SOME = 50
"""Cells whose files are looked for in one piece."""


class Named(NamedTuple):
    """names: of the cells that can be made. sinks: by name, the keys of what saves them. problems: why not, of the
    others, as sentences. slowest: the axes, that first on which most results hang. apart: the results of as many
    separate runs, and kinds: the different ones, by key with what `Pace` knows them by; neither is looked for among
    more than MOST_FORESEEN cells.
    """

    names: dict[Cell, str]
    sinks: dict[str, tuple[str, ...]]
    problems: dict[Cell, str]
    slowest: list[int]
    apart: int
    kinds: dict[str, str]


def naming(
    graph: Graph,
    sweep: Sweep,
    cells: Sequence[Cell],
    targets: tuple[str, ...],
    planning: Callable[[Graph, tuple[str, ...]], Pieces[Plan]],
) -> Pieces[Named]:
    """Plan every cell, in pieces."""
    of_calls = CallKinds()
    found = Named({}, {}, {}, list(range(len(sweep.axes))), 0, {})
    hanging, base, apart = [0] * len(sweep.axes), frozenset[str](), 0
    for cell, alone in zip(cells, graphs(graph, sweep, cells), strict=True):
        plan = yield from planning(alone, targets)
        yield
        if plan.problems:
            first = plan.problems[0]
            found.problems[cell] = f"{first.node}: {first.message}"
        else:
            sinks = tuple(plan.keys[target] for target in targets if target in plan.keys)
            name = found.names[cell] = blake2b(" ".join(sinks).encode(), digest_size=16).hexdigest()
            found.sinks[name] = sinks
        base = base or frozenset(plan.calls)
        if len(differing := [axis for axis, index in enumerate(cell) if index]) == 1:
            hanging[differing[0]] = len(base - plan.calls.keys())
        if len(cells) <= MOST_FORESEEN:
            results = [key for key, call in plan.calls.items() if call.type.outputs]
            apart += len(results)
            kinds = {key: of_calls.of(call) for key, call in plan.calls.items()}
            found.kinds.update((key, kinds[key]) for key in results)
    found.slowest.sort(key=lambda axis: -hanging[axis])
    return found._replace(apart=apart)


def chosen(
    wanted: Sequence[Cell], names: Mapping[Cell, str], slowest: Sequence[int], is_missing: Callable[[str], bool]
) -> Pieces[dict[str, Cell]]:
    """Those of the cells that are to be made, by name, of those that are alike one; in the order in which they share
    most, as `nodegraph.sweeping.sweep.in_order` has them, the first one last.

    is_missing: whether a name is of a cell that is to be made.
    """
    for axis in reversed(slowest):
        by_value: dict[int, list[Cell]] = {}
        for part in in_parts(wanted):
            for cell in part:
                by_value.setdefault(cell[axis], []).append(cell)
            yield
        wanted = [cell for index in sorted(by_value, reverse=True) for cell in by_value[index]]
    todo: dict[str, Cell] = {}
    for part in in_parts(wanted, SOME):
        for cell in part:
            if names[cell] not in todo and is_missing(names[cell]):
                todo[names[cell]] = cell
        yield
    return todo

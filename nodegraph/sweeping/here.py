"""A sweep in this process: one cell after the other, in one engine, so that what they share is computed once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from nodegraph.graph import Graph
from nodegraph.running.engine import Engine
from nodegraph.running.messages import Event, Failed, Run, Saved
from nodegraph.sweeping.cells import graphs
from nodegraph.sweeping.ledger import Ledger
from nodegraph.sweeping.sweep import Cell, Sweep

Tell = Callable[[Cell, Event], None]
"""Hears what happens in a cell."""

Stop = Callable[[], bool]
"""Whether nobody wants more of it."""


class Came(NamedTuple):
    """What came of a cell. run, cached: of its results, those that were computed and those that were there.

    failures: why it has not all of its pictures. stopped: whether it was left before its end.
    """

    cell: Cell
    images: tuple[str, ...] = ()
    run: int = 0
    cached: int = 0
    seconds: float = 0.0
    failures: tuple[Failed, ...] = ()
    stopped: bool = False


def came(
    engine: Engine,
    graph: Graph,
    targets: tuple[str, ...],
    sweep: Sweep,
    cells: Sequence[Cell],
    ledger: Ledger,
    tell: Tell = lambda cell, event: None,
    stop: Stop = lambda: False,
) -> Iterator[Came]:
    """What comes of each cell, as it comes; the first that is stopped is the last. tell: of what happens in a cell.

    Nothing is computed of a cell whose pictures are in the ledger, and the engine is configured when anything is.
    Raises what Engine.configure and Engine.execute raise.
    """
    ready = cache(engine.configure)
    for cell, alone in zip(cells, graphs(graph, sweep, cells), strict=True):
        one = _one(engine, ready, alone, targets, cell, ledger, tell, stop)
        yield one
        if one.stopped:
            return


def _one(
    engine: Engine,
    ready: Callable[[], None],
    graph: Graph,
    targets: tuple[str, ...],
    cell: Cell,
    ledger: Ledger,
    tell: Tell,
    stop: Stop,
) -> Came:
    plan = engine.plan(graph, targets)
    if plan.problems:
        told = tuple(Failed(problem.node, problem.message, problem.socket) for problem in plan.problems)
        return Came(cell, failures=told)
    keys = [plan.keys[target] for target in targets if target in plan.keys]
    todo = tuple(target for target in targets if target in plan.keys and ledger.files(plan.keys[target]) is None)
    if not todo:
        return Came(cell, _images(ledger, keys), cached=plan.num_results)
    ready()
    saved: dict[str, list[str]] = {plan.keys[target]: [] for target in todo}
    failures: list[Failed] = []
    nodes: dict[str, str] = {}  # by key

    def take(event: Event) -> None:
        if isinstance(event, Saved):  # it is told of when it lies where it stays
            saved.setdefault(event.key, []).append(event.path)
            nodes[event.key] = event.node
            return
        tell(cell, event)
        if isinstance(event, Failed):
            failures.append(event)

    run = Run(graph, todo, out_dir=os.fspath(ledger.beside()))
    idle = engine.execute(plan, run, take, stop=stop)
    tell(cell, idle)
    if not (failures or idle.stopped):
        for key, paths in ledger.keep(saved).items():
            for path in paths:
                tell(cell, Saved(nodes[key], str(path), key))
    return Came(cell, _images(ledger, keys), idle.run, idle.cached, idle.seconds, tuple(failures), idle.stopped)


def _images(ledger: Ledger, keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(path) for key in keys for path in ledger.files(key) or ()))

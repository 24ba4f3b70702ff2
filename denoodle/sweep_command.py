"""`denoodle sweep`: one workflow many times, with other values of a few parameters each time."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from denoodle.again import before
from denoodle.headless import (
    FAILED,
    INTERRUPTED,
    OK,
    UNUSABLE,
    Report,
    go_on_elsewhere,
    interruptible,
    opened,
    reporting,
    say,
    sinks,
)
from denoodle.sweep_ahead import Ahead
from denoodle.terminal import SweepLine
from nodegraph.formats import workflow
from nodegraph.formats.files import read_limited, usable_path, write_atomic
from nodegraph.formats.package import discover
from nodegraph.graph import Graph
from nodegraph.group_type import document_types
from nodegraph.node import NodeType
from nodegraph.planning.plan import Plan, Planner
from nodegraph.registry import Registry
from nodegraph.running.disk_cache import DiskCache
from nodegraph.running.engine import DISK_BYTES, Engine, Settings
from nodegraph.running.executor import Broken
from nodegraph.running.messages import Event, Progress
from nodegraph.sweeping import axes, cells, here, news, sheet
from nodegraph.sweeping.here import Came
from nodegraph.sweeping.ledger import Ledger
from nodegraph.sweeping.ledger import opened as opened_ledger
from nodegraph.sweeping.sweep import Cell, Sweep, in_order, sweep_of, with_sweep
from nodegraph.text import shortened

MOST_TOLD = 20
"""Values that are told to be wrong, one by one."""

EVERY = 0.25
"""Seconds between two lines about the progress of a cell."""

MOST_BYTES = 64 << 20
"""Of a file of cells that are made."""


def add(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    """The command among the others. parents: what it has in common with `run`."""
    sweep = commands.add_parser("sweep", parents=parents, help="compute a workflow for many values of its parameters")
    sweep.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="NODE.PARAM=VALUES",
        help="values of a parameter: 1:9:2 is 1, 3, 5, 7, 9; 0..3 is 0, 1, 2, 3; | stands between texts, files or "
        "numbers; NODE.PARAM~cat|dog puts dog in the place of cat; none: as the workflow says",
    )
    sweep.add_argument(
        "--mode", choices=("grid", "zip"), help="every value with every other, or the first of each, the second, ..."
    )
    sweep.add_argument("--sample", type=int, metavar="N", help="only so many of the cells, drawn by chance")
    sweep.add_argument(
        "--on",
        default="local",
        metavar="WHERE",
        help="local: this machine, one device; all: this machine, all GPUs; ray: a Ray cluster of processes of this "
        "machine; ray://HOST:PORT: a Ray cluster (default: local)",
    )
    sweep.add_argument(
        "--lines", action="store_true", help="print a JSON object for each cell that comes, and what happens in it"
    )
    sweep.add_argument(
        "--made", metavar="FILE", help="lines of --lines: the pictures of cells that are made and are not made again"
    )
    sweep.add_argument("--workers", type=int, metavar="N", help="engines, but with local (default: one for each GPU)")
    sweep.add_argument("--worker-gpus", type=float, metavar="SHARE", help="with ray: GPUs of each, 0.5 (default: 1)")
    sweep.set_defaults(act=sweep_command)


@reporting
def sweep_command(args: argparse.Namespace, report: Report, package: str) -> int:
    if args.workers is not None and args.workers < 1:
        raise ValueError(f"--workers must be at least 1, got {args.workers}")
    registry = discover(package)
    graph = opened(args, registry)
    types = document_types(graph.groups, registry)
    sweep = _sweep(args, graph, types)
    todo, targets = sweep.cells(), sinks(graph, types)
    report.sweep = {"cells": len(todo), "failed": [], "grid": None, "csv": None}
    if _tell_wrong(report, graph, targets, sweep, Planner(registry)):
        return UNUSABLE
    made = _Sweeping(args, report, registry, types, graph, targets, sweep, _Following(args, sweep, report))
    earlier = _made_before(args.made) if args.made else {}
    with opened_ledger(Path(args.out)) as ledger:
        there = [cell for cell in todo if cell in earlier]
        came = [Came(cell, earlier[cell]) for cell in there]
        for one in came:
            made.following.came(one)
        rest = [cell for cell in todo if cell not in earlier]
        code, more = _made(made, rest, ledger, package) if rest else (OK, [])
        by_cell = {one.cell: one for one in (*came, *more)}
        _write_results(made, [by_cell.get(cell, Came(cell)) for cell in todo])
    if not args.json:
        print(report.sweep["grid"] or report.sweep["csv"])
    return code


def _made(made: _Sweeping, todo: Sequence[Cell], ledger: Ledger, package: str) -> tuple[int, list[Came]]:
    return (_here if made.args.on == "local" else _by_workers)(made, todo, ledger, package)


def _made_before(path: str) -> dict[Cell, tuple[str, ...]]:
    """The cells whose pictures are all there, by what --lines told. Raises ValueError when it is no such file."""
    found: dict[Cell, tuple[str, ...]] = {}
    try:
        lines = read_limited(path, MOST_BYTES).splitlines()
    except OSError as error:
        raise ValueError(f"--made {shortened(path)} cannot be read: {error.strerror or error}") from error
    for number, text in enumerate(lines, 1):
        try:
            match json.loads(text):
                case {"cell": [*cell], "images": [*images]}:
                    paths = tuple(str(usable_path(image)) for image in images)
                    if paths and all(map(os.path.exists, paths)):
                        found[tuple(map(int, cell))] = paths
                case {"cell": [*_], "event": str(_)}:
                    pass
                case _:
                    raise ValueError("it tells of no cell")
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(f"--made {shortened(path)}: line {number} is none that --lines prints") from error
    return found


def _sweep(args: argparse.Namespace, graph: Graph, types: Any) -> Sweep:
    found: list[axes.Axis] = []
    for text in args.vary:
        try:
            found.append(axes.read(graph, types, text))
        except ValueError as error:
            raise ValueError(f"--vary {shortened(text)}: {error}") from error
    sweep = Sweep(tuple(found)) if found else sweep_of(graph, types) or Sweep(())
    if args.mode:
        sweep = replace(sweep, mode=args.mode)
    if args.sample is not None:
        if args.sample < 1:
            raise ValueError(f"--sample must be at least 1, got {args.sample}")
        sweep = replace(sweep, sample=args.sample)
    return sweep


def _tell_wrong(report: Report, graph: Graph, targets: tuple[str, ...], sweep: Sweep, planner: Planner) -> bool:
    """Say what cannot be computed with, before anything is; whether there is such."""
    found = list(cells.wrong(graph, targets, sweep, planner.plan))
    for wrong in found[:MOST_TOLD]:
        value = f"{wrong.name} {wrong.label}: " if wrong.name else ""
        report.problem(value + wrong.problem.message, wrong.problem.node, wrong.problem.socket)
    if len(found) > MOST_TOLD:
        say(f"and {len(found) - MOST_TOLD} more")
    return bool(found)


class _Sweeping(NamedTuple):
    """What is to be computed, for whoever does."""

    args: argparse.Namespace
    report: Report
    registry: Registry
    types: Mapping[str, NodeType]
    graph: Graph
    targets: tuple[str, ...]
    sweep: Sweep
    following: _Following


class _Following:
    """Says on the terminal and in lines what becomes of the cells."""

    def __init__(self, args: argparse.Namespace, sweep: Sweep, report: Report) -> None:
        self._lines, self._sweep, self._report = args.lines, sweep, report
        self._line = SweepLine(len(sweep), sys.stderr)
        self._reported: dict[Cell, float] = {}  # when progress was told last
        self.ahead = Ahead()

    def tell(self, cell: Cell, event: Event) -> None:
        self._line.take(event)
        self.ahead.take(event)
        if self._lines and self._is_due(cell, event):
            (short,) = news.condensed([event])
            if text := news.line(cell, short):
                print(text, flush=True)

    def _is_due(self, cell: Cell, event: Event) -> bool:
        """Of progress, now and then is enough."""
        if not isinstance(event, Progress):
            return True
        now, before = time.monotonic(), self._reported.get(cell, -EVERY)
        if now - before < EVERY:
            return False
        self._reported[cell] = now
        return True

    def came(self, one: Came) -> None:
        self._reported.pop(one.cell, None)
        _note(self._report, self._sweep, one, self._line)
        if self._lines:
            print(_line(one), flush=True)

    def say(self, sentence: str) -> None:
        self._line.clear()
        say(sentence)

    def all(self, coming: Iterable[Came]) -> Iterator[Came]:
        """All that come, told, and for how long it took."""
        start = time.perf_counter()
        try:
            for one in coming:
                self.came(one)
                yield one
        finally:
            self._line.clear()
            self.ahead.keep()
            self._report.seconds = round(time.perf_counter() - start, 3)


def _here(made: _Sweeping, todo: Sequence[Cell], ledger: Ledger, package: str) -> tuple[int, list[Came]]:
    """In this process."""
    args, graph, targets, sweep, following = made.args, made.graph, made.targets, made.sweep, made.following
    engine = Engine(Settings(package, args.device, args.cache, out_dir=args.out, precision=args.precision))
    order = in_order(todo, cells.slowest(graph, targets, sweep, engine.plan))
    _tell_foreseen(made, order, ledger, engine.plan, engine.cache.__contains__)
    earlier, came = before(), list[Came]()
    with interruptible() as interrupted:
        try:
            coming = here.came(engine, graph, targets, sweep, order, ledger, following.tell, interrupted.is_set)
            for one in following.all(coming):
                came.append(one)
            engine.cache.close()
        except Broken as broken:
            return go_on_elsewhere(engine, broken, made.report, earlier), came
        except Exception as error:
            if not (why := engine.broken(error)):
                raise
            return go_on_elsewhere(engine, Broken(None, why), made.report, earlier), came
    return _ended(made.report, interrupted.is_set()), came


def _by_workers(made: _Sweeping, todo: Sequence[Cell], ledger: Ledger, package: str) -> tuple[int, list[Came]]:
    """By engines in other processes: of this machine, or of a Ray cluster."""
    from denoodle.cluster.cards import dealt
    from denoodle.cluster.cluster import joined
    from denoodle.cluster.driver import Driver, Stopped

    args, graph, targets, sweep, following = made.args, made.graph, made.targets, made.sweep, made.following
    settings = {"package": package, "device": args.device, "precision": args.precision, "folder": os.getcwd()}
    settings["cache"] = os.path.abspath(args.cache)
    came: list[Came] = []
    on_cards = args.on == "all"
    gathered = dealt(args.workers, settings) if on_cards else joined(args.on, args.workers, args.worker_gpus, settings)
    with interruptible() as interrupted, gathered as (workers, count), suppress(Stopped):
        driver = Driver(workers, made.registry, made.types, following.say)
        hired = driver.hire(min(count, len(todo)), interrupted.is_set)
        order = in_order(todo, cells.slowest(graph, targets, sweep, driver.plan()))
        is_kept = _kept_here(args.cache, package) if args.on in ("all", "ray") else None
        _tell_foreseen(made, order, ledger, driver.plan(), is_kept, len(hired))
        coming = driver.came(graph, targets, sweep, order, ledger, hired, following.tell, interrupted.is_set)
        for one in following.all(coming):
            came.append(one)
    return _ended(made.report, interrupted.is_set()), came


def _kept_here(cache: str, package: str) -> Callable[[str], bool]:
    """Whether a result is in the cache on disk, which the processes of this machine share."""
    made: Any = import_module(package)
    if not hasattr(made, "codec"):
        return lambda key: False
    return DiskCache(Path(cache), DISK_BYTES, made.codec()).__contains__


def _line(one: Came) -> str:
    """A cell by the places of its values, for whoever follows a sweep from outside."""
    why = "; ".join(f"{failure.node}: {failure.message}".removeprefix(": ") for failure in one.failures)
    return json.dumps({"cell": one.cell, "images": one.images, "failed": why, "stopped": one.stopped})


def _ended(report: Report, interrupted: bool) -> int:
    say(f"{report.calls['run']:,} computed, {report.calls['cached']:,} shared or kept, {report.seconds:.1f} s")
    if interrupted:
        say("interrupted: the same command goes on from here")
        return INTERRUPTED
    return FAILED if report.problems else OK


def _tell_foreseen(
    made: _Sweeping,
    order: Sequence[Cell],
    ledger: Ledger,
    plan: cells.Planned,
    is_kept: Callable[[str], bool] | None,
    workers: int = 0,
) -> None:
    def is_made(plan: Plan) -> bool:
        keys = [plan.keys[target] for target in made.targets if target in plan.keys]
        return not plan.problems and all(ledger.files(key) is not None for key in keys)

    ahead = made.following.ahead
    say(ahead.told(made.graph, made.targets, made.sweep, order, plan, is_kept, is_made, workers))


def _note(report: Report, sweep: Sweep, one: Came, line: SweepLine) -> None:
    line.came(one.run, one.seconds)
    report.images += [path for path in one.images if path not in report.images]
    report.calls["run"] += one.run
    report.calls["cached"] += one.cached
    values = sweep.labels(one.cell)
    for failure in one.failures:
        line.clear()
        told = ", ".join(f"{name} {value}" for name, value in values.items())
        report.problem(f"{told}: {failure.message}", failure.node or None, failure.socket)
        report.sweep["failed"].append({"values": values, "node": failure.node, "message": failure.message})
        if failure.traceback:
            say(failure.traceback)


def _write_results(made: _Sweeping, came: Sequence[Came]) -> None:
    """The table and, where there are pictures, the sheet: beside them, named after the workflow and what varies."""
    out, report, sweep = Path(made.args.out), made.report, made.sweep
    stem = f"{Path(made.args.file).stem}_{'_'.join(axis.port.socket for axis in sweep.axes)}"[:80]
    table, picture = out / f"{stem}.csv", out / f"{stem}.png"
    write_atomic(table, sheet.table(made.graph, sweep, came).encode("utf-8", "replace"))
    report.sweep["csv"] = str(table)
    draw = made.registry.domain.sheet
    images = {one.cell: one.images for one in came}
    if draw is None or not any(images.values()):
        return
    try:
        whole = workflow.dumps(with_sweep(made.graph, sweep))
        write_atomic(picture, draw(sheet.pages(sweep, [one.cell for one in came]), images, whole))
    except (ValueError, OSError) as error:
        say(f"there is no sheet: {error}")
        return
    report.sweep["grid"] = str(picture)

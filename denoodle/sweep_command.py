"""`denoodle sweep`: one workflow many times, with other values of a few parameters each time."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from denoodle.terminal import SweepLine
from nodegraph.formats import workflow
from nodegraph.formats.files import write_atomic
from nodegraph.formats.package import discover
from nodegraph.graph import Graph
from nodegraph.group_type import document_types
from nodegraph.planning.plan import Planner
from nodegraph.running.engine import Engine, Settings
from nodegraph.running.executor import Broken
from nodegraph.running.messages import Event
from nodegraph.sweeping import axes, cells, here, sheet
from nodegraph.sweeping.here import Came
from nodegraph.sweeping.ledger import Ledger
from nodegraph.sweeping.ledger import opened as opened_ledger
from nodegraph.sweeping.sweep import Cell, Sweep, in_order, sweep_of, with_sweep
from nodegraph.text import shortened

MOST_TOLD = 20
"""Values that are told to be wrong, one by one."""


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
    sweep.set_defaults(act=sweep_command)


@reporting
def sweep_command(args: argparse.Namespace, report: Report, package: str) -> int:
    registry = discover(package)
    graph = opened(args, registry)
    types = document_types(graph.groups, registry)
    sweep = _sweep(args, graph, types)
    todo, targets = sweep.cells(), sinks(graph, types)
    report.sweep = {"cells": len(todo), "failed": [], "grid": None, "csv": None}
    if _tell_wrong(report, graph, targets, sweep, Planner(registry)):
        return UNUSABLE
    with opened_ledger(Path(args.out)) as ledger:
        engine = Engine(Settings(package, args.device, args.cache, out_dir=args.out, precision=args.precision))
        order = in_order(todo, cells.slowest(graph, targets, sweep, engine.plan))
        _tell_foreseen(graph, targets, sweep, order, engine)
        code, came = _execute(engine, graph, targets, sweep, order, ledger, report)
        by_cell = {one.cell: one for one in came}
        _write_results(args, report, package, graph, sweep, [by_cell.get(cell, Came(cell)) for cell in todo])
    if not args.json:
        print(report.sweep["grid"] or report.sweep["csv"])
    return code


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


def _tell_foreseen(graph: Graph, targets: tuple[str, ...], sweep: Sweep, order: Sequence[Cell], engine: Engine) -> None:
    if len(order) > cells.MOST_FORESEEN:
        say(f"{len(order):,} pictures")
        return
    told = cells.foreseen(graph, targets, sweep, order, engine.plan, engine.cache.__contains__)
    share = told.together / told.apart if told.apart else 1.0
    say(
        f"{len(order):,} pictures, {told.together:,} results in all: {share:.0%} of the {told.apart:,} that separate "
        f"runs compute; {told.kept:,} are in the cache"
    )


def _execute(
    engine: Engine,
    graph: Graph,
    targets: tuple[str, ...],
    sweep: Sweep,
    order: Sequence[Cell],
    ledger: Ledger,
    report: Report,
) -> tuple[int, list[Came]]:
    earlier, came, start = before(), list[Came](), time.perf_counter()
    line = SweepLine(len(order), sys.stderr)
    with interruptible() as interrupted:
        try:
            for one in here.came(engine, graph, targets, sweep, order, ledger, _teller(line), interrupted.is_set):
                came.append(one)
                _note(report, sweep, one, line)
            engine.cache.close()
        except Broken as broken:
            line.clear()
            return go_on_elsewhere(engine, broken, report, earlier), came
        except Exception as error:
            if not (why := engine.broken(error)):
                raise
            line.clear()
            return go_on_elsewhere(engine, Broken(None, why), report, earlier), came
        finally:
            line.clear()
            report.seconds = round(time.perf_counter() - start, 3)
    say(f"{report.calls['run']:,} computed, {report.calls['cached']:,} shared or kept, {report.seconds:.1f} s")
    if interrupted.is_set():
        say("interrupted: the same command goes on from here")
        return INTERRUPTED, came
    return FAILED if report.problems else OK, came


def _teller(line: SweepLine) -> Any:
    def tell(_plan: Any, event: Event) -> None:
        line.take(event)

    return tell


def _note(report: Report, sweep: Sweep, one: Came, line: SweepLine) -> None:
    line.came(one.run, one.seconds)
    report.images += [path for path in one.images if path not in report.images]
    report.calls["run"] += one.run
    report.calls["cached"] += one.cached
    values = sweep.labels(one.cell)
    for failure in one.failures:
        line.clear()
        told = ", ".join(f"{name} {value}" for name, value in values.items())
        report.problem(f"{told}: {failure.message}", failure.node, failure.socket)
        report.sweep["failed"].append({"values": values, "node": failure.node, "message": failure.message})
        if failure.traceback:
            say(failure.traceback)


def _write_results(
    args: argparse.Namespace, report: Report, package: str, graph: Graph, sweep: Sweep, came: Sequence[Came]
) -> None:
    """The table and, where there are pictures, the sheet: beside them, named after the workflow and what varies."""
    stem = f"{Path(args.file).stem}_{'_'.join(axis.port.socket for axis in sweep.axes)}"[:80]
    table = Path(args.out) / f"{stem}.csv"
    write_atomic(table, sheet.table(graph, sweep, came).encode("utf-8", "replace"))
    report.sweep["csv"] = str(table)
    draw = discover(package).domain.sheet
    images = {one.cell: one.images for one in came}
    if draw is None or not any(images.values()):
        return
    try:
        made = draw(sheet.pages(sweep, [one.cell for one in came]), images, workflow.dumps(with_sweep(graph, sweep)))
    except (ValueError, OSError) as error:
        say(f"there is no sheet: {error}")
        return
    write_atomic(Path(args.out) / f"{stem}.png", made)
    report.sweep["grid"] = str(Path(args.out) / f"{stem}.png")

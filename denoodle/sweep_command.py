"""`denoodle sweep`: one workflow many times, with other values of a few parameters each time."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
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
from denoodle.terminal import SweepLine
from nodegraph.formats import workflow
from nodegraph.formats.files import write_atomic
from nodegraph.formats.package import discover
from nodegraph.graph import Graph
from nodegraph.group_type import document_types
from nodegraph.node import NodeType
from nodegraph.planning.plan import Planner
from nodegraph.registry import Registry
from nodegraph.running.engine import Engine, Settings
from nodegraph.running.executor import Broken
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
    sweep.add_argument(
        "--on",
        default="local",
        metavar="WHERE",
        help="local: this process; ray: Ray workers on this machine; ray://HOST:PORT: a Ray cluster (default: local)",
    )
    sweep.add_argument("--lines", action="store_true", help="print a JSON object for each cell as it comes as well")
    sweep.add_argument("--workers", type=int, metavar="N", help="with --on ray: how many (default: one for each GPU)")
    sweep.add_argument("--worker-gpus", type=float, metavar="SHARE", help="GPUs of each, such as 0.5 (default: 1)")
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
    made = _Sweeping(args, report, registry, types, graph, targets, sweep, todo)
    with opened_ledger(Path(args.out)) as ledger:
        code, came = _here(made, ledger, package) if args.on == "local" else _on_cluster(made, ledger, package)
        by_cell = {one.cell: one for one in came}
        _write_results(made, [by_cell.get(cell, Came(cell)) for cell in todo])
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


class _Sweeping(NamedTuple):
    """What is to be computed, for whoever does."""

    args: argparse.Namespace
    report: Report
    registry: Registry
    types: Mapping[str, NodeType]
    graph: Graph
    targets: tuple[str, ...]
    sweep: Sweep
    cells: Sequence[Cell]


def _here(made: _Sweeping, ledger: Ledger, package: str) -> tuple[int, list[Came]]:
    """In this process."""
    args, graph, targets, sweep = made.args, made.graph, made.targets, made.sweep
    engine = Engine(Settings(package, args.device, args.cache, out_dir=args.out, precision=args.precision))
    order = in_order(made.cells, cells.slowest(graph, targets, sweep, engine.plan))
    _tell_foreseen(graph, targets, sweep, order, engine)
    earlier, came = before(), list[Came]()
    line = SweepLine(len(order), sys.stderr)
    with interruptible() as interrupted:
        try:
            coming = here.came(engine, graph, targets, sweep, order, ledger, line.take, interrupted.is_set)
            _collect(made, coming, came, line)
            engine.cache.close()
        except Broken as broken:
            line.clear()
            return go_on_elsewhere(engine, broken, made.report, earlier), came
        except Exception as error:
            if not (why := engine.broken(error)):
                raise
            line.clear()
            return go_on_elsewhere(engine, Broken(None, why), made.report, earlier), came
    return _ended(made.report, interrupted.is_set()), came


def _on_cluster(made: _Sweeping, ledger: Ledger, package: str) -> tuple[int, list[Came]]:
    """By the workers of a Ray cluster."""
    from denoodle.cluster.cluster import joined
    from denoodle.cluster.driver import Driver

    args, graph, targets, sweep = made.args, made.graph, made.targets, made.sweep
    settings = {"package": package, "device": args.device, "precision": args.precision, "folder": os.getcwd()}
    settings["cache"] = os.path.abspath(args.cache)
    came: list[Came] = []
    line = SweepLine(len(made.cells), sys.stderr)

    def told(sentence: str) -> None:
        line.clear()
        say(sentence)

    with interruptible() as interrupted, joined(args.on, args.workers, args.worker_gpus, settings) as (cluster, count):
        driver = Driver(cluster, made.registry, made.types, told)
        workers = driver.hire(min(count, len(made.cells)))
        order = in_order(made.cells, cells.slowest(graph, targets, sweep, driver.plan()))
        say(f"{len(order):,} pictures by {len(workers)} workers")
        coming = driver.came(graph, targets, sweep, order, ledger, workers, line.take, interrupted.is_set)
        _collect(made, coming, came, line)
    return _ended(made.report, interrupted.is_set()), came


def _collect(made: _Sweeping, coming: Iterable[Came], came: list[Came], line: SweepLine) -> None:
    start = time.perf_counter()
    try:
        for one in coming:
            came.append(one)
            _note(made.report, made.sweep, one, line)
            if made.args.lines:
                print(_line(one), flush=True)
    finally:
        line.clear()
        made.report.seconds = round(time.perf_counter() - start, 3)


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

"""One engine of several that make a sweep, on this machine or another. It takes and gives text and bytes: no code."""

from __future__ import annotations

import json
import logging
import os
import platform
import tempfile
import threading
import traceback
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from denoodle.cluster.files import Received, Tree, Wanted, found, is_at, tree
from nodegraph.failure import explain
from nodegraph.formats import workflow
from nodegraph.graph import Graph
from nodegraph.planning.fingerprints import locate
from nodegraph.running.engine import Engine, Settings, Warnings, cache_folder
from nodegraph.running.executor import Broken
from nodegraph.running.messages import Event, Failed, Idle, Run, Saved
from nodegraph.sweeping.news import condensed, line
from nodegraph.sweeping.sweep import Cell

PATIENCE = 1.0
"""Seconds that a worker which is told to stop has for it, before it ends itself."""


def versions() -> dict[str, str]:
    """Of what decides results: whoever has others is no worker for this program."""
    return {name: _version(name) for name in ("denoodle", "torch")}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "a checkout"


class Worker:
    """settings: what is told of `nodegraph.running.engine.Settings`, and folder, where relative paths lead from. A
    cache that this machine cannot have where the settings say is where it is by default here.

    Methods may be called from several threads; one cell is computed at a time.
    """

    def __init__(self, settings: str) -> None:
        told: dict[str, Any] = json.loads(settings)
        folder = told.pop("folder", "")
        if os.path.isdir(folder):
            os.chdir(folder)
        if told.get("cache") is not None and not _can_be(told["cache"]):
            told["cache"] = cache_folder()
        self._engine = Engine(Settings(**told))
        self._received = Received(Path(cache_folder()) / "received")
        self._ready = False
        self._working = threading.Lock()
        self._stop = threading.Event()
        self._cell: Cell = ()  # that is computed; before the first, none
        self._told: list[tuple[Cell, Event]] = []
        self._telling = threading.Lock()
        logging.captureWarnings(True)
        logging.getLogger().addHandler(Warnings(self._hear))

    def hello(self) -> str:
        """Who this is: {"host", "pid", "environment", "versions": {name: version}}."""
        about = {"host": platform.node(), "pid": os.getpid(), "environment": self._engine.environment}
        return json.dumps(about | {"versions": versions()})

    def find(self, wanted: str) -> str:
        """Where a file or folder lies here that was sent before, or that the library of this machine has; else nothing.

        wanted: of `Wanted`, as JSON.
        """
        asked = Wanted.read(json.loads(wanted))
        return self._received.place(asked) or found(asked) or ""

    def receive(self, wanted: str, part: str, data: bytes, last: bool) -> None:
        """The next bytes of a file, or of one in a folder. Raises ValueError when it is not what it should be."""
        self._received.take(Wanted.read(json.loads(wanted)), part, data, last)

    def keep(self, wanted: str) -> str:
        """All of it was sent: where it lies."""
        return self._received.keep(Wanted.read(json.loads(wanted)))

    def compute(self, job: str) -> tuple[str, list[bytes]]:
        """job: {"cell", "workflow", "targets", "expects": the environment, "files": {path: its `Tree`}, "places":
        {path: where it lies here}}.

        {"run", "cached", "seconds", "stopped", "failures": [[node, message, traceback]], "saved": {target: [name]},
        "news": what `news` had not told yet} and the bytes of what was saved, in order. Or {"refused": why this is no
        worker for it}, or {"lacking": [path]}.
        """
        with self._working:
            told: dict[str, Any] = json.loads(job)
            if (ours := self._engine.environment) != told["expects"]:
                return json.dumps({"refused": f"the worker on {platform.node()} computes otherwise, {ours!r}"}), []
            places: dict[str, str] = told["places"]
            trees = {path: tree(entry) for path, entry in told["files"].items()}
            if lacking := [path for path in trees if not _is_here(path, trees[path], places)]:
                return json.dumps({"lacking": lacking}), []
            graph = _elsewhere(workflow.loads(told["workflow"]), places)
            with tempfile.TemporaryDirectory(prefix="denoodle-cell-") as folder:
                return self._computed(tuple(told["cell"]), graph, tuple(told["targets"]), Path(folder))

    def _computed(self, cell: Cell, graph: Graph, targets: tuple[str, ...], folder: Path) -> tuple[str, list[bytes]]:
        if not self._ready:
            self._engine.configure()
            self._ready = True
        failures: list[tuple[str, str, str]] = []
        saved: dict[str, list[str]] = {target: [] for target in targets}
        self._cell = cell

        def take(event: Event) -> None:
            self._hear(event)
            if isinstance(event, Failed):
                failures.append((event.node, event.message, event.traceback))
            elif isinstance(event, Saved):
                saved.setdefault(event.node, []).append(event.path)

        run, stop, idle = Run(graph, targets, out_dir=str(folder)), self._stop.is_set, Idle(0, 0, 0.0)
        try:
            plan = self._engine.plan(graph, targets)
            failures += [(problem.node, problem.message, "") for problem in plan.problems]
            idle = self._engine.execute(plan, run, take, wanted=lambda key: not stop(), stop=stop)
        except Broken:
            os._exit(1)  # what it computes on gave up: another process goes on
        except Exception as error:
            if self._engine.broken(error):  # found out between two calls
                os._exit(1)
            take(Failed("", explain(error)[0], traceback=traceback.format_exc()))
        take(idle)
        names = {target: [str(Path(path).relative_to(folder)) for path in paths] for target, paths in saved.items()}
        about = {"run": idle.run, "cached": idle.cached, "seconds": idle.seconds, "stopped": idle.stopped or stop()}
        data = [Path(path).read_bytes() for paths in saved.values() for path in paths]
        return json.dumps(about | {"failures": failures, "saved": names, "news": self.news()}), data

    def _hear(self, event: Event) -> None:
        with self._telling:
            self._told.append((self._cell, event))

    def news(self) -> list[str]:
        """What happened since the last time, as the engine of a window would tell it, `condensed`; see `news.line`."""
        with self._telling:
            told, self._told = self._told, []
        cells = dict.fromkeys(cell for cell, _ in told)
        by_cell = {cell: condensed(event for of, event in told if of == cell) for cell in cells}
        return [text for cell, events in by_cell.items() for event in events if (text := line(cell, event))]

    def stop(self) -> None:
        """Give up the cell that is computed, and end: by itself after a while, should a node not let go of it."""
        self._stop.set()
        timer = threading.Timer(PATIENCE, os._exit, (0,))
        timer.daemon = True
        timer.start()

    def end(self) -> None:
        """Write what is to be kept of the results."""
        self._engine.cache.close()


def _can_be(folder: str) -> bool:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _is_here(path: str, wanted: Tree, places: Mapping[str, str]) -> bool:
    place = places.get(path) or locate(path)
    return place is not None and is_at(place, wanted)


def _elsewhere(graph: Graph, files: Mapping[str, str]) -> Graph:
    """The workflow with the paths under which files lie here."""
    if not files:
        return graph
    nodes = {
        id: replace(node, params={name: _path(value, files) for name, value in node.params.items()})
        for id, node in graph.nodes.items()
    }
    return replace(graph, nodes=nodes)


def _path(value: Any, files: Mapping[str, str]) -> Any:
    return files.get(value, value) if isinstance(value, str) else value

"""One engine on a machine of a cluster. What it takes and gives is text in JSON and bytes: no code travels."""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nodegraph.formats import workflow
from nodegraph.graph import Graph
from nodegraph.planning.fingerprints import locate
from nodegraph.running.engine import Engine, Settings
from nodegraph.running.executor import Broken
from nodegraph.running.messages import Event, Failed, Run, Saved

BLOCK = 1 << 22
"""Bytes of a file that are read at a time."""


def versions() -> dict[str, str]:
    """Of what decides results: whoever has others is no worker for this program."""
    return {name: _version(name) for name in ("denoodle", "torch")}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "a checkout"


class Worker:
    """settings: what is told of `nodegraph.running.engine.Settings`, and folder, where relative paths lead from.

    Methods may be called from several threads; one cell is computed at a time.
    """

    def __init__(self, settings: str) -> None:
        told: dict[str, Any] = json.loads(settings)
        folder = told.pop("folder", "")
        if os.path.isdir(folder):
            os.chdir(folder)
        self._engine = Engine(Settings(**told))
        self._received = Path(tempfile.mkdtemp(prefix="denoodle-files-"))
        self._ready = False
        self._working = threading.Lock()
        self._stop = threading.Event()
        self._told: list[Event] = []
        self._telling = threading.Lock()

    def hello(self) -> str:
        """Who this is: {"host", "pid", "environment", "versions": {name: version}}."""
        about = {"host": platform.node(), "pid": os.getpid(), "environment": self._engine.environment}
        return json.dumps(about | {"versions": versions()})

    def receive(self, digest: str, name: str, data: bytes, last: bool) -> str:
        """The next part of a file. Where it lies once that was the last; else nothing.

        digest: the sha256 of the whole. Raises ValueError when what came is something else.
        """
        place = self._received / digest / Path(name).name
        place.parent.mkdir(exist_ok=True)
        with open(place.with_suffix(".part"), "ab") as file:
            file.write(data)
        if not last:
            return ""
        if digest_of(place.with_suffix(".part")) != digest:
            shutil.rmtree(place.parent)
            raise ValueError(f"{name} did not arrive as it was sent")
        os.replace(place.with_suffix(".part"), place)
        return str(place)

    def compute(self, job: str) -> tuple[str, list[bytes]]:
        """job: {"workflow", "targets", "expects": the environment, "files": {path: bytes, -1 for a folder}, "places":
        {path: where a file lies here that was sent}}.

        {"run", "cached", "seconds", "stopped", "failures": [[node, message, traceback]], "saved": {target: [name]}} and
        the bytes of what was saved, in order. Or {"refused": why this is no worker for it}, or {"lacking": [path]}.
        """
        with self._working:
            self._stop.clear()
            told: dict[str, Any] = json.loads(job)
            if (ours := self._engine.environment) != told["expects"]:
                return json.dumps({"refused": f"the worker on {platform.node()} computes otherwise, {ours!r}"}), []
            wanted: dict[str, int] = told["files"]
            lacking = [path for path in wanted if path not in told["places"] and not _is_here(path, wanted[path])]
            if lacking:
                return json.dumps({"lacking": lacking}), []
            graph = _elsewhere(workflow.loads(told["workflow"]), told["places"])
            with tempfile.TemporaryDirectory(prefix="denoodle-cell-") as folder:
                return self._computed(graph, tuple(told["targets"]), Path(folder))

    def _computed(self, graph: Graph, targets: tuple[str, ...], folder: Path) -> tuple[str, list[bytes]]:
        if not self._ready:
            self._engine.configure()
            self._ready = True
        failures: list[tuple[str, str, str]] = []
        saved: dict[str, list[str]] = {target: [] for target in targets}

        def take(event: Event) -> None:
            with self._telling:
                self._told.append(event)
            if isinstance(event, Failed):
                failures.append((event.node, event.message, event.traceback))
            elif isinstance(event, Saved):
                saved.setdefault(event.node, []).append(event.path)

        plan = self._engine.plan(graph, targets)
        failures += [(problem.node, problem.message, "") for problem in plan.problems]
        try:
            run = Run(graph, targets, out_dir=str(folder))
            idle = self._engine.execute(plan, run, take, stop=self._stop.is_set)
        except Broken:
            os._exit(1)  # what it computes on gave up: another process goes on
        names = {target: [str(Path(path).relative_to(folder)) for path in paths] for target, paths in saved.items()}
        about = {"run": idle.run, "cached": idle.cached, "seconds": idle.seconds, "stopped": idle.stopped}
        data = [Path(path).read_bytes() for paths in saved.values() for path in paths]
        return json.dumps(about | {"failures": failures, "saved": names}), data

    def news(self) -> list[Event]:
        """What happened since the last time, as the engine of a window would tell it."""
        with self._telling:
            told, self._told = self._told, []
        return told

    def stop(self) -> None:
        """Compute no further result of the cell that is computed."""
        self._stop.set()


def _is_here(path: str, size: int) -> bool:
    place = locate(path)
    if place is None:
        return False
    return os.path.isdir(place) if size < 0 else os.path.isfile(place) and os.path.getsize(place) == size


def digest_of(path: Path) -> str:
    """The sha256 of a file."""
    found = sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()


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

"""A sweep that other processes make: the command of the shell, followed line by line."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, cast

from PySide6.QtCore import QObject, QProcess, Signal

from nodegraph.formats import workflow
from nodegraph.graph import Graph
from nodegraph.running.engine import Settings
from nodegraph.running.messages import Event, Finished, Planned, Progress
from nodegraph.sweeping.news import event_of
from nodegraph.sweeping.sweep import Cell
from nodegraph.types import Picture

COMMAND = "import sys; from denoodle import headless; sys.exit(headless.main(sys.argv[2:], sys.argv[1]))"
MADE = "made.jsonl"
"""Beside the workflow, the cells that are made."""

PATIENCE_MS = 5000
"""From Stop until what does not end by itself is ended."""


class CameElsewhere(NamedTuple):
    """failed: why the cell has no pictures; empty when it has."""

    cell: Cell
    images: tuple[str, ...]
    failed: str


class CellRun:
    """How far a cell is, by what is told of it. fraction: 0..1 of its results. picture: the newest."""

    def __init__(self) -> None:
        self.fraction, self.picture = 0.0, cast("Picture | None", None)
        self._calls = self._finished = 0

    def take(self, event: Event) -> None:
        part = 0.0
        match event:
            case Planned():
                self._calls, self._finished = event.calls - event.cached, 0
            case Progress():
                part, self.picture = event.done / max(event.total, 1), event.preview or self.picture
            case Finished():
                self._finished += not event.cached
                self.picture = event.picture or self.picture
            case _:
                return
        self.fraction = min((self._finished + part) / self._calls, 1.0) if self._calls > 0 else 0.0


class SweepProcess(QObject):
    """One command at a time."""

    came = Signal(object)  # CameElsewhere
    happened = Signal(object, object)  # Cell, Event: as an engine of the window's would tell it
    said = Signal(str)  # what it has to say, a line
    ended = Signal(str)  # why it could not make all, in a sentence; empty when it did, or was stopped

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._problem, self._stopped = "", False

    @property
    def running(self) -> bool:
        return self._process is not None

    def begin(
        self,
        graph: Graph,
        where: str,
        workers: int,
        out: Path,
        engine: Settings,
        made: Mapping[Cell, Sequence[str]],
    ) -> None:
        """graph: a workflow with its sweep. where: as --on takes it. workers: 0 is one for each GPU. out: the folder of
        the pictures. made: the pictures of cells that are not made again.
        """
        if self._process is not None:
            return
        self._folder = tempfile.TemporaryDirectory(prefix="denoodle-sweep-")
        file = Path(self._folder.name) / "sweep.json"
        workflow.save(graph, file)
        lines = (json.dumps({"cell": cell, "images": [*map(os.path.abspath, paths)]}) for cell, paths in made.items())
        (file.parent / MADE).write_text("\n".join(lines))
        self._problem, self._stopped = "", False
        self._process = process = QProcess(self)
        process.readyReadStandardOutput.connect(self._read)
        process.readyReadStandardError.connect(self._hear)
        process.finished.connect(self._end)
        process.errorOccurred.connect(self._fail)
        process.start(sys.executable, _arguments(file, where, workers, out, engine))

    def stop(self) -> None:
        """Have it stop; what it made is told."""
        if self._process is not None:
            self._stopped = True
            _interrupt(self._process)

    def close(self) -> None:
        """End it at once, with the window."""
        if self._process is not None:
            self._process.finished.disconnect(self._end)
            _interrupt(self._process)
            if not self._process.waitForFinished(PATIENCE_MS):
                self._process.kill()
                self._process.waitForFinished()
            self._put_away()

    def _read(self) -> None:
        process = self._process
        while process is not None and process.canReadLine():
            try:
                said: Any = json.loads(bytes(process.readLine().data()))
            except ValueError:
                said = None
            if not isinstance(said, dict):  # by a library
                continue
            line = cast("dict[str, Any]", said)
            if "event" in line:
                with suppress(ValueError):  # of another version of the program
                    self.happened.emit(tuple(line["cell"]), event_of(line))
            elif "cell" in line:
                self.came.emit(CameElsewhere(tuple(line["cell"]), tuple(line["images"]), line["failed"]))
            elif not line.get("failed") and line.get("problems"):
                self._problem = line["problems"][0]["message"]

    def _hear(self) -> None:
        if self._process is not None:
            for line in bytes(self._process.readAllStandardError().data()).decode(errors="replace").splitlines():
                self.said.emit(line.strip())

    def _fail(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._problem = "the process cannot be started"
            self._end()

    def _end(self, *_: object) -> None:
        self._read()
        why = "" if self._stopped else self._problem
        self._put_away()
        self.ended.emit(why)

    def _put_away(self) -> None:
        if self._process is not None:
            self._process.deleteLater()
        if self._folder is not None:
            self._folder.cleanup()
        self._process = self._folder = None


def _arguments(file: Path, where: str, workers: int, out: Path, engine: Settings) -> Sequence[str]:
    told = ["-c", COMMAND, engine.package, "sweep", str(file), "--on", where, "--made", str(file.parent / MADE)]
    told += ["--workers", str(workers)] if workers else []
    told += ["--out", str(out), "--device", engine.device, "--precision", engine.precision, "--lines", "--json"]
    return [*told, "--cache", engine.cache] if engine.cache is not None else told


def _interrupt(process: QProcess) -> None:
    """As Ctrl-C does: it comes to a good end, and tells its workers."""
    if os.name == "posix" and process.processId():
        os.kill(process.processId(), signal.SIGINT)
    else:
        process.terminate()

"""A sweep that other processes make: the command of the shell, followed line by line."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PySide6.QtCore import QObject, QProcess, Signal

from nodegraph.formats import workflow
from nodegraph.graph import Graph
from nodegraph.running.engine import Settings
from nodegraph.sweeping.sweep import Cell

COMMAND = "import sys; from denoodle import headless; sys.exit(headless.main(sys.argv[2:], sys.argv[1]))"
PATIENCE_MS = 5000
"""From Stop until what does not end by itself is ended."""


class CameElsewhere(NamedTuple):
    """failed: why the cell has no pictures; empty when it has."""

    cell: Cell
    images: tuple[str, ...]
    failed: str


class SweepProcess(QObject):
    """One command at a time."""

    came = Signal(object)  # CameElsewhere
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

    def begin(self, graph: Graph, where: str, workers: int, out: Path, engine: Settings) -> None:
        """graph: a workflow with its sweep. where: as --on takes it. out: the folder of the pictures."""
        if self._process is not None:
            return
        self._folder = tempfile.TemporaryDirectory(prefix="denoodle-sweep-")
        file = Path(self._folder.name) / "sweep.json"
        workflow.save(graph, file)
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
                line: Any = json.loads(bytes(process.readLine().data()))
            except ValueError:  # a library said something there
                continue
            if "cell" in line:
                self.came.emit(CameElsewhere(tuple(line["cell"]), tuple(line["images"]), line["failed"]))
            elif not line.get("failed") and line.get("problems"):
                self._problem = line["problems"][0]["message"]

    def _hear(self) -> None:
        if self._process is not None:
            for line in bytes(self._process.readAllStandardError().data()).decode(errors="replace").splitlines():
                self.said.emit(line)

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
    told = ["-c", COMMAND, engine.package, "sweep", str(file), "--on", where, "--workers", str(workers)]
    told += ["--out", str(out), "--device", engine.device, "--precision", engine.precision, "--lines", "--json"]
    return [*told, "--cache", engine.cache] if engine.cache is not None else told


def _interrupt(process: QProcess) -> None:
    """As Ctrl-C does: it comes to a good end, and tells its workers."""
    if os.name == "posix" and process.processId():
        os.kill(process.processId(), signal.SIGINT)
    else:
        process.terminate()

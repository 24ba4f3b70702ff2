"""The pictures of finished runs, each with the graph that made it: for going back, and for comparing."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from nodegraph.graph import Graph
from nodegraph.types import Picture
from ui.run_state import RunState
from ui.runner import Runner

MAX_BYTES = 64 << 20
MAX_COUNT = 60
"""Of pictures; the oldest go first."""


@dataclass(frozen=True, slots=True)
class Result:
    """number: counts from 1. node: whose picture it is."""

    number: int
    node: str
    picture: Picture
    graph: Graph


class Results(QObject):
    """One for each run that came to its end with another picture than the one before. newest: the last of `kept`."""

    changed = Signal()

    def __init__(self, runs: RunState, runner: Runner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runs, self._runner = runs, runner
        self.kept: list[Result] = []
        self._count = 0
        self._node: str | None = None  # whose picture is the newest
        runs.pictured.connect(self._pictured)
        runner.state_changed.connect(self._keep)

    @property
    def newest(self) -> Result | None:
        return self.kept[-1] if self.kept else None

    def _pictured(self, node: str) -> None:
        self._node = node

    def _keep(self) -> None:
        graph = self._runner.finished
        if self._runs.running or self._runner.held or self._node is None or graph is None:
            return
        run, newest = self._runs.of(self._node), self.newest
        if run.picture is None or run.stale or run.state not in ("done", "cached"):
            return
        if newest and (newest.node, newest.picture) == (self._node, run.picture):
            return
        self._count += 1
        self.kept.append(Result(self._count, self._node, run.picture, graph))
        while len(self.kept) > MAX_COUNT or sum(len(r.picture.rgb) for r in self.kept[:-1]) > MAX_BYTES:
            del self.kept[0]
        self.changed.emit()

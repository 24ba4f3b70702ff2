"""The cells of a sweep in the queue: a few at a time, as one block."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple
from uuid import uuid4

from PySide6.QtCore import QObject, Signal

from nodegraph.graph import Graph
from nodegraph.sweeping.sweep import Cell, Sweep, graph_of
from ui.runs.job import Job
from ui.runs.queue import Queue
from ui.runs.sweep_record import TAG

AHEAD = 16
"""Cells in the queue at a time: it is written to the disk over and over."""


class Source(NamedTuple):
    """What cells are made from: the workflow without its sweep, as it was when somebody wanted them."""

    graph: Graph
    sweep: Sweep
    targets: tuple[str, ...]
    document: str


class SweepJobs(QObject):
    """Cells go by their names, see `SweepRuns`."""

    over = Signal(str, object)  # the name of a cell, and its Job
    turned = Signal()  # nothing of it runs or waits any more

    def __init__(self, queue: Queue, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue = queue
        self._ids: dict[str, int] = {}  # of cells that are listed and not over
        self._todo: list[tuple[dict[str, Cell], Source]] = []  # what is to be queued, what comes next last
        self._block = ""
        queue.listed.connect(self._feed)
        queue.given_up.connect(self._give_up)

    def __bool__(self) -> bool:
        """Whether any runs or waits."""
        return bool(self._ids or self._todo)

    def waits(self, name: str) -> bool:
        return name in self._ids or any(name in cells for cells, _ in self._todo)

    def runs(self, name: str) -> bool:
        return name in self._ids and self._queue.job(self._ids[name]).state == "running"

    def begin(self, todo: dict[str, Cell], source: Source) -> None:
        """Make these, the last one first, before those that wait already. todo: is used up."""
        if not self:
            self._block = uuid4().hex
        self._todo += [(todo, source)] if todo else []
        self._feed()

    def adopt(self, names: Collection[str]) -> None:
        """Take up those of these cells that the queue has, such as from before a restart."""
        for job in self._queue.jobs:
            name = job.tag.removeprefix(TAG)
            if job.tag.startswith(TAG) and name in names and not job.over:
                self._ids[name] = job.id
                self._block = job.block

    def stop(self) -> None:
        self._todo = []
        ids, self._ids = tuple(self._ids.values()), {}
        self._tell_more()
        self._queue.cancel(*(id for id in ids if self._queue.lists(id)))

    def take(self, name: str) -> None:
        """Something is new of the job of a cell."""
        id = self._ids.get(name)
        if id is not None and self._queue.lists(id) and (job := self._queue.job(id)).over:
            del self._ids[name]
            self.over.emit(name, job)
            if not self:
                self.turned.emit()

    def job(self, name: str) -> Job | None:
        """None when it is not listed."""
        id = self._ids.get(name)
        return self._queue.job(id) if id is not None and self._queue.lists(id) else None

    def _give_up(self, block: str) -> None:
        """A person took what is listed of it off the queue: the rest does not come either."""
        if block == self._block:
            self._todo = []
            self._tell_more()

    def _tell_more(self) -> None:
        if self._block:
            self._queue.expect(self._block, sum(len(cells) for cells, _ in self._todo))

    def _feed(self) -> None:
        """Queue the next cells."""
        gone = [name for name, id in self._ids.items() if not self._queue.lists(id)]  # taken off the list by a person
        for name in gone:
            del self._ids[name]
        while self._todo and len(self._ids) < AHEAD:
            cells, source = self._todo[-1]
            name, cell = cells.popitem()
            if not cells:
                self._todo.pop()
            self._ids[name] = self._queue.next_id  # known before it begins, which may be at once
            self._tell_more()
            title = f"{source.document}: {', '.join(source.sweep.labels(cell).values())}"
            graph = graph_of(source.graph, source.sweep.values(cell))
            self._queue.add(graph, source.targets, title, TAG + name, source.document, self._block)
        if gone and not self:
            self.turned.emit()

"""When the jobs of the queue will be done, by what such calls took on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import NamedTuple
from uuid import uuid4

from PySide6.QtCore import QObject, QTimer, Signal

from nodegraph.node import NodeType
from nodegraph.pieces import Pieces
from nodegraph.planning.calls import Call
from nodegraph.planning.plan import Planner
from nodegraph.running import messages as m
from nodegraph.running.pace import CallKinds, Pace
from ui.base.slices import Slices
from ui.runs.due import Due
from ui.runs.engine import Engine
from ui.runs.job import Job
from ui.runs.queue import Queue

SOON_MS = 300  # from a change of the queue to the forecast
AGAIN_MS = 5000  # between two while it works


class _Work(NamedTuple):
    """What a job consists of. kinds: of its results, by key, as `Pace` knows them."""

    calls: Mapping[str, Call]
    kinds: Mapping[str, str]


class Forecast(QObject):
    """ends: by job, and by the block of a sweep, in seconds since 1970; what is not known is left out, and so is all
    that waits for it. A result that several jobs need is computed once, and one that is kept is not computed.
    """

    changed = Signal()

    def __init__(
        self,
        queue: Queue,
        engine: Engine,
        registry: Mapping[str, NodeType],
        now: Callable[[], float] = time.time,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._queue, self._engine, self._registry, self._now = queue, engine, registry, now
        self.ends: dict[int | str, float] = {}
        self._asker = uuid4().hex  # what answers of the engine bear
        self._planner: Planner | None = None  # None before the engine has said what it mixes into its keys
        self._work: dict[int, _Work] = {}
        self._kept: set[str] = set()  # keys of results that need not be computed
        self._dues: dict[int, Due] = {}  # of the jobs that run
        self._planning = Slices(self)
        self._soon = QTimer(self, singleShot=True, interval=SOON_MS)
        self._soon.timeout.connect(self._look)
        self._clock = QTimer(self, interval=AGAIN_MS)
        self._clock.timeout.connect(self.tell)
        queue.listed.connect(self._soon.start)
        queue.turned.connect(self._soon.start)
        queue.heard.connect(self._hear)
        engine.happened.connect(self._hear_engine)

    @property
    def end(self) -> float | None:
        """When all of it will be done; None when that is not known, or nothing is to be done."""
        todo = [job for job in self._queue.jobs if not job.over]
        known = [self.ends.get(job.block or job.id) for job in todo]
        return max((end for end in known if end is not None), default=None) if None not in known else None

    def tell(self) -> None:
        """Look at the clock again."""
        todo = [job for job in self._queue.jobs if not job.over]
        rest = {} if self._queue.paused else self._rest(todo)
        now = self._now()
        ends = {key: now + seconds for key, seconds in rest.items()}
        if ends or self.ends:
            self.ends = ends
            self.changed.emit()
        if (runs := any(job.state == "running" for job in todo)) != self._clock.isActive():
            (self._clock.start if runs else self._clock.stop)()

    def _rest(self, todo: Sequence[Job]) -> dict[int | str, float]:
        """Seconds from now until each is done."""
        running = [job for job in todo if job.state == "running"]
        rest: dict[int | str, float] = {}
        free: list[float] = [0.0] * max(self._queue.places - len(running), 0)
        seen = set(self._kept)
        for job in running:  # of one that has just begun, nothing was heard yet
            whole, due = self._seconds(job, seen), self._dues.get(job.id)
            left = due.seconds("") if due else whole
            if left is None:
                return rest
            heappush(free, left)
            rest[job.id] = left
        each: dict[str, list[float]] = {}  # of a block, what its cells take
        waiting = [job for job in todo if job.state == "pending"]
        last = {job.block: job.id for job in waiting}
        for job in waiting:
            seconds = self._seconds(job, seen)
            if seconds is None:
                break
            cells = each.setdefault(job.block, [])
            cells.append(seconds)
            if job.block and last[job.block] == job.id:  # what is not listed yet comes right after
                seconds += self._queue.more.get(job.block, 0) * sum(cells) / len(cells) / self._queue.places
            end = heappop(free) + seconds
            heappush(free, end)
            rest[job.id] = end
        return rest | _of_blocks(todo, rest)

    def _seconds(self, job: Job, seen: set[str]) -> float | None:
        """What it computes that none before it does. seen: keys; its own are added."""
        work = self._work.get(job.id)
        if work is None:
            return None
        new = work.kinds.keys() - seen
        seen |= new
        return _known_sum(self._engine.pace, (work.kinds[key] for key in new))

    # Finding out --------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Plan what is new in the queue."""
        todo = {job.id: job for job in self._queue.jobs if not job.over}
        for gone in self._work.keys() - todo.keys():
            del self._work[gone]
            self._dues.pop(gone, None)
        # What nothing here consists of is asked for again when something does.
        self._kept &= {key for work in self._work.values() for key in work.kinds}
        if self._planner is None and self._engine.ready:
            self._planner = Planner(self._registry, self._engine.environment)
        new = [job for id, job in todo.items() if id not in self._work]
        if new and self._planner is not None:
            self._planning.put_off(self._plan(new, self._planner), lambda _: self.tell())
        else:
            self.tell()

    def _plan(self, jobs: Iterable[Job], planner: Planner) -> Pieces[None]:
        for job in jobs:
            while not planner.prepare(job.graph, 0.0, job.targets):
                yield
            plan, kinds = planner.plan(job.graph, job.targets), CallKinds()
            of_calls = {key: kinds.of(call) for key, call in plan.calls.items()}
            results = {key: kind for key, kind in of_calls.items() if plan.calls[key].type.outputs}
            self._work[job.id] = _Work(plan.calls, results)
            self._engine.ask(m.Keeps(self._asker, tuple(results)))
            if self._queue.lists(job.id) and self._queue.job(job.id).state == "running":
                self._expect(job.id)
            yield

    def _expect(self, id: int) -> None:
        """It runs: from now on by what happens in it."""
        if (work := self._work.get(id)) is not None:
            due = self._dues[id] = Due(self._queue.engine_of(id).pace)
            due.expect(work.calls.values())
            for key in work.kinds.keys() & self._kept:
                due.over(key)
            self._soon.start()

    def _hear_engine(self, event: m.Event) -> None:
        match event:
            case m.Ready():
                self._planning.drop()  # with what the process before this one mixed into its keys
                self._planner, self._work, self._dues = None, {}, {}
                self._soon.start()
            case m.Kept() if event.name == self._asker:
                self._kept.update(event.keys)
                for id, due in self._dues.items():
                    for key in self._work[id].kinds.keys() & set(event.keys):
                        due.over(key)
                self._soon.start()
            case m.Finished():
                self._kept.add(event.key)
            case _:
                pass

    def _hear(self, id: int, event: m.Event) -> None:
        match event:
            case m.Planned():
                self._expect(id)
                return
            case m.Finished():
                self._kept.add(event.key)
            case m.Idle() | m.Gone():
                self._dues.pop(id, None)
            case _:
                pass
        if due := self._dues.get(id):
            _tell(due, event)


def _tell(due: Due, event: m.Event) -> None:
    match event:
        case m.Started():
            due.begin(event.node, event.key)
        case m.Progress():
            due.report(min(event.done / max(event.total, 1), 1.0))
        case m.Finished():
            due.over(event.key)
            if not event.cached:
                due.took(event.node, event.seconds)
        case _:
            pass


def _of_blocks(todo: Sequence[Job], rest: Mapping[int | str, float]) -> dict[int | str, float]:
    """When the last cell of each block is done, where that is known."""
    cells: dict[str, list[float | None]] = {}
    for job in todo:
        if job.block:
            cells.setdefault(job.block, []).append(rest.get(job.id))
    return {block: max(end for end in ends if end is not None) for block, ends in cells.items() if None not in ends}


def _known_sum(pace: Pace, kinds: Iterable[str]) -> float | None:
    """None when one of them was never measured: a sum that leaves out the longest would mislead."""
    total = 0.0
    for kind in kinds:
        if (seconds := pace.seconds(kind)) is None:
            return None
        total += seconds
    return total

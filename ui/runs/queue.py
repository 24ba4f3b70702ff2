"""Runs that wait for their turn. They survive a restart of the program.

Who goes first: what a person starts by hand, or by an edit in live mode, takes the engine at once. The queued job that
was running waits then, first in line, and goes on later from the results it had. A job runs when nothing else does.
Engines that work for no document (`employ`) take jobs as well; what they run is seen in the list of jobs alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from nodegraph.formats.files import read_own
from nodegraph.graph import Graph
from nodegraph.running import messages as m
from ui.base.lock import lock
from ui.base.newest_file import NewestFile
from ui.runs.engine import Engine
from ui.runs.hand import Hand, assigned
from ui.runs.job import HIGHEST, LOWEST, Job, JobState, fitting, in_order, read_jobs, written
from ui.widgets.pixmaps import reduced

MAX_OVER = 200
"""Jobs that are over and still listed."""

KEPT_SIDE = 128
"""Pixels of the picture of a job that does not run: what a row of a list has room for."""

MAX_BYTES = 256 << 20


class Queue(QObject):
    """Jobs in the order in which they run: by priority, and then as they came or as a person has put them. A sweep's
    are a block, which has one place; what is of a higher priority runs between two of its cells.

    more: by block, how many of its cells are not even listed yet.
    folder: where they are kept between two starts of the program. None, or a folder that another window of the program
    uses already, keeps them in memory alone.
    """

    listed = Signal()  # jobs came, went or changed places, or the queue was paused or resumed
    changed = Signal(int)  # id of a job
    turned = Signal()  # a job waits, runs or is over that did not before
    began = Signal(object)  # Job
    happened = Signal(int, object)  # id of the job that runs on the engine of the documents, Event
    heard = Signal(int, object)  # the same, on whichever engine
    ended = Signal(object)  # Job, that is done or failed
    given_up = Signal(str)  # the block of which a person wants no more
    troubled = Signal(str)  # why it could not be kept, as a sentence; it goes on in memory

    def __init__(self, engine: Engine, folder: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.engine = engine
        self._jobs: dict[int, Job] = {}  # by id, in their order
        self.paused = False  # no job is started
        self.pausing = False  # the running one still finishes its step
        self.next_id = 1  # of the job that is added next
        self._hands = [Hand(engine, self._take)]  # the first works for the documents as well
        self._lock = lock(folder / "queue.lock") if folder else None
        self._file = NewestFile(folder / "queue.json", self) if folder and self._lock else None
        self._texts: dict[int, str] = {}  # the graphs of jobs as JSON, by id; the writer's own
        self.more: dict[str, int] = {}
        engine.freed.connect(self._feed)
        if self._file is not None:
            self._file.failed.connect(lambda why: self.troubled.emit(f"The queue could not be kept: {why}"))

    # Reading ------------------------------------------------------------------------------------------

    @property
    def jobs(self) -> tuple[Job, ...]:
        return tuple(self._jobs.values())

    def job(self, id: int) -> Job:
        """Raises ValueError when it is not listed."""
        if id not in self._jobs:
            raise ValueError(f"there is no job {id} in the queue")
        return self._jobs[id]

    def lists(self, id: int) -> bool:
        """Whether it is there still."""
        return id in self._jobs

    @property
    def running(self) -> Job | None:
        """What runs on the engine of the documents, and is seen on the canvas of its own."""
        id = self._hands[0].job
        return self.job(id) if id is not None else None

    @property
    def waiting(self) -> int:
        return sum(job.state == "pending" for job in self._jobs.values())

    @property
    def keeps(self) -> bool:
        """Whether it is there after a restart."""
        return self._file is not None

    @property
    def places(self) -> int:
        """How many jobs can run at a time."""
        return len(self._hands)

    def engine_of(self, id: int) -> Engine:
        """Where a job runs, or else may run."""
        return (self._at(id) or self._hands[0]).engine

    # What a person does -------------------------------------------------------------------------------

    def add(
        self, graph: Graph, targets: Sequence[str], title: str, tag: str = "", document: str = "", block: str = ""
    ) -> Job:
        """Compute these targets when their turn comes: after all others of its priority, or with its block."""
        beside = [job.priority for job in self._jobs.values() if block and job.block == block and not job.over]
        priority = beside[-1] if beside else 0
        job = Job(
            self.next_id, title, graph, tuple(targets), tag=tag, document=document, block=block, priority=priority
        )
        self.next_id += 1
        self._jobs[job.id] = job
        self._order()
        self._feed()
        return self.job(job.id)

    def cancel(self, *ids: int) -> None:
        """Do not run them, or stop them. What they computed so far is kept for a later run."""
        self._give_up(ids)
        for id in ids:
            if hand := self._at(id):
                hand.cancelling = True
                hand.engine.stop(hand.take)
            elif not self.job(id).over:
                self._put(id, state="cancelled")
        self._turn()

    def retry(self, *ids: int) -> None:
        """Run those that are over once more, after those that wait."""
        for id in ids:
            if self.job(id).over:
                job = self._jobs.pop(id)
                again = replace(job, state="pending", fraction=0.0, seconds=0.0, message="", saved=(), cells=1)
                self._jobs[id] = again
        self._order()
        self._feed()

    def remove(self, *ids: int) -> None:
        """Take them off the list; a running one is stopped first."""
        self._give_up(ids)
        for id in ids:
            if hand := self._at(id):
                self._drop(hand)
            self._jobs.pop(self.job(id).id)
        self._relist()

    def clear_over(self) -> None:
        """Take off the list what is done, failed or cancelled."""
        self._jobs = {id: job for id, job in self._jobs.items() if not job.over}
        self._relist()

    def move(self, *ids: int, before: int | None = None) -> None:
        """Put jobs that stand together before another; None: at the end. Among jobs of another priority they have
        that one from now on.
        """
        moved = [self.job(id) for id in ids]
        others = [job for job in self._jobs.values() if job.id not in ids]
        place = next((place for place, job in enumerate(others) if job.id == before), len(others))
        jobs = [*others[:place], *moved, *others[place:]]
        waiting = [job for job in moved if job.state == "pending"]
        if waiting:
            priority = fitting(jobs, jobs.index(waiting[0]), jobs.index(waiting[-1]))
            jobs = [replace(job, priority=priority) if job in waiting else job for job in jobs]
        self._jobs = {job.id: job for job in jobs}
        self._order()

    def prioritise(self, *ids: int, by: int) -> None:
        """Let what waits go before others, or after them. by: steps of priority, up or down."""
        for id in ids:
            job = self.job(id)
            if not job.over:
                self._jobs[id] = replace(job, priority=min(max(job.priority + by, LOWEST), HIGHEST))
        self._order()

    def expect(self, block: str, more: int) -> None:
        """How many more cells of a block will be added."""
        self.more = {other: count for other, count in {**self.more, block: more}.items() if count}

    def pause(self) -> None:
        """Start no further job; the running one finishes its step and waits."""
        self.paused, self.pausing = True, self._at_work
        self._relist()

    def resume(self) -> None:
        self.paused = self.pausing = False
        self._relist()
        self._feed()

    # Running ------------------------------------------------------------------------------------------

    def employ(self, engine: Engine) -> None:
        """Let another engine take jobs as well, which works for nobody else."""
        self._hands.append(Hand(engine, self._take))
        engine.freed.connect(self._feed)
        self._feed()

    def dismiss(self, engine: Engine) -> None:
        """Give it no more jobs; the one it runs waits again. Not for the engine of the documents."""
        for hand in self._hands[1:]:
            if hand.engine is engine:
                self._hands.remove(hand)
                engine.freed.disconnect(self._feed)
                if hand.job is not None:
                    self._drop(hand)
        self._feed()

    def _at(self, id: int) -> Hand | None:
        """Who runs this job; None when nobody does."""
        return next((hand for hand in self._hands if hand.job == id), None)

    @property
    def _at_work(self) -> bool:
        return any(hand.job is not None for hand in self._hands)

    def _drop(self, hand: Hand) -> None:
        """Stop what it runs, which waits again from now on."""
        hand.cancelling = False
        hand.engine.forget(hand.take)
        hand.take(m.Idle(0, 0, 0.0, stopped=True))  # whoever shows the job hears no more of it

    def _feed(self) -> None:
        """Start the next jobs that may run now."""
        while not self.paused:
            waiting = (job.id for job in self._jobs.values() if job.state == "pending")
            if not (next_ones := assigned(waiting, self._hands)):
                return
            id, hand = next_ones[0]  # one at a time: whoever hears that it began may change the list
            hand.begin(id)
            self._set(id, state="running", message="")
            job = self.job(id)
            if hand is self._hands[0]:
                self.began.emit(job)
            hand.engine.run(job.graph, job.targets, hand.take)

    def _take(self, hand: Hand, event: m.Event) -> None:
        id = hand.job
        if id is None:
            return
        self.heard.emit(id, event)
        if hand is self._hands[0]:
            self.happened.emit(id, event)
        match event:
            case m.Planned() if not hand.cancelling:
                hand.calls, hand.finished = event.calls, event.cached
            case m.Finished():
                self._take_result(hand, id, event)
            case m.Failed():
                self._set(id, message=self.job(id).message or f"{event.node}: {event.message}")
            case m.Saved() if event.path not in self.job(id).saved:
                self._set(id, saved=(*self.job(id).saved, event.path))
            case m.Idle():
                self._end(hand, id, event)
            case m.Gone():
                self._over(hand, id, "cancelled" if hand.cancelling else "failed", message=event.message)
            case _:
                pass

    def _take_result(self, hand: Hand, id: int, event: m.Finished) -> None:
        hand.finished += not event.cached
        job = self.job(id)
        fraction = min(hand.finished / hand.calls, 1.0) if hand.calls else 0.0
        self._set(id, fraction=fraction, seconds=job.seconds + event.seconds, picture=event.picture or job.picture)
        if self.pausing and not event.cached:
            hand.engine.stop(hand.take)

    def _end(self, hand: Hand, id: int, event: m.Idle) -> None:
        if hand.cancelling:
            self._over(hand, id, "cancelled")
        elif event.stopped:
            self._over(hand, id, "pending")
        else:
            self._over(hand, id, "failed" if self.job(id).message else "done", fraction=1.0)

    def _over(self, hand: Hand, id: int, state: JobState, **fields: Any) -> None:
        hand.put_down()
        self.pausing = self.pausing and self._at_work
        picture = self.job(id).picture
        self._put(id, state=state, picture=picture and reduced(picture, KEPT_SIDE), **fields)
        if state in ("done", "failed"):
            self.ended.emit(self.job(id))
        if state == "done" and self.job(id).block:
            self._fold(id)
        over = [job.id for job in self._jobs.values() if job.over]
        for old in over[: max(len(over) - MAX_OVER, 0)]:
            del self._jobs[old]
        self._order()  # the engine's `freed` starts the next one

    def _fold(self, id: int) -> None:
        """Of the cells of a block that are done the last stands for all: there may be thousands."""
        job = self.job(id)
        before = [old for old in self._jobs.values() if old.block == job.block and old.state == "done" and old != job]
        for old in before:
            del self._jobs[old.id]
            job = replace(job, cells=job.cells + old.cells, seconds=job.seconds + old.seconds)
        self._jobs[id] = job

    def _give_up(self, ids: Sequence[int]) -> None:
        """Say of which blocks these are all that is listed and not over."""
        chosen = {self.job(id).block for id in ids} - {""}
        for block in chosen:
            listed = [job.id for job in self._jobs.values() if job.block == block and not job.over]
            if listed and all(id in ids for id in listed):
                self.given_up.emit(block)

    def _order(self) -> None:
        self._jobs = {job.id: job for job in in_order(self.jobs)}
        self._relist()

    def _set(self, id: int, **fields: Any) -> None:
        before = self.job(id).state
        self._put(id, **fields)
        if self.job(id).state != before:
            self._turn()

    def _put(self, id: int, **fields: Any) -> None:
        before = self.job(id)
        after = self._jobs[id] = replace(before, **fields)
        if after != before:
            self.changed.emit(id)

    def _turn(self) -> None:
        self.turned.emit()
        self._save()

    def _relist(self) -> None:
        self.listed.emit()
        self._save()

    # On disk ------------------------------------------------------------------------------------------

    def restore(self) -> None:
        """List what was listed when the program ended; what had not run waits until the queue is resumed.

        Raises Damaged when the file cannot be read.
        """
        if self._file is None:
            return
        try:
            listed = read_own(self._file.path, "The queue of the last time", MAX_BYTES, read_jobs)
            self._jobs = {job.id: job for job in in_order(listed)}
        except FileNotFoundError:
            return
        self.next_id = len(self._jobs) + 1
        self.paused = self.waiting > 0
        self.listed.emit()

    def flush(self) -> None:
        """Return when the list as it is now is on the disk."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Wait until everything is on the disk. A job that still runs runs again next time."""
        if self._file is not None:
            self._file.close()
        if self._lock:
            self._lock.unlock()

    def _save(self) -> None:
        if self._file is not None:
            jobs = self.jobs
            self._file.put(lambda: written(jobs, self._texts))

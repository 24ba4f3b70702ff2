"""Runs that wait for their turn. They survive a restart of the program.

Who goes first: what a person starts by hand, or by an edit in live mode, takes the engine at once. The queued job that
was running waits then, first in line, and goes on later from the results it had. A job runs when nothing else does.
Engines that work for no document (`employ`) take jobs as well; what they run is seen in the list of jobs alone.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

from PySide6.QtCore import QObject, Signal

from nodegraph.formats import workflow
from nodegraph.formats.files import read_own, usable_path, write_atomic
from nodegraph.graph import Graph
from nodegraph.running import messages as m
from nodegraph.types import Picture
from ui.base.lock import lock
from ui.runs.engine import Engine
from ui.runs.hand import Hand, assigned
from ui.widgets.pixmaps import reduced

JobState = Literal["pending", "running", "done", "failed", "cancelled"]

MAX_OVER = 200
"""Jobs that are over and still listed."""

KEPT_SIDE = 128
"""Pixels of the picture of a job that does not run: what a row of a list has room for."""

MAX_BYTES = 256 << 20
FOREVER = 1e9  # seconds that no job takes


@dataclass(frozen=True, slots=True)
class Job:
    """A graph as it was when it was queued.

    fraction: 0..1 of its results. message: why it failed. saved: the files it wrote. picture: its newest result, small
    when it does not run. tag: by which whoever queued it knows it again, after a restart too.
    """

    id: int
    title: str
    graph: Graph
    targets: tuple[str, ...]
    state: JobState = "pending"
    fraction: float = 0.0
    seconds: float = 0.0
    message: str = ""
    saved: tuple[str, ...] = ()
    picture: Picture | None = None
    tag: str = ""

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed", "cancelled")


class Queue(QObject):
    """Jobs in the order in which they run.

    folder: where they are kept between two starts of the program. None, or a folder that another window of the program
    uses already, keeps them in memory alone.
    """

    listed = Signal()  # jobs came, went or changed places, or the queue was paused or resumed
    changed = Signal(int)  # id of a job
    turned = Signal()  # a job waits, runs or is over that did not before
    began = Signal(object)  # Job
    happened = Signal(int, object)  # id of the job that runs, Event
    troubled = Signal(str)  # why it could not be kept, as a sentence; it goes on in memory

    _failed = Signal(str)  # from the thread that writes

    def __init__(self, engine: Engine, folder: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.engine = engine
        self._jobs: dict[int, Job] = {}  # by id, in their order
        self.paused = False  # no job is started
        self.pausing = False  # the running one still finishes its step
        self.next_id = 1  # of the job that is added next
        self._hands = [Hand(engine, self._take)]  # the first works for the documents as well
        self._lock = lock(folder / "queue.lock") if folder else None
        self._file = folder / "queue.json" if folder and self._lock else None
        self._writer = ThreadPoolExecutor(1, "queue")
        self._unsaved: deque[tuple[Job, ...]] = deque(maxlen=1)  # the newest list that is not on the disk yet
        self._texts: dict[int, str] = {}  # the graphs of jobs as JSON, by id; the writer's own
        engine.freed.connect(self._feed)
        self._failed.connect(self.troubled)

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

    # What a person does -------------------------------------------------------------------------------

    def add(self, graph: Graph, targets: Sequence[str], title: str, tag: str = "") -> Job:
        """Compute these targets when their turn comes."""
        job = Job(self.next_id, title, graph, tuple(targets), tag=tag)
        self.next_id += 1
        self._jobs[job.id] = job
        self._relist()
        self._feed()
        return job

    def cancel(self, *ids: int) -> None:
        """Do not run them, or stop them. What they computed so far is kept for a later run."""
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
                self._jobs[id] = replace(job, state="pending", fraction=0.0, seconds=0.0, message="", saved=())
        self._relist()
        self._feed()

    def remove(self, *ids: int) -> None:
        """Take them off the list; a running one is stopped first."""
        for id in ids:
            if hand := self._at(id):
                self._drop(hand)
            self._jobs.pop(self.job(id).id)
        self._relist()

    def clear_over(self) -> None:
        """Take off the list what is done, failed or cancelled."""
        self._jobs = {id: job for id, job in self._jobs.items() if not job.over}
        self._relist()

    def move(self, id: int, to: int) -> None:
        """Put a job at another place of the list."""
        ids = [other for other in self._jobs if other != id]
        ids.insert(max(to, 0), id)
        self._jobs = {id: self._jobs[id] for id in ids}
        self._relist()

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
        over = [job.id for job in self._jobs.values() if job.over]
        for old in over[: max(len(over) - MAX_OVER, 0)]:
            del self._jobs[old]
        self._relist()  # the engine's `freed` starts the next one

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
            self._jobs = {
                job.id: job for job in read_own(self._file, "The queue of the last time", MAX_BYTES, read_jobs)
            }
        except FileNotFoundError:
            return
        self.next_id = len(self._jobs) + 1
        self.paused = self.waiting > 0
        self.listed.emit()

    def flush(self) -> None:
        """Return when the list as it is now is on the disk."""
        self._writer.submit(lambda: None).result()

    def close(self) -> None:
        """Wait until everything is on the disk. A job that still runs runs again next time."""
        self._writer.shutdown()
        if self._lock:
            self._lock.unlock()

    def _save(self) -> None:
        if self._file is not None:
            # A thread of its own: the disk may take longer than a window may stand still.
            self._unsaved.append(self.jobs)
            self._writer.submit(self._write_newest, self._file).add_done_callback(self._wrote)

    def _write_newest(self, file: Path) -> None:
        """On the other thread: of lists that came while another was written, the last alone."""
        if self._unsaved:
            _write(file, self._unsaved.pop(), self._texts)

    def _wrote(self, done: Future[None]) -> None:
        if error := done.exception():
            self._failed.emit(f"The queue could not be kept: {error}")


_KEPT = ("title", "targets", "state", "seconds", "message", "saved", "tag")


def _write(file: Path, jobs: Sequence[Job], texts: dict[int, str]) -> None:
    """texts: graphs as JSON, which are written over and over and made once."""
    entries: list[str] = []
    for job in jobs:
        if job.id not in texts:
            texts[job.id] = json.dumps(workflow.to_data(job.graph))
        about = json.dumps({name: getattr(job, name) for name in _KEPT})
        entries.append(f'{about[:-1]}, "workflow": {texts[job.id]}}}')
    for id in texts.keys() - {job.id for job in jobs}:
        del texts[id]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, f'{{"version": 1, "jobs": [{", ".join(entries)}]}}'.encode())


def read_jobs(data: bytes) -> list[Job]:
    """The jobs in a file of the queue's. Raises what is in UNREADABLE when it is not a queue."""
    entries = cast("list[dict[str, Any]]", json.loads(data)["jobs"])
    return [_job(number, entry) for number, entry in enumerate(entries, 1)]


def _job(id: int, entry: dict[str, Any]) -> Job:
    """What the file says of a job; one that was running waits again."""
    match entry:
        case {
            "title": str(title), "targets": [*targets], "state": str(state), "seconds": int() | float() as seconds,
            "message": str(message), "saved": [*saved], "workflow": dict(),
        } if all(isinstance(text, str) for text in (*targets, *saved)) and 0 <= seconds < FOREVER:  # fmt: skip
            state = "pending" if state == "running" else state
            tag = str(entry.get("tag", ""))  # which queues of earlier versions lack
        case _:
            raise ValueError(f"job {id} lacks what a job has")
    if state not in get_args(JobState):
        raise ValueError(f"there is no state {state!r}")
    state = cast("JobState", state)
    files = tuple(str(usable_path(text)) for text in saved)
    done = float(state == "done")
    made = workflow.from_data(entry["workflow"])
    return Job(id, title, made, tuple(targets), state, done, float(seconds), message, files, tag=tag)

"""What became of the queue while nobody looked: kept until a person has read it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from PySide6.QtCore import QObject, QTimer, Signal

from nodegraph.formats.files import Damaged, read_own, usable_path
from ui.base.newest_file import NewestFile
from ui.runs.job import Job
from ui.runs.queue import Queue

LONG = 300.0
"""Seconds that the queue worked, and that nobody touched the window, before there is something to be told."""

MOST_REPORTS, MOST_PICTURES, MOST_REASONS = 7, 200, 20
MAX_BYTES = 16 << 20
SETTLED_MS = 1000  # without work: what one job's end brings may begin others
FOREVER = 1e11  # seconds since 1970 that no clock shows


@dataclass(frozen=True, slots=True)
class Tally:
    """Of a document. made, failed: jobs. seconds: of computing. pictures: the files, the newest MOST_PICTURES; reasons:
    why jobs failed, with how many did.
    """

    document: str
    made: int = 0
    failed: int = 0
    seconds: float = 0.0
    pictures: tuple[str, ...] = ()
    reasons: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """began, ended: in seconds since 1970, ended being the latest that is known. whole: the queue came to its end."""

    began: float
    ended: float
    tallies: tuple[Tally, ...] = ()
    whole: bool = False

    @property
    def made(self) -> int:
        return sum(tally.made for tally in self.tallies)

    @property
    def failed(self) -> int:
        return sum(tally.failed for tally in self.tallies)


def noted(report: Report, job: Job, now: float) -> Report:
    """With a job that is done or failed."""
    found = {tally.document: tally for tally in report.tallies}
    tally = found.get(job.document, Tally(job.document))
    if job.state == "done":
        tally = replace(tally, made=tally.made + 1, pictures=(*tally.pictures, *job.saved)[-MOST_PICTURES:])
    else:
        reasons = dict(tally.reasons)
        if job.message in reasons or len(reasons) < MOST_REASONS:
            reasons[job.message] = reasons.get(job.message, 0) + 1
        tally = replace(tally, failed=tally.failed + 1, reasons=tuple(reasons.items()))
    found[job.document] = replace(tally, seconds=tally.seconds + job.seconds)
    return replace(report, ended=now, tallies=tuple(found.values()))


class Night(QObject):
    """reports: that nobody has read, the newest last. away: for how many seconds nobody has touched the window.

    file: where they are kept; None keeps them in memory. complaints: what was damaged in it, as sentences.
    """

    changed = Signal()  # there are other reports
    finished = Signal(object)  # the Report of the queue's work, which came to its end, whether anybody looks or not
    troubled = Signal(str)  # why it could not be kept, as a sentence

    def __init__(
        self,
        queue: Queue,
        away: Callable[[], float],
        file: Path | None = None,
        now: Callable[[], float] = time.time,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._queue, self._away, self._now = queue, away, now
        self.reports: list[Report] = []
        self.complaints: list[str] = []
        self._current: Report | None = None
        self._file = NewestFile(file, self) if file else None
        self._settled = QTimer(self, singleShot=True, interval=SETTLED_MS)
        self._settled.timeout.connect(self._look)
        queue.turned.connect(self._turn)
        queue.listed.connect(self._turn)
        queue.ended.connect(self._note)
        if self._file is not None:
            self._file.failed.connect(lambda why: self.troubled.emit(f"What the queue did could not be kept: {why}"))
            self._restore(self._file.path)

    def dismiss(self) -> None:
        """The newest is read."""
        self.reports.pop()
        self._save()
        self.changed.emit()

    def close(self) -> None:
        """A person ends the program, and has seen how far the queue was."""
        self._settled.stop()
        self._current = None
        if self._file is not None:
            self._save()
            self._file.close()

    @property
    def _at_work(self) -> bool:
        queue = self._queue
        return (queue.waiting > 0 and not queue.paused) or any(job.state == "running" for job in queue.jobs)

    def _turn(self) -> None:
        if self._current is None and any(job.state == "running" for job in self._queue.jobs):
            now = self._now()
            self._current = Report(now, now)
        if self._current is not None:
            self._settled.start()

    def _note(self, job: Job) -> None:
        if self._current is not None:
            self._current = noted(self._current, job, self._now())
            self._save()

    def _look(self) -> None:
        """Whether the queue has come to its end."""
        report = self._current
        if report is None or self._at_work:
            return
        self._current = None
        if report.tallies and not self._queue.waiting:
            report = replace(report, whole=True)
            if min(report.ended - report.began, self._away()) >= LONG:
                self._keep(report)
            self.finished.emit(report)
        self._save()

    def _keep(self, report: Report) -> None:
        self.reports = [*self.reports, report][-MOST_REPORTS:]
        self.changed.emit()

    # On disk ------------------------------------------------------------------------------------------

    def _restore(self, path: Path) -> None:
        try:
            reports, left = read_own(path, "What the queue did", MAX_BYTES, read_reports)
        except FileNotFoundError:
            return
        except Damaged as error:
            self.complaints.append(str(error))
            return
        self.reports = reports[-MOST_REPORTS:]
        if left is not None and left.tallies and left.ended - left.began >= LONG:
            self._keep(left)  # the program ended under it
        self._save()

    def _save(self) -> None:
        if self._file is not None:
            told = {"reports": self.reports, "current": self._current}
            self._file.put(lambda: json.dumps(told, default=asdict).encode())


def read_reports(data: bytes) -> tuple[list[Report], Report | None]:
    """What nobody has read, and what was not over. Raises what is in UNREADABLE."""
    said: Any = json.loads(data)
    current = said["current"]
    return [_report(entry) for entry in said["reports"]], None if current is None else _report(current)


def _report(said: Any) -> Report:
    began, ended = float(said["began"]), float(said["ended"])
    if not 0 <= began <= ended < FOREVER:
        raise ValueError("it has what is no time")
    return Report(began, ended, tuple(map(_tally, said["tallies"])), bool(said["whole"]))


def _tally(said: Any) -> Tally:
    made, failed, seconds = int(said["made"]), int(said["failed"]), float(said["seconds"])
    if not (made >= 0 and failed >= 0 and 0 <= seconds < FOREVER):
        raise ValueError("it has what is no number of jobs")
    pictures = tuple(str(usable_path(path)) for path in cast("list[Any]", said["pictures"]))
    reasons = tuple((str(why), int(count)) for why, count in cast("list[Any]", said["reasons"]))
    return Tally(str(said["document"]), made, failed, seconds, pictures, reasons)

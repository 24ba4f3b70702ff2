"""The jobs of the queue as rows of a list; what a row says is looked up when it is painted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import time
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QWidget

from nodegraph.types import Picture
from ui.base.text import amount, clock, duration
from ui.base.theme import scaled
from ui.runs.forecast import Forecast
from ui.runs.job import Job
from ui.runs.queue import Queue
from ui.widgets.picture_rows import DETAIL, FRACTION, HEIGHT, PICTURE, TINT
from ui.widgets.pixmaps import pixmap
from ui.widgets.stretches import stretches
from ui.widgets.thumbnails import Thumbnails

Index = QModelIndex | QPersistentModelIndex
Key = int | str
"""What a row is of: the id of a job, or the block of a sweep, whose cells have one row."""

GONE = {Qt.ItemDataRole.DisplayRole: "", DETAIL: "", TINT: "dim"}
PRIORITIES = {-1: "Low priority", 0: "", 1: "High priority"}


def rows_of(jobs: Sequence[Job]) -> dict[Key, list[int]]:
    """The rows in their order, each with the ids of its jobs. A block stands where the next of its cells will run."""
    ids: dict[Key, list[int]] = {}
    place: dict[Key, tuple[bool, int]] = {}
    for number, job in enumerate(jobs):
        key = job.block or job.id
        ids.setdefault(key, []).append(job.id)
        place[key] = min(place.get(key, (True, number)), (job.over, number))
    return {key: ids[key] for key in sorted(ids, key=lambda key: place[key][1])}


class JobRows(QAbstractListModel):
    """A row for each job, in the order in which they run, as the queue was when it was last followed."""

    def __init__(self, queue: Queue, parent: QWidget, forecast: Forecast | None = None) -> None:
        super().__init__(parent)
        self.queue, self.forecast = queue, forecast
        self.thumbnails = Thumbnails(self)
        self._keys: list[Key] = []
        self._ids: dict[Key, list[int]] = {}  # of the jobs of a row
        self._row: dict[Key, int] = {}
        self._row_of_job: dict[int, int] = {}
        self._pictures: dict[Key, tuple[Picture, QPixmap]] = {}  # of rows that were painted

    def ids(self, row: int) -> list[int]:
        """Of the jobs in a row that are listed still."""
        return [id for id in self._ids.get(self._keys[row], ()) if self.queue.lists(id)]

    def jobs(self, row: int) -> list[Job]:
        return [self.queue.job(id) for id in self.ids(row)]

    def key(self, row: int) -> Key:
        return self._keys[row]

    def row(self, key: Key) -> int:
        """Where a row is now; -1 for one that is not listed."""
        return self._row.get(key, -1)

    def follow(self) -> None:
        """Show the list as it is now. What is selected stays so."""
        self._ids = rows_of(self.queue.jobs)
        gone = [row for row, key in enumerate(self._keys) if key not in self._ids]
        for first, last in reversed(stretches(gone)):
            self.beginRemoveRows(QModelIndex(), first, last)
            for key in self._keys[first : last + 1]:
                self._pictures.pop(key, None)
            del self._keys[first : last + 1]
            self.endRemoveRows()
        if new := [key for key in self._ids if key not in self._row]:
            self.beginInsertRows(QModelIndex(), len(self._keys), len(self._keys) + len(new) - 1)
            self._keys += new
            self.endInsertRows()
        keys = list(self._ids)
        if self._keys != keys:
            self._arrange(keys)
        self._row = {key: row for row, key in enumerate(keys)}
        self._row_of_job = {id: self._row[key] for key, ids in self._ids.items() for id in ids}

    def _arrange(self, keys: list[Key]) -> None:
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        places = {key: row for row, key in enumerate(keys)}
        after = [self.index(places[self._keys[index.row()]]) for index in before]
        self._keys = keys
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def touch(self, *ids: int) -> None:
        """Some jobs are not what they were."""
        for row in {self._row_of_job[id] for id in ids if id in self._row_of_job}:
            index = self.index(row)
            self.dataChanged.emit(index, index)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  what Qt's own default is
        return 0 if parent.isValid() else len(self._keys)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        jobs = self.jobs(index.row())
        if not jobs:  # gone while nobody looked; followed after this painting
            return GONE.get(role)
        job, more = foremost(jobs), self.queue.more.get(jobs[0].block, 0)
        key = self._keys[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return f"{job.document}: sweep" if job.block else job.title
            case Qt.ItemDataRole.ToolTipRole:
                return "\n".join(dict.fromkeys(job.message for job in jobs if job.message)) or "\n".join(job.saved)
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{self.data(index)}, {detail(jobs, more, self._end(key))}"
            case _ if role == DETAIL:
                return detail(jobs, more, self._end(key))
            case _ if role == FRACTION:
                return fraction(jobs, more) if job.state == "running" else None
            case _ if role == TINT:
                return tint(jobs)
            case _ if role == PICTURE:
                return self._picture(key, jobs)
            case _:
                return None

    def _end(self, key: Key) -> str:
        """When a row is expected to be done; empty when that is not known."""
        end = self.forecast.ends.get(key) if self.forecast else None
        return f"done {clock(end, time())}" if end is not None else ""

    def _picture(self, key: Key, jobs: Sequence[Job]) -> QPixmap | None:
        """The newest result; after a restart, what was saved."""
        job = next((job for job in (foremost(jobs), *reversed(jobs)) if job.picture or job.saved), None)
        if job is None:
            return None
        if job.picture is None:
            return self.thumbnails.get(job.saved[-1])
        made = self._pictures.get(key)
        if made is None or made[0] is not job.picture:
            side = scaled(2 * HEIGHT)
            small = pixmap(job.picture).scaled(side, side, Qt.AspectRatioMode.KeepAspectRatio)
            made = self._pictures[key] = (job.picture, small)
        return made[1]


def foremost(jobs: Sequence[Job]) -> Job:
    """That of a row which runs, or else will run next, or else is the latest."""
    turns = {"running": 0, "pending": 1}
    return min(reversed(jobs), key=lambda job: (turns.get(job.state, 2), job.id if job.state == "pending" else 0))


def tint(jobs: Sequence[Job]) -> str:
    """The colour of what is said of a row, by its name in the theme."""
    state = foremost(jobs).state
    if state in ("pending", "running"):
        return "running" if state == "running" else "dim"
    states = {job.state for job in jobs}
    return next((state for state in ("failed", "done") if state in states), "dim")


def fraction(jobs: Sequence[Job], more: int) -> float:
    """0..1 of a row. more: cells of its block that are not listed."""
    done = sum(job.cells if job.over else job.fraction for job in jobs)
    return done / (sum(job.cells for job in jobs) + more)


def detail(jobs: Sequence[Job], more: int = 0, end: str = "") -> str:
    """What becomes of a row's jobs, in words. end: when they will be done."""
    job = foremost(jobs)
    if job.over:
        return _of_block_over(jobs) if job.block else _over(job)
    words = [PRIORITIES[job.priority], "Running" if job.state == "running" else "Waiting"]
    if job.block:
        count = sum(job.cells for job in jobs) + more
        words[-1] += f", {amount(sum(job.cells for job in jobs if job.state == 'done'))} of {amount(count)} made"
        words.append(_failed(jobs))
    elif job.state == "running":
        words[-1] += f", {job.fraction:.0%}"
    elif job.fraction:
        words[-1] += f", {job.fraction:.0%} done"
    return " · ".join(filter(None, (*words, end)))


def _over(job: Job) -> str:
    match job.state:
        case "done":
            files = f" · {Path(job.saved[-1]).name}" if job.saved else ""
            return f"Done in {duration(job.seconds)}{files}"
        case "failed":
            return f"Failed: {job.message}"
        case _:
            return "Cancelled"


def _of_block_over(jobs: Sequence[Job]) -> str:
    done = [job for job in jobs if job.state == "done"]
    made = f"{amount(done[-1].cells)} made in {duration(done[-1].seconds)}" if done else "Cancelled"
    failed = next((job for job in jobs if job.state == "failed"), None)
    return " · ".join(filter(None, (made, f"{_failed(jobs)}: {failed.message}" if failed else "")))


def _failed(jobs: Sequence[Job]) -> str:
    failed = sum(job.state == "failed" for job in jobs)
    return f"{amount(failed)} failed" if failed else ""

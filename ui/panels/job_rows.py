"""The jobs of the queue as rows of a list; what a row says is looked up when it is painted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QWidget

from nodegraph.types import Picture
from ui.base.text import duration
from ui.base.theme import scaled
from ui.runs.queue import Job, Queue
from ui.widgets.picture_rows import DETAIL, FRACTION, HEIGHT, PICTURE, TINT
from ui.widgets.pixmaps import pixmap
from ui.widgets.stretches import stretches
from ui.widgets.thumbnails import Thumbnails

Index = QModelIndex | QPersistentModelIndex


class JobRows(QAbstractListModel):
    """A row for each job, in the order in which they run, as the queue was when it was last followed."""

    def __init__(self, queue: Queue, parent: QWidget) -> None:
        super().__init__(parent)
        self.queue = queue
        self.thumbnails = Thumbnails(self)
        self._ids: list[int] = []
        self._row: dict[int, int] = {}  # by id
        self._pictures: dict[int, tuple[Picture, QPixmap]] = {}  # by id; of rows that were painted

    def id(self, row: int) -> int:
        """Of the job in a row."""
        return self._ids[row]

    def row(self, id: int) -> int:
        """Where a job is; -1 for one that is not listed."""
        return self._row.get(id, -1)

    def follow(self) -> None:
        """Show the list as it is now. What is selected stays so."""
        ids = [job.id for job in self.queue.jobs]
        listed = set(ids)
        gone = [row for row, id in enumerate(self._ids) if id not in listed]
        for first, last in reversed(stretches(gone)):
            self.beginRemoveRows(QModelIndex(), first, last)
            for id in self._ids[first : last + 1]:
                self._pictures.pop(id, None)
            del self._ids[first : last + 1]
            self.endRemoveRows()
        if new := [id for id in ids if id not in self._row]:
            self.beginInsertRows(QModelIndex(), len(self._ids), len(self._ids) + len(new) - 1)
            self._ids += new
            self.endInsertRows()
        if self._ids != ids:
            self._arrange(ids)
        self._row = {id: row for row, id in enumerate(ids)}

    def _arrange(self, ids: list[int]) -> None:
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        places = {id: row for row, id in enumerate(ids)}
        after = [self.index(places[self._ids[index.row()]]) for index in before]
        self._ids = ids
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def touch(self, id: int) -> None:
        """A job is not what it was."""
        if id in self._row:
            index = self.index(self._row[id])
            self.dataChanged.emit(index, index)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  what Qt's own default is
        return 0 if parent.isValid() else len(self._ids)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not self.queue.lists(id := self._ids[index.row()]):  # gone while nobody looked; followed after this painting
            return {Qt.ItemDataRole.DisplayRole: "", DETAIL: "", TINT: "dim"}.get(role)
        job = self.queue.job(id)
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return job.title
            case Qt.ItemDataRole.ToolTipRole:
                return job.message or "\n".join(job.saved)
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{job.title}, {detail(job)}"
            case _ if role == DETAIL:
                return detail(job)
            case _ if role == FRACTION:
                return job.fraction if job.state == "running" else None
            case _ if role == TINT:
                return job.state if job.state in ("running", "done", "failed") else "dim"
            case _ if role == PICTURE:
                return self._picture(job)
            case _:
                return None

    def _picture(self, job: Job) -> QPixmap | None:
        """Its newest result; after a restart, what it saved."""
        if job.picture is None:
            return self.thumbnails.get(job.saved[-1]) if job.saved else None
        made = self._pictures.get(job.id)
        if made is None or made[0] is not job.picture:
            side = scaled(2 * HEIGHT)
            small = pixmap(job.picture).scaled(side, side, Qt.AspectRatioMode.KeepAspectRatio)
            made = self._pictures[job.id] = (job.picture, small)
        return made[1]


def detail(job: Job) -> str:
    """What becomes of a job, in words."""
    match job.state:
        case "pending":
            return "Waiting" if not job.fraction else f"Waiting, {job.fraction:.0%} done"
        case "running":
            return f"Running, {job.fraction:.0%}"
        case "done":
            files = f" · {Path(job.saved[-1]).name}" if job.saved else ""
            return f"Done in {duration(job.seconds)}{files}"
        case "failed":
            return f"Failed: {job.message}"
        case "cancelled":
            return "Cancelled"

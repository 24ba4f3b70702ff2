"""The rows of the queue's panel: chosen, dragged and moved by keys."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QItemSelectionModel, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QListView

from ui.panels.job_rows import JobRows, Key
from ui.runs.forecast import Forecast
from ui.runs.job import Job
from ui.runs.queue import Queue
from ui.widgets.picture_rows import PictureRows


class JobList(QListView):
    """A row for each job, or sweep, in the order in which they run."""

    removing = Signal()  # the selected ones are to go
    prioritising = Signal(int)  # the selected ones are to have a priority that is so much higher

    def __init__(self, queue: Queue, forecast: Forecast | None = None) -> None:
        super().__init__()
        self.queue = queue
        self.rows = JobRows(queue, self, forecast)
        self._held: Key | None = None  # the row that the mouse drags
        self.setModel(self.rows)
        self.setAccessibleName("Queue")
        self.setItemDelegate(PictureRows(self))
        self.setUniformItemSizes(True)
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.rows.thumbnails.loaded.connect(lambda _: self.viewport().update())

    def selected(self) -> tuple[int, ...]:
        """Ids, in the order of the list. Rows of jobs that are gone stand until the list is followed."""
        rows = sorted(index.row() for index in self.selectedIndexes())
        return tuple(id for row in rows for id in self.rows.ids(row))

    def jobs(self) -> list[Job]:
        """Those that are selected."""
        return [self.queue.job(id) for id in self.selected()]

    def follow(self) -> None:
        """Show the list as it is now; what runs next is in view unless something is selected."""
        self.rows.follow()
        ahead = next((job for job in self.queue.jobs if not job.over), None)
        if ahead is not None and not self.selectedIndexes():
            self.scrollTo(self.rows.index(self.rows.row(ahead.block or ahead.id)))

    def choose(self, ids: Iterable[int]) -> None:
        """Select the rows of these jobs, and show the first."""
        jobs = (self.queue.job(id) for id in ids)
        rows = sorted({row for job in jobs if (row := self.rows.row(job.block or job.id)) >= 0})
        self.clearSelection()
        for row in rows:
            self.selectionModel().select(self.rows.index(row), QItemSelectionModel.SelectionFlag.Select)
        if rows:
            self.selectionModel().setCurrentIndex(self.rows.index(rows[0]), QItemSelectionModel.SelectionFlag.NoUpdate)
            self.scrollTo(self.rows.index(rows[0]))
            self.setFocus()

    def put_first(self) -> None:
        """What is selected runs next."""
        chosen = [job.id for job in self.jobs() if job.state == "pending"]
        before = next((job.id for job in self.queue.jobs if job.state == "pending" and job.id not in chosen), None)
        if chosen and before is not None:
            self.queue.move(*chosen, before=before)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()), 0)
        if event.modifiers() & Qt.KeyboardModifier.AltModifier and (step or event.key() == Qt.Key.Key_Home):
            self._move(self.currentIndex().row(), self.currentIndex().row() + step) if step else self.put_first()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removing.emit()
        elif event.text() in ("+", "-"):
            self.prioritising.emit(1 if event.text() == "+" else -1)
        else:
            super().keyPressEvent(event)

    def _move(self, row: int, to: int) -> None:
        """Put a row where another is."""
        if row == to or not (0 <= row < self.rows.rowCount() and 0 <= to < self.rows.rowCount()):
            return
        others = [other for other in range(self.rows.rowCount()) if other != row]
        behind = self.rows.jobs(others[to]) if to < len(others) else []
        # A block is where the next of its cells will run.
        before = next((job.id for job in behind if not job.over), behind[0].id if behind else None)
        self.queue.move(*self.rows.ids(row), before=before)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        at = self.indexAt(event.position().toPoint())
        self._held = self.rows.key(at.row()) if at.isValid() and event.button() == Qt.MouseButton.LeftButton else None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is None:
            super().mouseMoveEvent(event)
            return
        over = self.indexAt(event.position().toPoint()).row()
        if over >= 0:
            self._move(self.rows.row(self._held), over)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = None
        super().mouseReleaseEvent(event)

"""The queue as a list: what waits, runs and is over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QPoint, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QMouseEvent, QPixmap
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QVBoxLayout,
    QWidget,
)

from nodegraph.types import Picture
from ui.canvas.pixmaps import pixmap
from ui.panels.buttons import small_button
from ui.panels.picture_rows import DETAIL, FRACTION, HEIGHT, PICTURE, TINT, PictureRows
from ui.panels.thumbnails import Thumbnails
from ui.queue import Job, Queue
from ui.text import duration
from ui.theme import scaled

JOB = Qt.ItemDataRole.UserRole
EMPTY = "Queue several runs in a row: each waits for its turn,\nwith the graph as it was when you queued it."


class QueuePanel(QWidget):
    """Drag a row, or press Alt+Up and Alt+Down, to change its place; Delete takes it off the list."""

    opened = Signal(object)  # the Graph of a job that is to be shown

    def __init__(self, queue: Queue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.queue = queue
        self.list = JobList(queue)
        self.hint = QLabel(EMPTY, alignment=Qt.AlignmentFlag.AlignCenter)
        self.hint.setObjectName("dim")
        self.summary = QLabel()
        self.summary.setObjectName("dim")
        self.pause = small_button("Pause", self._toggle_pause, "Finish the step that runs, then wait")
        self.cancel = small_button("Cancel", lambda: self._each(queue.cancel), "Do not run the selected jobs")
        self.retry = small_button("Retry", lambda: self._each(queue.retry), "Run the selected jobs once more")
        self.remove = small_button("Remove", lambda: self._each(queue.remove), "Take the selected jobs off the list")
        self.clear = small_button("Clear finished", queue.clear_over, "Take off the list what is over")
        self._lay_out()
        self.setFocusProxy(self.list)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.list.itemActivated.connect(lambda item: self.opened.emit(queue.job(item.data(JOB)).graph))
        self.list.itemSelectionChanged.connect(self._show)
        self.list.removing.connect(self.remove.click)
        queue.listed.connect(self._show)
        queue.changed.connect(self._show)
        self._show()

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.summary, 1)
        for button in (self.pause, self.cancel, self.retry, self.remove, self.clear):
            buttons.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 4, 10, 8)
        column.addLayout(buttons)
        column.addWidget(self.hint, 1)
        column.addWidget(self.list, 1)

    def _toggle_pause(self) -> None:
        (self.queue.resume if self.queue.paused else self.queue.pause)()

    def _each(self, act: Callable[[int], None]) -> None:
        for id in self.list.selected():
            act(id)

    def _show_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        for button in (self.cancel, self.retry, self.remove):
            action = QAction(button.text(), menu, enabled=button.isEnabled())
            action.triggered.connect(button.click)
            menu.addAction(action)
        menu.addSeparator()
        graphs = [self.queue.job(id).graph for id in self.list.selected()]
        action = QAction("Open this graph", menu, enabled=len(graphs) == 1)
        action.triggered.connect(lambda: self.opened.emit(graphs[0]))
        menu.addAction(action)
        menu.exec(self.list.viewport().mapToGlobal(at))

    def _show(self) -> None:
        queue = self.queue
        chosen = [job for job in queue.jobs if job.id in set(self.list.selected())]
        waiting = "Nothing waits" if not queue.waiting else f"{queue.waiting} waiting"
        state = "pausing after this step" if queue.pausing else "paused" if queue.paused else ""
        self.summary.setText(" · ".join(filter(None, (waiting, state))))
        self.pause.setText("Resume" if queue.paused else "Pause")
        self.cancel.setEnabled(any(not job.over for job in chosen))
        self.retry.setEnabled(any(job.over for job in chosen))
        self.remove.setEnabled(bool(chosen))
        self.clear.setEnabled(any(job.over for job in queue.jobs))
        self.hint.setVisible(not queue.jobs)
        self.list.setVisible(bool(queue.jobs))


class JobList(QListWidget):
    """A row for each job, in the order in which they run."""

    removing = Signal()  # the selected ones are to go

    def __init__(self, queue: Queue) -> None:
        super().__init__()
        self.queue = queue
        self._held: int | None = None  # the job that the mouse drags
        self._thumbnails = Thumbnails(self)
        self._thumbnails.loaded.connect(self._fill)
        self._pictures: dict[int, tuple[Picture, QPixmap]] = {}  # by job
        self.setAccessibleName("Queue")
        self.setItemDelegate(PictureRows(self))
        self.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        queue.listed.connect(self._fill)
        queue.changed.connect(self._refresh)
        self._fill()

    def selected(self) -> tuple[int, ...]:
        """Ids, in the order of the list."""
        return tuple(item.data(JOB) for row in range(self.count()) if (item := self.item(row)).isSelected())

    def _fill(self) -> None:
        chosen, current = set(self.selected()), self.currentItem()
        at = current.data(JOB) if current else None
        with QSignalBlocker(self):
            self.clear()
            for job in self.queue.jobs:
                item = QListWidgetItem(self)
                item.setData(JOB, job.id)
                self._write(item, job)
                if job.id == at:
                    self.setCurrentItem(item)
            for row, job in enumerate(self.queue.jobs):
                self.item(row).setSelected(job.id in chosen)
        ahead = next((row for row, job in enumerate(self.queue.jobs) if not job.over), -1)
        if ahead >= 0 and not chosen:
            self.scrollToItem(self.item(ahead))
        self.itemSelectionChanged.emit()

    def _refresh(self, id: int) -> None:
        for row in range(self.count()):
            if self.item(row).data(JOB) == id:
                self._write(self.item(row), self.queue.job(id))

    def _write(self, item: QListWidgetItem, job: Job) -> None:
        detail = _detail(job)
        item.setText(job.title)
        item.setData(DETAIL, detail)
        item.setData(FRACTION, job.fraction if job.state == "running" else None)
        item.setData(TINT, job.state if job.state in ("running", "done", "failed") else "dim")
        item.setData(PICTURE, self._picture(job))
        item.setToolTip(job.message or "\n".join(job.saved))
        item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{job.title}, {detail}")

    def _picture(self, job: Job) -> QPixmap | None:
        """Its newest result; after a restart, what it saved."""
        if job.picture is None:
            return self._thumbnails.get(job.saved[-1]) if job.saved else None
        made = self._pictures.get(job.id)
        if made is None or made[0] is not job.picture:
            side = scaled(2 * HEIGHT)
            small = pixmap(job.picture).scaled(side, side, Qt.AspectRatioMode.KeepAspectRatio)
            made = self._pictures[job.id] = (job.picture, small)
        return made[1]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()), 0)
        if step and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self._shift(step)
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removing.emit()
        else:
            super().keyPressEvent(event)

    def _shift(self, step: int) -> None:
        """Move the current job up or down."""
        row = self.currentRow()
        if 0 <= row + step < self.count() and row >= 0:
            self.queue.move(self.item(row).data(JOB), row + step)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        item = self.itemAt(event.position().toPoint())
        self._held = item.data(JOB) if item and event.button() == Qt.MouseButton.LeftButton else None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is None:
            super().mouseMoveEvent(event)
            return
        over = self.indexAt(event.position().toPoint()).row()
        held = [job.id for job in self.queue.jobs].index(self._held)
        if over >= 0 and over != held:
            self.queue.move(self._held, over)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = None
        super().mouseReleaseEvent(event)


def _detail(job: Job) -> str:
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

"""The queue as a list: what waits, runs and is over."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QLabel, QListView, QMenu, QVBoxLayout, QWidget

from ui.panels.job_rows import JobRows
from ui.runs.engine import FRAME_MS
from ui.runs.queue import Queue
from ui.widgets.buttons import small_button
from ui.widgets.flow import FlowLayout
from ui.widgets.picture_rows import PictureRows
from ui.widgets.seen import WhenSeen, seen

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
        self.cancel = small_button("Cancel", self._on_selected(queue.cancel), "Do not run the selected jobs")
        self.retry = small_button("Retry", self._on_selected(queue.retry), "Run the selected jobs once more")
        self.remove = small_button("Remove", self._on_selected(queue.remove), "Take the selected jobs off the list")
        self.clear = small_button("Clear finished", queue.clear_over, "Take off the list what is over")
        self._lay_out()
        self.setFocusProxy(self.list)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.list.activated.connect(lambda index: self.opened.emit(queue.job(self.list.rows.id(index.row())).graph))
        self.list.selectionModel().selectionChanged.connect(self._show)
        self.list.removing.connect(self.remove.click)
        follow = WhenSeen(self, self._follow)
        queue.listed.connect(follow.ask)
        queue.turned.connect(follow.ask)
        self._touched: dict[int, None] = {}  # jobs whose rows look different
        self._soon = QTimer(self, interval=FRAME_MS, singleShot=True)
        self._soon.timeout.connect(self._show_touched)
        queue.changed.connect(self._touch)
        self._follow()

    def _lay_out(self) -> None:
        buttons = (self.pause, self.cancel, self.retry, self.remove, self.clear)
        head = FlowLayout(self.summary, *buttons, growing=self.summary)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 4, 10, 8)
        column.addLayout(head)
        column.addWidget(self.hint, 1)
        column.addWidget(self.list, 1)

    def _toggle_pause(self) -> None:
        (self.queue.resume if self.queue.paused else self.queue.pause)()

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

    def _on_selected(self, act: Callable[..., None]) -> Callable[[], None]:
        return lambda: act(*self.list.selected())

    def _follow(self) -> None:
        self.list.follow()
        self._show()

    def _touch(self, id: int) -> None:
        """Every result of a run changes its job; nobody sees more of them than are painted."""
        self._touched[id] = None
        if not self._soon.isActive():
            self._soon.start()

    def _show_touched(self) -> None:
        """Not behind another panel: a row is looked up when it is painted."""
        touched, self._touched = self._touched, {}
        for id in touched if seen(self) else ():
            self.list.rows.touch(id)

    def _show(self) -> None:
        queue = self.queue
        chosen = [queue.job(id) for id in self.list.selected()]
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


class JobList(QListView):
    """A row for each job, in the order in which they run."""

    removing = Signal()  # the selected ones are to go

    def __init__(self, queue: Queue) -> None:
        super().__init__()
        self.queue = queue
        self.rows = JobRows(queue, self)
        self._held: int | None = None  # the job that the mouse drags
        self.setModel(self.rows)
        self.setAccessibleName("Queue")
        self.setItemDelegate(PictureRows(self))
        self.setUniformItemSizes(True)
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.rows.thumbnails.loaded.connect(lambda _: self.viewport().update())

    def selected(self) -> tuple[int, ...]:
        """Ids, in the order of the list. Rows of jobs that are gone stand until the list is followed."""
        ids = (self.rows.id(row) for row in sorted(index.row() for index in self.selectedIndexes()))
        return tuple(id for id in ids if self.queue.lists(id))

    def follow(self) -> None:
        """Show the list as it is now; what runs next is in view unless something is selected."""
        self.rows.follow()
        ahead = next((row for row, job in enumerate(self.queue.jobs) if not job.over), -1)
        if ahead >= 0 and not self.selectedIndexes():
            self.scrollTo(self.rows.index(ahead))

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
        row = self.currentIndex().row()
        if 0 <= row + step < self.rows.rowCount() and row >= 0:
            self.queue.move(self.rows.id(row), row + step)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        at = self.indexAt(event.position().toPoint())
        self._held = self.rows.id(at.row()) if at.isValid() and event.button() == Qt.MouseButton.LeftButton else None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is None:
            super().mouseMoveEvent(event)
            return
        over = self.indexAt(event.position().toPoint()).row()
        if over >= 0 and over != self.rows.row(self._held):
            self.queue.move(self._held, over)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = None
        super().mouseReleaseEvent(event)

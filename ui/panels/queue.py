"""The queue as a list: what waits, runs and is over."""

from __future__ import annotations

from collections.abc import Callable
from time import time

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel, QMenu, QVBoxLayout, QWidget

from ui.base.text import clock
from ui.panels.job_list import JobList
from ui.panels.job_rows import foremost
from ui.panels.night import NightView
from ui.runs.engine import FRAME_MS
from ui.runs.forecast import Forecast
from ui.runs.job import HIGHEST, LOWEST
from ui.runs.night import Night
from ui.runs.queue import Queue
from ui.widgets.buttons import small_button
from ui.widgets.flow import FlowLayout
from ui.widgets.seen import WhenSeen, seen

EMPTY = "Queue several runs in a row: each waits for its turn,\nwith the graph as it was when you queued it."


class QueuePanel(QWidget):
    """Drag a row, or press Alt+Up and Alt+Down, to change its place; + and - change its priority, Alt+Home puts it
    first, Delete takes it off the list.
    """

    opened = Signal(object)  # the Graph of a job that is to be shown
    pictures_wanted = Signal(object)  # paths of pictures that are to be shown

    def __init__(
        self, queue: Queue, parent: QWidget | None = None, forecast: Forecast | None = None, night: Night | None = None
    ) -> None:
        super().__init__(parent)
        self.queue, self.forecast = queue, forecast
        self.list = JobList(queue, forecast)
        self.night = NightView(night) if night is not None else None
        self.hint = QLabel(EMPTY, alignment=Qt.AlignmentFlag.AlignCenter)
        self.hint.setObjectName("dim")
        self.summary = QLabel()
        self.summary.setObjectName("dim")
        self.pause = small_button("Pause", self._toggle_pause, "Finish the step that runs, then wait")
        self.up = small_button("Raise", lambda: self._prioritise(1), "Before all of a lower priority (+)")
        self.down = small_button("Lower", lambda: self._prioritise(-1), "After all of a higher priority (-)")
        self.cancel = small_button("Cancel", self._on_selected(queue.cancel), "Do not run the selected jobs")
        self.retry = small_button("Retry", self._retry, "Run the selected jobs once more")
        self.remove = small_button("Remove", self._on_selected(queue.remove), "Take the selected jobs off the list")
        self.clear = small_button("Clear finished", queue.clear_over, "Take off the list what is over")
        self._lay_out()
        self.setFocusProxy(self.list)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.list.activated.connect(lambda index: self._open(index.row()))
        self.list.selectionModel().selectionChanged.connect(self._show)
        self.list.removing.connect(self.remove.click)
        self.list.prioritising.connect(self._prioritise)
        follow = WhenSeen(self, self._follow)
        queue.listed.connect(follow.ask)
        queue.turned.connect(follow.ask)
        self._touched: dict[int, None] = {}  # jobs whose rows look different
        self._soon = QTimer(self, interval=FRAME_MS, singleShot=True)
        self._soon.timeout.connect(self._show_touched)
        queue.changed.connect(self._touch)
        if forecast is not None:
            forecast.changed.connect(WhenSeen(self, self._show_ends).ask)
        self._follow()

    def _lay_out(self) -> None:
        buttons = (self.pause, self.up, self.down, self.cancel, self.retry, self.remove, self.clear)
        head = FlowLayout(self.summary, *buttons, growing=self.summary)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 4, 10, 8)
        if self.night is not None:
            column.addWidget(self.night)
            self.night.pictures_wanted.connect(self.pictures_wanted)
            self.night.failures_wanted.connect(self._show_failures)
        column.addLayout(head)
        column.addWidget(self.hint, 1)
        column.addWidget(self.list, 1)

    def _toggle_pause(self) -> None:
        (self.queue.resume if self.queue.paused else self.queue.pause)()

    def _show_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        waits = any(job.state == "pending" for job in self.list.jobs())
        first = QAction("Run first", menu, enabled=waits, toolTip="Before all that waits (Alt+Home)")
        first.triggered.connect(self.list.put_first)
        menu.addAction(first)
        for button in (self.up, self.down, self.cancel, self.retry, self.remove):
            action = QAction(button.text(), menu, enabled=button.isEnabled())
            action.triggered.connect(button.click)
            menu.addAction(action)
        menu.addSeparator()
        rows = [index.row() for index in self.list.selectedIndexes()]
        action = QAction("Open this graph", menu, enabled=len(rows) == 1)
        action.triggered.connect(lambda: self._open(rows[0]))
        menu.addAction(action)
        menu.exec(self.list.viewport().mapToGlobal(at))

    def _open(self, row: int) -> None:
        """Of a sweep, the cell that runs, or would run next."""
        if jobs := self.list.rows.jobs(row):
            self.opened.emit(foremost(jobs).graph)

    def _show_failures(self, document: str, why: str) -> None:
        """Choose the jobs that failed for this: to look at one, or try them again."""
        queue = self.queue
        self.list.choose(job.id for job in queue.jobs if (job.document, job.message) == (document, why) and job.over)

    def _prioritise(self, by: int) -> None:
        self.queue.prioritise(*self.list.selected(), by=by)

    def _retry(self) -> None:
        """Of a sweep, what is not made."""
        self.queue.retry(*(job.id for job in self.list.jobs() if not job.block or job.state != "done"))

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
        if seen(self):
            self.list.rows.touch(*touched)

    def _show_ends(self) -> None:
        self.list.viewport().update()
        self._show()

    def _show(self) -> None:
        queue = self.queue
        chosen = self.list.jobs()
        waiting = "Nothing waits" if not queue.waiting else f"{queue.waiting} waiting"
        state = "pausing after this step" if queue.pausing else "paused" if queue.paused else ""
        end = self.forecast.end if self.forecast else None
        when = f"all done {clock(end, time())}" if end is not None else ""
        self.summary.setText(" · ".join(filter(None, (waiting, state, when))))
        self.pause.setText("Resume" if queue.paused else "Pause")
        self.up.setEnabled(any(not job.over and job.priority < HIGHEST for job in chosen))
        self.down.setEnabled(any(not job.over and job.priority > LOWEST for job in chosen))
        self.cancel.setEnabled(any(not job.over for job in chosen))
        self.retry.setEnabled(any(job.over and not (job.block and job.state == "done") for job in chosen))
        self.remove.setEnabled(bool(chosen))
        self.clear.setEnabled(any(job.over for job in queue.jobs))
        self.hint.setVisible(not queue.jobs)
        self.list.setVisible(bool(queue.jobs))

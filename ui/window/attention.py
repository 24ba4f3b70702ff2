"""Whoever is elsewhere is told when what they wait for is done; and the computer stays awake until then."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from nodegraph.running.messages import Event, Idle
from ui.base.desktop import Awake, tell
from ui.base.settings import Settings
from ui.base.text import duration
from ui.panels.night import sums
from ui.runs.engine import Engine
from ui.runs.night import Night, Report
from ui.runs.queue import Queue

LONG_RUN = 60.0
"""Seconds of a run that somebody may have left alone."""

Tell = Callable[[QWidget, str, str], None]


class Attention(QObject):
    """Nothing is told while the window is the active one, nor when it is switched off
    in the settings.
    """

    def __init__(
        self, window: QWidget, settings: Settings, engine: Engine, queue: Queue, night: Night, tell: Tell = tell
    ) -> None:
        super().__init__(window)
        self._window, self._settings, self._queue, self._tell = window, settings, queue, tell
        self.awake = Awake()
        engine.happened.connect(self._hear)
        night.finished.connect(self._queue_done)
        queue.turned.connect(self._follow)
        queue.listed.connect(self._follow)
        settings.changed.connect(self._follow)

    def _say(self, title: str, text: str) -> None:
        if self._settings.now.notify and not self._window.isActiveWindow():
            self._tell(self._window, title, text)

    def _queue_done(self, report: Report) -> None:
        self._say("The queue is done", f"{sums(report)}, in {duration(report.ended - report.began)}")

    def sweep_ended(self, why: str) -> None:
        """One that other processes made. why: it could not be made whole; empty when it was, or was stopped."""
        self._say("The sweep has ended" if why else "The sweep is done", why or "What it made is in the gallery")

    def _hear(self, event: Event) -> None:
        match event:
            case Idle(seconds=seconds, stopped=False) if seconds >= LONG_RUN and self._queue.running is None:
                self._say("The run is done", f"In {duration(seconds)}")
            case _:
                pass

    def _follow(self) -> None:
        at_work = any(job.state == "running" for job in self._queue.jobs)
        self.awake.hold(at_work and self._settings.now.awake)

    def close(self) -> None:
        self.awake.hold(False)

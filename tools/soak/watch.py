"""What is measured while the work goes on: memory, files, threads, objects, and how long an event waits."""

from __future__ import annotations

import gc
import os
import threading
import time
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QApplication

from ui.base import heap
from ui.base.garbage import tracked

PROBES = 20  # a second


@dataclass(frozen=True, slots=True)
class Sample:
    """At one moment. minute: since the start. uss: memory that this process alone has written, and rss: with what it
    shares, in MB. python, qt: objects; qt: widgets. engine: MB of the engine process, 0 when there is none."""

    minute: float
    uss: float
    rss: float
    files: int
    threads: int
    python: int
    qt: int
    engine: float


class Wait(NamedTuple):
    """Of one event. at: seconds since the start. seconds: until it was taken. busy: those of them in which the window's
    thread computed; the rest, others had the processor."""

    at: float
    seconds: float
    busy: float


def sample(started: float, engine: int | None) -> Sample:
    """Now. started: time.monotonic() at the start. engine: its process. Linux only."""
    own = _kilobytes("/proc/self/smaps_rollup")
    other = _kilobytes(f"/proc/{engine}/status") if engine else {}
    return Sample(
        (time.monotonic() - started) / 60,
        # Unchanged pages of libraries count as private while no other program has them: 20 MB that come and go with it.
        own["Private_Dirty"] / 1000,
        own["Rss"] / 1000,
        len(os.listdir("/proc/self/fd")),
        len(os.listdir("/proc/self/task")),
        tracked() + gc.get_freeze_count(),  # what is set aside is in no list
        len(QApplication.allWidgets()),
        other.get("VmRSS", 0) / 1000,
    )


def settle() -> None:
    """Destroy what nobody holds any more, so that a sample counts what is kept. Its pages go back at once: the window
    would do so within two seconds, and whether it just has made a difference of 12 MB."""
    for _ in range(3):
        gc.collect()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    heap.trim()


def _kilobytes(file: str) -> dict[str, float]:
    """The lines "Name: 12 kB" of a file in /proc, in units of 1,000 bytes; none of a process that is gone."""
    try:
        lines = Path(file).read_text("ascii").splitlines()
    except OSError:
        return {}
    fields = (line.split() for line in lines if line.endswith(" kB"))
    return {name.rstrip(":"): float(value) * 1.024 for name, value, _ in fields}


class Probe(QObject):
    """Posts an event to the window's thread at a steady beat, as a keyboard would, and measures how long each waits.

    pause(): those that wait now do not count: the measuring itself is in their way. Made on the window's thread.
    """

    _posted = Signal(float, float, int)

    def __init__(self) -> None:
        super().__init__()
        self._measured = array("f")  # three numbers of each wait, so that the measuring leaves no object behind
        self._started = time.monotonic()
        self._clock = time.pthread_getcpuclockid(threading.get_ident())
        self._round = 0
        self._over = threading.Event()
        self._posted.connect(self._arrived, Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._beat, name="probe", daemon=True)

    @property
    def waits(self) -> list[Wait]:
        return [Wait(*self._measured[first : first + 3]) for first in range(0, len(self._measured), 3)]

    def start(self) -> None:
        self._thread.start()

    def pause(self) -> None:
        self._round += 1

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._over.wait(1 / PROBES):
            self._posted.emit(time.monotonic(), time.clock_gettime(self._clock), self._round)

    def _arrived(self, at: float, busy: float, round: int) -> None:
        if round == self._round:
            spent = time.clock_gettime(self._clock) - busy
            self._measured.extend((at - self._started, time.monotonic() - at, spent))

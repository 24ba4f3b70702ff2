"""Reference cycles are collected on the GUI thread alone, and never for so long that the window would not answer.

Python collects them on whichever thread happens to allocate. Qt objects are in such cycles, and one that is destroyed
on another thread leaves its timers and socket notifiers behind: endless warnings, or a crash.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtGui import QGuiApplication

PAUSE = 100  # ms
FULL = 500
"""Collections of the middle generation to one of everything, when little is made."""
MANY = 10_000
"""New objects that are looked through before they become old: 3 ms."""
MANY_OLD = 60_000
"""Old objects that are looked through at once: 15 ms. More, as of a document of ten thousand nodes, are set aside: they
are not looked at until nobody minds that the window does not answer for a tenth of a second."""
PATIENCE = 4
"""How often what is set aside is passed over while somebody uses the window."""


def tracked(generation: int | None = None) -> int:
    """How many objects Python's collector knows; those of one generation, or all that are not frozen."""
    # In one go, without a bytecode between: while the list of them is there, the tuple that another thread is making
    # has a reference too many, and Python ends that thread with a SystemError.
    return next(map(len, map(gc.get_objects, (generation,))))


class GarbageCollector(QObject):
    """In place of Python's automatic collection, from now until `close`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.collect()
        self._at_start = tracked()
        gc.freeze()  # what is there by now stays; not looking at it again keeps a collection within milliseconds
        gc.disable()
        self._middle = self._old = 0  # objects that may be in these generations; many of them are gone by themselves
        self._aside = False  # whether there are objects that are set aside
        self._passed_over = 0
        timer = QTimer(self, interval=PAUSE)
        timer.timeout.connect(self.collect)
        timer.start()

    def close(self) -> None:
        gc.unfreeze()
        gc.enable()

    def collect(self) -> None:
        """The oldest generation whose turn it is, as Python would have done it; less often all, sooner when they grow
        quickly.
        """
        counts, limits = gc.get_count(), (*gc.get_threshold()[:2], FULL)
        due = [n for n, (count, limit) in enumerate(zip(counts, limits, strict=True)) if count > limit]
        if not due:
            return
        self._middle += counts[0]
        if due[-1] == 0 and self._middle <= MANY:
            gc.collect(0)
            return
        self._old += self._middle
        self._middle = 0
        if due[-1] == 2:
            self._collect_all()
        else:
            gc.collect(1)
        if self._old > MANY_OLD:
            self._old = tracked(2)
        if self._old > MANY_OLD:
            gc.freeze()
            self._old, self._aside = 0, True

    def _collect_all(self) -> None:
        whole = self._aside and self._may_take_long()
        if whole:
            gc.unfreeze()
        gc.collect()
        if whole:
            self._aside = tracked() > self._at_start + MANY_OLD
            gc.freeze()

    def _may_take_long(self) -> bool:
        used = QGuiApplication.applicationState() == Qt.ApplicationState.ApplicationActive
        self._passed_over = self._passed_over + 1 if used and self._passed_over < PATIENCE else 0
        return not self._passed_over

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
SOON = 1000
"""Milliseconds from `look_again` to a look at everything; several documents that are closed in a row are one."""
LATER = 30_000
"""The same while objects are set aside: that look is the one which takes long."""


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
        gc.freeze()  # what is there by now stays; not looking at it again keeps a collection within milliseconds
        gc.disable()
        self._middle = self._old = 0  # objects that may be in these generations; many of them are gone by themselves
        self._aside = False  # whether any objects of documents are set aside
        self._passed_over = 0
        timer = QTimer(self, interval=PAUSE)
        timer.timeout.connect(self.collect)
        timer.start()
        self._soon = QTimer(self, singleShot=True)
        self._soon.timeout.connect(self._look_at_everything)

    def close(self) -> None:
        gc.unfreeze()
        gc.enable()

    def look_again(self) -> None:
        """Something large was let go of, such as a document with its views: what is old by now may be garbage."""
        if not self._soon.isActive():  # or else who closes one after the other would put it off for ever
            self._soon.start(LATER if self._aside else SOON)

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
        if self._aside and self._may_take_long():
            self._look_at_everything()
        else:
            gc.collect()

    def _look_at_everything(self) -> None:
        if not self._aside:
            gc.collect()
            return
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._old = 0

    def _may_take_long(self) -> bool:
        used = QGuiApplication.applicationState() == Qt.ApplicationState.ApplicationActive
        self._passed_over = self._passed_over + 1 if used and self._passed_over < PATIENCE else 0
        return not self._passed_over

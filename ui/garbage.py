"""Reference cycles are collected on the GUI thread alone.

Python collects them on whichever thread happens to allocate. Qt objects are in such cycles, and one that is destroyed
on another thread leaves its timers and socket notifiers behind: endless warnings, or a crash.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

PAUSE = 500  # ms


class GarbageCollector(QObject):
    """In place of Python's automatic collection, from now until `close`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.collect()
        gc.freeze()  # what is there by now stays; not looking at it again keeps a collection within milliseconds
        gc.disable()
        timer = QTimer(self, interval=PAUSE)
        timer.timeout.connect(collect)
        timer.start()

    def close(self) -> None:
        gc.unfreeze()
        gc.enable()


def collect() -> None:
    """The oldest generation whose turn it is, as Python would have done it."""
    full = [n for n, (count, limit) in enumerate(zip(gc.get_count(), gc.get_threshold(), strict=True)) if count > limit]
    if full:
        gc.collect(full[-1])

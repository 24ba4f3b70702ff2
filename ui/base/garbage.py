"""Reference cycles are collected on the GUI thread alone.

Python collects them on whichever thread happens to allocate. Qt objects are in such cycles, and one that is destroyed
on another thread leaves its timers and socket notifiers behind: endless warnings, or a crash.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

PAUSE = 500  # ms
FULL = 100
"""Collections of the middle generation to one of everything: with large graphs open, that one takes 0.1 s."""


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
    """The oldest generation whose turn it is, as Python would have done it; all of them less often than Python."""
    limits = (*gc.get_threshold()[:2], FULL)
    full = [n for n, (count, limit) in enumerate(zip(gc.get_count(), limits, strict=True)) if count > limit]
    if full:
        gc.collect(full[-1])

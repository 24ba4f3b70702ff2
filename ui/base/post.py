"""Events on their way from the thread that reads them to the window's: in batches, and never more than a few."""

from __future__ import annotations

import threading
from collections import deque

from PySide6.QtCore import QObject, Signal

from nodegraph.running.messages import Event, Finished, Gone, Progress, Seen

FULL, FULL_BYTES = 1000, 32 << 20
"""Events that may wait, and what their pictures may hold. When there is more the reader waits, then the pipe is full,
and then the engine waits."""


class Post(QObject):
    """The reader thread holds it: it lasts as long, whatever becomes of the engine."""

    arrived = Signal()  # there is something to take; emitted by the reader thread

    def __init__(self) -> None:
        super().__init__()
        self._events: deque[Event] = deque()
        self._changed = threading.Condition()
        self._bytes = 0  # of the pictures in them
        self._open = False

    def put(self, event: Event) -> None:
        """Called by the reader. Waits while too many are there, but not with the news that no more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_room or self._open or isinstance(event, Gone))
            first = not self._events
            self._events.append(event)
            self._bytes += _nbytes(event)
        if first:
            self.arrived.emit()

    @property
    def _has_room(self) -> bool:
        return len(self._events) < FULL and self._bytes < FULL_BYTES

    def take(self) -> Event | None:
        """The oldest one; None when there is none."""
        with self._changed:
            event = self._events.popleft() if self._events else None
            self._bytes -= _nbytes(event)
            self._changed.notify()
        return event

    def set_open(self, open: bool) -> None:
        """Whether nobody has to wait: for those who wait for the reader."""
        with self._changed:
            self._open = open
            self._changed.notify()


def _nbytes(event: Event | None) -> int:
    match event:
        case Finished() | Seen():
            picture = event.picture
        case Progress():
            picture = event.preview
        case _:
            picture = None
    return len(picture.rgb) if picture else 0

"""Who has work to do in pieces takes turns: one slice, then the window answers, then whoever waits longest.

With a timer each, all of them would work between two answers.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress

from PySide6.QtCore import QCoreApplication, QObject, QTimer, Signal


class Turn(QObject):
    """came: it is this one's turn; who has more to do asks again."""

    came = Signal()

    @property
    def asked(self) -> bool:
        return self in _waiting

    def ask(self) -> None:
        """Wait for a turn; once, however often it is asked for."""
        if self not in _waiting:
            _waiting.append(self)
            _start()

    def withdraw(self) -> None:
        if self in _waiting:
            _waiting.remove(self)


_waiting: deque[Turn] = deque()
_timers: list[QTimer] = []  # at most one


def _start() -> None:
    if _timers:
        with suppress(RuntimeError):  # it went with its application
            _timers[0].start()
            return
    # A single shot: work may open a dialog, in which others act.
    timer = QTimer(QCoreApplication.instance(), interval=0, singleShot=True)
    timer.timeout.connect(_next)
    timer.start()
    _timers[:] = [timer]


def _next() -> None:
    while _waiting:
        turn = _waiting.popleft()
        if _waiting:
            _start()  # first: the work may open a dialog
        with suppress(RuntimeError):  # deleted with what it belonged to
            turn.came.emit()
            return

"""What takes time waits until people see the window."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QWidget

LATEST = 1000  # ms


class WhenPainted(QObject):
    """Acts once, when a widget is painted for the first time; a second from now, if it is on no screen by then.

    A timer alone comes too early: what a desktop shows it asks for when it has answered.
    """

    def __init__(self, widget: QWidget, act: Callable[[], object], latest: int = LATEST) -> None:
        """latest: in milliseconds."""
        super().__init__(widget)
        self._timer = QTimer(self, interval=latest, singleShot=True)
        self._timer.timeout.connect(lambda: widget.removeEventFilter(self))
        self._timer.timeout.connect(act)
        self._timer.start()
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            watched.removeEventFilter(self)
            self._timer.start(0)  # when all of it is painted
        return False

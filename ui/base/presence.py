"""For how long nobody has touched the window."""

from __future__ import annotations

import time

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QWindow

TOUCHES = frozenset(
    (
        QEvent.Type.MouseMove,
        QEvent.Type.MouseButtonPress,
        QEvent.Type.Wheel,
        QEvent.Type.KeyPress,
        QEvent.Type.TouchBegin,
        QEvent.Type.TabletMove,
    )
)


class Presence(QObject):
    """It looks at what comes to the window itself, of which there is one, and not at its thousand parts."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._touched = time.monotonic()

    def watch(self, window: QWindow) -> None:
        window.installEventFilter(self)

    def away(self) -> float:
        """In seconds."""
        return time.monotonic() - self._touched

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in TOUCHES:
            self._touched = time.monotonic()
        return False

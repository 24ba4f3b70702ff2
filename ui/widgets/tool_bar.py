"""A bar of tools that a long day does not make slower."""

from __future__ import annotations

from PySide6.QtCore import SIGNAL, QEvent, QObject
from PySide6.QtGui import QActionEvent
from PySide6.QtWidgets import QToolBar


class ToolBar(QToolBar):
    """Each button is told once of a change of its action."""

    def actionEvent(self, event: QActionEvent) -> None:
        """At every change Qt 6.11 has the button listen to its action once more, and forgets none of the earlier times:
        a day of undo, whose words change with each edit, would be told ten thousand times of the next. The button is
        told after its bar, and listens again then.
        """
        super().actionEvent(event)
        button = self.widgetForAction(event.action())
        if event.type() == QEvent.Type.ActionChanged and button:
            # None: whatever it listens with.
            QObject.disconnect(event.action(), SIGNAL("changed()"), button, None)  # type: ignore[arg-type]

"""Panels that nobody sees do nothing: they catch up when they come into view."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QWidget


def seen(widget: QWidget) -> bool:
    """Whether some of it is on the screen. Qt calls visible what lies behind another tab of the same dock area.

    What is told of a widget by Qt itself leaves out what widgets in it cover; people see those too.
    """
    if not widget.isVisible():
        return False
    area = widget.rect()
    while not widget.isWindow() and (around := widget.parentWidget()):
        area = area.translated(widget.pos()) & around.rect()
        widget = around
    return not area.isEmpty()


class WhenSeen(QObject):
    """What a widget does at once while it is seen; else once when it comes into view, however often it is due."""

    _due = False
    """Here too: Qt still asks a filter that Python has emptied, on its way out with its widget."""

    def __init__(self, widget: QWidget, act: Callable[[], object]) -> None:
        super().__init__(widget)
        self._widget, self._act = widget, act
        widget.installEventFilter(self)

    def ask(self, *_: object) -> None:
        """It is due. Takes the arguments of any signal."""
        if seen(self._widget):
            self._act()
        else:
            self._due = True

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if self._due and event.type() in (QEvent.Type.Show, QEvent.Type.Paint):
            self._due = False
            if event.type() == QEvent.Type.Show:
                self._act()
            else:
                QTimer.singleShot(0, self, self._act)  # not while it is being painted
        return False

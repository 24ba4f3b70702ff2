"""The look of what nobody sees takes time that nobody needs to wait for: it is given when it comes into view."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager, suppress
from functools import cache

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QApplication, QStyle, QWidget

_POLISHED = Qt.WidgetAttribute.WA_WState_Polished
"""Qt gives a new style to those that have it already."""

_LEFT = "looks as before"
"""A property of widgets. They are marked and watched without any object of Python's, which may be collected before."""


def out_of_sight(widget: QWidget, unseen: Collection[QWidget] = ()) -> Iterator[QWidget]:
    """The outermost of those in it that are hidden, or among these."""
    if widget.isHidden() or widget in unseen:
        yield widget
        return
    for child in widget.children():
        if isinstance(child, QWidget):
            yield from out_of_sight(child, unseen)


def in_sight(widget: QWidget, unseen: Collection[QWidget] = ()) -> Iterator[QWidget]:
    """It and all that is in it, but for what is out of sight; what is around others first."""
    if widget.isHidden() or widget in unseen:
        return
    yield widget
    for child in widget.children():
        if isinstance(child, QWidget):
            yield from in_sight(child, unseen)


@contextmanager
def unheard(app: QApplication) -> Generator[None]:
    """Meanwhile no widget is told that the style is another: each is told when it is dressed."""
    app.installEventFilter(_deaf())
    yield
    app.removeEventFilter(_deaf())


def undress(widgets: Collection[QWidget]) -> None:
    """A new style of the program leaves them as they are, until they are dressed."""
    for widget in widgets:
        widget.setAttribute(_POLISHED, False)


def dress(widget: QWidget) -> None:
    """Give it the look of the program, and tell it. Nothing is done for one that is gone."""
    with suppress(RuntimeError):  # as Qt says of one that it has deleted
        if not widget.testAttribute(_POLISHED):
            widget.setAttribute(_POLISHED, True)
            _style_of(widget).polish(widget)
        QApplication.sendEvent(widget, QEvent(QEvent.Type.StyleChange))


def _style_of(widget: QWidget) -> QStyle:
    """The program's, unless the widget, or one around it, has a sheet of its own.

    A widget that is asked for its style keeps what it is told: a Python object for each look that it ever had.
    """
    around: QWidget | None = widget
    while around is not None:
        if around.styleSheet():
            return widget.style()
        around = around.parentWidget()
    return QApplication.style()


def leave_for_later(widget: QWidget) -> None:
    """It, and what is in it, keeps the look that it has until it is shown, or `restyle` is called."""
    undress(_parts(widget))
    widget.setProperty(_LEFT, True)
    widget.installEventFilter(_watcher())  # Qt does so once, however often


def restyle(widget: QWidget) -> None:
    """Give a widget that was left, and what is in it, the look of the program. One that has it is left alone."""
    if not widget.property(_LEFT):
        return
    widget.setProperty(_LEFT, None)
    widget.removeEventFilter(_watcher())
    for part in _parts(widget):
        dress(part)


def _parts(widget: QWidget) -> list[QWidget]:
    return [widget, *widget.findChildren(QWidget)]


class _WhenShown(QObject):
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget):
            restyle(watched)
        return False


@cache
def _watcher() -> _WhenShown:
    return _WhenShown()


class _Deaf(QObject):
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        return event.type() == QEvent.Type.StyleChange


@cache
def _deaf() -> _Deaf:
    return _Deaf()

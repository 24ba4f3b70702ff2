"""The look of what nobody sees takes time that nobody needs to wait for: it is given when it comes into view."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from weakref import WeakSet

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QWidget

_POLISHED = Qt.WidgetAttribute.WA_WState_Polished
"""Qt gives a new style to those that have it already."""

_unstyled: WeakSet[QWidget] = WeakSet()


def out_of_sight(widget: QWidget, unseen: Collection[QWidget] = ()) -> Iterator[QWidget]:
    """The outermost of those in it that are hidden, or among these."""
    if widget.isHidden() or widget in unseen:
        yield widget
        return
    for child in widget.children():
        if isinstance(child, QWidget):
            yield from out_of_sight(child, unseen)


def leave_for_later(widget: QWidget) -> None:
    """It, and what is in it, keeps the look that it has until it is shown, or `restyle` is called."""
    for part in _parts(widget):
        part.setAttribute(_POLISHED, False)
    if widget not in _unstyled and widget.isHidden():
        _WhenShown(widget)
    _unstyled.add(widget)


def restyle(widget: QWidget) -> None:
    """Give a widget that was left, and what is in it, the look of the program. One that has it is left alone."""
    if widget not in _unstyled:
        return
    _unstyled.discard(widget)
    for part in _parts(widget):
        if not part.testAttribute(_POLISHED):
            part.setAttribute(_POLISHED, True)
            part.style().polish(part)


def _parts(widget: QWidget) -> list[QWidget]:
    return [widget, *widget.findChildren(QWidget)]


class _WhenShown(QObject):
    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self._widget = widget  # or else Python would forget that it has none
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show:
            restyle(self._widget)
            self._widget.removeEventFilter(self)
            self.deleteLater()
        return False

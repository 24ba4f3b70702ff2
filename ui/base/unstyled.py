"""What Qt's style sheets note of the inner parts of widgets, and would keep for good."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtWidgets import QAbstractScrollArea, QAbstractSpinBox, QComboBox, QWidget


def let_go(widget: QWidget) -> None:
    """Have what is noted of a widget that is about to be deleted, and of all that is in it, forgotten with it.

    The line of a number box, the list of a combo box and what a scroll area scrolls have no style of their own. Qt 6.11
    notes that, a kilobyte for each, and keeps it until the look of the program is another: it waits for the end of
    those alone that had a style once.
    """
    for part in _parts(widget):
        part.setStyleSheet(" ")
        part.setStyleSheet("")


def _parts(widget: QWidget) -> Iterator[QWidget]:
    for inner in (widget, *widget.findChildren(QWidget)):
        if isinstance(inner, QAbstractSpinBox):
            yield inner.lineEdit()
        elif isinstance(inner, QComboBox):
            yield inner.view().window()
        elif isinstance(inner, QAbstractScrollArea):
            yield inner.viewport()

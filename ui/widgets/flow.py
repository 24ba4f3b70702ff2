"""Widgets in a row that goes on below where there is no more room: no panel makes the window wider than the screen."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem, QWidget
from shiboken6 import Shiboken

GAP = 4  # pixels

_Line = list[tuple[QLayoutItem, QSize]]
"""What is beside each other, with the sizes that they would have."""


class FlowLayout(QLayout):
    """Lines of widgets. growing: the one that takes what is left of its line."""

    def __init__(self, *widgets: QWidget, growing: QWidget | None = None) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self._known: _Line | None = None  # those that are shown
        self._growing = growing
        self.destroyed.connect(partial(_delete, self._items))  # which Qt leaves to each layout
        self.setContentsMargins(0, 0, 0, 0)
        for widget in widgets:
            self.addWidget(widget)

    def invalidate(self) -> None:
        """Qt calls it when one of them is shown or hidden, or would have another size: it asks often in between."""
        self._known = None
        super().invalidate()

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)
        self._known = None

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:  # type: ignore[override]  None ends the list
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:  # type: ignore[override]
        self._known = None
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation.Horizontal

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        margins = self.contentsMargins()
        lines = self._lines(width - margins.left() - margins.right())
        return sum(map(_height, lines)) + GAP * max(len(lines) - 1, 0) + margins.top() + margins.bottom()

    def minimumSize(self) -> QSize:
        """Of the widest widget: the height follows from the width."""
        found = QSize()
        for item, _ in self._shown():
            found = found.expandedTo(item.minimumSize())
        return found.grownBy(self.contentsMargins())

    def sizeHint(self) -> QSize:
        """All in one line."""
        line = self._shown()
        return QSize(_width(line), _height(line)).grownBy(self.contentsMargins())

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        room = self.contentsRect()
        top = room.top()
        for line in self._lines(room.width()):
            left, height = room.left(), _height(line)
            spare = room.width() - _width(line)
            for item, size in line:
                grown = spare if item.widget() is self._growing else 0
                width = min(size.width() + grown, room.width())
                item.setGeometry(QRect(left, top + (height - size.height()) // 2, width, size.height()))
                left += width + GAP
            top += height + GAP

    def _shown(self) -> _Line:
        if self._known is None:
            self._known = [(item, item.sizeHint()) for item in self._items if not item.isEmpty()]
        return self._known

    def _lines(self, width: int) -> list[_Line]:
        lines: list[_Line] = []
        left = 0
        for item, size in self._shown():
            left -= GAP + size.width()
            if left < 0:
                lines.append([])
                left = width - size.width()
            lines[-1].append((item, size))
        return lines


def _delete(items: list[QLayoutItem]) -> None:
    for item in items:
        Shiboken.delete(item)


def _width(line: _Line) -> int:
    return sum(size.width() for _, size in line) + GAP * max(len(line) - 1, 0)


def _height(line: _Line) -> int:
    return max((size.height() for _, size in line), default=0)

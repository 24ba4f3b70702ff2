"""Widgets in a row that goes on below where there is no more room: no panel makes the window wider than the screen."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem, QWidget
from shiboken6 import Shiboken

GAP = 4  # pixels


class FlowLayout(QLayout):
    """Lines of widgets. growing: the one that takes what is left of its line."""

    def __init__(self, *widgets: QWidget, growing: QWidget | None = None) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self._growing = growing
        self.destroyed.connect(partial(_delete, self._items))  # which Qt leaves to each layout
        self.setContentsMargins(0, 0, 0, 0)
        for widget in widgets:
            self.addWidget(widget)

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:  # type: ignore[override]  None ends the list
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:  # type: ignore[override]
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
        for item in self._shown():
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
            for item in line:
                grown = spare if item.widget() is self._growing else 0
                size = QSize(min(item.sizeHint().width() + grown, room.width()), item.sizeHint().height())
                item.setGeometry(QRect(QPoint(left, top + (height - size.height()) // 2), size))
                left += size.width() + GAP
            top += height + GAP

    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if not item.isEmpty()]

    def _lines(self, width: int) -> list[list[QLayoutItem]]:
        lines: list[list[QLayoutItem]] = []
        for item in self._shown():
            if lines and _width([*lines[-1], item]) <= width:
                lines[-1].append(item)
            else:
                lines.append([item])
        return lines


def _delete(items: list[QLayoutItem]) -> None:
    for item in items:
        Shiboken.delete(item)


def _width(line: list[QLayoutItem]) -> int:
    return sum(item.sizeHint().width() for item in line) + GAP * max(len(line) - 1, 0)


def _height(line: list[QLayoutItem]) -> int:
    return max((item.sizeHint().height() for item in line), default=0)

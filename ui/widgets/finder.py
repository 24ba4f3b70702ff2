"""A search box over a list: type, choose with the arrow keys, Return."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QFontMetricsF, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from ui.base.theme import color, colors, panel_font, scaled
from ui.base.unstyled import let_go

WIDTH, ROW = 440, 46  # pixels, before the user's scale
SHOWN = 8  # rows that are seen at once, at most
PAGE = 7  # rows that Page Up and Page Down pass


@dataclass(frozen=True, slots=True)
class Entry:
    """Title at the left, `kind` at the right, `about` below. color: of the dot in front. value: what is chosen."""

    title: str
    kind: str
    about: str
    color: str
    value: Any


class Finder(QFrame):
    """Return or a click chooses, Escape or a click elsewhere closes. It is as high as what it found needs.

    find: the entries for what is typed, best first.
    """

    chosen = Signal(object)  # the value of an entry

    def __init__(self, hint: str, find: Callable[[str], Sequence[Entry]], parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setObjectName("palette")
        self._find = find
        self.box = QLineEdit(self)
        self.box.setPlaceholderText(hint)
        self.box.setAccessibleName(hint)
        self.box.textChanged.connect(self._fill)
        self.box.installEventFilter(self)
        self.list = QListWidget(self)
        self.list.setAccessibleName("What was found")
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setItemDelegate(_Lines(self.list))
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setUniformItemSizes(True)
        self.list.itemClicked.connect(self._choose)
        self.nothing = QLabel("Nothing found")
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.box)
        layout.addWidget(self.list)
        layout.addWidget(self.nothing)
        self.box.setFixedWidth(scaled(WIDTH))
        layout.setSizeConstraint(QLayout.SizeConstraint.SetFixedSize)
        self.list.ensurePolished()  # the style gives it an edge
        self._fill("")

    def open_at(self, place: QPoint) -> None:
        """place: on the screen; the list keeps inside it."""
        self.adjustSize()
        screen = self.screen().availableGeometry()
        x = min(place.x(), screen.right() - self.width())
        y = min(place.y(), screen.bottom() - self.height())
        self.move(max(x, screen.left()), max(y, screen.top()))
        self.show()
        self.box.setFocus()

    def _fill(self, typed: str) -> None:
        self.list.clear()
        for entry in self._find(typed):
            item = QListWidgetItem(entry.title, self.list)
            item.setData(Qt.ItemDataRole.UserRole, entry)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{entry.title}, {entry.kind}. {entry.about}")
        self.list.setCurrentRow(0)
        edges = self.list.contentsMargins()
        rows = min(self.list.count(), SHOWN)
        self.list.setVisible(rows > 0)
        self.nothing.setVisible(rows == 0)
        self.list.setFixedSize(scaled(WIDTH), rows * scaled(ROW) + edges.top() + edges.bottom())

    def _choose(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.close()
            self.chosen.emit(item.data(Qt.ItemDataRole.UserRole).value)

    def closeEvent(self, event: QCloseEvent) -> None:
        let_go(self)
        super().closeEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Arrow keys and Return in the search box act on the list."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: PAGE, Qt.Key.Key_PageUp: -PAGE}
            step = steps.get(Qt.Key(event.key()))
            if step is not None:
                self.list.setCurrentRow(min(max(self.list.currentRow() + step, 0), self.list.count() - 1))
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._choose(self.list.currentItem())
                return True
        return super().eventFilter(watched, event)


class _Lines(QStyledItemDelegate):
    """Paints an entry on two lines."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(0, scaled(ROW))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        entry: Entry = index.data(Qt.ItemDataRole.UserRole)
        widget = self.parent()
        assert isinstance(widget, QListWidget)
        rect = QRectF(option.rect)  # type: ignore[attr-defined]  stubs leave out the fields
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        if index.row() == widget.currentRow():
            painter.setBrush(color(colors().selected))
            painter.drawRoundedRect(rect, 5, 5)
        painter.setBrush(color(entry.color))
        painter.drawEllipse(rect.topLeft() + QPoint(scaled(14), scaled(15)), 4.5, 4.5)
        self._write(painter, entry, rect.adjusted(scaled(28), 0, -scaled(10), 0))
        painter.restore()

    def _write(self, painter: QPainter, entry: Entry, rect: QRectF) -> None:
        small, normal = panel_font(12), panel_font(13, strong=True)
        wide = QFontMetricsF(small).horizontalAdvance(entry.kind)
        lines = ((entry.title, normal, colors().text, 20, wide + 12), (entry.about, small, colors().dim, 38, 0))
        for text, font, tint, base, taken in lines:
            painter.setFont(font)
            painter.setPen(color(tint))
            fitting = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, rect.width() - taken)
            painter.drawText(rect.topLeft() + QPoint(0, scaled(base)), fitting)
        painter.setPen(color(colors().faint))
        painter.drawText(QPoint(round(rect.right() - wide), round(rect.top()) + scaled(20)), entry.kind)

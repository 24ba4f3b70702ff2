"""Find a node type by typing, and add it."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from nodegraph.node import NodeType
from ui.text import label


def search(types: Iterable[NodeType], query: str) -> list[NodeType]:
    """The types that match every word of the query, best first; all of them, by category, for no query."""
    words = query.lower().split()
    ranked = [(_rank(type, words), type.category, type.title, type.id, type) for type in types]
    return [found[-1] for found in sorted((r for r in ranked if r[0] is not None), key=lambda r: r[:-1])]


def _rank(type: NodeType, words: list[str]) -> int | None:
    """Lower is better; None when a word is nowhere."""
    total = 0
    for word in words:
        rank = _word_rank(type, word)
        if rank is None:
            return None
        total += rank
    return total


def _word_rank(type: NodeType, word: str) -> int | None:
    title = type.title.lower()
    names = " ".join((title, type.id.replace(".", " ").replace("_", " "), *type.aliases)).lower()
    if title.startswith(word):
        return 0
    if any(name.startswith(word) for name in names.split()):
        return 1
    if word in names:
        return 2
    letters = iter(title)
    if all(letter in letters for letter in word):  # in this order, with others between
        return 4
    return 8 if word in type.doc.lower() else None


class Palette(QFrame):
    """A search box over a list; Return or a click chooses, Escape or a click elsewhere closes."""

    chosen = Signal(str)  # node type id

    def __init__(self, types: Iterable[NodeType], parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setObjectName("palette")
        self.types = list(types)
        self.box = QLineEdit(self)
        self.box.setPlaceholderText("Add a node: type what it does")
        self.box.textChanged.connect(self._fill)
        self.box.installEventFilter(self)
        self.list = QListWidget(self)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.itemClicked.connect(self._choose)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.box)
        layout.addWidget(self.list)
        self.resize(340, 380)
        self._fill("")

    def open_at(self, place: QPoint) -> None:
        """place: on the screen."""
        self.move(place)
        self.show()
        self.box.setFocus()

    def _fill(self, query: str) -> None:
        self.list.clear()
        for type in search(self.types, query):
            family = label(type.category.partition(":")[0])
            item = QListWidgetItem(f"{type.title}   ·   {family}", self.list)
            item.setData(Qt.ItemDataRole.UserRole, type.id)
            item.setToolTip(type.doc)
        self.list.setCurrentRow(0)

    def _choose(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.chosen.emit(item.data(Qt.ItemDataRole.UserRole))
            self.close()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Arrow keys and Return in the search box act on the list."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            if step is not None:
                self.list.setCurrentRow(min(max(self.list.currentRow() + step, 0), self.list.count() - 1))
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._choose(self.list.currentItem())
                return True
        return super().eventFilter(watched, event)

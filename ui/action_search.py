"""Find an action by typing what it does, and do it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QFrame, QLineEdit, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from ui.actions import Action, Actions
from ui.theme import scaled

MOVES = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: 8, Qt.Key.Key_PageUp: -8}


def search(actions: list[Action], query: str) -> list[Action]:
    """Those in which every word of the query occurs; those whose name begins with it come first."""
    words = query.lower().split()

    def rank(action: Action) -> int | None:
        text = f"{action.menu} {action.submenu} {action.name} {action.tip}".lower()
        if not all(word in text for word in words):
            return None
        name = action.name.lower()
        return 0 if name.startswith(query.lower().strip()) else 1 if all(word in name for word in words) else 2

    ranked = [(rank(action), index, action) for index, action in enumerate(actions)]
    return [action for found, _, action in sorted((r for r in ranked if r[0] is not None), key=lambda r: r[:2])]


class ActionSearch(QFrame):
    """A box over the list of what can be done now; Return or a click does it, Escape closes."""

    def __init__(self, actions: Actions, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setObjectName("palette")
        self.actions_table = actions
        self.box = QLineEdit(self)
        self.box.setPlaceholderText("Find an action: type what you want to do")
        self.box.setAccessibleName("Find an action")
        self.box.textChanged.connect(self._fill)
        self.box.installEventFilter(self)
        self.list = QTreeWidget(self)
        self.list.setHeaderHidden(True)
        self.list.setRootIsDecorated(False)
        self.list.setColumnCount(2)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.items: list[QTreeWidgetItem] = []
        self.list.itemClicked.connect(self._choose)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.box)
        layout.addWidget(self.list)
        self.resize(scaled(460), scaled(380))
        self.list.setColumnWidth(0, scaled(310))
        self._fill("")

    def open_at(self, place: QPoint) -> None:
        """place: on the screen, of the middle of the upper edge."""
        self.move(place - QPoint(self.width() // 2, 0))
        self.show()
        self.box.setFocus()

    def _fill(self, query: str) -> None:
        self.list.clear()
        self.items = []
        able = [action for id, action in self.actions_table.table.items() if self.actions_table.qt[id].isEnabled()]
        for action in search(able, query):
            made = self.actions_table.qt[action.id]
            where = " · ".join(part for part in (action.menu.capitalize(), action.submenu, action.name) if part)
            keys = made.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            item = QTreeWidgetItem(self.list, [where, keys])
            item.setData(0, Qt.ItemDataRole.UserRole, action.id)
            item.setToolTip(0, action.tip)
            self.items.append(item)
        self._go(0)

    def _go(self, row: int) -> None:
        if self.items:
            self.list.setCurrentItem(self.items[min(max(row, 0), len(self.items) - 1)])

    def _choose(self, item: QTreeWidgetItem | None) -> None:
        if item is not None:
            made = self.actions_table.qt[item.data(0, Qt.ItemDataRole.UserRole)]
            self.close()  # first: the action may open something of its own
            made.trigger()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Arrow keys and Return in the box act on the list."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = MOVES.get(Qt.Key(event.key()))
            if step is not None:
                self._go(self.list.indexOfTopLevelItem(self.list.currentItem()) + step)
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._choose(self.list.currentItem())
                return True
        return super().eventFilter(watched, event)

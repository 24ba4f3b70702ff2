"""Change which keys do what. Every change holds at once."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QBrush, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ui.actions.keys import PRESETS, bound, conflicts
from ui.actions.search import search
from ui.actions.table import Action, Actions, sequences
from ui.base.settings import Settings
from ui.base.theme import color, colors, dialog_size, scaled
from ui.widgets.fields import ComboBox

ID = Qt.ItemDataRole.UserRole


class KeysDialog(QDialog):
    """A preset, a list of all actions that can be searched, and a field that takes the keys for the chosen one."""

    def __init__(self, actions: Actions, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.actions_table, self.settings = actions, settings
        self.setWindowTitle("Keys")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.preset = ComboBox()
        self.preset.addItems(list(PRESETS))
        self.preset.setToolTip("Keys like those of another program; your own changes stay on top")
        self.box = QLineEdit(placeholderText="Search actions or keys", clearButtonEnabled=True)
        self.box.setAccessibleName("Search actions or keys")
        self.list = QTreeWidget()
        self.list.setAccessibleName("Actions and their keys")
        self.list.setColumnCount(2)
        self.list.setHeaderLabels(["Action", "Keys"])
        self.list.setRootIsDecorated(False)
        self.list.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.list.header().setStretchLastSection(False)
        self.list.header().resizeSection(1, scaled(190))
        self.items: dict[str, QTreeWidgetItem] = {}
        self.field = KeyField()
        self.field.setMaximumSequenceLength(1)
        self.field.setToolTip("Press the keys here")
        self.clear = QPushButton("No keys")
        self.clear.setToolTip("Take the keys off this action")
        self.reset = QPushButton("Reset")
        self.reset.setToolTip("Give this action the keys that it has in the preset")
        self.reset_all = QPushButton("Reset all")
        self.reset_all.setToolTip("Forget all your own keys")
        self.conflict = QLabel()
        self.conflict.setObjectName("error")
        self.conflict.setWordWrap(True)
        self.take = QPushButton("Take them")
        self.take.setToolTip("Leave these keys to this action alone")
        self._lay_out()
        self._connect()
        self._fill()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.box, 1)
        top.addWidget(QLabel("Preset"))
        top.addWidget(self.preset)
        below = QHBoxLayout()
        below.addWidget(QLabel("Keys"))
        for widget in (self.field, self.clear, self.reset):
            below.addWidget(widget)
        conflict = QHBoxLayout()
        conflict.addWidget(self.conflict, 1)
        conflict.addWidget(self.take)
        for button in (self.clear, self.reset, self.take, self.reset_all):
            button.setAutoDefault(False)  # Return in the search is no click
        foot = QHBoxLayout()
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close.rejected.connect(self.reject)
        foot.addWidget(self.reset_all)
        foot.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(10)
        column.addLayout(top)
        column.addWidget(self.list, 1)
        column.addLayout(below)
        column.addLayout(conflict)
        column.addLayout(foot)
        self.resize(dialog_size(600, 620))

    def _connect(self) -> None:
        self.preset.textActivated.connect(lambda name: self.settings.change(preset=name))
        self.box.textChanged.connect(lambda _: self._fill())
        self.list.currentItemChanged.connect(lambda _now, _before: self._show_chosen())
        self.field.keySequenceChanged.connect(lambda keys: self._set(keys.toString()))
        self.field.left.connect(self.list.setFocus)
        self.take.clicked.connect(self._take)
        self.clear.clicked.connect(lambda: self._set(""))
        self.reset.clicked.connect(self._reset)
        self.reset_all.clicked.connect(lambda: self.settings.change(keys={}))
        self.settings.changed.connect(self._refresh)

    @property
    def chosen(self) -> str | None:
        item = self.list.currentItem()
        return item.data(0, ID) if item else None

    def _keys(self) -> dict[str, str]:
        return bound(self.actions_table.table.values(), self.settings.now.preset, self.settings.now.keys)

    def _fill(self) -> None:
        chosen, query, keys = self.chosen, self.box.text(), self._keys()
        actions = list(self.actions_table.table.values())
        by_key = [a for a in actions if query and query.lower() in keys[a.id].lower()]
        with QSignalBlocker(self.list):
            self.list.clear()
            self.items = {}
            for action in dict.fromkeys((*search(actions, query), *by_key)):
                self.items[action.id] = item = QTreeWidgetItem(self.list, [_where(action)])
                item.setData(0, ID, action.id)
                item.setToolTip(0, action.tip)
        if self.items:
            self.list.setCurrentItem(self.items.get(chosen or "") or next(iter(self.items.values())))
        self._refresh()

    def _refresh(self) -> None:
        """Show the keys as they are now."""
        keys = self._keys()
        shared = conflicts(keys)
        with QSignalBlocker(self.preset):
            self.preset.setCurrentText(self.settings.now.preset)
        for id, item in self.items.items():
            item.setText(1, QKeySequence.listToString(sequences(keys[id]), QKeySequence.SequenceFormat.NativeText))
            font = item.font(1)
            font.setBold(id in self.settings.now.keys)
            item.setFont(1, font)
            item.setForeground(1, QBrush(color(colors().failed if id in shared else colors().text)))
        self._show_chosen()

    def _show_chosen(self) -> None:
        id, keys = self.chosen, self._keys()
        for widget in (self.field, self.clear, self.reset):
            widget.setEnabled(id is not None)
        self.reset_all.setEnabled(bool(self.settings.now.keys))
        others = conflicts(keys).get(id or "", ())
        self.take.setVisible(bool(others))
        names = ", ".join(_where(self.actions_table.table[other]) for other in others)
        self.conflict.setText(f"These keys are also for {names}: neither hears them." if others else "")
        if id is None:
            return
        with QSignalBlocker(self.field):
            self.field.setKeySequence(next(iter(sequences(keys[id])), QKeySequence()))
        self.reset.setEnabled(id in self.settings.now.keys)

    def _set(self, keys: str) -> None:
        if self.chosen is not None:
            self.settings.change(keys={**self.settings.now.keys, self.chosen: keys})

    def _take(self) -> None:
        """Take the keys of the chosen action off all others."""
        keys = self._keys()
        taken = sequences(keys[self.chosen or ""])
        left = {
            id: "; ".join(sequence.toString() for sequence in sequences(keys[id]) if sequence not in taken)
            for id in conflicts(keys)[self.chosen or ""]
        }
        self.settings.change(keys={**self.settings.now.keys, **left})

    def _reset(self) -> None:
        own = {id: keys for id, keys in self.settings.now.keys.items() if id != self.chosen}
        self.settings.change(keys=own)


class KeyField(QKeySequenceEdit):
    """Takes the keys that are pressed; Esc leaves it as it is."""

    left = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)


def _where(action: Action) -> str:
    return ": ".join(part for part in (action.menu.capitalize(), action.submenu, action.name) if part)

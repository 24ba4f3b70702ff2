"""Asks what a group is called and which sockets it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from nodegraph.editing.redefine import Names
from nodegraph.graph import Group
from ui.base.text import label
from ui.base.theme import scaled
from ui.widgets.keeping_dialog import KeepingDelegate, KeepingDialog
from ui.widgets.order_list import OrderList

NAME = Qt.ItemDataRole.UserRole  # what a socket was called before


class SocketList(OrderList):
    """Sockets in their order: typed over, dragged, taken away. F2 renames, Delete removes."""

    def __init__(self, title: str, names: Iterable[str]) -> None:
        super().__init__(title)
        self.setItemDelegate(KeepingDelegate(self))
        for name in names:
            item = QListWidgetItem(label(name), self)
            item.setData(NAME, name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
        self.setCurrentRow(0)

    @property
    def names(self) -> Names:
        """What is typed with spaces is written with underscores; what is not touched stays as it was."""
        found: dict[str, str] = {}
        for item in map(self.item, range(self.count())):
            before, text = str(item.data(NAME)), item.text().strip()
            found[before] = before if text == label(before) else text.replace(" ", "_")
        return found

    def remove_current(self) -> None:
        self.takeItem(self.currentRow())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Delete:
            self.remove_current()
        else:
            super().keyPressEvent(event)


class GroupDialog(KeepingDialog):
    """name, inputs, outputs: the fields. change: takes what they say; raises ValueError, and then it can be mended."""

    def __init__(self, group: Group, change: Callable[[str, Names, Names], object], parent: QWidget) -> None:
        super().__init__(parent)
        self._first, self._change = group, change
        self.setWindowTitle("Name and sockets of the group")
        self.name = QLineEdit(group.name)
        self.name.setAccessibleName("Name of the group")
        self.inputs, self.outputs = SocketList("Inputs", group.inputs), SocketList("Outputs", group.outputs)
        self.error = QLabel(wordWrap=True)
        self.error.setObjectName("error")
        self.error.hide()
        sides = QHBoxLayout()
        sides.addWidget(_side("Inputs", self.inputs))
        sides.addWidget(_side("Outputs", self.outputs))
        about = QLabel("Double-click a socket to rename it, drag it to another place. What goes takes its wires along.")
        about.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel("Name, for all instances"))
        layout.addWidget(self.name)
        layout.addLayout(sides)
        layout.addWidget(about)
        layout.addWidget(self.error)
        layout.addWidget(self.buttons)
        self.resize(scaled(560), scaled(400))

    @property
    def touched(self) -> bool:
        sides = ((self.inputs, self._first.inputs), (self.outputs, self._first.outputs))
        same = all(list(shown.names.items()) == [(name, name) for name in before] for shown, before in sides)
        return self.name.text() != self._first.name or not same

    def accept(self) -> None:
        try:
            self._change(self.name.text().strip(), self.inputs.names, self.outputs.names)
        except ValueError as error:
            self.error.setText(f"{error}.")
            self.error.show()
            return
        super().accept()


def _side(title: str, sockets: SocketList) -> QWidget:
    """A list with its buttons."""
    side, row = QWidget(), QHBoxLayout()
    for text, tip, act in (
        ("Up", "Move the socket up (Alt+Up)", lambda: sockets.move_current(-1)),
        ("Down", "Move the socket down (Alt+Down)", lambda: sockets.move_current(1)),
        ("Rename", "Type another name (F2)", lambda: sockets.editItem(sockets.currentItem())),
        ("Remove", "Take the socket away, with its wires (Delete)", sockets.remove_current),
    ):
        button = QPushButton(text)
        button.setToolTip(tip)
        button.setAutoDefault(False)
        button.clicked.connect(act)
        row.addWidget(button)
    layout = QVBoxLayout(side)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(QLabel(title))
    layout.addWidget(sockets)
    layout.addLayout(row)
    return side

"""What the user can do, as data: menus, the toolbar and shortcuts are made from one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget


@dataclass(frozen=True, slots=True)
class Action:
    """id: "menu.verb". shortcut: as QKeySequence reads it. checkable: a switch; the callback then gets its state."""

    id: str
    text: str
    callback: Callable[..., object]
    shortcut: str = ""
    tip: str = ""
    checkable: bool = False

    @property
    def menu(self) -> str:
        return self.id.split(".", 1)[0]


def install(actions: Iterable[Action], window: QWidget, canvas: QWidget) -> dict[str, QAction]:
    """Make Qt actions, by id. Those of the canvas only hear keys when it has the focus, so that typing stays typing."""
    made: dict[str, QAction] = {}
    for action in actions:
        owner = canvas if action.menu == "canvas" else window
        qt = QAction(action.text, owner, checkable=action.checkable)
        if action.shortcut:
            qt.setShortcut(QKeySequence(action.shortcut))
        qt.setShortcutContext(
            Qt.ShortcutContext.WidgetShortcut if owner is canvas else Qt.ShortcutContext.WindowShortcut
        )
        tip = action.tip or action.text.removesuffix("…")
        qt.setToolTip(f"{tip} ({qt.shortcut().toString()})" if action.shortcut else tip)
        if action.checkable:
            qt.toggled.connect(action.callback)
        else:
            qt.triggered.connect(lambda _=False, call=action.callback: call())
        owner.addAction(qt)
        made[action.id] = qt
    return made

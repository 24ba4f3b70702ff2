"""What the user can do, as data: menus, the toolbar, keys and the action search are made from one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QWidget

from ui.actions.icons import ICONS
from ui.base.icons import icon
from ui.widgets.editors import finish_typing


@dataclass(frozen=True, slots=True)
class Action:
    """id: "menu.verb". shortcut: keys as QKeySequence writes them; several that do the same are separated by "; ".

    checkable: a switch; the callback then gets its state. submenu: the menu within the menu that it is in.
    group: one of the actions with the same group holds, and is marked.
    """

    id: str
    text: str
    callback: Callable[..., object]
    shortcut: str = ""
    tip: str = ""
    checkable: bool = False
    submenu: str = ""
    group: str = ""

    @property
    def menu(self) -> str:
        return self.id.split(".", 1)[0]

    @property
    def name(self) -> str:
        """For lists, where it does not matter that a dialog follows."""
        return self.text.removesuffix("…")


class Actions:
    """The table as it is in use: the Qt action for each, with the keys it has now."""

    def __init__(self, window: QWidget) -> None:
        self._window = window
        self.table: dict[str, Action] = {}
        self.qt: dict[str, QAction] = {}
        self.keys: dict[str, str] = {}
        self._groups: dict[str, QActionGroup] = {}

    def add(self, action: Action, made: QAction | None = None) -> QAction:
        """made: the Qt action, where a widget brings its own; its callback is its own then."""
        if made is None:
            made = QAction(action.text, self._window, checkable=action.checkable or bool(action.group))
            (made.toggled if action.checkable else made.triggered).connect(partial(_do, action))
        made.setObjectName(action.id)
        if drawing := ICONS.get(action.id):
            made.setIcon(icon(drawing))
        # Those of the canvas only hear keys when it has the focus, so that typing in a field stays typing.
        on_canvas = action.menu == "canvas"
        made.setShortcutContext(Qt.ShortcutContext.WidgetShortcut if on_canvas else Qt.ShortcutContext.WindowShortcut)
        if not on_canvas:
            self._window.addAction(made)
        if action.group:
            self._groups.setdefault(action.group, QActionGroup(self._window)).addAction(made)
        self.table[action.id], self.qt[action.id] = action, made
        self._bind(action.id, action.shortcut)
        return made

    def bind(self, keys: dict[str, str]) -> None:
        """Give every action these keys."""
        for id, written in keys.items():
            self._bind(id, written)

    def _bind(self, id: str, keys: str) -> None:
        action, made = self.table[id], self.qt[id]
        self.keys[id] = keys
        made.setShortcuts(sequences(keys))
        tip = action.tip or action.name
        shown = made.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        made.setToolTip(f"{tip} ({shown})" if shown else tip)


def _do(action: Action, on: bool = False) -> None:
    finish_typing()
    if action.checkable:
        action.callback(on)
    else:
        action.callback()


def sequences(keys: str) -> list[QKeySequence]:
    """The single sequences of what is written as "Ctrl+Y; Ctrl+Shift+Z"."""
    return [sequence for sequence in QKeySequence.listFromString(keys) if not sequence.isEmpty()]

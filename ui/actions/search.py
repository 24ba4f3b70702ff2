"""Find an action by typing what it does, and do it."""

from __future__ import annotations

from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QWidget

from ui.actions.table import Action, Actions
from ui.base.theme import colors
from ui.widgets.finder import Entry, Finder


def search(actions: list[Action], query: str) -> list[Action]:
    """Those in which every word of the query occurs: first those whose name begins with it, the tips come last."""
    words = query.lower().split()

    def rank(action: Action) -> int | None:
        text = f"{action.menu} {action.submenu} {action.name} {action.tip}".lower()
        if not all(word in text for word in words):
            return None
        name, place = action.name.lower(), f"{action.submenu} {action.name}".lower()
        if name.startswith(query.lower().strip()):
            return 0
        return next((n for n, where in enumerate((name, place), 1) if all(word in where for word in words)), 3)

    ranked = [(rank(action), index, action) for index, action in enumerate(actions)]
    return [action for _, _, action in sorted((r for r in ranked if r[0] is not None), key=lambda r: r[:2])]


class ActionSearch(Finder):
    """What can be done now; Return or a click does it."""

    def __init__(self, actions: Actions, parent: QWidget) -> None:
        def find(typed: str) -> list[Entry]:
            able = [action for id, action in actions.table.items() if actions.qt[id].isEnabled()]
            return [_entry(action, actions) for action in search(able, typed)]

        super().__init__("Find an action: type what you want to do", find, parent)
        self.chosen.connect(lambda id: actions.qt[id].trigger())


def _entry(action: Action, actions: Actions) -> Entry:
    keys = actions.qt[action.id].shortcut().toString(QKeySequence.SequenceFormat.NativeText)
    about = " · ".join(part for part in (action.menu.capitalize(), action.submenu, action.tip) if part)
    return Entry(action.name, keys, about, colors().accent, action.id)

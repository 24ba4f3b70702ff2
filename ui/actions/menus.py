"""The table of actions as menus."""

from __future__ import annotations

from PySide6.QtWidgets import QMenu, QMenuBar

from ui.actions.table import Actions

MENUS = {"file": "&File", "edit": "&Edit", "canvas": "&Canvas", "run": "&Run", "view": "&View", "help": "&Help"}
ALSO_IN_EDIT = ("cut", "copy", "paste", "duplicate", "delete", "select_all")
"""What people look for there, though only the canvas hears its keys."""

FIRST_OF_GROUP = frozenset(
    (
        *("file.open", "file.close", "edit.copy_picture", "edit.find_action", "run.queue", "run.live", "run.device"),
        *("canvas.cut", "canvas.edit", "canvas.connect", "canvas.fit", "canvas.snap", "view.next_tab", "view.pin_a"),
        "help.about",
    )
)
"""The actions that have a line above them, or above the submenu they open."""


def build_menus(bar: QMenuBar, actions: Actions) -> dict[str, QMenu]:
    """A menu for each kind of action, by that kind, with its submenus."""
    menus = {id: bar.addMenu(text) for id, text in MENUS.items()}
    submenus: dict[tuple[str, str], QMenu] = {}
    for id, action in actions.table.items():
        menu = menus[action.menu]
        if id in FIRST_OF_GROUP:
            menu.addSeparator()
        if action.submenu:
            place = (action.menu, action.submenu)
            menu = submenus[place] if place in submenus else submenus.setdefault(place, menu.addMenu(action.submenu))
        menu.addAction(actions.qt[id])
    after = actions.qt["edit.copy_picture"]
    menus["edit"].insertSeparator(after)
    menus["edit"].insertActions(after, [actions.qt[f"canvas.{name}"] for name in ALSO_IN_EDIT])
    menus["edit"].insertSeparator(after)
    for menu in (*menus.values(), *submenus.values()):
        menu.setToolTipsVisible(True)
    return menus

"""What the right button offers on a node: the canvas's own actions, those that are used most."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QMenu, QWidget

SHOWN = (
    ("canvas.rename", "canvas.fold", "canvas.mute", "canvas.bypass"),
    ("canvas.cut", "canvas.copy", "canvas.duplicate", "canvas.delete", "canvas.heal"),
    ("canvas.connect", "canvas.detach", "canvas.variable"),
    (
        "canvas.group",
        "canvas.ungroup",
        "canvas.enter",
        "canvas.edit_group",
        "canvas.frame",
        "canvas.color_frame",
        "canvas.uncolor",
    ),
)
"""Ids of actions, in the parts of the menu."""


def open_menu(widget: QWidget, at: QPoint, first: Mapping[str, Callable[[], object]] | None = None) -> QMenu:
    """at: on the screen. first: what else is offered, before all."""
    actions = {action.objectName(): action for action in widget.actions()}
    menu = QMenu(widget)
    for text, act in (first or {}).items():
        menu.addAction(text, act)
    menu.addSeparator()
    for part in SHOWN:
        menu.addActions([actions[id] for id in part if id in actions])
        menu.addSeparator()
    menu.aboutToHide.connect(menu.deleteLater)
    menu.popup(at)
    return menu

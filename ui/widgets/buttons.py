"""The buttons at the head of a panel."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QPushButton


def small_button(text: str, act: Callable[[], object], tip: str) -> QPushButton:
    """act: called without Qt's `checked`."""
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setObjectName("small")
    button.clicked.connect(lambda: act())
    return button


def action_button(action: QAction) -> QPushButton:
    """Does what the action does, and can be pressed when that can be done."""
    button = small_button(action.text(), action.trigger, action.toolTip())

    def follow() -> None:
        button.setText(action.text())
        button.setEnabled(action.isEnabled())

    action.changed.connect(follow)
    return button

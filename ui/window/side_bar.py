"""Icons at the edge of the window: each shows a panel, or hides it."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QToolButton, QWidget

from ui.base import theme
from ui.widgets.tool_bar import ToolBar

ICON = 18  # pixels, at the usual text size
AROUND = 22  # pixels, of both sides of an icon


class SideBar(ToolBar):
    """The name and the key of a panel are in the tooltip of its icon."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__("Side bar", parent)
        self.setObjectName("SideBar")
        self.setMovable(False)
        self.setOrientation(Qt.Orientation.Vertical)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        self.setAccessibleName("Side bar")
        self.toggleViewAction().setVisible(False)  # the View menu has a row for it

    def fill(self, actions: Iterable[QAction]) -> None:
        """actions: that show and hide panels."""
        for action in actions:
            self.addAction(action)
            button = self.widgetForAction(action)
            if isinstance(button, QToolButton):
                button.setObjectName("side")
                button.setAccessibleName(action.text())

    def follow_text(self) -> None:
        """Of the size that text has, and as wide as it will be: a style that is not applied yet would have it wider."""
        self.setIconSize(QSize(theme.scaled(ICON), theme.scaled(ICON)))
        self.setFixedWidth(theme.scaled(ICON) + AROUND)
        # Its margins are those of a bar at no edge until it hears of a style again.
        QApplication.sendEvent(self, QEvent(QEvent.Type.StyleChange))

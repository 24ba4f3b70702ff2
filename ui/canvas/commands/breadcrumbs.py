"""Where the canvas is: the document, the group that was entered, the group inside it ... Each leads back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton

from ui.canvas.commands.selection import edit_group
from ui.canvas.scene.state import CanvasState

PLACE = (12, 12)  # pixels from the canvas's corner


class Breadcrumbs(QFrame):
    """Shown inside groups only. buttons: one for each step, the last for where the canvas is."""

    def __init__(self, state: CanvasState) -> None:
        super().__init__(state.widget)
        self.state = state
        self.setObjectName("palette")  # framed like the palette
        self.buttons: list[QPushButton] = []
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(10, 5, 10, 5)
        self._row.setSpacing(7)
        self._titles: tuple[str, ...] = ()
        state.scope.changed.connect(self._follow)
        state.scope.moved.connect(self._follow)
        self.hide()

    def _follow(self) -> None:
        if self._titles != self.state.scope.titles:
            self._titles = self.state.scope.titles
            self._fill()

    def _fill(self) -> None:
        self.hide()  # what is added to it while it is seen would not count for its size yet
        while (item := self._row.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.buttons = []
        *around, here = self._titles
        for depth, title in enumerate(around):
            self._add(title, f"Go back to {title}", partial(self._leave, depth))
            self._row.addWidget(QLabel("›"))
        self._add(here, "Change the name and the sockets of this group", partial(edit_group, self.state))
        self.setVisible(bool(around))
        self.adjustSize()
        self.move(*PLACE)
        self.raise_()

    def _add(self, title: str, tip: str, act: Callable[[], None]) -> None:
        button = QPushButton(title)
        button.setObjectName("quiet")
        button.setToolTip(tip)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.clicked.connect(lambda: act())
        self.buttons.append(button)
        self._row.addWidget(button)

    def _leave(self, depth: int) -> None:
        self.state.scope.leave(depth)
        self.state.widget.setFocus()

"""Where the canvas is: the document, the group that was entered, the group inside it ... Each leads back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton

if TYPE_CHECKING:
    from ui.canvas.canvas import Canvas

PLACE = (12, 12)  # pixels from the canvas's corner


class Breadcrumbs(QFrame):
    """Shown inside groups only."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self.canvas = canvas
        self.setObjectName("palette")  # framed like the palette
        self.buttons: list[QPushButton] = []
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(10, 5, 10, 5)
        self._row.setSpacing(7)
        canvas.scope.moved.connect(self._fill)
        self.hide()

    def _fill(self) -> None:
        while (item := self._row.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        titles = self.canvas.scope.titles
        self.buttons = []
        for depth, title in enumerate(titles[:-1]):
            button = QPushButton(title)
            button.setObjectName("quiet")
            button.setToolTip(f"Go back to {title}")
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            button.clicked.connect(partial(self._leave, depth))
            self.buttons.append(button)
            self._row.addWidget(button)
            self._row.addWidget(QLabel("›"))
        self._row.addWidget(QLabel(titles[-1]))
        self.setVisible(len(titles) > 1)
        self.adjustSize()
        self.move(*PLACE)
        self.raise_()

    def _leave(self, depth: int) -> None:
        self.canvas.scope.leave(depth)
        self.canvas.setFocus()

"""How far a look through the folders is, and how it is ended."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from ui.base.text import amount, duration
from ui.shelves.shelves import Shelves
from ui.widgets.buttons import small_button
from ui.widgets.short_label import ShortLabel

SOME = 200
"""New files from which on it is worth a word: fewer are there before it was read."""


class ScanBar(QWidget):
    """Nothing is seen of it while there is little to do."""

    def __init__(self, shelves: Shelves, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scanning = shelves.scanning
        self.said = ShortLabel()
        self.said.setObjectName("dim")
        self.bar = QProgressBar(textVisible=False, maximum=1000)
        self.bar.setAccessibleName("How much was looked at")
        self.end = small_button("Stop", self.scanning.stop, "What was found so far stays")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.said, 1)
        row.addWidget(self.bar, 1)
        row.addWidget(self.end)
        self.scanning.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        scanning = self.scanning
        self.setVisible(scanning.running and scanning.news >= SOME)
        left = scanning.seconds_left
        after = f", {duration(left)} left" if left is not None else ""
        self.said.setText(f"{amount(scanning.done)} of {amount(scanning.all)} files looked at{after}")
        self.bar.setValue(round(1000 * scanning.done / scanning.all) if scanning.all else 0)

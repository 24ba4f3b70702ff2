"""Something that no workflow brings: what it is, whether it is there, and how it is got."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from ui.base.theme import scaled
from ui.panels.remedy_bar import RemedyBar
from ui.runs.remedies import Remedies

WIDTH = 520


class RemedyDialog(QDialog):
    """What is on its way goes on when the dialog is closed."""

    def __init__(self, remedies: Remedies, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        remedy = remedies.declared[name]
        self.setWindowTitle(remedy.title)
        about = QLabel(remedy.text, wordWrap=True)
        place = remedy.kept()
        self.kept = QLabel(f"It is kept in {place}." if place else "There is none yet.", wordWrap=True)
        self.kept.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.offers = RemedyBar(remedies, name)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        remedies.kept.connect(self.kept.hide)  # which is said below then
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(10)
        for widget in (about, self.kept, self.offers, buttons):
            column.addWidget(widget)
        self.setMinimumWidth(scaled(WIDTH))

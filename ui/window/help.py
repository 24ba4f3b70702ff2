"""What the program says about itself."""

from __future__ import annotations

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QMessageBox, QTextBrowser, QVBoxLayout, QWidget

from nodegraph import program
from ui.base.theme import dialog_size, scaled

GUIDE = program.FOLDER / "docs" / "guide.md"


class GuideDialog(QDialog):
    """The user guide and the pages it leads to."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("User guide")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.page = QTextBrowser(openExternalLinks=True)
        self.page.setAccessibleName("User guide")
        self.page.sourceChanged.connect(self._space)
        self.page.setSource(QUrl.fromLocalFile(str(GUIDE)))
        buttons = QDialogButtonBox()
        back = buttons.addButton("Back", QDialogButtonBox.ButtonRole.ActionRole)
        back.setEnabled(False)
        back.setAutoDefault(False)
        back.clicked.connect(self.page.backward)
        self.page.backwardAvailable.connect(back.setEnabled)
        buttons.addButton(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.addWidget(self.page)
        column.addWidget(buttons)
        self.resize(dialog_size(860, 720))

    def _space(self) -> None:
        """Some room between the paragraphs: Qt's Markdown leaves none."""
        block = self.page.document().begin()
        while block.isValid():
            form = block.blockFormat()
            form.setBottomMargin(scaled(6))
            QTextCursor(block).setBlockFormat(form)
            block = block.next()


def show_about(parent: QWidget) -> None:
    from importlib.metadata import version  # what it needs in turn takes longer to import than the rest of this room

    text = f"<b>Denoodle {version('denoodle')}</b><p>A native desktop editor for diffusion workflows.</p>"
    box = QMessageBox(QMessageBox.Icon.NoIcon, "About Denoodle", text, parent=parent)
    box.setTextFormat(Qt.TextFormat.RichText)
    box.exec()

"""Dialogs that lose nothing: only Cancel throws away what was changed in them."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QLineEdit, QStyledItemDelegate, QVBoxLayout, QWidget

from ui.base.theme import scaled


class KeepingDialog(QDialog):
    """Escape and the frame's close button keep what was changed, as OK does: it can be undone, and what is gone cannot.

    buttons: OK and Cancel, to be laid out. touched: whether anything was changed; else leaving does nothing.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(lambda: self.done(QDialog.DialogCode.Rejected))

    @property
    def touched(self) -> bool:
        raise NotImplementedError

    def reject(self) -> None:
        if self.touched:
            self.accept()
        else:
            super().reject()


class NameDialog(KeepingDialog):
    """Asks for a name. change: takes it; raises ValueError, and then the dialog says why, and it can be mended."""

    def __init__(self, title: str, name: str, change: Callable[[str], object], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self._first, self._change = name, change
        self.name = QLineEdit(name)
        self.name.setAccessibleName("Name")
        self.name.selectAll()
        self.error = QLabel(wordWrap=True)
        self.error.setObjectName("error")
        self.error.hide()
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel("Name"))
        for widget in (self.name, self.error, self.buttons):
            layout.addWidget(widget)
        self.resize(scaled(340), self.sizeHint().height())

    @property
    def touched(self) -> bool:
        return self.name.text() != self._first

    def accept(self) -> None:
        try:
            self._change(self.name.text().strip())
        except ValueError as error:
            self.error.setText(f"{str(error)[:1].upper()}{str(error)[1:]}.")
            self.error.show()
            return
        super().accept()


class KeepingDelegate(QStyledItemDelegate):
    """Types over the rows of a list; Escape keeps what is typed, as Return does."""

    def eventFilter(self, object: QObject, event: QEvent) -> bool:
        escape = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
        if escape and event.type() == QEvent.Type.KeyPress and isinstance(object, QWidget):
            self.commitData.emit(object)
            self.closeEditor.emit(object, QStyledItemDelegate.EndEditHint.NoHint)
            return True
        return super().eventFilter(object, event)

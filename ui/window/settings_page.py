"""What the pages of the settings have in common."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QFileDialog, QFormLayout, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from nodegraph.formats.files import reason
from ui.widgets.buttons import small_button
from ui.widgets.fields import ComboBox, tame

LETTERS = 14
"""Of a choice that are seen at least."""


class Page(QWidget):
    """A form, with a few words below it."""

    title = ""

    def __init__(self) -> None:
        super().__init__()
        self.form = QFormLayout()
        self.form.setHorizontalSpacing(14)
        self.form.setVerticalSpacing(10)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(4, 4, 4, 4)
        self._column.setSpacing(12)
        self._column.addLayout(self.form)
        self._column.addStretch(1)

    def row(self, name: str, field: QWidget) -> None:
        field.setAccessibleName(name)
        tame(field)
        if isinstance(field, ComboBox):  # no wider than the page, however long what can be chosen is
            field.bound(LETTERS)
        self.form.addRow(name, field)

    def remark(self, text: str) -> None:
        label = QLabel(text, wordWrap=True)
        label.setObjectName("dim")
        self._column.insertWidget(self._column.count() - 1, label)

    def chosen(self) -> dict[str, Any]:
        """Fields of `ui.base.settings.Preferences`."""
        raise NotImplementedError

    def complaint(self) -> str:
        """Why it cannot be so, as a sentence; empty when it can."""
        return ""


class FolderField(QWidget):
    """A path, and a button that looks for one. usual: what an empty one means. written: things are written to it."""

    def __init__(self, name: str, now: str, usual: str, *, written: bool) -> None:
        super().__init__()
        self._name, self._written = name, written
        self.box = QLineEdit(now, placeholderText=usual, clearButtonEnabled=True)
        self.box.setAccessibleName(name)
        self.box.setToolTip("Empty: where a new program has it")
        tame(self.box)
        self.browse = small_button("Browse…", self._browse, "Look for a folder")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.box, 1)
        row.addWidget(self.browse)
        self.setFocusProxy(self.box)

    def value(self) -> str:
        """Whole; empty for the usual one."""
        text = self.box.text().strip()
        return str(Path(text).expanduser()) if text else ""

    def complaint(self) -> str:
        """Makes the folder where there is none yet."""
        if not (value := self.value()):
            return ""
        if not Path(value).is_absolute():
            return f"{self._name}: {value} must be a whole path, from the root of the disk on"
        try:
            Path(value).mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            why = reason(error) if isinstance(error, OSError) else str(error)
            return f"{self._name}: {value} cannot be used: {why}"
        if self._written and not os.access(value, os.W_OK):
            return f"{self._name}: nothing may be written to {value}"
        return ""

    def _browse(self) -> None:
        start = self.value() or str(Path(self.box.placeholderText()).absolute())
        if folder := QFileDialog.getExistingDirectory(self, self._name, start):
            self.box.setText(folder)

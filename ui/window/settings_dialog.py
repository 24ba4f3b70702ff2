"""The settings, in pages. What is chosen holds at once; what computes is started again where that must be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QScrollArea,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from nodegraph.domain import Naming
from nodegraph.node import NAMING
from nodegraph.running.engine import Settings as EngineSettings
from ui.base.settings import MEANT, Preferences, Settings
from ui.base.text import byte_size
from ui.base.theme import dialog_size, scaled
from ui.runs.engine import Engine
from ui.shelves.shelves import Shelves
from ui.widgets.fields import ComboBox
from ui.window.device_page import DevicePage
from ui.window.engine_settings import CACHE_VARIABLE
from ui.window.folders_page import FoldersPage
from ui.window.settings_page import FolderField, Page

STARTED_AGAIN = "It holds at once: the engine is started again for it, and a run that is under way ends."
DECIMALS = (
    ("", "1.5, and 1,500 is refused with both of its readings"),
    (".", "1.5, and 1,500 is 1500"),
    (",", "1,5, and 1,500 is one and a half"),
)
WORDS = (
    ("some", "Words where a picture says too little"),
    ("none", "Icons alone"),
    ("all", "Icons and words"),
)


class PicturesPage(Page):
    title = "Pictures"

    def __init__(self, now: Preferences, engine: EngineSettings, naming: Naming | None = None) -> None:
        super().__init__()
        self.naming = naming
        self.folder = FolderField("Output folder", now.output_folder, _shown(engine.out_dir), written=True)
        self.carries = QCheckBox("Put the workflow into saved pictures")
        self.carries.setChecked(now.carries_workflow)
        self.name = QLineEdit(now.name_template, placeholderText=NAMING, clearButtonEnabled=True)
        self.name.setAccessibleName("Names of pictures")
        self.example = QLabel(wordWrap=True)
        self.example.setObjectName("small")
        self.row("Output folder", self.folder)
        if naming is not None:
            self.row("Names", self.name)
            self.row("", self.example)
            places = "\n".join(f"%{name}%: {what}" for name, what in naming.places.items())
            self.name.setToolTip(f"What stands between two % is filled in:\n{places}")
            self.name.textChanged.connect(self._show_example)
            self._show_example()
        self.row("", self.carries)
        self.carries.setAccessibleName(self.carries.text())
        self.remark(
            "With the workflow inside, a picture can be opened to go on from it, here and by whoever you give it to, "
            "who can also read all that you wrote. Without it, the picture is all there is in the file."
        )
        self.remark(STARTED_AGAIN)

    @property
    def _template(self) -> str:
        return self.name.text().strip() or NAMING

    def _why(self) -> tuple[str, str]:
        """A name that the template gives, or what is wrong with it."""
        try:
            return (self.naming.example(self._template), "") if self.naming else ("", "")
        except ValueError as error:
            return "", str(error)

    def _show_example(self) -> None:
        name, why = self._why()
        self.example.setText(f"As in {name}" if name else f"{why[:1].upper()}{why[1:]}.")
        self.example.setObjectName("small" if name else "error")
        self.example.style().polish(self.example)  # by its new name

    def chosen(self) -> dict[str, Any]:
        return {
            "output_folder": self.folder.value(),
            "carries_workflow": self.carries.isChecked(),
            "name_template": self._template,
        }

    def complaint(self) -> str:
        why = self._why()[1]
        return self.folder.complaint() or (f"Names: {why}" if why else "")


class ResultsPage(Page):
    title = "Results"

    def __init__(self, now: Preferences, engine: EngineSettings) -> None:
        super().__init__()
        self.folder = FolderField("Cache folder", now.cache_folder, _shown(engine.cache), written=False)
        self.disk = _gigabytes("cache_gigabytes", now.cache_gigabytes)
        self.memory = _gigabytes("memory_gigabytes", now.memory_gigabytes)
        self.memory.setSpecialValueText(f"Automatic ({byte_size(engine.memory_bytes)})")
        self.row("Cache folder", self.folder)
        self.row("On the disk, at most", self.disk)
        self.row("In memory, at most", self.memory)
        if CACHE_VARIABLE in os.environ:
            self.folder.setEnabled(False)
            self.remark(f"The environment variable {CACHE_VARIABLE} says where the cache is.")
        self.remark(
            "Every result is kept, so that what did not change is not computed again. What was not used for longest "
            "goes first. What another folder has stays there, and is found again when you change back."
        )
        self.remark(STARTED_AGAIN)

    def chosen(self) -> dict[str, Any]:
        return {
            "cache_folder": self.folder.value(),
            "cache_gigabytes": self.disk.value(),
            "memory_gigabytes": self.memory.value(),
        }

    def complaint(self) -> str:
        return self.folder.complaint() if self.folder.isEnabled() else ""


class GeneralPage(Page):
    title = "General"

    def __init__(self, now: Preferences) -> None:
        super().__init__()
        self.decimal = ComboBox()
        for sign, words in DECIMALS:
            self.decimal.addItem(words, sign)
        self.decimal.setCurrentIndex(self.decimal.findData(now.decimal))
        self.network = QCheckBox("Files may be fetched over the network")
        self.network.setChecked(now.network)
        self.notify = QCheckBox("Tell me on the desktop when the queue or a long run is done")
        self.notify.setChecked(now.notify)
        self.awake = QCheckBox("The computer stays awake while the queue works")
        self.awake.setChecked(now.awake)
        self.words = ComboBox()
        for name, words in WORDS:
            self.words.addItem(words, name)
        self.words.setCurrentIndex(self.words.findData(now.toolbar_words))
        self.row("Toolbar", self.words)
        self.row("Numbers", self.decimal)
        self.row("", self.network)
        self.row("", self.notify)
        self.row("", self.awake)
        for box in (self.network, self.notify, self.awake):
            box.setAccessibleName(box.text())
        self.remark(
            "Nothing is ever fetched that you did not ask for. Switched off, what offers to fetch something is grey, "
            "and a download that is under way stops. Numbers are shown with the sign you choose, and may be "
            "typed with either; files always have a point. All of it holds at once."
        )

    def chosen(self) -> dict[str, Any]:
        return {
            "decimal": self.decimal.currentData(),
            "network": self.network.isChecked(),
            "notify": self.notify.isChecked(),
            "awake": self.awake.isChecked(),
            "toolbar_words": self.words.currentData(),
        }


class SettingsDialog(QDialog):
    """Leaving it by OK or Apply is what changes something; a page that cannot be so is shown, with the reason."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        shelves: Shelves,
        naming: Naming | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.settings = settings
        self.setWindowTitle("Settings")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        now, began_with = settings.now, engine.began_with
        self.pictures = PicturesPage(now, began_with, naming)
        self.computing = DevicePage(now, engine.devices)
        self.results = ResultsPage(now, began_with)
        self.general = GeneralPage(now)
        self.folders = FoldersPage(now, shelves)
        self.pages: tuple[Page, ...] = (self.pictures, self.computing, self.results, self.folders, self.general)
        # One switch at two places: where files are fetched to, one looks for it too.
        self.general.network.toggled.connect(lambda on: self.folders.network.setChecked(not on))
        self.folders.network.toggled.connect(lambda off: self.general.network.setChecked(not off))
        self.list, self.stack = QListWidget(), QStackedWidget()
        self.error = QLabel(wordWrap=True)
        self.error.setObjectName("error")
        self.error.hide()
        choices = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(choices.Ok | choices.Cancel | choices.Apply)
        self._build()

    def _build(self) -> None:
        self.list.setAccessibleName("Pages")
        self.list.setFixedWidth(scaled(130))
        for page in self.pages:
            self.list.addItem(page.title)
            area = QScrollArea(widgetResizable=True)
            area.setWidget(page)
            self.stack.addWidget(area)
        self.list.currentRowChanged.connect(self.stack.setCurrentIndex)
        self.list.setCurrentRow(0)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.buttons.button(QDialogButtonBox.StandardButton.Apply).clicked.connect(lambda: self.apply())
        body = QHBoxLayout()
        body.setSpacing(14)
        body.addWidget(self.list)
        body.addWidget(self.stack, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addLayout(body, 1)
        column.addWidget(self.error)
        column.addWidget(self.buttons)
        self.resize(dialog_size(680, 400))

    def turn_to(self, title: str) -> None:
        """The page of this title."""
        for row, page in enumerate(self.pages):
            if page.title == title:
                self.list.setCurrentRow(row)

    def apply(self) -> bool:
        """Whether everything can be as it is chosen, and is so now."""
        self.error.hide()
        for page in self.pages:
            if complaint := page.complaint():
                self.turn_to(page.title)
                self.error.setText(complaint)
                self.error.show()
                return False
        chosen: dict[str, Any] = {}
        for page in self.pages:
            chosen |= page.chosen()
        self.settings.change(**chosen)
        self.folders.keep()
        return True

    def done(self, result: int) -> None:
        self.folders.finding.close()
        super().done(result)

    def accept(self) -> None:
        if self.apply():
            super().accept()


def _gigabytes(name: str, now: int) -> QSpinBox:
    limits = MEANT[name]
    assert isinstance(limits, range)
    made = QSpinBox()
    made.setRange(limits.start, limits.stop - 1)
    made.setSuffix(" GB")
    made.setValue(now)
    return made


def _shown(folder: str | None) -> str:
    return str(Path(folder).absolute()) if folder else "In memory alone"

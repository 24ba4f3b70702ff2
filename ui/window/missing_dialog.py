"""The files that a document misses, each with three ways out; what is chosen is put into the graph in one step."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from nodegraph.library.missing import Missing, with_files
from nodegraph.node import Input
from ui.base.text import byte_size
from ui.base.theme import dialog_size
from ui.documents.document import Document
from ui.panels.model_details import breakable
from ui.shelves.missing_files import MissingFiles
from ui.widgets.buttons import small_button
from ui.widgets.fields import ComboBox, tame
from ui.widgets.file_fields import ask_path
from ui.widgets.flow import FlowLayout

SURE = ("the same file", "the same name")
"""Reasons for which a file is chosen before anybody says so; it is seen, and nothing happens before *Use*."""

NO_ADDRESS = "The workflow does not say from where"
NONE = "Use another…"
TITLE = "Missing files"


class MissingRow(QFrame):
    """One file. path: what was chosen for it; empty for nothing."""

    chosen = Signal()
    located = Signal(str)  # the folder in which a person has found it
    fetch_wanted = Signal(str)  # the address

    def __init__(self, missing: Missing, title: str, refusal: str) -> None:
        """title: of its node. refusal: why nothing may be fetched, as a sentence, or empty."""
        super().__init__()
        self.missing, self.path = missing, ""
        self.name = _label(missing.name or title, "strong")
        size = byte_size(missing.need.size) if missing.need and missing.need.size else ""
        said = f"{missing.path} is not there" if missing.path.strip() else "No file is chosen yet"
        self.about = _label("  ·  ".join(filter(None, (title, size, said))), "dim")
        self.others = ComboBox()
        self.others.setAccessibleName("Use another")
        self.others.bound(22)
        tame(self.others)
        self.address = _label(f"From {breakable(missing.address)}", "dim")
        self.address.setVisible(bool(missing.address))
        self.locate = small_button("Locate…", self._locate, "Choose the file; the others are looked for beside it")
        self.fetch = small_button("Download…", lambda: self.fetch_wanted.emit(missing.address), "")
        self.state = _label("", "strong")
        self._offer(refusal)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 10)
        column.setSpacing(5)
        column.addWidget(self.name)
        column.addWidget(self.about)
        column.addWidget(self.address)
        column.addLayout(FlowLayout(self.others, self.locate, self.fetch, growing=self.others))
        column.addWidget(self.state)
        self.choose(next((c.entry.path for c in missing.candidates if c.reason in SURE), ""))

    def _offer(self, refusal: str) -> None:
        self.others.addItem(NONE, "")
        for candidate in self.missing.candidates:
            self.others.addItem(f"{candidate.entry.name}  ·  {candidate.reason}", candidate.entry.path)
            self.others.setItemData(self.others.count() - 1, candidate.entry.path, Qt.ItemDataRole.ToolTipRole)
        self.others.setEnabled(bool(self.missing.candidates))
        if not self.missing.candidates:
            self.others.setItemText(0, "No other that fits")
        self.others.activated.connect(lambda _: self.choose(self.others.currentData()))
        self.fetch.setEnabled(bool(self.missing.address) and not refusal)
        why = f"{refusal[:1].upper()}{refusal[1:]}" if refusal else NO_ADDRESS
        self.fetch.setToolTip(f"From {self.missing.address}" if self.fetch.isEnabled() else why)

    def choose(self, path: str) -> None:
        """Empty: nothing."""
        self.path = path
        self.others.setCurrentIndex(max(self.others.findData(path), 0))
        self.state.setText(f"→ {path}")
        self.state.setVisible(bool(path))
        self.chosen.emit()

    def _locate(self) -> None:
        spec = Input(self.missing.port.socket, str, "", (self.missing.file,))
        if path := ask_path(self, spec, self.path):
            self.choose(path)
            self.located.emit(str(Path(path).parent))

    def try_folder(self, folder: str) -> None:
        """Take what has its name there, where nothing is chosen yet."""
        name = os.path.basename(self.missing.path.replace("\\", "/"))
        beside = Path(folder, name)
        if name and not self.path and beside.exists():
            self.choose(str(beside))


class MissingDialog(QDialog):
    fetch_wanted = Signal(str, object)  # an address, and who is told the path of what was fetched

    def __init__(self, files: MissingFiles, refusal: str, parent: QWidget | None = None) -> None:
        """refusal: why nothing may be fetched, as a sentence, or empty."""
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(TITLE)
        self.document: Document = files.document
        self.rows = [MissingRow(missing, _title(files.document, missing), refusal) for missing in files.files]
        self.summary = _label("", "dim")
        self.buttons = QDialogButtonBox()
        self.use = self.buttons.addButton("Use these files", QDialogButtonBox.ButtonRole.AcceptRole)
        self.buttons.addButton("Not now", QDialogButtonBox.ButtonRole.RejectRole)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self._lay_out(files.document.name)
        for row in self.rows:
            row.chosen.connect(self._show)
            row.located.connect(self._try_folder)
            row.fetch_wanted.connect(lambda address, row=row: self.fetch_wanted.emit(address, row.choose))
        self._show()

    def _lay_out(self, name: str) -> None:
        files = "one file that is not there" if len(self.rows) == 1 else f"{len(self.rows)} files that are not there"
        about = _label(f"{name} needs {files}. Nothing is changed before you say so, and then in one step.", "")
        inner = QWidget()
        list = QVBoxLayout(inner)
        list.setContentsMargins(0, 0, 8, 0)
        for row in self.rows:
            list.addWidget(row)
        list.addStretch(1)
        area = QScrollArea(widgetResizable=True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidget(inner)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 16, 18, 16)
        column.setSpacing(10)
        column.addWidget(about)
        column.addWidget(area, 1)
        column.addWidget(self.summary)
        column.addWidget(self.buttons)
        self.resize(dialog_size(600, min(180 + 130 * len(self.rows), 560)))

    def _try_folder(self, folder: str) -> None:
        for row in self.rows:
            row.try_folder(folder)

    def _show(self) -> None:
        found = sum(bool(row.path) for row in self.rows)
        self.summary.setText(f"{found} of {len(self.rows)} have a file now")
        self.use.setEnabled(found > 0)

    def accept(self) -> None:
        chosen = {(row.missing.group, row.missing.port): row.path for row in self.rows if row.path}
        if chosen:
            self.document.edit("Choose missing files", with_files, chosen)
        super().accept()


class MissingBar(QWidget):
    """Below the problems: how many files are missing, and the way to what can be done."""

    def __init__(self, files: MissingFiles, show: Callable[[], object], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.files = files
        self.said = _label("", "")
        self.go = small_button("Find them…", show, "Locate them, have them downloaded, or use others")
        row = FlowLayout(self.said, self.go)
        row.setContentsMargins(10, 4, 10, 8)
        self.setLayout(row)
        files.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        files = self.files.files
        self.setVisible(bool(files))
        self.said.setText(f"{_named(files)} {'is' if len(files) == 1 else 'are'} not there:" if files else "")
        self.go.setText("Find it…" if len(files) == 1 else "Find them…")


def _named(files: Sequence[Missing]) -> str:
    """ "a.jar", "a.jar and one more file", "a.jar and 3 more files"."""
    first = files[0].name or "A file"
    more = len(files) - 1
    return first if not more else f"{first} and {'one more file' if more == 1 else f'{more} more files'}"


def _title(document: Document, missing: Missing) -> str:
    """Of the node, and of the group that it is in."""
    graph = document.graph.groups[missing.group].graph if missing.group else document.graph
    node = graph.nodes[missing.port.node]
    type = document.declared(node.type)
    title = node.title or (type.title if type else node.type)
    return f"{title} in {missing.group}" if missing.group else title


def _label(text: str, name: str) -> QLabel:
    made = QLabel(text, wordWrap=True)
    made.setObjectName(name)
    made.setTextFormat(Qt.TextFormat.PlainText)
    return made

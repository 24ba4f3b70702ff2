"""Having a file fetched: what it is and what one may do with it, then where to, then how far it is."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from nodegraph.domain import Remote
from nodegraph.library.download import discard, place_for, unfinished
from ui.base.text import byte_size
from ui.base.theme import dialog_size, scaled
from ui.panels.fetch_bar import progress
from ui.panels.model_details import breakable
from ui.shelves.downloads import Downloads
from ui.shelves.shelves import Shelves
from ui.widgets.buttons import small_button
from ui.widgets.flow import FlowLayout

REMOTE = Qt.ItemDataRole.UserRole
HINT = "https://huggingface.co/NAME/MODEL"
WHAT = (
    "Paste the address of a model or of a file, as your browser has it. What is there, how large it is and under which "
    "licence is said before anything is fetched."
)
NAMED = (
    "The workflow names {}, where nobody has asked yet. Look asks what is there, how large it is and under which "
    "licence; nothing is fetched by that. For what else this workflow names you are not asked again."
)
NO_LICENCE = "The hub names no licence: look at its page before you use it"
GATED = "One has to log in at the hub and agree to something first; its page says to what"


class DownloadDialog(QDialog):
    """It goes on when the dialog is closed; the panel of models shows how far it is. path: what was fetched, or ""."""

    fetched = Signal(str)  # the path of what is there now
    looked = Signal()  # a person has said that the hub may be asked

    def __init__(
        self, shelves: Shelves, address: str = "", parent: QWidget | None = None, *, trusted: bool = True
    ) -> None:
        """trusted: whether the hub may be asked for the address at once; a workflow's waits until a person says so."""
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.shelves, self.downloads = shelves, shelves.downloads
        self.path = ""
        self.setWindowTitle("Download a model")
        self.address = QLineEdit(address, placeholderText=HINT, clearButtonEnabled=True)
        self.address.setAccessibleName("Address")
        self.address.setToolTip("Of a model or a file on the hub, as your browser has it")
        self.look = small_button("Look", self._look, "See what is there; nothing is fetched yet")
        self.list = QListWidget()
        self.list.setAccessibleName("What is there")
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.about = _label("")
        self.page = small_button("Its page", self._open_page, "Open it in your browser")
        self.to = QLineEdit()
        self.to.setAccessibleName("Where to")
        self.browse = small_button("Browse…", self._browse, "Choose another folder")
        self.rest = _label("dim")
        self.drop = small_button("Throw away", self._discard, "Delete what is there of it")
        self.get = QPushButton("Download")
        self.get.setAutoDefault(False)
        self.bar = QProgressBar(textVisible=False, maximum=1000)
        self.bar.setAccessibleName("How much is here")
        self.end = small_button("Stop", self.downloads.stop, "What is there of it stays, to go on from")
        self.said = _label("dim")
        self.hint = _label("dim")
        self.hint.setText(WHAT if trusted else NAMED.format(breakable(address)))
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self._lay_out()
        self._connect()
        self._show()
        if address and trusted:
            self._look()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(10)
        first = QHBoxLayout()
        first.addWidget(self.address, 1)
        first.addWidget(self.look)
        column.addLayout(first)
        column.addWidget(self.hint)
        column.addWidget(self.list, 1)
        column.addWidget(self.about)
        where = QHBoxLayout()
        where.addWidget(self.to, 1)
        where.addWidget(self.browse)
        column.addLayout(where)
        column.addWidget(self.rest)
        column.addLayout(FlowLayout(self.get, self.page, self.drop, self.end))
        column.addWidget(self.bar)
        column.addWidget(self.said)
        column.addStretch(1)
        column.addWidget(self.buttons)
        self.resize(dialog_size(560, 420))

    def _connect(self) -> None:
        self.address.returnPressed.connect(self._look)
        self.look.setAutoDefault(False)
        self.list.currentRowChanged.connect(self._choose)
        self.to.textChanged.connect(self._show)
        self.get.clicked.connect(self._get)
        self.buttons.rejected.connect(self.reject)
        self.downloads.changed.connect(self._show)
        self.downloads.told.connect(self._take)
        self.downloads.fetched.connect(self._fetched)

    @property
    def remote(self) -> Remote | None:
        item = self.list.currentItem()
        return item.data(REMOTE) if item is not None else None

    def _look(self) -> None:
        if address := self.address.text().strip():
            self.list.clear()
            self.looked.emit()
            self.downloads.ask(address)

    def _take(self, address: str, remotes: tuple[Remote, ...]) -> None:
        if address != self.address.text().strip():
            return
        for remote in remotes:
            item = QListWidgetItem(f"{remote.name}  ·  {byte_size(remote.size)}", self.list)
            item.setData(REMOTE, remote)
        self.list.setCurrentRow(0)
        if not remotes:
            self.said.setText("There is nothing that a node could take")
            self.said.show()

    def _choose(self) -> None:
        remote = self.remote
        if remote is not None:
            self.to.setText(place_for(remote, self.shelves.stock, self.shelves.folders))
        self._show()

    def _browse(self) -> None:
        remote = self.remote
        start = str(Path(self.to.text()).parent) if self.to.text() else ""
        if remote is not None and (folder := QFileDialog.getExistingDirectory(self, "Download to a folder", start)):
            self.to.setText(str(Path(folder, Path(remote.name).name)))

    def _open_page(self) -> None:
        if self.remote is not None:
            QDesktopServices.openUrl(QUrl(self.remote.page))

    def _get(self) -> None:
        if self.remote is not None:
            self.downloads.fetch(self.remote, self.to.text().strip())

    def _discard(self) -> None:
        try:
            discard(self.to.text().strip())
        except OSError as error:
            self.said.setText(f"It could not be deleted: {error.strerror or error}")
        self._show()

    def _fetched(self, path: str) -> None:
        self.path = path
        self.fetched.emit(path)

    def _show(self, *_: object) -> None:
        downloads, remote = self.downloads, self.remote
        refusal, busy = downloads.refusal, bool(downloads.doing)
        self.look.setEnabled(not busy and not refusal)
        self.list.setVisible(self.list.count() > 1)
        self.hint.setVisible(remote is None and not busy)
        for widget in (self.about, self.to, self.browse, self.get):
            widget.setVisible(remote is not None)
        self.page.setVisible(remote is not None and bool(remote.page))
        fetching = downloads.doing == "fetching"
        for widget in (self.bar, self.end):
            widget.setVisible(fetching)
        self._show_remote(remote, busy or bool(refusal))
        self.bar.setValue(round(1000 * downloads.here / downloads.whole) if downloads.whole else 0)
        said = _under_way(downloads) or (f"{refusal[:1].upper()}{refusal[1:]}" if refusal else downloads.said)
        self.said.setText(said)
        self.said.setVisible(bool(said))

    def _show_remote(self, remote: Remote | None, cannot: bool) -> None:
        left = 0
        if remote is not None:
            self.about.setText("\n".join(facts(remote, self.shelves)))
            place = self.to.text().strip()
            left = unfinished(place, remote) if os.path.isabs(place) else 0
            self.get.setText("Go on" if left else "Download")
            self.get.setEnabled(not cannot and os.path.isabs(place) and not os.path.exists(place))
            self.rest.setText(self._remark(place, left))
        self.rest.setVisible(remote is not None and bool(self.rest.text()))
        self.drop.setVisible(bool(left) and not cannot)

    def _remark(self, place: str, left: int) -> str:
        if not place:
            return "Choose the folder that it goes into."
        if not os.path.isabs(place):
            return f"{place} must be a whole path, from the root of the disk on."
        if os.path.exists(place):
            return f"{place} is there already."
        inside = any(Path(place).is_relative_to(folder) for folder in self.shelves.folders)
        outside = "" if inside else f"{Path(place).parent} is listed with your model folders then."
        return " ".join(filter(None, (f"{byte_size(left)} of it are there from before." if left else "", outside)))


def facts(remote: Remote, shelves: Shelves) -> list[str]:
    """Line by line, what is known before anything is fetched."""
    stock = shelves.stock
    kind = stock.kinds.get(remote.kind, remote.kind).removesuffix("s") if remote.kind else ""
    families = ", ".join(stock.families.get(name, name) for name in remote.families)
    files = f" in {len(remote.files)} files" if len(remote.files) > 1 else ""
    said = (
        remote.name,
        " · ".join(filter(None, (kind, families, f"{byte_size(remote.size)}{files}"))),
        f"Licence: {remote.licence}" if remote.licence else NO_LICENCE,
        GATED if remote.gated else "",
    )
    return [line for line in said if line]


def _under_way(downloads: Downloads) -> str:
    match downloads.doing:
        case "asking":
            return "Asking what is there…"
        case "fetching":
            return progress(downloads)
        case _:
            return ""


def _label(name: str) -> QLabel:
    made = QLabel(wordWrap=True)
    made.setObjectName(name)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    made.setMinimumWidth(scaled(200))
    return made

"""Where the files of models are looked for: in the settings, and offered at a first start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QFileDialog, QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from nodegraph.library.offers import MOST, Offer
from ui.base.settings import Preferences
from ui.base.text import amount
from ui.base.theme import scaled
from ui.shelves.finding import Finding
from ui.shelves.shelves import Shelves
from ui.widgets.buttons import small_button
from ui.widgets.flow import FlowLayout
from ui.widgets.order_list import OrderList
from ui.window.settings_page import Page

PATH = Qt.ItemDataRole.UserRole
TITLE = "Model folders"
LINES = 5  # of folders that are seen at once


class OfferList(QWidget):
    """Folders that other programs fill, each with a box to tick."""

    def __init__(self, ticked: bool) -> None:
        """ticked: whether they are, until somebody says otherwise."""
        super().__init__()
        self._ticked = ticked
        self.boxes: list[tuple[QCheckBox, Offer]] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)

    def show_offers(self, offers: Sequence[Offer]) -> None:
        for box, _ in self.boxes:
            box.deleteLater()
        self.boxes = [(self._box(offer), offer) for offer in offers]
        for box, _ in self.boxes:
            self._column.addWidget(box)

    def _box(self, offer: Offer) -> QCheckBox:
        made = QCheckBox(f"{offer.title} ({counted(offer)})")
        made.setChecked(self._ticked)
        made.setToolTip("\n".join(offer.folders))
        made.setAccessibleName(made.text())
        return made

    def folders(self) -> tuple[str, ...]:
        """Of what is ticked."""
        return tuple(folder for box, offer in self.boxes if box.isChecked() for folder in offer.folders)


def counted(offer: Offer) -> str:
    """ "1,234 files", "5,000 files or more"."""
    if offer.files == 1:
        return "1 file"
    return f"{amount(offer.files)} files{' or more' if offer.files >= MOST else ''}"


class FoldersPage(Page):
    title = TITLE

    def __init__(self, now: Preferences, shelves: Shelves) -> None:
        super().__init__()
        self.shelves = shelves
        self.finding = Finding(shelves.package, self)
        self._counting = shelves.asking(self)
        self._counting.answered.connect(self._show_counts)
        self.list = OrderList("Folders that are looked in")
        self.list.setFixedHeight(scaled(30) * LINES)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setSelectionMode(QListWidget.SelectionMode.SingleSelection)
        self._first = shelves.folders
        self._append(self._first)
        self.add = small_button("Add…", self._add, "Look in another folder too, and in those inside it")
        self.remove = small_button("Remove", self._remove, "Look there no more; the files stay")
        self.up = small_button("Up", lambda: self.list.move_current(-1), "Of two files of one name it counts first")
        self.down = small_button("Down", lambda: self.list.move_current(1), "Of two of one name the other counts first")
        self.again = small_button("Look again now", self._look_again, "Look through all folders for what has changed")
        self.look = small_button("Find folders", self._find, "Of ComfyUI, and of other programs that keep such files")
        self.said = QLabel(wordWrap=True)
        self.said.setObjectName("dim")
        self.said.hide()
        self.offers = OfferList(ticked=False)
        self.network = QCheckBox("Never use the network")
        self.network.setAccessibleName(self.network.text())
        self.network.setChecked(not now.network)
        self._lay_out()
        self.finding.found.connect(self._show_offers)
        self.finding.failed.connect(self._say)
        self.list.currentRowChanged.connect(self._show)
        shelves.changed.connect(self._count)
        self._show()
        self._count()

    def _lay_out(self) -> None:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.list)
        column.addLayout(FlowLayout(self.add, self.remove, self.up, self.down, self.again, self.look))
        column.addWidget(self.said)
        column.addWidget(self.offers)
        self.form.addRow(holder)
        self.form.addRow(self.network)
        self.remark(
            "Files stay where they are: what a folder holds is listed, searched and offered. Folders are looked in "
            "with all that is inside them, and again whenever something in them changes."
        )

    def chosen(self) -> dict[str, Any]:
        return {}

    def keep(self) -> None:
        """Look in what is chosen, from now on."""
        chosen = tuple(dict.fromkeys((*self._folders(), *self.offers.folders())))
        if chosen != self._first:  # or else it stays as it is, whoever has changed it meanwhile
            self._append(chosen)
            self.offers.show_offers(())
            self.shelves.choose(chosen)
            self._first = chosen

    def _folders(self) -> list[str]:
        return [self.list.item(row).data(PATH) for row in range(self.list.count())]

    def _append(self, folders: Iterable[str]) -> None:
        for folder in folders:
            if folder not in self._folders():
                item = QListWidgetItem(folder, self.list)
                item.setData(PATH, folder)
                item.setToolTip(folder)

    def _add(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Look in a folder"):
            self._append([folder])
            self.list.setCurrentRow(self.list.count() - 1)

    def _remove(self) -> None:
        self.list.takeItem(self.list.currentRow())
        self._show()

    def _show(self, *_: object) -> None:
        for button in (self.remove, self.up, self.down):
            button.setEnabled(self.list.currentRow() >= 0)
        self.again.setEnabled(bool(self.shelves.folders))

    def _look_again(self) -> None:
        self.shelves.scanning.begin()
        self._say("Looking through them. The panel of models shows how far it is.")

    def _find(self) -> None:
        self.look.setEnabled(False)
        self._say("Looking around on this machine…")
        self.finding.begin(tuple(self._folders()))

    def _show_offers(self, offers: tuple[Offer, ...]) -> None:
        self.look.setEnabled(True)
        self.offers.show_offers(offers)
        self._say("Found, tick what you want:" if offers else "No other folders with models were found.")

    def _say(self, sentence: str) -> None:
        self.look.setEnabled(not self.finding.running)
        self.said.setText(sentence)
        self.said.show()

    def _count(self) -> None:
        """How many files each folder has, and what is wrong with it."""
        self._counting.ask(lambda library: (library.found_in(), library.troubles()))

    def _show_counts(self, found: tuple[dict[str, int], dict[str, str]]) -> None:
        counts, troubles = found
        for item in (self.list.item(row) for row in range(self.list.count())):
            folder = item.data(PATH)
            files = counts.get(folder, 0)
            said = f"{folder}  ·  {amount(files)} {'file' if files == 1 else 'files'}"
            item.setText(troubles.get(folder, said) if folder in self.shelves.folders else folder)

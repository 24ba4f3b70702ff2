"""At a first start: the folders that other programs fill are offered, and taken when somebody says so."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout

from nodegraph.library.offers import Offer
from ui.base.theme import scaled
from ui.shelves.finding import Finding
from ui.window.folders_page import OfferList
from ui.window.shell import Shell
from ui.window.tour import Tour

WIDTH = 520
ABOUT = (
    "Other programs on this machine keep models. Denoodle can list them, find them as you type and offer them where "
    "they fit. They stay where they are: nothing is copied, moved or changed."
)


def offer_folders(window: Shell) -> Finding | None:
    """Look for them and, when there are some, ask: once. None when that was done before."""
    if window.settings.now.models_offered or window.shelves.folders:
        return None
    finding = window.finding
    finding.found.connect(lambda offers: _after_the_tour(window, offers))
    finding.begin(())
    return finding


def _after_the_tour(window: Shell, offers: tuple[Offer, ...]) -> None:
    if not offers or window.shelves.folders:  # somebody has chosen some meanwhile, or with the command
        window.settings.change(models_offered=True)
        return
    if tour := window.findChild(Tour):
        tour.ended.connect(lambda: FirstFolders(window, offers).open())
    else:
        FirstFolders(window, offers).open()


class FirstFolders(QDialog):
    """What is ticked is looked through from now on; the settings have the same."""

    def __init__(self, window: Shell, offers: tuple[Offer, ...]) -> None:
        super().__init__(window)
        self.shell = window
        self.setWindowTitle("Models that you have already")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        about = QLabel(ABOUT, wordWrap=True)
        self.offers = OfferList(ticked=True)
        self.offers.show_offers(offers)
        later = QLabel("Edit, Settings, Model folders has them at any time.", wordWrap=True)
        later.setObjectName("dim")
        self.buttons = QDialogButtonBox()
        self.buttons.addButton("List these models", QDialogButtonBox.ButtonRole.AcceptRole)
        self.buttons.addButton("Not now", QDialogButtonBox.ButtonRole.RejectRole)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 16, 18, 16)
        column.setSpacing(12)
        for widget in (about, self.offers, later, self.buttons):
            column.addWidget(widget)
        self.setMinimumWidth(scaled(WIDTH))

    def done(self, result: int) -> None:
        """Either is an answer: nobody is asked again."""
        taken = self.offers.folders() if result == QDialog.DialogCode.Accepted else ()
        self.shell.settings.change(models_offered=True)
        if taken:
            self.shell.shelves.choose(tuple(dict.fromkeys((*self.shell.shelves.folders, *taken))))
            self.shell.docks.show("Models")
        super().done(result)

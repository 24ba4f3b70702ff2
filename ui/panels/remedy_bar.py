"""What a person can do about something that is missing: a file to choose, or to have fetched."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFileDialog, QLabel, QProgressBar, QVBoxLayout, QWidget

from ui.runs.remedies import NO_NETWORK, Remedies
from ui.widgets.buttons import small_button
from ui.widgets.flow import FlowLayout

FETCHED = "Over the network; nothing is fetched that you did not ask for"


class RemedyBar(QWidget):
    """name: of the remedy that is offered; nothing is seen without one."""

    def __init__(self, remedies: Remedies, name: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.remedies = remedies
        self.name = ""
        self.about = QLabel()
        self.said = QLabel(wordWrap=True)
        self.said.setObjectName("dim")
        self.said.setTextFormat(Qt.TextFormat.PlainText)
        self.said.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.choose = small_button("", lambda: choose(self.remedies, self.name, self), "Choose a file that you have")
        self.fetch = small_button("", lambda: remedies.begin(self.name), FETCHED)
        self.end = small_button("Stop", remedies.stop, "Keep nothing of it")
        self.bar = QProgressBar(textVisible=False)
        self.bar.setFixedWidth(120)
        self.bar.setAccessibleName("How much is here")
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 4, 10, 8)
        column.setSpacing(4)
        column.addLayout(FlowLayout(self.about, self.choose, self.fetch, self.bar, self.end))
        column.addWidget(self.said)
        remedies.changed.connect(self._show)
        self.show_remedy(name)

    def show_remedy(self, name: str) -> None:
        self.name = name if name in self.remedies.declared else ""
        self.setVisible(bool(self.name))
        if self.name:
            remedy = self.remedies.declared[self.name]
            self.about.setText(f"{remedy.title}:")
            self.choose.setText(remedy.choose)
            self.fetch.setText(remedy.fetch)
        self._show()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._make_room()

    def _make_room(self) -> None:
        """A low panel would lay one thing over another: Qt asks for the height of one line."""
        if layout := self.layout():
            self.setMinimumHeight(layout.heightForWidth(self.width()))

    def _show(self) -> None:
        doing = bool(self.name) and self.remedies.doing == self.name
        for button in (self.choose, self.fetch):
            button.setVisible(not doing)
            button.setEnabled(not self.remedies.doing)
        self.fetch.setEnabled(not self.remedies.doing and self.remedies.network)
        self.fetch.setToolTip(FETCHED if self.remedies.network else NO_NETWORK)
        self.bar.setVisible(doing)
        self.end.setVisible(doing)
        fraction = self.remedies.fraction
        self.bar.setMaximum(0 if fraction is None else 1000)  # 0: it moves, and says nothing of how far it is
        self.bar.setValue(round(1000 * (fraction or 0.0)))
        said = self.remedies.said.get(self.name, "")
        self.said.setText(said)
        self.said.setVisible(bool(said))
        self._make_room()


def choose(remedies: Remedies, name: str, parent: QWidget) -> None:
    """Ask for a file, and keep it."""
    remedy = remedies.declared[name]
    patterns = " ".join(remedy.patterns)
    path, _ = QFileDialog.getOpenFileName(parent, remedy.choose.removesuffix("…"), "", f"{remedy.title} ({patterns})")
    if path:
        remedies.begin(name, path)

"""How far a download is, and how it is ended."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from ui.base.text import byte_size, duration
from ui.shelves.downloads import Downloads
from ui.widgets.buttons import small_button
from ui.widgets.short_label import ShortLabel


class FetchBar(QWidget):
    """Nothing is seen of it while nothing is fetched."""

    def __init__(self, downloads: Downloads, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.downloads = downloads
        self.said = ShortLabel()
        self.said.setObjectName("dim")
        self.bar = QProgressBar(textVisible=False, maximum=1000)
        self.bar.setAccessibleName("How much is here")
        self.end = small_button("Stop", downloads.stop, "What is there of it stays, to go on from")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.said, 1)
        row.addWidget(self.bar, 1)
        row.addWidget(self.end)
        downloads.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        downloads = self.downloads
        self.setVisible(downloads.doing == "fetching")
        if downloads.remote is not None:
            self.said.setText(f"{downloads.remote.name}: {progress(downloads)}")
        self.bar.setValue(round(1000 * downloads.here / downloads.whole) if downloads.whole else 0)


def progress(downloads: Downloads) -> str:
    """ "1.2 GB of 6.9 GB are here, 2:40 min left"."""
    left = downloads.seconds_left
    after = f", {duration(left)} left" if left is not None else ""
    return f"{byte_size(downloads.here)} of {byte_size(downloads.whole)} are here{after}"

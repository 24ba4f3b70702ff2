"""Looking for the folders that other programs fill: on this machine, in a process of its own, when somebody asks."""

from __future__ import annotations

import json

from PySide6.QtCore import QObject, QTimer, Signal

from nodegraph.library.offers import look_around, read_offers
from nodegraph.running.errand import Done, Errand, Refused

POLL_MS = 50


class Finding(QObject):
    """One look at a time."""

    found = Signal(tuple)  # Offers, the most files first
    failed = Signal(str)  # why nothing could be found, as a sentence

    def __init__(self, package: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._package = package
        self._errand: Errand | None = None
        self._poll = QTimer(self, interval=POLL_MS)
        self._poll.timeout.connect(self._hear)

    @property
    def running(self) -> bool:
        return self._errand is not None

    def begin(self, taken: tuple[str, ...]) -> None:
        """taken: folders that are looked in already, which are not offered."""
        if self._errand is None:
            self._errand = Errand(look_around, json.dumps({"package": self._package, "taken": taken}))
            self._poll.start()

    def close(self) -> None:
        self._poll.stop()
        if self._errand is not None:
            self._errand.close()
            self._errand = None

    def _hear(self) -> None:
        for event in self._errand.news() if self._errand else ():
            match event:
                case Done(text):
                    self.close()
                    self.found.emit(read_offers(text))
                case Refused(message):
                    self.close()
                    self.failed.emit(message)
                case _:
                    pass

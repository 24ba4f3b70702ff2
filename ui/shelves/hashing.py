"""The checksum of a file, worked out when somebody asks: in a process of its own, as it reads all of the file."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from nodegraph.library.hashing import Asked, hash_files
from nodegraph.running.errand import Done, Errand, Refused, Went

POLL_MS = 50


class Hashing(QObject):
    """One file at a time. path: of the one that is being read; empty when none is. fraction: how far that is, 0..1."""

    changed = Signal()
    finished = Signal()  # it is known now
    failed = Signal(str)  # why it could not be worked out, as a sentence

    def __init__(self, library: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._library = library
        self.path, self.fraction = "", 0.0
        self._errand: Errand | None = None
        self._poll = QTimer(self, interval=POLL_MS)
        self._poll.timeout.connect(self._hear)

    def begin(self, path: str) -> None:
        """Instead of what is being read, if anything is."""
        self.close()
        self.path, self.fraction = path, 0.0
        self._errand = Errand(hash_files, Asked(str(self._library), (path,)).text())
        self._poll.start()
        self.changed.emit()

    def close(self) -> None:
        self._poll.stop()
        if self._errand:
            self._errand.close()
            self._errand = None
        self.path = ""

    def _hear(self) -> None:
        for event in self._errand.news() if self._errand else ():
            match event:
                case Went(done, whole):
                    self.fraction = done / whole if whole else 0.0
                    self.changed.emit()
                case Done():
                    self.close()
                    self.changed.emit()
                    self.finished.emit()
                case Refused(message):
                    self.close()
                    self.changed.emit()
                    self.failed.emit(f"No checksum: {message}")

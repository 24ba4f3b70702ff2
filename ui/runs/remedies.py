"""What is missing beside every workflow, and is chosen or fetched by hand: one thing at a time, beside all else."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from PySide6.QtCore import QObject, QTimer, Signal

from nodegraph import program
from nodegraph.domain import Remedy
from nodegraph.running.errand import Done, Errand, Refused, Went
from ui.base.text import byte_size

POLL_MS = 50
NO_NETWORK = "Nothing is fetched: the network is switched off in the settings"
PATIENCE_MS = 1000
"""From Stop until what does not end by itself is ended."""


class Remedies(QObject):
    """declared: by name. doing: the name of the one on its way; empty when none is. fraction: how far it is, 0..1; None
    when that is not known. network: whether anything may be fetched. said: by name, what is to be said of
    it, a sentence.
    """

    changed = Signal()
    kept = Signal(str)  # name: it is there now
    refused = Signal(str, str)  # why one cannot be had, as a sentence, and a traceback

    def __init__(self, declared: Mapping[str, Remedy], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.declared = declared
        self.doing = ""
        self.fraction: float | None = None
        self.said: dict[str, str] = {}
        self.network = True
        self._fetching = False  # what is being done comes over it
        self._errand: Errand | None = None
        self._poll = QTimer(self, interval=POLL_MS)
        self._poll.timeout.connect(self._hear)

    def begin(self, name: str, place: str | None = None) -> None:
        """Keep this file, or without one fetch it. Not while another is on its way."""
        if self.doing or name not in self.declared:
            return
        if place is None and not self.network:
            self.said[name] = NO_NETWORK
            self.changed.emit()
            return
        self.doing, self.fraction = name, None
        self.said[name] = "Looking at the file" if place else "Asking for it"
        self._fetching = place is None
        self._errand = Errand(self.declared[name].keep, place)
        self._poll.start()
        self.changed.emit()

    def allow_network(self, on: bool) -> None:
        """Whether things may be fetched, by any process of the program. What is on its way stops when they may not."""
        with suppress(OSError):  # where that cannot be written down nothing can be fetched either: it is kept beside it
            program.allow_network(on)
        if on == self.network:
            return
        self.network = on
        if not on and self.doing and self._fetching:
            self.stop()
        self.changed.emit()

    def stop(self) -> None:
        """Nothing is kept of what is on its way."""
        if errand := self._errand:
            errand.stop()
            QTimer.singleShot(PATIENCE_MS, errand.close)
            self._end("Stopped; nothing was kept")

    def close(self) -> None:
        if self._errand:
            self._errand.close()
        self._poll.stop()

    def _hear(self) -> None:
        for event in self._errand.news() if self._errand else ():
            match event:
                case Went(done, whole):
                    self.fraction = min(done / whole, 1.0) if whole else None
                    of = f" of {byte_size(whole)}" if whole else ""
                    self.said[self.doing] = f"{byte_size(done)}{of} are here"
                    self.changed.emit()
                case Done(place):
                    name = self.doing
                    self._over(f"It is kept in {place}")
                    self.kept.emit(name)
                case Refused(message, traceback):
                    self._over(f"{message[:1].upper()}{message[1:]}")
                    self.refused.emit(message, traceback)

    def _over(self, sentence: str) -> None:
        if self._errand:
            self._errand.close()
        self._end(sentence)

    def _end(self, sentence: str) -> None:
        self._poll.stop()
        self.said[self.doing] = sentence
        self._errand, self.doing, self.fraction = None, "", None
        self.changed.emit()

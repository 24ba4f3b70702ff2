"""A file that is fetched from a hub because a person asked for it: what it is first, then its bytes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QObject, QTimer, Signal

from nodegraph.domain import Remote
from nodegraph.library.download import Fetch, ask, fetch, read_remotes
from nodegraph.program import offline
from nodegraph.running.errand import Done, Errand, Refused, Went

POLL_MS = 50
PATIENCE_MS = 1000
"""From Stop until what does not end by itself is ended."""

NO_NETWORK = "nothing is fetched over the network: that is switched off in the settings"
STOPPED = "Stopped. What is there stays, and another try goes on from it"

Doing = Literal["", "asking", "fetching"]


class Downloads(QObject):
    """One at a time. doing: what is under way. remote, to: what is fetched, and where to. here, whole: bytes.

    network: whether anything may be fetched. said: what became of it, as a sentence.
    """

    changed = Signal()
    told = Signal(str, tuple)  # the address that was asked for, and the Remotes that are there
    fetched = Signal(str)  # the path of what is there now
    failed = Signal(str)  # why something came to nothing, as a sentence

    def __init__(self, library: Path, package: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._library, self._package = library, package
        self.doing: Doing = ""
        self.network = True
        self.remote: Remote | None = None
        self.to = ""
        self.here, self.whole = 0, 0
        self.said = ""
        self._address = ""
        self._began, self._first = 0.0, -1  # when the first news came, and how much was here by then
        self._errand: Errand | None = None
        self._poll = QTimer(self, interval=POLL_MS)
        self._poll.timeout.connect(self._hear)

    @property
    def refusal(self) -> str:
        """Why nothing may be fetched, as a sentence; empty when it may."""
        return offline() if self.network else NO_NETWORK

    @property
    def seconds_left(self) -> float | None:
        """None while nobody can tell."""
        new, since = self.here - self._first, time.monotonic() - self._began
        return since / new * (self.whole - self.here) if self._first >= 0 and new > 0 and since > 1 else None

    def allow_network(self, on: bool) -> None:
        """What is under way stops when nothing may be fetched any more."""
        if on != self.network:
            self.network = on
            if not on:
                self.stop()
            self.changed.emit()

    def ask(self, address: str) -> None:
        """What is there; `told` says it. Not while something else is under way."""
        if self._may():
            self._address = address
            self._begin("asking", Errand(ask, json.dumps({"address": address, "package": self._package})))

    def fetch(self, remote: Remote, to: str) -> None:
        """Have it fetched into this place. What is there from before is gone on with."""
        if self._may():
            self.remote, self.to, self.here, self.whole, self._first = remote, to, 0, remote.size, -1
            self._begin("fetching", Errand(fetch, Fetch(remote, to, str(self._library), self._package).text()))

    def _may(self) -> bool:
        if self.doing:
            return False
        if why := self.refusal:
            self._end(_sentence(why))
            self.failed.emit(self.said)
        return not why

    def _begin(self, doing: Doing, errand: Errand) -> None:
        self.doing, self.said, self._errand = doing, "", errand
        self._poll.start()
        self.changed.emit()

    def stop(self) -> None:
        """What is there of a file stays, under a name that nobody takes for it."""
        if errand := self._errand:
            errand.stop()
            QTimer.singleShot(PATIENCE_MS, errand.close)
            self._errand = None
            self._end(STOPPED if self.doing == "fetching" else "")

    def close(self) -> None:
        self._poll.stop()
        if self._errand:
            self._errand.close()

    def _hear(self) -> None:
        doing = self.doing
        for event in self._errand.news() if self._errand else ():
            match event:
                case Went(done, whole):
                    if self._first < 0:
                        self._first, self._began = done, time.monotonic()
                    self.here, self.whole = done, whole or self.whole
                    self.changed.emit()
                case Done(text):
                    self._over("" if doing == "asking" else f"It is in {text}")
                    if doing == "asking":
                        self.told.emit(self._address, read_remotes(text))
                    else:
                        self.fetched.emit(text)
                case Refused(message):
                    self._over(_sentence(message))
                    self.failed.emit(self.said)

    def _over(self, said: str) -> None:
        if self._errand:
            self._errand.close()
            self._errand = None
        self._end(said)

    def _end(self, said: str) -> None:
        self._poll.stop()
        self.doing, self.said = "", said
        self.changed.emit()


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"

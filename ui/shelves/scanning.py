"""Looking through the folders: in a process of its own, when it is asked for and when something in them changes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication

from nodegraph.library.scan import Wanted, scan
from nodegraph.running.errand import Done, Errand, Refused, Went

POLL_MS = 50
SETTLE_MS = 600
"""From a change in a folder to a look at it: whoever copies a large file touches it again and again."""

AGAIN_MS = 60_000
"""Between two looks at folders that tell of no change: some drives, and files that are written anew in their place."""

MOST_WATCHED = 2_000
"""Folders; the system has only so many watches for all programs."""

PATIENCE_MS = 1000
"""From Stop until what does not end by itself is ended."""


class Scanning(QObject):
    """running: whether a look is under way. done, all: files looked at; all: 0 when that is not known."""

    changed = Signal()  # it goes on, began or ended
    finished = Signal()  # everything was looked at
    failed = Signal(str)  # why it could not be done, as a sentence

    def __init__(self, library: Path, package: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._library, self._package = library, package
        self.roots: tuple[str, ...] = ()
        self.running = False
        self.done, self.all = 0, 0
        self._began = 0.0
        self._first = 0  # files that were known already when it began
        self._due = False  # something has changed since this look began
        self._errand: Errand | None = None
        self._poll = QTimer(self, interval=POLL_MS)
        self._poll.timeout.connect(self._hear)
        self._watcher = QFileSystemWatcher(self)
        self._pause = QTimer(self, interval=SETTLE_MS, singleShot=True)
        self._watcher.directoryChanged.connect(self._pause.start)
        self._pause.timeout.connect(self.begin)
        self._again = QTimer(self, interval=AGAIN_MS)
        self._again.timeout.connect(self._look_again)

    def _look_again(self) -> None:
        """While somebody works with the program."""
        if QGuiApplication.applicationState() == Qt.ApplicationState.ApplicationActive:
            self.begin()

    def use(self, roots: tuple[str, ...]) -> None:
        """Look in these folders from now on, in this order."""
        if roots != self.roots:
            self.roots = roots
            self.stop()
            self.begin()

    def begin(self) -> None:
        """Look now; once more when a look is under way."""
        if self.running:
            self._due = True
            return
        self.running, self._due = True, False
        self.done = self.all = self._first = 0
        self._began = time.monotonic()
        wanted = Wanted(str(self._library), self.roots, self._package)
        self._errand = Errand(scan, wanted.text())
        self._poll.start()
        self._again.start()
        self.changed.emit()

    def stop(self) -> None:
        """What was looked at so far stays known."""
        if errand := self._errand:
            errand.stop()
            QTimer.singleShot(PATIENCE_MS, errand.close)
            self._over()

    def close(self) -> None:
        for timer in (self._poll, self._pause, self._again):
            timer.stop()
        if self._errand:
            self._errand.close()
            self._errand = None

    def watch(self, folders: Iterable[str]) -> None:
        """Notice when something comes into these folders, or goes."""
        wanted = set(sorted({*self.roots, *folders})[:MOST_WATCHED])
        wanted = {folder for folder in wanted if Path(folder).is_dir()}
        watched = {*self._watcher.directories()}
        if gone := watched - wanted:
            self._watcher.removePaths([*gone])
        if new := wanted - watched:
            self._watcher.addPaths([*new])

    @property
    def news(self) -> int:
        """Files that were not known, or were others, when it began."""
        return self.all - self._first

    @property
    def seconds_left(self) -> float | None:
        """None while nobody can tell."""
        new, since = self.done - self._first, time.monotonic() - self._began
        return since / new * (self.all - self.done) if new > 0 and since > 1 else None

    def _hear(self) -> None:
        for event in self._errand.news() if self._errand else ():
            match event:
                case Went(done, all):
                    if not self.all:
                        self._first, self._began = done, time.monotonic()
                    self.done, self.all = done, all
                    self.changed.emit()
                case Done():
                    self._end()
                    self.finished.emit()
                case Refused(message):
                    self._end()
                    self.failed.emit(f"Your folders could not be looked through: {message}")

    def _end(self) -> None:
        if self._errand:
            self._errand.close()
        self._over()

    def _over(self) -> None:
        self._poll.stop()
        self._errand, self.running = None, False
        self.changed.emit()
        if self._due:
            self.begin()

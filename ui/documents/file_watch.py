"""Notices when another program changes a file."""

from __future__ import annotations

from functools import partial
from hashlib import blake2b, file_digest
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, QTimer, Signal

SETTLE = 150  # ms; programs that save write more than once


class FileWatch(QObject):
    """Tells when the content of a file is no longer what it was when last read or written here."""

    touched = Signal(Path)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._known: dict[Path, str | None] = {}
        self._stamps: dict[Path, tuple[int, int, int] | None] = {}
        self._watcher = QFileSystemWatcher(self)
        self._pause = QTimer(self, interval=SETTLE, singleShot=True)
        self._watcher.fileChanged.connect(self._pause.start)
        self._watcher.directoryChanged.connect(self._pause.start)
        self._pause.timeout.connect(self.check)

    def accept(self, path: Path) -> str | None:
        """Take the file as it is now for known, and watch it from now on; its fingerprint."""
        self._stamps[path], self._known[path] = stamp(path), fingerprint(path)
        self._watch()
        return self._known[path]

    def expect(self, path: Path, known: str | None) -> None:
        """Watch a file that was last read or written when its fingerprint was `known`."""
        self._stamps[path], self._known[path] = None, known
        self._watch()
        self._pause.start()

    def leave(self, path: Path) -> None:
        self._known.pop(path, None)
        self._stamps.pop(path, None)
        self._watch()

    def known(self, path: Path) -> str | None:
        """The fingerprint of the file as it was last seen."""
        return self._known.get(path)

    def check(self) -> None:
        """Look now. The watcher finds out by itself, except on some network drives."""
        for path in tuple(self._known):
            now = stamp(path)
            if now is not None and now == self._stamps[path]:
                continue
            before, self._known[path] = self._known[path], fingerprint(path)
            self._stamps[path] = now
            if self._known[path] != before:
                self.touched.emit(path)
        self._watch()

    def _watch(self) -> None:
        # A file that is replaced is lost to the watcher; its folder tells of the new one.
        wanted = {str(p) for file in self._known for p in (file, file.parent) if p.exists()}
        watched = {*self._watcher.files(), *self._watcher.directories()}
        if gone := watched - wanted:
            self._watcher.removePaths([*gone])
        if new := wanted - watched:
            self._watcher.addPaths([*new])


def stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes whenever the file is written; None when there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def fingerprint(path: Path) -> str | None:
    """A checksum of the content; None when the file cannot be read. A pipe is not waited for."""
    try:
        if not path.is_file():
            return None
        with open(path, "rb") as file:
            return file_digest(file, partial(blake2b, digest_size=16)).hexdigest()
    except OSError:
        return None

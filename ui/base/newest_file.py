"""A file that is written over and over, whole, on a thread of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from nodegraph.formats.files import write_atomic


class NewestFile(QObject):
    """The disk may take longer than a window may stand still."""

    failed = Signal(str)  # why it could not be written; what is put next is tried again

    def __init__(self, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = path
        self._writer = ThreadPoolExecutor(1, path.stem)
        self._unwritten: deque[Callable[[], bytes]] = deque(maxlen=1)

    def put(self, made: Callable[[], bytes]) -> None:
        """Write what this makes, on the other thread: of several that come while one is written, the last alone."""
        self._unwritten.append(made)
        self._writer.submit(self._write_newest).add_done_callback(self._wrote)

    def flush(self) -> None:
        """Return when what was put is on the disk."""
        self._writer.submit(lambda: None).result()

    def close(self) -> None:
        """The same, and nothing more can be put."""
        self._writer.shutdown()

    def _write_newest(self) -> None:
        if self._unwritten:
            made = self._unwritten.pop()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self.path, made())

    def _wrote(self, done: Future[None]) -> None:
        if error := done.exception():
            self.failed.emit(str(error))

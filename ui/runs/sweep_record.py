"""What the cells of sweeps wrote, by what decides their pictures: found again after a restart, and after undo."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from PySide6.QtCore import QObject, Signal

from nodegraph.formats.files import Damaged, read_own, usable_path, write_atomic
from ui.runs.picture_index import Gallery
from ui.runs.queue import Queue

MAX_BYTES = 64 << 20
MOST = 100_000
"""Cells that are remembered; those that were made first are forgotten first."""

TAG = "sweep "
"""What the tags of jobs that compute a cell begin with; the name of the cell follows."""


class SweepRecord(QObject):
    """file: where it is kept; None keeps it in memory. gallery: where its pictures are listed, and have stars.
    complaints: what was damaged in it, as sentences. It listens to the queue, whoever asked for a job.
    """

    changed = Signal(str)  # the name of a cell of which something is known now
    troubled = Signal(str)  # why it could not be kept, as a sentence; it goes on in memory

    def __init__(
        self, queue: Queue, file: Path | None = None, gallery: Gallery | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.gallery = gallery
        self._queue, self._file = queue, file
        self._made: dict[str, tuple[str, ...]] = {}
        self.complaints: list[str] = []
        queue.changed.connect(self._follow)
        if file is None:
            return
        try:
            self._made.update(read_own(file, "The list of what sweeps made", MAX_BYTES, read_made))
        except FileNotFoundError:
            return
        except Damaged as error:
            self.complaints.append(str(error))
            return
        if len(self._made) > MOST:
            self._forget_first()

    def pictures(self, name: str) -> tuple[str, ...] | None:
        """The files of a cell; None when it is not made, or one of them is gone."""
        paths = self._made.get(name)
        return paths if paths is not None and all(map(os.path.exists, paths)) else None

    def put(self, name: str, paths: tuple[str, ...]) -> None:
        """A cell that was made elsewhere."""
        self._note(name, paths)
        for path in paths if self.gallery else ():
            self.gallery.add(Path(path))  # type: ignore[union-attr]
        self.changed.emit(name)

    def _note(self, name: str, paths: tuple[str, ...]) -> None:
        if self._made.get(name) != paths:
            self._made.pop(name, None)
            self._made[name] = paths
            self._keep(name, paths)

    def _follow(self, id: int) -> None:
        if not self._queue.lists(id):
            return
        job = self._queue.job(id)
        if not job.tag.startswith(TAG):
            return
        name = job.tag.removeprefix(TAG)
        if job.state == "done":
            self._note(name, job.saved)
        self.changed.emit(name)

    def _keep(self, name: str, paths: tuple[str, ...]) -> None:
        if self._file is None:
            return
        try:
            with open(self._file, "a", encoding="utf-8", errors="surrogateescape") as file:
                # On a line of its own: the one before may have been cut off.
                file.write(f"\n{json.dumps([name, *paths])}\n")
        except OSError as error:
            self.troubled.emit(f"What sweeps made could not be kept: {error}")
            self._file = None

    def _forget_first(self) -> None:
        self._made = dict(list(self._made.items())[-MOST // 2 :])
        if self._file is not None:
            lines = [json.dumps([name, *paths]) for name, paths in self._made.items()]
            with suppress(OSError):  # it is longer than it need be, no worse
                write_atomic(self._file, "\n".join([*lines, ""]).encode())


def read_made(data: bytes) -> Mapping[str, tuple[str, ...]]:
    """What the file says: the pictures of each cell, by its name. A line that is none of ours says nothing."""
    found: dict[str, tuple[str, ...]] = {}
    for line in data.split(b"\n"):
        with suppress(ValueError, RecursionError):  # its cell is made again
            entry: Any = json.loads(line)
            if isinstance(entry, list) and entry and all(type(text) is str for text in cast("list[Any]", entry)):
                name, *paths = cast("list[str]", entry)
                found[name] = tuple(str(usable_path(path)) for path in paths)
    return found

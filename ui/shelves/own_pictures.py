"""Which of one's own pictures were made with a file: the gallery knows by what its pictures say of themselves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import PurePath

from PySide6.QtCore import QObject, Signal

from nodegraph.pieces import Pieces
from ui.base.slices import Slices
from ui.runs.picture_index import Gallery, Made

SEPARATORS = ("/", "\\")
SOME = 100


class OwnPictures(QObject):
    """By the whole path of a file, the newest picture whose parameters name it; a starred one before all."""

    changed = Signal()

    def __init__(self, gallery: Gallery, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._gallery = gallery
        self._found: dict[str, Made] = {}
        self._work = Slices(self)
        gallery.added.connect(self._add)
        for signal in (gallery.changed, gallery.removed, gallery.returned):
            signal.connect(self._again)
        self._again()

    def of(self, path: str) -> str:
        """The path of a picture; empty when there is none."""
        made = self._found.get(path)
        return made.path if made else ""

    @property
    def newest(self) -> tuple[str, ...]:
        """The files that pictures were made with last, the latest first; some of them."""
        last = sorted(self._found.items(), key=lambda item: -item[1].made)
        return tuple(path for path, _ in last[:SOME])

    def _add(self, made: Made) -> None:
        self._note(self._found, made)
        self.changed.emit()

    def _again(self, *_: object) -> None:
        self._work.put_off(self._reading(), self._take)

    def _take(self, found: dict[str, Made]) -> None:
        if found != self._found:
            self._found = found
            self.changed.emit()

    def _reading(self) -> Pieces[dict[str, Made]]:
        found: dict[str, Made] = {}
        for count, made in enumerate(list(self._gallery.pictures.values())):  # oldest first
            self._note(found, made)
            if count % 100 == 0:
                yield
        return found

    def _note(self, found: dict[str, Made], made: Made) -> None:
        for path in files_named(made.text):
            before = found.get(path)
            if before is None or made.starred or not before.starred:
                found[path] = made


def files_named(text: str) -> Iterator[str]:
    """Whole paths of what the parameters of a picture name, as Save image writes them: "load (x) path: a/b, steps: 3".

    A name alone is none: many files are called the same.
    """
    for line in text.splitlines():
        for part in line.split(", "):
            _, colon, value = part.partition(": ")
            if colon and any(sign in value for sign in SEPARATORS) and "\0" not in value and PurePath(value).name:
                yield os.path.abspath(value)

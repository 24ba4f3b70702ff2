"""What is done to pictures of the gallery, as steps of its own that can be undone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QFile
from PySide6.QtGui import QUndoCommand

from nodegraph.pieces import Pieces
from ui.runs.picture_index import Gallery, Made

MANY = 100  # steps that are kept


class Star(QUndoCommand):
    """Pictures are starred, or not any more."""

    def __init__(self, gallery: Gallery, paths: Sequence[str], on: bool) -> None:
        super().__init__("Star" if on else "Unstar")
        self.gallery, self.on = gallery, on
        self.paths = [path for path in paths if gallery.pictures[path].starred != on]

    def redo(self) -> None:
        self._set(self.on)

    def undo(self) -> None:
        self._set(not self.on)

    def _set(self, on: bool) -> None:
        """Of what is still there."""
        self.gallery.star(*(path for path in self.paths if path in self.gallery.pictures), on=on)


class Remove(QUndoCommand):
    """Pictures are taken off the list; the files stay."""

    def __init__(self, gallery: Gallery, paths: Sequence[str], text: str = "Take off the list") -> None:
        super().__init__(text)
        self.gallery = gallery
        self.pictures: list[Made] = [gallery.pictures[path] for path in paths]

    def redo(self) -> None:
        self.gallery.remove(*(made.path for made in self.pictures if made.path in self.gallery.pictures))

    def undo(self) -> None:
        self.gallery.put_back(*self.pictures)


class Trash(Remove):
    """The files go into the system's trash, and come back. left: the files that could not go, and stay in the list."""

    def __init__(self, gallery: Gallery, paths: Sequence[str]) -> None:
        super().__init__(gallery, paths, "Delete the file" if len(paths) == 1 else "Delete the files")
        self.left: list[str] = []
        self._where: dict[str, str] = {}

    def redo(self) -> None:
        self._where, self.left = {}, []
        for made in self.pictures:
            file = QFile(made.path)
            if file.moveToTrash():
                self._where[made.path] = file.fileName()
            elif Path(made.path).exists():
                self.left.append(made.path)
        self.pictures = [made for made in self.pictures if made.path not in self.left]
        super().redo()

    def undo(self) -> None:
        """A file that is gone from the trash, or whose name was given away, stays away."""
        for path, where in self._where.items():
            if Path(where).exists() and not Path(path).exists():
                shutil.move(where, path)
        self.gallery.put_back(*(made for made in self.pictures if Path(made.path).exists()))


def copying(folder: Path, paths: Sequence[str], report: Callable[[float], None]) -> Pieces[None]:
    """Copy the files, one in a piece, under names that are free there. report: is told how much is done, 0..1.

    Raises ValueError when one cannot be read or written.
    """
    for done, path in enumerate(map(Path, paths), 1):
        names = [path.name, *(f"{path.stem} ({number}){path.suffix}" for number in range(2, 10_000))]
        target = next(folder / name for name in names if not (folder / name).exists())
        try:
            shutil.copy2(path, target)
        except OSError as error:
            raise ValueError(f"{path} cannot be copied to {folder}: {error.strerror}") from error
        report(done / len(paths))
        yield

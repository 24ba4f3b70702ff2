"""What is done to pictures of the gallery, as steps of its own that can be undone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QFile
from PySide6.QtGui import QUndoCommand

from nodegraph.pieces import Pieces
from ui.runs.picture_index import Gallery, Made
from ui.widgets.aside import Go

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
    """The files go into the system's trash, and come back.

    Moving files may take a while, so whoever has this step moves them: `away` before it is done, `back` before it is
    undone, on any thread. left: the files that could not go, and stay in the list.
    """

    def __init__(self, gallery: Gallery, paths: Sequence[str]) -> None:
        super().__init__(gallery, paths, "Delete the file" if len(paths) == 1 else "Delete the files")
        self.left: list[str] = []
        self._asked = self.pictures
        self._where: dict[str, str] = {}

    def away(self, go: Go) -> Trash:
        """Where it is stopped, those that are left stay where they are."""
        self._where, self.left, gone = {}, [], list[Made]()
        for done, made in enumerate(self._asked, 1):
            if where := to_trash(made.path):
                self._where[made.path] = where
            if made.path in self._where or not Path(made.path).exists():
                gone.append(made)
            else:
                self.left.append(made.path)
            if not go(done / len(self._asked)):
                break
        self.pictures = gone
        return self

    def back(self, go: Go) -> Trash:
        """A file that is gone from the trash, or whose name was given away, stays away."""
        for done, (path, where) in enumerate(self._where.items(), 1):
            if Path(where).exists() and not Path(path).exists():
                shutil.move(where, path)
            if not go(done / len(self._where)):
                break
        return self

    def undo(self) -> None:
        self.gallery.put_back(*(made for made in self.pictures if Path(made.path).exists()))


def to_trash(path: str) -> str:
    """Move a file to the system's trash; where it is now, empty when it cannot be moved."""
    file = QFile(path)
    return file.fileName() if file.moveToTrash() else ""


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

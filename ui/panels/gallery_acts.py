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


class Rate(QUndoCommand):
    """Pictures are rated. What was said of each before comes back."""

    def __init__(self, gallery: Gallery, paths: Sequence[str], rating: int) -> None:
        super().__init__("Rate")
        self.gallery, self.rating = gallery, rating
        self.before = {path: gallery.pictures[path].rating for path in paths}

    def redo(self) -> None:
        self.gallery.rate(*(path for path in self.before if path in self.gallery.pictures), rating=self.rating)

    def undo(self) -> None:
        for rating in {*self.before.values()}:
            same = (path for path, was in self.before.items() if was == rating and path in self.gallery.pictures)
            self.gallery.rate(*same, rating=rating)


class Put(QUndoCommand):
    """Pictures are put on a board, or taken off it."""

    def __init__(self, gallery: Gallery, paths: Sequence[str], board: str, on: bool) -> None:
        super().__init__(f"Put on {board}" if on else f"Take off {board}")
        self.gallery, self.board, self.on = gallery, board, on
        self.paths = [path for path in paths if (board in gallery.pictures[path].boards) != on]

    def redo(self) -> None:
        self._put(self.on)

    def undo(self) -> None:
        self._put(not self.on)

    def _put(self, on: bool) -> None:
        """What is still there; a board that is gone meanwhile is there again."""
        if on and self.board not in self.gallery.boards:
            self.gallery.add_board(self.board)
        self.gallery.put(self.board, *(path for path in self.paths if path in self.gallery.pictures), on=on)


class Boards(QUndoCommand):
    """There is another board, or none of this name any more; its pictures stay in the list, and come back to it.

    new: its name from now on; empty: it goes.
    """

    def __init__(self, gallery: Gallery, old: str, new: str) -> None:
        super().__init__("Rename board" if old and new else "New board" if new else "Delete board")
        self.gallery, self.old, self.new = gallery, old, new
        self.paths = gallery.on_board(old)

    def redo(self) -> None:
        self._change(self.old, self.new)

    def undo(self) -> None:
        self._change(self.new, self.old)

    def _change(self, old: str, new: str) -> None:
        if old:
            self.gallery.drop_board(old)
        if new:
            self.gallery.add_board(new)
            self.gallery.put(new, *(path for path in self.paths if path in self.gallery.pictures))


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

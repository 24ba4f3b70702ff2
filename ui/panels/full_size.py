"""Pictures that are shown smaller than they are, and their full size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from nodegraph.running.messages import Source
from nodegraph.types import Picture
from ui.runs.kept_pictures import Pictures
from ui.widgets.picture_view import Side
from ui.widgets.pixmaps import pixmap

Kept = Source | Path  # where the full size is: with the engine, or in a file


class FullSize(QObject):
    """Asks for the full size of what is shown, as soon as somebody looks at it.

    came: a side and its picture.
    """

    came = Signal(str, object)

    def __init__(self, pictures: Pictures, seen: QWidget) -> None:
        """seen: where they are shown."""
        super().__init__(seen)
        self.pictures, self.seen = pictures, seen
        self._kept: Mapping[Side, Kept] = {}
        self._unasked: dict[Side, Kept] = {}
        self._awaited: dict[str, Side] = {}  # by what was asked for
        pictures.runs.progressed.connect(self._ask)
        pictures.enlarged.connect(self._arrived)

    def show(self, kept: Mapping[Side, Kept | None]) -> None:
        """Other pictures are shown; None where one is shown as large as it is."""
        self._kept = {side: where for side, where in kept.items() if where}
        self.again()

    def again(self) -> None:
        """As if they were shown now: somebody looks again, or nobody looks any more."""
        self._unasked, self._awaited = dict(self._kept), {}
        self.pictures.give_up()
        self._ask()

    def lacks(self, side: Side) -> bool:
        """Whether what is shown there is smaller than it is."""
        return side in self._unasked or side in self._awaited.values()

    def _ask(self) -> None:
        """The engine not while a run goes on: another picture is about to come."""
        if not self.seen.isVisible():
            return
        for side, where in list(self._unasked.items()):
            if isinstance(where, Path) or not self.pictures.runs.running:
                del self._unasked[side]
                self._awaited[f"{side} {where}"] = side
                self.pictures.enlarge(f"{side} {where}", where)

    def _arrived(self, asked: str, picture: Picture) -> None:
        if side := self._awaited.pop(asked, None):
            self.came.emit(side, pixmap(picture))

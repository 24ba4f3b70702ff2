"""Work in pieces on the window's thread: a slice of time, and the window answers before the next."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, TypeVar

from PySide6.QtCore import QObject

from nodegraph.pieces import Pieces, Work
from ui.base.turns import Turn

SLICE = 0.012
"""Seconds of work after which the window answers."""

T = TypeVar("T")


class Slices(QObject):
    """One piece of work at a time; another takes its place, and what was left of the first is not done."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._work: Work[Any] | None = None
        self._then: Callable[[Any], object] = _nothing
        self._wanted: Callable[[], bool] = _always
        self._turn = Turn(self)
        self._turn.came.connect(self._again)

    @property
    def busy(self) -> bool:
        """Whether there is something left to do."""
        return self._work is not None

    def begin(
        self, pieces: Pieces[T], then: Callable[[T], object] | None = None, wanted: Callable[[], bool] | None = None
    ) -> None:
        """Do the first slice at once. then: told what came of it. wanted: asked before each further slice; if it is
        not, the rest is dropped.
        """
        self.put_off(pieces, then, wanted)
        self._turn.withdraw()
        self._go_on(SLICE)

    def put_off(
        self, pieces: Pieces[T], then: Callable[[T], object] | None = None, wanted: Callable[[], bool] | None = None
    ) -> None:
        """The same, but the first slice too is done when the window has answered: for what comes of an event that has
        taken its time already.
        """
        self._work, self._then, self._wanted = Work(pieces), then or _nothing, wanted or _always
        self._turn.ask()

    def finish(self) -> None:
        """Do at once what is left to be done."""
        self._go_on(inf)

    def drop(self) -> None:
        self._work = None

    def _again(self) -> None:
        if self._wanted():
            self._go_on(SLICE)
        else:
            self.drop()

    def _go_on(self, seconds: float) -> None:
        work = self._work
        if work is None:
            return
        if not work.go_on(seconds):
            self._turn.ask()
        elif self._work is work:  # or other work began meanwhile
            self._work = None
            self._then(work.result)


def _nothing(result: object) -> None:
    pass


def _always() -> bool:
    return True

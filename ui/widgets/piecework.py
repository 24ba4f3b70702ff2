"""Work that takes a while: done in pieces, with its progress to see and a way to stop it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from PySide6.QtCore import QEventLoop, QObject, Qt, Signal
from PySide6.QtWidgets import QProgressDialog, QWidget

from nodegraph.pieces import Pieces, Work
from ui.base.slices import SLICE
from ui.base.turns import Turn

T = TypeVar("T")


class Piecework(QObject, Generic[T]):
    """One piece of work; it deletes itself when that is done, or stopped."""

    ended = Signal()  # one way or the other

    def __init__(self, over: QWidget, title: str, sentence: str) -> None:
        """over: the widget that is not to be used meanwhile. title, sentence: what is being done."""
        super().__init__(over)
        self._over, self._title, self._sentence = over, title, sentence
        self._done: float | None = None
        self._dialog: QProgressDialog | None = None
        self._turn = Turn(self)
        self._turn.came.connect(self._go_on)

    def report(self, done: float) -> None:
        """done: 0..1. When nobody reports it is not known how much is done."""
        self._done = done

    def start(
        self,
        pieces: Pieces[T],
        then: Callable[[T], object],
        failed: Callable[[ValueError], object] | None = None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """then: told what came of it, unless it is stopped. failed: told why nothing did. wanted: whether it still is,
        asked before each piece.
        """
        self._work, self._then, self._failed, self._wanted = Work(pieces), then, failed, wanted
        self._dialog = QProgressDialog(self._sentence, "Stop", 0, 1000, self._over)
        self._dialog.setWindowTitle(self._title)
        # Modal: what is done meanwhile would be lost, or go wrong.
        self._dialog.setWindowModality(Qt.WindowModality.WindowModal)
        self._dialog.setAutoClose(False)
        self._dialog.canceled.connect(self._end)
        self._dialog.show()
        self._turn.ask()

    def _go_on(self) -> None:
        try:
            done = self._wanted() and self._work.go_on(SLICE)
        except ValueError as error:
            self._end()
            if self._failed is None:
                raise
            self._failed(error)
            return
        if done:
            self._end()
            self._then(self._work.result)
        elif not self._wanted():
            self._end()
        elif self._dialog:
            self._show()
            if self._dialog:  # or it was stopped meanwhile
                self._turn.ask()

    def _show(self) -> None:
        if self._dialog and self._done is not None:
            self._dialog.setValue(round(self._done * 1000))

    def _end(self) -> None:
        self._turn.withdraw()
        if self._dialog:
            self._dialog.canceled.disconnect(self._end)
            self._dialog.deleteLater()
            self._dialog = None
            self.ended.emit()
            self.deleteLater()


def waited_for(over: QWidget, title: str, sentence: str, pieces: Pieces[object]) -> bool:
    """Do all of it before going on, behind the same dialog. Whether it was done, and not stopped; raises ValueError."""
    work, loop, done = Piecework[object](over, title, sentence), QEventLoop(), list[object]()
    failures: list[ValueError] = []
    work.ended.connect(loop.quit)
    work.start(pieces, done.append, failures.append)
    loop.exec()
    if failures:
        raise failures[0]
    return bool(done)

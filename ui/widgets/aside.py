"""Work on files that may take a while: done beside the window's own thread, with its progress to see and a way to stop
it where it takes long.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QProgressDialog, QWidget

from nodegraph.failure import explain

T = TypeVar("T")
Go = Callable[[float], bool]
"""Told how much is done, 0..1; whether to go on."""

SOON = 1000
"""Milliseconds before anything is shown of it."""


class Aside(QObject, Generic[T]):
    """One piece of work; it deletes itself when that is done."""

    _reported = Signal(float)
    _came = Signal(object, str)  # what came of it, or why nothing did

    def __init__(self, over: QWidget, title: str, sentence: str) -> None:
        """over: the widget that is not to be used while the work is shown. title, sentence: what is being done."""
        super().__init__(over)
        self._over, self._title, self._sentence = over, title, sentence
        self._stopped = False
        self._dialog: QProgressDialog | None = None
        self._soon = QTimer(self, singleShot=True, interval=SOON)
        self._soon.timeout.connect(self._show)
        self._reported.connect(self._report, Qt.ConnectionType.QueuedConnection)
        self._came.connect(self._end, Qt.ConnectionType.QueuedConnection)

    def start(
        self,
        work: Callable[[Go], T],
        then: Callable[[T], object],
        failed: Callable[[str], object] = lambda why: None,
    ) -> None:
        """work: on another thread; where it is told not to go on, it returns what it has come to. then: told of that.

        failed: told why nothing came of it.
        """
        self._then, self._failed = then, failed
        self._soon.start()
        threading.Thread(target=self._work, args=(work,), name="aside", daemon=True).start()

    def _work(self, work: Callable[[Go], T]) -> None:
        """On the other thread. Where the window is gone meanwhile, nobody is told."""
        try:
            result, why = work(self._go), ""
        except Exception as error:  # whatever it is, it is said, and the dialog ends
            result, why = None, explain(error)[0]
        with suppress(RuntimeError):
            self._came.emit(result, why)

    def _go(self, done: float) -> bool:
        with suppress(RuntimeError):
            self._reported.emit(done)
        return not self._stopped

    def _show(self) -> None:
        self._dialog = QProgressDialog(self._sentence, "Stop", 0, 1000, self._over)
        self._dialog.setWindowTitle(self._title)
        self._dialog.setWindowModality(Qt.WindowModality.WindowModal)
        self._dialog.setAutoClose(False)
        self._dialog.canceled.connect(self._stop)
        self._dialog.show()

    def _stop(self) -> None:
        self._stopped = True

    def _report(self, done: float) -> None:
        if self._dialog and not self._stopped:
            self._dialog.setValue(round(done * 1000))

    def _end(self, result: T, why: str) -> None:
        self._soon.stop()
        if self._dialog:
            self._dialog.canceled.disconnect(self._stop)
            self._dialog.deleteLater()
        self.deleteLater()
        if why:
            self._failed(why)
        else:
            self._then(result)

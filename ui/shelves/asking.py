"""Questions to the library, answered beside the window's own work."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from nodegraph.library.library import Library

_log = logging.getLogger(__name__)

Question = Callable[[Library], Any]
"""Raises ValueError with a sentence, KeyError for an entry that is gone, or OSError."""


class Reader:
    """One thread, and the library as it has it: opened with the first question. open: in that thread."""

    def __init__(self, open: Callable[[], Library]) -> None:
        self._open = open
        self._library: Library | None = None
        self._thread: ThreadPoolExecutor | None = None

    def submit(self, question: Question, answer: Callable[[object, str], object]) -> None:
        """answer: called in that thread, with what the question came to and why it came to nothing, a sentence."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "library")
        self._thread.submit(self._answer, question, answer)

    def close(self) -> None:
        if self._thread is not None:
            self._thread.submit(self._put_away)
            self._thread.shutdown(cancel_futures=False)
            self._thread = None

    def _answer(self, question: Question, answer: Callable[[object, str], object]) -> None:
        found, why = None, ""
        try:
            if self._library is None:
                self._library = self._open()
            found = question(self._library)
        except KeyError as error:
            why = f"{error.args[0]} is not there any more"
        except (ValueError, OSError, sqlite3.Error) as error:
            why = str(error)
        except Exception as error:  # a fault of ours: whoever asked is to hear of it, or would wait for ever
            why = f"the library could not say ({type(error).__name__}: {error})"
            _log.exception("a question to the library")
        with suppress(RuntimeError):  # whoever asked was deleted meanwhile
            answer(found, why)

    def _put_away(self) -> None:
        if self._library is not None:
            self._library.close()


class Asking(QObject):
    """Of several questions the latest counts: what is asked while one is being answered waits, and the others are
    dropped.

    answered: what the latest came to. failed: why it came to nothing, as a sentence.
    """

    answered = Signal(object)
    failed = Signal(str)
    _came = Signal(object, str)

    def __init__(self, reader: Reader, parent: QObject) -> None:
        super().__init__(parent)
        self._reader = reader
        self._waiting: Question | None = None
        self.busy = False
        self._came.connect(self._take, Qt.ConnectionType.QueuedConnection)

    def ask(self, question: Question) -> None:
        if self.busy:
            self._waiting = question
            return
        self.busy = True
        self._reader.submit(question, self._came.emit)

    def _take(self, found: object, why: str) -> None:
        self.busy = False
        question, self._waiting = self._waiting, None
        if question is not None:
            self.ask(question)
        elif why:
            self.failed.emit(why)
        else:
            self.answered.emit(found)

"""What the engine said, in words: runs, failures with their tracebacks, warnings."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from PySide6.QtCore import QEvent, QTimer
from PySide6.QtGui import QGuiApplication, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from nodegraph.running import messages as m
from ui.base.text import duration
from ui.base.theme import color, colors
from ui.runs.engine import Engine
from ui.widgets.fields import ComboBox
from ui.widgets.flow import FlowLayout
from ui.widgets.seen import WhenSeen, seen

Level = Literal["step", "note", "warning", "failure"]

LEVELS: tuple[Level, ...] = ("step", "note", "warning", "failure")
MAX_ENTRIES = 5000
PIECE = 500
"""Entries that are written in one go."""


@dataclass(frozen=True, slots=True)
class Entry:
    """text: its first line says what happened; a traceback may follow. at: seconds since 1970."""

    level: Level
    text: str
    at: float = field(default_factory=time.time)

    def __str__(self) -> str:
        return f"{time.strftime('%H:%M:%S', time.localtime(self.at))}  {self.text}"


def entry(event: m.Event) -> Entry | None:
    """What the log says of an event; None for what is not worth a line."""
    match event:
        case m.Ready():
            return Entry("note", f"The engine is ready after {duration(event.seconds)} (process {event.pid})")
        case m.Planned() if event.calls:
            return Entry("note", f"A run of {event.calls} results, {event.cached} of them in the cache")
        case m.Finished() if not event.cached:
            place = f" {'.'.join(str(i + 1) for i in event.iteration)}" if event.iteration else ""
            return Entry("step", f"{event.node}{place}: {duration(event.seconds)}")
        case m.Failed():
            where = f"{event.node}: " if event.node else ""
            return Entry("failure", f"{where}{event.message}\n{event.traceback}".rstrip())
        case m.Warned():
            return Entry("warning", event.message)
        case m.Saved():
            return Entry("note", f"{event.node}: {event.path}")
        case m.Idle():
            return Entry("note", f"{event.run} computed in {duration(event.seconds)}, {event.cached} from the cache")
        case m.Gone():
            return Entry("failure", f"{event.message}\n{event.traceback}".rstrip())
        case _:
            return None


class LogPanel(QWidget):
    """The latest entries, those of the chosen level and above, with the words that are searched for."""

    def __init__(self, engine: Engine, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.entries: deque[Entry] = deque(maxlen=MAX_ENTRIES)
        self.level = ComboBox()
        self.level.addItems(["Every step", "Runs and notes", "Warnings and failures", "Failures"])
        self.level.setCurrentIndex(LEVELS.index("note"))
        self.level.setAccessibleName("How much to show")
        self.search = QLineEdit(placeholderText="Filter", clearButtonEnabled=True)
        self.search.setAccessibleName("Filter the log")
        self.text = QPlainTextEdit(readOnly=True)
        self.text.setMaximumBlockCount(MAX_ENTRIES)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setAccessibleName("Log")
        self.copy, self.clear = QPushButton("Copy"), QPushButton("Clear")
        self.copy.setToolTip("Copy what is selected, or all that is shown")
        self.clear.setToolTip("Forget what was said so far")
        self._inked = colors()
        self._earlier: Iterator[Entry] = iter(())  # that are still to be shown, the latest first
        self._next = QTimer(self, interval=0, singleShot=True)
        self._next.timeout.connect(self._fill_on)
        self._refill = WhenSeen(self, self._fill)
        self._lay_out()
        self.setFocusProxy(self.text)
        self.level.currentIndexChanged.connect(self._fill)
        self.search.textChanged.connect(self._fill)
        self.copy.clicked.connect(self._copy)
        self.clear.clicked.connect(self._clear)
        engine.happened.connect(self.take)

    def _lay_out(self) -> None:
        head = FlowLayout(self.level, self.search, self.copy, self.clear, growing=self.search)
        for button in (self.copy, self.clear):
            button.setObjectName("small")
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 4, 10, 8)
        column.addLayout(head)
        column.addWidget(self.text, 1)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and colors() != self._inked:  # in the colours of another theme
            self._inked = colors()
            self._refill.ask()

    def take(self, event: m.Event) -> None:
        """What an engine says."""
        if said := entry(event):
            self.add(said)

    def add(self, said: Entry) -> None:
        self.entries.append(said)
        if not seen(self):
            self._refill.ask()
        elif self._fits(said):
            self._write(said)

    def _fits(self, said: Entry) -> bool:
        return LEVELS.index(said.level) >= self.level.currentIndex() and self.search.text().lower() in said.text.lower()

    def _write(self, said: Entry) -> None:
        bar = self.text.verticalScrollBar()
        at_end = bar.value() == bar.maximum()
        cursor = QTextCursor(self.text.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(f"\n{said}" if not self.text.document().isEmpty() else str(said), _ink(said))
        if at_end:  # or else somebody reads further up
            bar.setValue(bar.maximum())

    def _fill(self) -> None:
        """The newest entries at once; those before them piece by piece, so that the window answers in between."""
        self.text.clear()
        self._earlier = reversed([said for said in self.entries if self._fits(said)])
        self._fill_on()

    def _fill_on(self) -> None:
        """One more piece, above what is there, which stays where it is."""
        piece = list(islice(self._earlier, PIECE))
        bar = self.text.verticalScrollBar()
        to_end = bar.maximum() - bar.value()
        cursor = QTextCursor(self.text.document())
        cursor.beginEditBlock()
        below = not self.text.document().isEmpty()
        for said in reversed(piece):
            cursor.insertText(f"{said}\n" if below or said is not piece[0] else str(said), _ink(said))
        cursor.endEditBlock()
        bar.setValue(bar.maximum() - to_end)
        if len(piece) == PIECE and self.text.blockCount() < MAX_ENTRIES:
            self._next.start()

    def _clear(self) -> None:
        self._next.stop()
        self.entries.clear()
        self.text.clear()

    def _copy(self) -> None:
        chosen = self.text.textCursor().selection().toPlainText()
        QGuiApplication.clipboard().setText(chosen or self.text.toPlainText())


def _ink(said: Entry) -> QTextCharFormat:
    theme = colors()
    inks = {"step": theme.faint, "note": theme.text, "warning": theme.stale, "failure": theme.failed}
    style = QTextCharFormat()
    style.setForeground(color(inks[said.level]))
    return style

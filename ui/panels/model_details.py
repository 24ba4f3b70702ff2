"""All that is known of one file of the library, with what one adds to it oneself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from nodegraph.library.entry import Entry
from ui.base.text import byte_size
from ui.base.theme import scaled
from ui.widgets.buttons import small_button
from ui.widgets.flow import FlowLayout
from ui.widgets.paragraph import Paragraph
from ui.widgets.tiles import paint_tile

NOTHING = "Select a file to see what it is"
SOME_WORDS = 24
"""That are shown; a file that was trained on captions has thousands."""

NOTE_MS = 600
"""From the last key to what is kept."""


class ModelDetails(QScrollArea):
    """entry: the one that is shown."""

    noted = Signal(str, str)  # the path, and the note that it has now
    words_wanted = Signal(str)  # words that are to be put into a prompt
    hash_wanted = Signal(str)  # the path

    def __init__(
        self,
        picture_of: Callable[[Entry], QPixmap | None],
        kind_of: Callable[[Entry], str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.entry: Entry | None = None
        self._picture_of, self._kind_of = picture_of, kind_of
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("About the selected file")
        self.nothing = QLabel(NOTHING, alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        self.nothing.setObjectName("dim")
        self.page = QWidget()
        self.name = _text("strong")
        self.problem = _text("error")
        self.picture = _Picture()
        self.facts = _text("dim")
        self.path = _text("dim")
        self.hash = _text("dim")
        self.words = _text("")
        self.copy_path = small_button("Copy path", self._copy_path, "Put the path on the clipboard")
        self.take_hash = small_button("Checksum", self._ask_hash, "Read the whole file once for its SHA-256")
        self.copy_words = small_button("Copy words", self._copy_words, "Put these words on the clipboard")
        self.use_words = small_button("Put into the prompt", self._use_words, "Add these words to a prompt")
        self.note = Paragraph()
        self.note.setPlaceholderText("A note of your own")
        self.note.setAccessibleName("Note")
        self.note.setTabChangesFocus(True)
        self.note.setFixedHeight(scaled(64))
        self._pause = QTimer(self, interval=NOTE_MS, singleShot=True)
        self._pause.timeout.connect(self.settle)
        self.note.textChanged.connect(self._pause.start)
        self.note.left.connect(self.settle)
        self._lay_out()
        self.show_entry(None)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self.page)
        column.setContentsMargins(12, 6, 12, 10)
        column.setSpacing(7)
        self.wording = QWidget()
        worded = QVBoxLayout(self.wording)
        worded.setContentsMargins(0, 0, 0, 0)
        worded.addWidget(self.words)
        worded.addLayout(FlowLayout(self.copy_words, self.use_words))
        told = QVBoxLayout()
        told.setSpacing(4)
        told.addWidget(self.name)
        told.addWidget(self.facts)
        told.addStretch(1)
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(self.picture, 0, Qt.AlignmentFlag.AlignTop)
        head.addLayout(told, 1)
        column.addLayout(head)
        for widget in (self.problem, self.wording, self.note, self.path):
            column.addWidget(widget)
        column.addLayout(FlowLayout(self.copy_path, self.take_hash))
        column.addWidget(self.hash)
        column.addStretch(1)
        holder = QWidget()
        whole = QVBoxLayout(holder)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.nothing, 1)
        whole.addWidget(self.page)
        self.setWidget(holder)
        self.setFrameShape(QFrame.Shape.NoFrame)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.picture.fit(self.viewport().width())

    def show_entry(self, entry: Entry | None) -> None:
        """None: nothing is selected, or several."""
        if entry is None or self.entry is None or entry.path != self.entry.path:
            self.settle()
            self.verticalScrollBar().setValue(0)
        self.entry = entry
        self.nothing.setVisible(entry is None)
        self.page.setVisible(entry is not None)
        if entry is None:
            return
        self.name.setText(breakable(Path(entry.path).name))
        self.name.setToolTip(entry.path)
        self.picture.show_picture(self._picture_of(entry))
        _show(self.problem, entry.problem)
        self.facts.setText("\n".join(facts(entry, self._kind_of(entry))))
        self.path.setText(breakable(entry.path))
        _show(self.hash, breakable(f"SHA-256 {entry.hash}") if entry.hash else "")
        self.take_hash.setVisible(not entry.hash)
        self.wording.setVisible(bool(entry.words))
        more = len(entry.words) - SOME_WORDS
        self.words.setText(", ".join(entry.words[:SOME_WORDS]) + (f" and {more} more" if more > 0 else ""))
        if not self._pause.isActive():
            self._write_note(entry.note)

    def show_hashing(self, fraction: float | None) -> None:
        """How far the checksum is, 0..1; None when none is being worked out."""
        self.take_hash.setText("Checksum" if fraction is None else f"Checksum: {fraction:.0%}")
        self.take_hash.setEnabled(fraction is None)

    def show_prompts(self, any: bool) -> None:
        """Whether there is a prompt that words can be put into."""
        self.use_words.setEnabled(any)
        self.use_words.setToolTip("Add these words to a prompt" if any else "The document has no prompt")

    def repaint_picture(self) -> None:
        """It may have come meanwhile."""
        if self.entry is not None:
            self.picture.show_picture(self._picture_of(self.entry))

    def settle(self) -> None:
        """What was typed into the note is kept."""
        self._pause.stop()
        if self.entry is not None and self.note.toPlainText() != self.entry.note:
            self.noted.emit(self.entry.path, self.note.toPlainText())

    def _write_note(self, text: str) -> None:
        self.note.blockSignals(True)
        self.note.write(text)
        self.note.blockSignals(False)

    def _copy_path(self) -> None:
        if self.entry is not None:
            QApplication.clipboard().setText(self.entry.path)

    def _copy_words(self) -> None:
        if self.entry is not None:
            QApplication.clipboard().setText(", ".join(self.entry.words[:SOME_WORDS]))

    def _use_words(self) -> None:
        if self.entry is not None:
            self.words_wanted.emit(", ".join(self.entry.words[:SOME_WORDS]))

    def _ask_hash(self) -> None:
        if self.entry is not None:
            self.hash_wanted.emit(self.entry.path)


class _Picture(QWidget):
    SIDE = 104  # pixels before the user's scale, at most

    def __init__(self) -> None:
        super().__init__()
        self._picture: QPixmap | None = None
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def fit(self, room: int) -> None:
        """room: pixels that it shares with the words beside it."""
        side = min(scaled(self.SIDE), room * 2 // 5)
        self.setFixedSize(side, side)

    def show_picture(self, picture: QPixmap | None) -> None:
        self._picture = picture
        self.setVisible(picture is not None)  # a plain tile says nothing that is not said beside it
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        paint_tile(painter, QRectF(self.rect()), self._picture, "", wrong=False)


def facts(entry: Entry, kind: str) -> list[str]:
    """Line by line, what is known. kind: what people call files of its kind."""
    known = (
        ("", kind),
        ("", entry.family_title),
        ("Title", entry.title),
        ("Layout", entry.layout),
        ("Base", entry.base if entry.base != entry.family_title else ""),
        ("Licence", entry.licence),
        ("Size", byte_size(entry.size)),
        ("Changed", _day(entry.modified / 1e9)),
    )
    return [f"{name}: {value}" if name else value for name, value in known if value]


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%d %b %Y") if seconds else ""


def breakable(text: str) -> str:
    """With places where a long name may go on below."""
    return "".join(f"{sign}\N{ZERO WIDTH SPACE}" if sign in "/\\_-." or n % 16 == 15 else sign
                   for n, sign in enumerate(text))  # fmt: skip


def _text(name: str) -> QLabel:
    made = QLabel(wordWrap=True)
    made.setObjectName(name)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made


def _show(label: QLabel, text: str) -> None:
    label.setText(text)
    label.setVisible(bool(text))

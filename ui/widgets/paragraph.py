"""A field for text of several lines, however long it is."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QMimeData, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QKeySequence, QTextCursor, QTextOption
from PySide6.QtWidgets import QPlainTextEdit, QToolTip, QWidget

from ui.base.text import amount
from ui.widgets.find_bar import FindBar
from ui.widgets.weights import weigh

MAX_TEXT = 100_000
"""Characters that can be edited: with as many in one line, a key takes a tenth of a second."""

LONG_WORD = 2_000
"""Characters. Qt wraps a word in a time that grows with the square of its length, unless it may break anywhere."""


class Paragraph(QPlainTextEdit):
    """weighs: Ctrl+Up and Ctrl+Down give what is selected more weight, or less: see `ui.widgets.weights`.

    Ctrl+F finds in the text.
    """

    left = Signal()  # the keyboard is elsewhere

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.weighs = False
        self.finder: FindBar | None = None  # from the first search on
        self.textChanged.connect(lambda: self._fit(self.toPlainText()))

    def write(self, text: str) -> None:
        """Show a text. What is the same as before stays as it is, with the place where one types."""
        before = self.toPlainText()
        if text == before:
            return
        self._fit(text)
        start = _common(before, text)
        end = _common(before[start:][::-1], text[start:][::-1])
        cursor = QTextCursor(self.document())
        cursor.setPosition(_units(before[:start]))
        cursor.setPosition(_units(before[: len(before) - end]), QTextCursor.MoveMode.KeepAnchor)
        cursor.insertText(text[start : len(text) - end])
        if not start and not end:
            self.moveCursor(QTextCursor.MoveOperation.Start)  # another text is shown, and typed in, from its beginning
        self.document().clearUndoRedoStacks()

    def insertFromMimeData(self, source: QMimeData) -> None:
        """What is pasted or dropped."""
        text = source.text()
        count = self.document().characterCount() - 1 + len(text) - len(self.textCursor().selectedText())
        if count > MAX_TEXT:
            sentence = f"The text would have {amount(count)} characters: {amount(MAX_TEXT)} at most can be edited here"
            QToolTip.showText(self.mapToGlobal(self.cursorRect().bottomLeft()), sentence, self)
            return
        self._fit(text)  # before it is wrapped for the first time
        super().insertFromMimeData(source)

    def event(self, event: QEvent) -> bool:
        """Its keys are not the window's."""
        own = isinstance(event, QKeyEvent) and bool(self._steps(event) or event.matches(QKeySequence.StandardKey.Find))
        if event.type() == QEvent.Type.ShortcutOverride and own:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Find):
            self.search()
        elif steps := self._steps(event):
            self._weigh(steps)
        else:
            super().keyPressEvent(event)

    def search(self, typed: str = "") -> None:
        """Open the bar that finds. typed: what to look for."""
        self.finder = self.finder or FindBar(self)
        self.finder.open_with(typed)

    def _steps(self, event: QKeyEvent) -> int:
        """Of weight that the key gives; 0 of any other."""
        keypad = Qt.KeyboardModifier.KeypadModifier
        if not self.weighs or self.isReadOnly() or event.modifiers() & ~keypad != Qt.KeyboardModifier.ControlModifier:
            return 0
        return {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}.get(Qt.Key(event.key()), 0)

    def _weigh(self, steps: int) -> None:
        cursor, text = self.textCursor(), self.toPlainText()
        start, end = (len(_cut(text, place)) for place in (cursor.selectionStart(), cursor.selectionEnd()))
        weighed = weigh(text, start, end, steps)
        if weighed is None or len(text) + len(weighed.instead) - (weighed.end - weighed.start) > MAX_TEXT:
            return
        after = text[: weighed.start] + weighed.instead + text[weighed.end :]
        keep = QTextCursor.MoveMode.KeepAnchor
        cursor.setPosition(_units(text[: weighed.start]))
        cursor.setPosition(_units(text[: weighed.end]), keep)
        cursor.insertText(weighed.instead)  # one step of undo
        first, last = weighed.selected
        cursor.setPosition(_units(after[:first]))
        cursor.setPosition(_units(after[:last]), keep)
        self.setTextCursor(cursor)

    def _fit(self, text: str) -> None:
        """Break lines anywhere when there is a word that must be broken in any case."""
        longest = max(map(len, text.split()), default=0)
        modes = QTextOption.WrapMode
        mode = modes.WrapAnywhere if longest > LONG_WORD else modes.WrapAtWordBoundaryOrAnywhere
        if mode != self.wordWrapMode():
            self.setWordWrapMode(mode)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if not (self.finder and self.finder.box.hasFocus()):
            self.left.emit()


def _common(a: str, b: str) -> int:
    """How many characters are the same at the beginning of both."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[:middle] == b[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _cut(text: str, units: int) -> str:
    """The beginning of that length, as Qt counts."""
    return text.encode("utf-16-le", "surrogatepass")[: 2 * units].decode("utf-16-le", "surrogatepass")


def _units(text: str) -> int:
    """How long Qt says that it is: in parts of two bytes."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2

"""What Qt's fields lack in a form."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QPainter, QPaintEvent, QTextDocument, QWheelEvent
from PySide6.QtWidgets import QAbstractSpinBox, QComboBox, QLineEdit, QPlainTextEdit, QSlider, QWidget

from nodegraph.numerals import Ambiguous, read_number
from ui.base.text import number
from ui.base.theme import color, colors
from ui.widgets.numbers import away_from, decimal


def tame(widget: QWidget) -> None:
    """Make a field of a form leave to others what is theirs: the wheel to the panel, undo to the document."""
    if isinstance(widget, QSlider | QComboBox | QAbstractSpinBox):
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # not by the wheel
        widget.installEventFilter(_WHEEL)
    if isinstance(widget, QLineEdit | QPlainTextEdit | QAbstractSpinBox):
        widget.installEventFilter(_UNDO)


class _IgnoreWheel(QObject):
    """Scrolling the panel must not change the values under the pointer."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QWheelEvent) and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False


class _PassOnUndo(QObject):
    """Undo and redo are the document's where the field itself has nothing to undo; Qt's fields keep the keys."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.ShortcutOverride:
            return False
        field = watched.lineEdit() if isinstance(watched, QAbstractSpinBox) else watched
        text = field.document() if isinstance(field, QPlainTextEdit) else field
        assert isinstance(text, QTextDocument | QLineEdit)
        undo, redo = (event.matches(key) for key in (QKeySequence.StandardKey.Undo, QKeySequence.StandardKey.Redo))
        if (undo and not text.isUndoAvailable()) or (redo and not text.isRedoAvailable()):
            event.ignore()
            return True
        return False


_WHEEL, _UNDO = _IgnoreWheel(), _PassOnUndo()


class NumberBox(QAbstractSpinBox):
    """A number of any size: Qt's own boxes end at 32 bits, or round to a fixed count of decimals."""

    stepped = Signal(object)

    def __init__(self, kind: type[int] | type[float], step: float) -> None:
        super().__init__()
        self.kind, self.step = kind, step
        self.value: int | float = kind(0)
        self._origin, self._steps = self.value, 0  # where stepping began, and how far it has come

    def show_value(self, value: float) -> None:
        self.value = value
        if self.text() != number(value):
            self.lineEdit().setText(number(value))

    def read(self) -> int | float | str:
        """The number that stands there; the text where it is none, so that it can be complained about."""
        if self.text() == number(self.value):
            return self.value
        try:
            value = read_number(self.text(), self.kind, decimal())
        except Ambiguous:
            value = None
        return self.text() if value is None else value

    def stepBy(self, steps: int) -> None:
        typed = self.read()
        start = self.value if isinstance(typed, str) else self.kind(typed)
        if start != away_from(self._origin, self._steps, self.step):
            self._origin, self._steps = start, 0
        self._steps += steps
        self.stepped.emit(away_from(self._origin, self._steps, self.step))

    def stepEnabled(self) -> QAbstractSpinBox.StepEnabledFlag:
        return QAbstractSpinBox.StepEnabledFlag.StepUpEnabled | QAbstractSpinBox.StepEnabledFlag.StepDownEnabled


class ComboBox(QComboBox):
    def bound(self, letters: int = 8) -> None:
        """Ask for room for so many letters; or else it asks for that of the longest text there is to choose."""
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(letters)

    def paintEvent(self, event: QPaintEvent) -> None:
        """With an arrow: a styled box has none of its own."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setPen(color(colors().dim))
        place = self.rect().adjusted(0, 0, -9, 0)
        painter.drawText(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, "▾")

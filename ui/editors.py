"""A plain type and its metadata -> the widget that edits it: one table, at the end."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from math import floor, log10
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QFocusEvent, QPainter, QPaintEvent, QValidator, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSlider,
    QWidget,
)

from nodegraph.node import Choice, File, Input, Multiline, Range, Seed
from nodegraph.types import ListOf
from ui.text import number
from ui.theme import DARK, color

SEED_BITS = 32
SLIDER_STEPS = 1000  # the most positions a slider has; wider ranges are typed


class Editor(QWidget):
    """Shows a value and reports edits. `edited` may come many times in one gesture, `done` ends it."""

    edited = Signal(object)
    done = Signal()

    def __init__(self, spec: Input, *widgets: QWidget) -> None:
        super().__init__()
        self.spec = spec
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        for widget in widgets:
            layout.addWidget(widget)
        self.setFocusProxy(widgets[-1])
        for widget in widgets:
            widget.setAccessibleName(spec.name.replace("_", " "))
            if isinstance(widget, QSlider | QComboBox | QAbstractSpinBox):
                widget.installEventFilter(_WHEEL)

    def show_value(self, value: Any) -> None:
        """Without reporting it as an edit."""
        raise NotImplementedError


class _IgnoreWheel(QObject):
    """Scrolling the panel must not change the values under the pointer."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QWheelEvent) and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False


_WHEEL = _IgnoreWheel()


class NumberBox(QAbstractSpinBox):
    """A number of any size: Qt's own boxes end at 32 bits, or round to a fixed count of decimals."""

    edited = Signal(object)

    def __init__(self, kind: type[int] | type[float], step: float) -> None:
        super().__init__()
        self.kind, self.step = kind, step
        self.value: int | float = kind(0)
        self.lineEdit().textEdited.connect(self._typed)
        self.editingFinished.connect(lambda: self.show_value(self.value))

    def show_value(self, value: float) -> None:
        self.value = value
        if self._read(self.text()) != value:
            self.lineEdit().setText(number(value))

    def stepBy(self, steps: int) -> None:
        self._enter(self.kind(float(f"{self.value + steps * self.step:.10g}") if self.kind is float else
                              self.value + steps * round(self.step)))  # fmt: skip

    def stepEnabled(self) -> QAbstractSpinBox.StepEnabledFlag:
        return QAbstractSpinBox.StepEnabledFlag.StepUpEnabled | QAbstractSpinBox.StepEnabledFlag.StepDownEnabled

    def validate(self, input: str, pos: int) -> tuple[QValidator.State, str, int]:
        good = self._read(input) is not None
        return (QValidator.State.Acceptable if good else QValidator.State.Intermediate), input, pos

    def _read(self, text: str) -> int | float | None:
        try:
            return self.kind(text.strip().replace(",", "."))
        except ValueError:
            return None

    def _typed(self, text: str) -> None:
        value = self._read(text)
        if value is not None:
            self.value = value
            self.edited.emit(value)

    def _enter(self, value: int | float) -> None:
        self.show_value(value)
        self.edited.emit(value)


class NumberEditor(Editor):
    """A box to type in, with a slider where the range is one that can be slid through."""

    def __init__(self, spec: Input) -> None:
        limits = spec.get(Range)
        self.step = _step(spec, limits)
        self.box = NumberBox(spec.type, self.step)
        self.slider: QSlider | None = None
        self.low = limits.min if limits else 0.0
        if limits and round((limits.max - limits.min) / self.step) <= SLIDER_STEPS:
            self.slider = QSlider(Qt.Orientation.Horizontal)
            self.slider.setRange(0, round((limits.max - limits.min) / self.step))
            self.slider.setPageStep(max(self.slider.maximum() // 10, 1))
            self.box.setFixedWidth(84)
        super().__init__(spec, *([self.slider] if self.slider else []), self.box)
        self.box.edited.connect(self._typed)
        self.box.editingFinished.connect(self.done)
        if self.slider is not None:
            self.slider.valueChanged.connect(self._slid)
            self.slider.sliderReleased.connect(self.done)

    def show_value(self, value: Any) -> None:
        if isinstance(value, int | float):
            self.box.show_value(value)
            self._place_slider(value)

    def _slid(self, position: int) -> None:
        value = self.spec.type(float(f"{self.low + position * self.step:.10g}"))
        self.box.show_value(value)
        self.edited.emit(value)

    def _typed(self, value: float) -> None:
        self._place_slider(value)
        self.edited.emit(value)

    def _place_slider(self, value: float) -> None:
        if self.slider is not None:
            with QSignalBlocker(self.slider):
                self.slider.setValue(round((min(value, 1e9) - self.low) / self.step))


def _step(spec: Input, limits: Range | None) -> float:
    """The declared step; else 1 for integers and about a hundredth of the range, as 1, 10, 0.1 ..., for others."""
    if limits and limits.step:
        return limits.step
    if spec.type is int:
        return 1
    return 10.0 ** floor(log10((limits.max - limits.min) / 100)) if limits and limits.max > limits.min else 0.1


class SeedEditor(Editor):
    """A box, and a button that rolls a new seed."""

    def __init__(self, spec: Input) -> None:
        self.box = NumberBox(int, 1)
        self.roll = QPushButton("Roll")
        self.roll.setObjectName("small")
        self.roll.setToolTip("Take a random seed")
        super().__init__(spec, self.box, self.roll)
        self.setFocusProxy(self.box)
        self.box.edited.connect(lambda value: self.edited.emit(value))
        self.box.editingFinished.connect(self.done)
        self.roll.clicked.connect(self._rolled)

    def show_value(self, value: Any) -> None:
        if isinstance(value, int):
            self.box.show_value(value)

    def _rolled(self) -> None:
        self.edited.emit(secrets.randbits(SEED_BITS))
        self.done.emit()


class CheckEditor(Editor):
    def __init__(self, spec: Input) -> None:
        self.box = QCheckBox()
        super().__init__(spec, self.box)
        self.box.toggled.connect(lambda value: self.edited.emit(value))
        self.box.toggled.connect(lambda _: self.done.emit())

    def show_value(self, value: Any) -> None:
        with QSignalBlocker(self.box):
            self.box.setChecked(bool(value))


class _ComboBox(QComboBox):
    def paintEvent(self, event: QPaintEvent) -> None:
        """With an arrow: a styled box has none of its own."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setPen(color(DARK.dim))
        place = self.rect().adjusted(0, 0, -9, 0)
        painter.drawText(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, "▾")


class ChoiceEditor(Editor):
    def __init__(self, spec: Input) -> None:
        choice = spec.get(Choice)
        self.box = _ComboBox()
        self.box.addItems(choice.options if choice else ())
        super().__init__(spec, self.box)
        self.box.textActivated.connect(lambda value: self.edited.emit(value))
        self.box.textActivated.connect(lambda _: self.done.emit())

    def show_value(self, value: Any) -> None:
        self.box.setCurrentIndex(self.box.findText(str(value)))  # none for a value that is not offered


class TextEditor(Editor):
    def __init__(self, spec: Input) -> None:
        self.box = QLineEdit()
        super().__init__(spec, self.box)
        self.box.textEdited.connect(lambda value: self.edited.emit(value))
        self.box.editingFinished.connect(self.done)

    def show_value(self, value: Any) -> None:
        if self.box.text() != (value or ""):
            self.box.setText(str(value or ""))


class _Paragraph(QPlainTextEdit):
    left = Signal()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.left.emit()


class ParagraphEditor(Editor):
    def __init__(self, spec: Input) -> None:
        self.box = _Paragraph()
        self.box.setTabChangesFocus(True)
        self.box.setFixedHeight(96)
        super().__init__(spec, self.box)
        self.box.textChanged.connect(lambda: self.edited.emit(self.box.toPlainText()))
        self.box.left.connect(self.done)

    def show_value(self, value: Any) -> None:
        if self.box.toPlainText() != (value or ""):
            with QSignalBlocker(self.box):
                self.box.setPlainText(str(value or ""))


class FileEditor(Editor):
    """A path, and a button that looks for one."""

    def __init__(self, spec: Input) -> None:
        self.box = QLineEdit()
        self.browse = QPushButton("Browse…")
        self.browse.setObjectName("small")
        super().__init__(spec, self.box, self.browse)
        self.setFocusProxy(self.box)
        self.box.textEdited.connect(lambda value: self.edited.emit(value))
        self.box.editingFinished.connect(self.done)
        self.browse.clicked.connect(self._browse)

    def show_value(self, value: Any) -> None:
        if self.box.text() != (value or ""):
            self.box.setText(str(value or ""))

    def _browse(self) -> None:
        file = self.spec.get(File)
        start = str(Path(self.box.text()).parent) if self.box.text() else ""
        patterns = " ".join(f"*{suffix}" for suffix in file.suffixes) if file else ""
        if file and file.folder and not file.suffixes:
            path = QFileDialog.getExistingDirectory(self, "Choose a folder", start)
        else:
            path, _ = QFileDialog.getOpenFileName(self, "Choose a file", start, f"Files ({patterns or '*'})")
        if path:
            self.box.setText(path)
            self.edited.emit(path)
            self.done.emit()


class ListEditor(Editor):
    """Values between commas."""

    def __init__(self, spec: Input) -> None:
        self.box = QLineEdit()
        super().__init__(spec, self.box)
        self.box.setPlaceholderText("values, between commas")
        self.box.textEdited.connect(self._typed)
        self.box.editingFinished.connect(self.done)

    def show_value(self, value: Any) -> None:
        if self._read(self.box.text()) != value:
            self.box.setText(", ".join(str(item) for item in value or ()))

    def _typed(self, text: str) -> None:
        value = self._read(text)
        # What cannot be read is reported as it stands, so that it can be complained about.
        self.edited.emit(text if value is None else value)

    def _read(self, text: str) -> tuple[Any, ...] | None:
        element = self.spec.type.element
        try:
            return tuple(element(part.strip()) for part in text.split(",") if part.strip())
        except ValueError:
            return None


EDITORS: tuple[tuple[Callable[[Input], object], Callable[[Input], Editor]], ...] = (
    (lambda spec: spec.get(Choice), ChoiceEditor),
    (lambda spec: spec.get(Seed), SeedEditor),
    (lambda spec: spec.get(File), FileEditor),
    (lambda spec: spec.get(Multiline), ParagraphEditor),
    (lambda spec: spec.type is bool, CheckEditor),
    (lambda spec: spec.type in (int, float), NumberEditor),
    (lambda spec: isinstance(spec.type, ListOf), ListEditor),
    (lambda spec: spec.type is str, TextEditor),
)
"""The first that applies is taken."""


def make_editor(spec: Input) -> Editor:
    """The editor for a parameter; `spec.editable` holds."""
    return next(make for applies, make in EDITORS if applies(spec))(spec)

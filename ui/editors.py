"""A plain type and its metadata -> the widget that edits it: one table, at the end."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, QStringListModel, Qt, Signal
from PySide6.QtGui import QFocusEvent, QPainter, QPaintEvent, QValidator, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QCompleter,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QMessageBox,
    QPlainTextEdit,
    QPushButton,
    QSlider,
    QWidget,
)

from nodegraph.node import Choice, File, Input, Multiline, Seed
from nodegraph.types import ListOf
from ui.numbers import slider_range, step_of, stepped
from ui.text import label, number
from ui.theme import color, colors

SEED_BITS = 32


class Editor(QWidget):
    """Shows a value and reports edits. `edited` may come many times in one gesture, `done` ends it."""

    edited = Signal(object)
    done = Signal()
    held = Signal(bool)  # a slider is held: runs should be quick

    def __init__(self, spec: Input, *widgets: QWidget) -> None:
        super().__init__()
        self.spec = spec
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(8)
        for widget in widgets:
            self.put(widget)
        self.setFocusProxy(widgets[-1])

    def put(self, widget: QWidget, at: int = -1) -> None:
        """Add a widget to the row, at its end or at a place."""
        self._row.insertWidget(at, widget, 0 if isinstance(widget, QPushButton) else 1)
        widget.setAccessibleName(self.spec.name.replace("_", " "))
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


class NumberField(Editor):
    """A box to type a number in."""

    def __init__(self, spec: Input) -> None:
        self.box = NumberBox(spec.type, step_of(spec))
        super().__init__(spec, self.box)
        self.box.edited.connect(lambda value: self.edited.emit(value))
        self.box.editingFinished.connect(self.done)

    def show_value(self, value: Any) -> None:
        if isinstance(value, int | float):
            self.box.show_value(value)


class NumberEditor(NumberField):
    """A box, with a slider where the range is one that can be slid through."""

    def __init__(self, spec: Input) -> None:
        super().__init__(spec)
        self.slider: QSlider | None = None
        limits = slider_range(spec)
        if limits is None:
            return
        self.low, self.step = limits.min, step_of(spec)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, round((limits.max - limits.min) / self.step))
        self.slider.setPageStep(max(self.slider.maximum() // 10, 1))
        self.box.setFixedWidth(84)
        self.put(self.slider, 0)
        self.box.edited.connect(self._place_slider)
        self.slider.valueChanged.connect(self._slid)
        self.slider.sliderPressed.connect(lambda: self.held.emit(True))
        self.slider.sliderReleased.connect(self.done)
        self.slider.sliderReleased.connect(lambda: self.held.emit(False))

    def show_value(self, value: Any) -> None:
        super().show_value(value)
        if isinstance(value, int | float):
            self._place_slider(value)

    def _slid(self, position: int) -> None:
        value = stepped(self.spec, self.low, position * self.step, self.step)
        self.box.show_value(value)
        self.edited.emit(value)

    def _place_slider(self, value: float) -> None:
        if self.slider is not None:
            with QSignalBlocker(self.slider):
                self.slider.setValue(round((min(value, 1e9) - self.low) / self.step))


class SeedEditor(NumberField):
    """A box, and a button that rolls a new seed."""

    def __init__(self, spec: Input) -> None:
        super().__init__(spec)
        self.roll = QPushButton("Roll")
        self.roll.setObjectName("small")
        self.roll.setToolTip("Take a random seed")
        self.put(self.roll)
        self.roll.clicked.connect(self._rolled)

    def _rolled(self) -> None:
        self.edited.emit(rolled_seed())
        self.done.emit()


class CheckEditor(Editor):
    def __init__(self, spec: Input, text: str = "") -> None:
        self.box = QCheckBox(text)
        super().__init__(spec, self.box)
        self.box.toggled.connect(lambda value: self.edited.emit(value))
        self.box.toggled.connect(lambda _: self.done.emit())

    def show_value(self, value: Any) -> None:
        with QSignalBlocker(self.box):
            self.box.setChecked(bool(value))


class ComboBox(QComboBox):
    def paintEvent(self, event: QPaintEvent) -> None:
        """With an arrow: a styled box has none of its own."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setPen(color(colors().dim))
        place = self.rect().adjusted(0, 0, -9, 0)
        painter.drawText(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, "▾")


class ChoiceEditor(Editor):
    def __init__(self, spec: Input) -> None:
        choice = spec.get(Choice)
        self.box = ComboBox()
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


class ParagraphField(Editor):
    def __init__(self, spec: Input) -> None:
        self.box = _Paragraph()
        self.box.setTabChangesFocus(True)
        super().__init__(spec, self.box)
        self.box.textChanged.connect(lambda: self.edited.emit(self.box.toPlainText()))
        self.box.left.connect(self.done)

    def show_value(self, value: Any) -> None:
        if self.box.toPlainText() != (value or ""):
            with QSignalBlocker(self.box):
                self.box.setPlainText(str(value or ""))


class ParagraphEditor(ParagraphField):
    """As high as some lines, among other rows."""

    def __init__(self, spec: Input) -> None:
        super().__init__(spec)
        self.box.setFixedHeight(96)


class PathField(Editor):
    """A box to type a path in; it offers what is there."""

    def __init__(self, spec: Input) -> None:
        self.box = QLineEdit()
        super().__init__(spec, self.box)
        self._found = QStringListModel(self)
        completer = QCompleter(self._found, self)
        self.box.setCompleter(completer)
        self.box.textEdited.connect(self._typed)
        self.box.editingFinished.connect(self.done)
        completer.activated.connect(lambda text: self.edited.emit(text))

    def show_value(self, value: Any) -> None:
        if self.box.text() != (value or ""):
            self.box.setText(str(value or ""))

    def _typed(self, text: str) -> None:
        self._found.setStringList(paths_like(text, self.spec.get(File) or File()))
        self.edited.emit(text)


class FileEditor(PathField):
    """A path, and a button that looks for one."""

    def __init__(self, spec: Input) -> None:
        super().__init__(spec)
        self.browse = QPushButton("Browse…")
        self.browse.setObjectName("small")
        self.put(self.browse)
        self.browse.clicked.connect(self._browse)

    def _browse(self) -> None:
        path = ask_path(self, self.spec, self.box.text())
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


def make_inline_editor(spec: Input) -> Editor:
    """The editor for a parameter's row on a node, which has the slider and the buttons itself."""
    if spec.get(File):
        return PathField(spec)
    if spec.get(Multiline):
        return ParagraphField(spec)
    if spec.type is bool:
        return CheckEditor(spec, label(spec.name))
    if spec.type in (int, float):
        return NumberField(spec)
    return make_editor(spec)


def rolled_seed() -> int:
    return secrets.randbits(SEED_BITS)


def paths_like(text: str, file: File) -> list[str]:
    """Files and folders whose path begins with `text`, at most 200; folders end in a slash."""
    folder, start = os.path.split(text)
    try:
        with os.scandir(folder or ".") as entries:
            found = [(entry.name, entry.is_dir()) for entry in entries if entry.name.lower().startswith(start.lower())]
    except OSError:
        return []  # no such folder: there is nothing to offer
    fitting = (n + "/" * d for n, d in sorted(found) if d or not file.suffixes or n.lower().endswith(file.suffixes))
    return [os.path.join(folder, name) for name in islice(fitting, 200)]


def _prefers_folder(parent: QWidget) -> bool:
    box = QMessageBox(QMessageBox.Icon.Question, "Choose", "Is it a file, or a folder?", parent=parent)
    box.addButton("File…", QMessageBox.ButtonRole.NoRole)
    folder = box.addButton("Folder…", QMessageBox.ButtonRole.YesRole)
    box.exec()
    return box.clickedButton() is folder


def ask_path(parent: QWidget, spec: Input, current: str) -> str:
    """Let the user choose a file or folder; empty when they do not."""
    file = spec.get(File) or File()
    start = str(Path(current).parent) if current else ""
    if file.folder and (not file.suffixes or _prefers_folder(parent)):
        return QFileDialog.getExistingDirectory(parent, "Choose a folder", start)
    patterns = " ".join(f"*{suffix}" for suffix in file.suffixes) or "*"
    return QFileDialog.getOpenFileName(parent, "Choose a file", start, f"Files ({patterns})")[0]

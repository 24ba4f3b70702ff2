"""A plain type and its metadata -> the widget that edits it: one table, at the end."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QLineEdit,
    QPushButton,
    QSlider,
)

from nodegraph.node import Choice, File, Input, Multiline, Seed
from nodegraph.numerals import Ambiguous, read_number
from nodegraph.types import ListOf
from ui.base.text import amount, label
from ui.base.theme import scaled
from ui.widgets.editor import Editor, WholeField
from ui.widgets.fields import ComboBox, NumberBox
from ui.widgets.numbers import slider_range, step_of, stepped
from ui.widgets.paragraph import MAX_TEXT, Paragraph
from ui.widgets.path_fields import FileEditor, PathField

SEED_BITS = 32


class NumberField(WholeField):
    """A box to type a number, or a sum, in."""

    def __init__(self, spec: Input) -> None:
        self.box = NumberBox(spec.type, step_of(spec))
        super().__init__(spec, self.box)
        self.box.stepped.connect(self._set)

    def read(self) -> Any:
        return self.box.read()

    def write(self, value: Any) -> None:
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
        self._placed: tuple[int, int | float] = 0, limits.min  # where the slider was put for a value, and that value
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, round((limits.max - limits.min) / self.step))
        self.slider.setPageStep(max(self.slider.maximum() // 10, 1))
        self.box.setFixedWidth(scaled(84))
        self.put(self.slider, 0)
        self.box.stepped.connect(self._place_slider)
        self.slider.valueChanged.connect(self._slid)
        self.slider.sliderPressed.connect(lambda: self.held.emit(True))
        self.slider.sliderReleased.connect(self.done)
        self.slider.sliderReleased.connect(lambda: self.held.emit(False))

    def show_value(self, value: Any) -> None:
        super().show_value(value)
        if isinstance(value, int | float):
            self._place_slider(value)

    def _slid(self, position: int) -> None:
        # Back where it was put, the slider stands for the value it was put there for, between two positions or not.
        place, value = self._placed
        self._set(value if position == place else stepped(self.spec, self.low, position * self.step, self.step))

    def _place_slider(self, value: int | float) -> None:
        if self.slider is None:
            return
        with QSignalBlocker(self.slider):
            self.slider.setValue(round((min(value, 1e9) - self.low) / self.step))
        if not self.slider.hasFocus():  # else it is the slider that moves the value
            self._placed = self.slider.value(), value


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
        self._set(rolled_seed())
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


class ChoiceEditor(Editor):
    def __init__(self, spec: Input) -> None:
        choice = spec.get(Choice)
        self.box = ComboBox()
        self.box.addItems(choice.options if choice else ())
        self.box.bound()
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


class ParagraphField(Editor):
    def __init__(self, spec: Input) -> None:
        self.box = Paragraph()
        self.box.setTabChangesFocus(True)
        multiline = spec.get(Multiline)
        self.box.weighs = multiline is not None and multiline.weighs
        super().__init__(spec, self.box)
        self.box.textChanged.connect(lambda: self.edited.emit(self.box.toPlainText()))
        self.box.left.connect(self.done)

    def show_value(self, value: Any) -> None:
        text = str(value or "")
        too_long = len(text) > MAX_TEXT
        self.box.setReadOnly(too_long)
        with QSignalBlocker(self.box):
            self.box.write(
                f"A text of {amount(len(text))} characters: too long to be edited here" if too_long else text
            )


class ParagraphEditor(ParagraphField):
    """As high as some lines, among other rows."""

    def __init__(self, spec: Input) -> None:
        super().__init__(spec)
        self.box.setFixedHeight(scaled(96))


class ListEditor(WholeField):
    """Values between commas."""

    def __init__(self, spec: Input) -> None:
        self.box = QLineEdit()
        self.box.setPlaceholderText("values, between commas")
        super().__init__(spec, self.box)

    def read(self) -> Any:
        element, text = self.spec.type.element, self.box.text()
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if element not in (int, float):
            return tuple(parts)
        values = tuple(_listed_number(part, element) for part in parts)
        return text if None in values else values

    def write(self, value: Any) -> None:
        self.box.setText(", ".join(map(str, value or ())))


def _listed_number(text: str, kind: type[int] | type[float]) -> int | float | None:
    """None for "000", the end of a thousand: commas stand between values here."""
    if len(text) > 1 and text[0] == "0" and text.isdigit():
        return None
    try:
        return read_number(text, kind)
    except Ambiguous:
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


def is_number(spec: Input) -> bool:
    """Whether it is one, or a list of them: what is typed can be given up for what was."""
    kind = spec.type.element if isinstance(spec.type, ListOf) else spec.type
    return kind in (int, float)


def keeps_wrong(spec: Input) -> bool:
    """Whether a value is taken that cannot be so: a text would be lost, and the problems say what is wrong with it."""
    return spec.type is str and spec.get(Choice) is None


def finish_typing() -> None:
    """What is being typed in the field with the keyboard becomes an edit, for whatever comes next to have it."""
    widget = QApplication.focusWidget()
    while widget is not None and not isinstance(widget, Editor):
        widget = widget.parentWidget()
    if widget is not None:
        widget.settle()


def rolled_seed() -> int:
    return secrets.randbits(SEED_BITS)

"""A plain type and its metadata -> the widget that edits it: one table, at the end."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QSignalBlocker, QStringListModel, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QCompleter,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSlider,
    QWidget,
)

from nodegraph.node import Choice, File, Input, Multiline, Seed
from nodegraph.numerals import Ambiguous, read_number
from nodegraph.types import ListOf
from ui.base.text import label
from ui.base.theme import scaled
from ui.widgets.fields import ComboBox, NumberBox, tame
from ui.widgets.file_fields import ask_path, paths_like
from ui.widgets.numbers import slider_range, step_of, stepped
from ui.widgets.paragraph import MAX_TEXT, Paragraph

SEED_BITS = 32


class Editor(QWidget):
    """Shows a value and reports edits. `edited` may come many times in one gesture, `done` ends it.

    typed: what stands there and is no edit yet.
    """

    typed = Signal(object)
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
        tame(widget)

    def show_value(self, value: Any) -> None:
        """Without reporting it as an edit."""
        raise NotImplementedError

    def settle(self) -> None:
        """Report what stands there and is no edit yet, when it is right."""


class WholeField(Editor):
    """What is typed is an edit with Return or on the way out: the 2 of a 25 is none. Until then it stays."""

    def __init__(self, spec: Input, box: QLineEdit | QAbstractSpinBox) -> None:
        super().__init__(spec, box)
        self._box, self._typing = box, False
        line = box.lineEdit() if isinstance(box, QAbstractSpinBox) else box
        line.textEdited.connect(self._typed)
        box.editingFinished.connect(self._finish)

    def read(self) -> Any:
        """The value that stands there; the text where it is none, so that it can be complained about."""
        raise NotImplementedError

    def write(self, value: Any) -> None:
        raise NotImplementedError

    def show_value(self, value: Any) -> None:
        if not self._typing:
            self.write(value)

    def _set(self, value: Any) -> None:
        """Not by typing."""
        self._typing = False
        self.write(value)
        self.edited.emit(value)

    def _typed(self) -> None:
        self._typing = True
        self.typed.emit(self.read())

    def settle(self) -> None:
        value = self.read()
        if self._typing and self.spec.complaint(value) is None:
            self._typing = False
            self.edited.emit(value)

    def _finish(self) -> None:
        value = self.read()
        if self._typing:
            self.edited.emit(value)
        # After Return what is wrong stays, to be mended.
        if not self._box.hasFocus() or self.spec.complaint(value) is None:
            self._typing = False
            self.done.emit()


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
            self.box.write(f"A text of {len(text):,} characters: too long to be edited here" if too_long else text)


class ParagraphEditor(ParagraphField):
    """As high as some lines, among other rows."""

    def __init__(self, spec: Input) -> None:
        super().__init__(spec)
        self.box.setFixedHeight(scaled(96))


class PathField(WholeField):
    """A box to type a path in; it offers what is there."""

    def __init__(self, spec: Input) -> None:
        self.box = QLineEdit()
        super().__init__(spec, self.box)
        self._found = QStringListModel(self)
        completer = QCompleter(self._found, self)
        self.box.setCompleter(completer)
        completer.activated.connect(self._set)
        self.typed.connect(lambda text: self._found.setStringList(paths_like(text, spec.get(File) or File())))

    def read(self) -> Any:
        return self.box.text()

    def write(self, value: Any) -> None:
        if self.box.text() != (value or ""):
            self.box.setText(str(value or ""))


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
            self._set(path)
            self.done.emit()


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

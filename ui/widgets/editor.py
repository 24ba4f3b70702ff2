"""What every editor of a parameter has in common."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QAbstractSpinBox, QHBoxLayout, QLineEdit, QPushButton, QWidget

from nodegraph.node import Input
from ui.widgets.fields import tame


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

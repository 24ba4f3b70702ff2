"""What varies in a sweep: a line for each parameter with its values, as one would write them for the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QPoint, QSignalBlocker, QTimer, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QMenu, QSpinBox, QVBoxLayout, QWidget

from nodegraph.graph import Graph, Port
from nodegraph.group_type import document_types
from nodegraph.node import Choice, Input, Range, Seed
from nodegraph.sweeping import axes
from nodegraph.sweeping.axes import MOST_CELLS, Axis, written
from ui.base.text import amount, label
from ui.documents.document import Document
from ui.runs.sweep_runs import SweepRuns
from ui.widgets.buttons import small_button
from ui.widgets.fields import ComboBox, tame
from ui.widgets.flow import FlowLayout
from ui.widgets.short_label import ShortLabel

KEPT = 18  # letters of a name that what stands beside it leaves
MOST_NODES = 40  # of a menu: more, and nobody would find one
SIGNS = ("~", "=")
"""With which a field may begin, as in a command: words are replaced, or these are the values."""

MODES = {"grid": "Every with every", "zip": "Side by side"}
HELP = (
    "Values: 1:9:2 is 1, 3, 5, 7, 9; 0..3 is 0, 1, 2, 3; a bar stands between values, 4|7.5 or a cat|a dog; "
    "of files, a folder is every file in it; in a text, ~cat|dog|fox puts dog and fox in the place of cat"
)
PAUSE_MS = 300
"""After the last key: half of a range would be thousands of pictures."""

FEW = 4  # seeds that a sweep begins with


def parameters(document: Document, id: str) -> Iterator[Input]:
    """Those of a node that a person sets and that may vary."""
    node = document.graph.nodes[id]
    type = document.declared(node.type)
    if type is None or type.annotation:
        return
    yield from (spec for spec in type.inputs if spec.editable and Port(id, spec.name) not in document.graph.links)


def first_values(graph: Graph, port: Port, spec: Input) -> tuple[Any, ...]:
    """What a parameter that begins to vary has: its value, and what people are likely to want beside it."""
    now = graph.nodes[port.node].params.get(spec.name, spec.default)
    if spec.get(Seed):
        return tuple(now + step for step in range(FEW) if spec.complaint(now + step) is None)
    if choice := spec.get(Choice):
        return tuple(choice.options)
    if spec.type is bool:
        return (True, False)
    limits = spec.get(Range)
    if limits is None or not isinstance(now, int | float):
        return (now,)
    step = spec.type(limits.step or max(1, abs(now) / 2))
    values: tuple[Any, ...] = (now - step, now, now + step)
    return tuple(value for value in values if spec.complaint(value) is None)


class AxisRow(QWidget):
    """A parameter, its values and a button that takes it out."""

    changed = Signal(object)  # Axis
    removed = Signal()

    def __init__(self, document: Document, axis: Axis) -> None:
        super().__init__()
        self._document, self.axis = document, axis
        self.name = ShortLabel("", KEPT)
        self.about = QLabel()
        self.about.setObjectName("small")
        self.field = QLineEdit()
        tame(self.field)
        self.field.setToolTip(HELP)
        self.remove = small_button("×", self.removed.emit, "Do not vary it any more")
        self.error = QLabel(wordWrap=True)
        self.error.setObjectName("error")
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        top.addWidget(self.name)
        top.addWidget(self.about)
        top.addStretch(1)
        top.addWidget(self.remove)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 6)
        column.setSpacing(3)
        column.addLayout(top)
        column.addWidget(self.field)
        column.addWidget(self.error)
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self._typed)
        self.field.textEdited.connect(lambda _: self._pause.start())
        self.field.editingFinished.connect(self._settle)
        self.show_axis(axis)

    def show_axis(self, axis: Axis) -> None:
        """What is typed and comes to the same values, or to none yet, stays as it is while it is typed."""
        self.axis = axis
        document, (id, name) = self._document, axis.port
        title = document.title_of(id)
        self.name.setText(f"{label(name)} · {title}")
        self.name.setAccessibleName(f"{label(name)} of {title}")
        self.field.setAccessibleName(f"Values of {label(name)} of {title}")
        self.remove.setAccessibleName(f"Do not vary {label(name)} of {title}")
        self.about.setText(f"{amount(len(axis.values))} value{'' if len(axis.values) == 1 else 's'}")
        if not (self.field.hasFocus() and (self._pause.isActive() or self._read() in (None, axis))):
            text = written(axis.values)
            self.field.setText(f"={text}" if text[:1] in SIGNS else text)
            self._complain("")

    def _read(self) -> Axis | None:
        """What is typed; None when it cannot be meant."""
        try:
            return self._meant()
        except ValueError:
            return None

    def _meant(self) -> Axis:
        graph = self._document.graph
        types = document_types(graph.groups, self._document.registry)
        text = self.field.text()
        return axes.read(graph, types, self.axis.name + (text if text[:1] in SIGNS else f"={text}"))

    def _settle(self) -> None:
        """What was typed counts now."""
        if self._pause.isActive():
            self._pause.stop()
            self._typed()

    def _typed(self) -> None:
        try:
            axis = self._meant()
        except ValueError as error:
            self._complain(str(error).partition(": ")[2] or str(error))
            return
        self._complain("")
        if axis != self.axis:
            self.changed.emit(axis)

    def _complain(self, sentence: str) -> None:
        self.error.setText(sentence)
        self.error.setVisible(bool(sentence))


class SweepForm(QWidget):
    """The parameters that vary, from the top: the first goes across the sheet, the second down."""

    def __init__(self, runs: SweepRuns, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.runs = runs
        self.rows: list[AxisRow] = []
        self.mode = ComboBox()
        self.mode.addItems(list(MODES.values()))
        self.mode.setAccessibleName("How values go together")
        self.mode.setToolTip("Every value with every other, or the first of each, the second of each, and so on")
        self.mode.bound()
        tame(self.mode)
        self.sample = QSpinBox(minimum=0, maximum=MOST_CELLS, prefix="Only ", suffix=" by chance")
        self.sample.setSpecialValueText("All of them")
        self.sample.setAccessibleName("How many of the pictures")
        self.sample.setToolTip("So many of the pictures, drawn by chance, always the same ones; 0 is all of them")
        self.sample.setKeyboardTracking(False)
        tame(self.sample)
        self.add = small_button("Vary…", self._offer, "Choose a parameter that is to vary")
        self._list = QVBoxLayout()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._list)
        column.addLayout(FlowLayout(self.add, self.mode, self.sample, growing=self.mode))
        column.addStretch(1)
        self.mode.activated.connect(self._choose_mode)
        self.sample.valueChanged.connect(self._choose_sample)
        self.selection: Sequence[str] = ()  # nodes that are offered first

    def show_sweep(self) -> None:
        """What the document says."""
        found = self.runs.sweep.axes if self.runs.sweep else ()
        ports = [axis.port for axis in found]
        if [row.axis.port for row in self.rows] != ports:
            for row in self.rows:
                self._list.removeWidget(row)
                row.hide()
                row.deleteLater()
            self.rows = [self._row(axis) for axis in found]
        for row, axis in zip(self.rows, found, strict=True):
            row.show_axis(axis)
        self.mode.setVisible(len(found) > 1)
        self.sample.setVisible(bool(found))
        if self.runs.sweep:
            self.mode.setCurrentIndex(list(MODES).index(self.runs.sweep.mode))
            with QSignalBlocker(self.sample):
                self.sample.setValue(self.runs.sweep.sample)

    def _row(self, axis: Axis) -> AxisRow:
        row = AxisRow(self.runs.document, axis)
        row.changed.connect(lambda axis, row=row: self._put(row, axis))
        row.removed.connect(lambda row=row: self._put(row, None))
        self._list.addWidget(row)
        return row

    def _put(self, row: AxisRow, axis: Axis | None) -> None:
        sweep = self.runs.sweep
        if sweep is None:
            return
        others = [other if other.port != row.axis.port else axis for other in sweep.axes]
        kept = tuple(other for other in others if other is not None)
        changed = type(sweep)(kept, sweep.mode, sweep.sample) if kept else None
        text = f"Values of {row.axis.name}" if axis else f"Do not vary {row.axis.name}"
        self.runs.put(changed, text, merge=("sweep", row.axis.port) if axis else None)

    def _choose_mode(self, index: int) -> None:
        if (sweep := self.runs.sweep) is not None:
            mode = "zip" if list(MODES)[index] == "zip" else "grid"
            self.runs.put(type(sweep)(sweep.axes, mode, sweep.sample), "How values go together")

    def _choose_sample(self, count: int) -> None:
        if (sweep := self.runs.sweep) is not None:
            self.runs.put(replace(sweep, sample=count), "How many of the pictures", merge=("sweep", "sample"))

    def _offer(self) -> None:
        menu = self.menu()
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.add.mapToGlobal(QPoint(0, self.add.height())))

    def menu(self) -> QMenu:
        """The parameters of the selected nodes, or else of all, by node."""
        menu, document = QMenu(self), self.runs.document
        there = [id for id in self.selection if id in document.graph.nodes]
        ids = there or [id for id, node in document.graph.nodes.items() if node.mode == "on"]
        for id in ids[:MOST_NODES]:
            specs = list(parameters(document, id))
            inner = QMenu(document.title_of(id), menu)
            for spec in specs:
                action = QAction(label(spec.name), inner)
                action.triggered.connect(lambda _=False, id=id, spec=spec: self.vary(Port(id, spec.name)))
                inner.addAction(action)
            if specs:
                menu.addMenu(inner)
        if len(ids) > MOST_NODES:
            menu.addAction("Select nodes to be offered theirs").setEnabled(False)
        if menu.isEmpty():
            menu.addAction("No parameter can vary here").setEnabled(False)
        return menu

    def vary(self, port: Port) -> None:
        """Let a parameter vary, with values to begin with; the field that has them gets the keys."""
        spec = self.runs.document.input(port)
        if spec is None:
            return
        self.runs.vary(port, first_values(self.runs.document.graph, port, spec))
        self.show_sweep()
        row = next((row for row in self.rows if row.axis.port == port), None)
        if row is not None:
            row.field.setFocus()
            row.field.selectAll()

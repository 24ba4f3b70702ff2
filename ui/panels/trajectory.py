"""The steps of a denoising, one after the other: look at each, and branch off where it is worth it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QPushButton, QSlider, QVBoxLayout, QWidget

from nodegraph.graph import Graph, Port
from nodegraph.types import Picture
from ui.branches import Loop, continue_from, decode_here, find_loop
from ui.canvas.scene import pixmap
from ui.document import Document
from ui.editors import Editor, make_editor
from ui.records import StepRecord
from ui.run_state import RunState, owner
from ui.runner import Runner
from ui.text import duration, label, number
from ui.theme import color, colors, panel_font

DECODE_TIP = "Add nodes that show the picture at this step"
GO_ON_TIP = "Add nodes that go on from this step with the settings above"
SETTINGS = ("guidance_scale", "solver")
"""What a person may want to be different from a step on, where the loop has it."""


class TrajectoryPanel(QWidget):
    """Follows the newest step of a run until another one is looked at."""

    branched = Signal(str)  # id of a new node that shows something: bring it into view

    def __init__(self, document: Document, runs: RunState, runner: Runner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document, self.runs, self.runner = document, runs, runner
        self.steps: tuple[StepRecord, ...] = ()
        self._following = True  # the newest step, until a person looks at another
        self.editors: dict[Port, Editor] = {}
        self.settings: dict[Port, object] = {}
        self.loops = QComboBox()
        self.loops.setAccessibleName("Which loop")
        self.view = StepView()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Step")
        self.slider.setPageStep(5)
        self.caption = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self.caption.setObjectName("dim")
        self.form = QFormLayout()
        self.decode = self._button("Decode here", self._decode)
        self.go_on = self._button("Continue from here", self._continue)
        self._lay_out()
        self.setFocusProxy(self.slider)
        self.loops.currentIndexChanged.connect(self._show_loop)
        self.slider.valueChanged.connect(self._look)
        runs.changed.connect(self._run_changed)
        runs.planned.connect(self._list_loops)
        document.changed.connect(self._list_loops)
        self._list_loops()

    def _button(self, text: str, act: Callable[[], None]) -> QPushButton:
        button = QPushButton(text)
        button.clicked.connect(lambda: act())
        return button

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.decode)
        buttons.addWidget(self.go_on)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 4, 10, 8)
        column.addWidget(self.loops)
        column.addWidget(self.view, 1)
        column.addWidget(self.slider)
        column.addWidget(self.caption)
        column.addLayout(self.form)
        column.addLayout(buttons)

    def show_node(self, node: str) -> None:
        """Show the loop of this node of the document, if it has one."""
        index = next((i for i in range(self.loops.count()) if owner(self.loops.itemData(i)) == node), -1)
        if index >= 0:
            self.loops.setCurrentIndex(index)

    @property
    def node(self) -> str:
        """The loop that is shown, as the engine calls its node; empty when there is none."""
        return self.loops.currentData() or ""

    # Showing ------------------------------------------------------------------------------------------

    def _list_loops(self) -> None:
        """The loops that were run; those that denoise first."""
        if not self.isVisible():  # it reads them when it is shown
            return
        nodes = [node for node in self.runs.loops if owner(node) in self.document.graph.nodes]
        nodes.sort(key=lambda node: "sigma" not in self.runs.steps(node)[0].values)
        before = self.node
        if nodes != [self.loops.itemData(i) for i in range(self.loops.count())]:
            with QSignalBlocker(self.loops):
                self.loops.clear()
                for node in nodes:
                    self.loops.addItem(self._title(node), node)
                self.loops.setCurrentIndex(max(self.loops.findData(before), 0))
        self.loops.setVisible(len(nodes) > 1)
        self._show_loop()

    def _title(self, node: str) -> str:
        graph, titles = self.document.graph, list[str]()
        for id in node.split("/"):
            shown = graph.nodes.get(id)
            type = self.document.declared(shown.type) if shown else None
            titles.append((shown and shown.title) or (type.title if type else id))
            graph = type.group.graph if type and type.group else Graph()
        return " › ".join(titles)

    def _show_loop(self) -> None:
        self._read_steps()
        self.slider.setEnabled(len(self.steps) > 1)
        self._show_settings()

    def _read_steps(self) -> None:
        self.steps = self.runs.steps(self.node)
        with QSignalBlocker(self.slider):
            self.slider.setRange(1, max(len(self.steps), 1))
            if self._following:
                self.slider.setValue(self._newest())
        self._show_step()

    def _look(self, number: int) -> None:
        """A person moved the slider."""
        self._following = number == self._newest()
        self._show_step()

    def _newest(self) -> int:
        """The last step that there is something to see of; the number of it, from 1."""
        seen = [number for number, step in enumerate(self.steps, 1) if step.picture]
        return seen[-1] if seen else len(self.steps)

    def _run_changed(self, node: str) -> None:
        if node == self.node and self.isVisible():
            self._read_steps()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._list_loops()

    @property
    def step(self) -> StepRecord | None:
        index = self.slider.value() - 1
        return self.steps[index] if index < len(self.steps) else None

    def _show_step(self) -> None:
        step = self.step
        self.view.show_picture(step.picture if step else None)
        self.caption.setText(self._describe(step) if step else "Run a graph that denoises: its steps appear here.")
        loop, why = self._loop()
        last = self.slider.value() >= len(self.steps)
        self.decode.setEnabled(loop is not None)
        self.go_on.setEnabled(loop is not None and not last)
        self.decode.setToolTip(why or DECODE_TIP)
        self.go_on.setToolTip(why or ("There is nothing left to do after the last step." if last else GO_ON_TIP))

    def _describe(self, step: StepRecord) -> str:
        parts = [f"Step {self.slider.value()} of {len(self.steps)}"]
        sigma, after = step.values.get("sigma"), step.values.get("sigma_next")
        if isinstance(sigma, int | float):
            to = f" → {number(round(after, 4))}" if isinstance(after, int | float) else ""
            parts.append(f"σ {number(round(sigma, 4))}{to}")
        if step.seconds is not None:
            parts.append(duration(step.seconds))
        return "  ·  ".join(parts)

    # Branching off ------------------------------------------------------------------------------------

    def _loop(self) -> tuple[Loop | None, str]:
        """The loop in the document, or why there is none to branch off."""
        step = self.step
        if step is None or len(step.iteration) != 1:
            return None, "Only a loop that is in no other loop can be branched off."
        try:
            return find_loop(self.document.graph, self.document.declared, self.node), ""
        except ValueError as error:
            return None, str(error)

    def _show_settings(self) -> None:
        """Editors for what may be different from here on, as it is in the loop."""
        loop = self._loop()[0]
        ports = [
            port
            for id in (loop.nodes if loop else ())
            for name in SETTINGS
            if (port := Port(id, name)) not in self.document.graph.links and self.document.input(port)
        ]
        if ports == list(self.editors):
            return
        while self.form.rowCount():
            self.form.removeRow(0)
        self.editors, self.settings = {}, {}
        for port in ports:
            spec = self.document.input(port)
            assert spec
            editor = make_editor(spec)
            editor.show_value(self.document.graph.nodes[port.node].params.get(port.socket, spec.default))
            editor.edited.connect(lambda value, port=port: self.settings.__setitem__(port, value))
            self.editors[port] = editor
            self.form.addRow(f"{label(port.socket)} from here", editor)

    def _decode(self) -> None:
        self._branch("Decode here", lambda graph, loop: decode_here(graph, loop, self.slider.value() - 1))

    def _continue(self) -> None:
        step, steps = self.slider.value() - 1, len(self.steps)
        self._branch("Continue from here", lambda graph, loop: continue_from(graph, loop, step, steps, self.settings))

    def _branch(self, text: str, edit: Callable[[Graph, Loop], tuple[Graph, str]]) -> None:
        """Add the nodes as one step of the history, and compute what they show."""
        loop = self._loop()[0]
        if loop is None:
            return
        try:
            after, shown = edit(self.document.graph, loop)
        except ValueError as error:
            self.caption.setText(str(error))
            return
        self.document.edit(text, lambda _: after)
        self.branched.emit(shown)
        self.runner.compute((shown,))


class StepView(QWidget):
    """A picture as large as there is room, its pixels kept as pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumHeight(120)
        self.picture: Picture | None = None

    def sizeHint(self) -> QSize:
        return QSize(320, 260)

    def show_picture(self, picture: Picture | None) -> None:
        self.picture = picture
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), color(colors().field))
        if self.picture is None:
            painter.setFont(panel_font(12))
            painter.setPen(color(colors().faint))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "No picture of this step")
            return
        shown = pixmap(self.picture)
        size = shown.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        place = QRectF(0, 0, size.width(), size.height())
        place.moveCenter(QRectF(self.rect()).center())
        painter.drawPixmap(place, shown, QRectF(shown.rect()))

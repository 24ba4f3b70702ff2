"""The steps of a loop, one after the other: look at each, and branch off where it is worth it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QRectF, QSignalBlocker, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent, QPainter, QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from nodegraph.graph import Graph, Port
from nodegraph.reach import zone_nodes
from nodegraph.types import Picture
from ui.base.text import duration, label
from ui.base.theme import color, colors, panel_font
from ui.canvas.scene.figures import figure_of, figure_shape
from ui.canvas.scene.shape import WIDTH, Look, make_shape
from ui.documents.document import Document
from ui.runs.branches import Loop, continue_from, decode_here, find_loop
from ui.runs.call_records import StepRecord
from ui.runs.node_run import owner
from ui.runs.run_state import RunState
from ui.runs.runner import Runner
from ui.widgets.buttons import small_button
from ui.widgets.editor import Editor
from ui.widgets.editors import make_editor
from ui.widgets.fields import ComboBox
from ui.widgets.flow import FlowLayout
from ui.widgets.pixmaps import pixmap
from ui.widgets.seen import WhenSeen, seen

DECODE_TIP = "Add nodes that show the picture at this step"
GO_ON_TIP = "Add nodes that go on from this step with the settings above"

PLAY_MS = 120
"""A step, when they are played one after the other."""

BRANCH_GAP = 140.0
"""World units between a branch and what is above it: room for the frames of zones."""


class TrajectoryPanel(QWidget):
    """Follows the newest step of a run until another one is looked at."""

    branched = Signal(object)  # ids of the nodes of a branch, or of the one that shows it: bring them into view

    def __init__(self, document: Document, runs: RunState, runner: Runner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document, self.runs, self.runner = document, runs, runner
        self._domain = document.registry.domain
        self.steps: Sequence[StepRecord] = ()
        self._following = True  # the newest step, until a person looks at another
        self._found: tuple[Graph, str, tuple[Loop | None, str]] | None = None  # where it was looked for last, and what
        self.editors: dict[Port, Editor] = {}
        self.settings: dict[Port, object] = {}
        self.loops = ComboBox()
        self.loops.setAccessibleName("Which loop")
        keeps_place = self.loops.sizePolicy()
        keeps_place.setRetainSizeWhenHidden(True)  # a branch is another loop
        self.loops.setSizePolicy(keeps_place)
        self.view = StepView()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Step")
        self.slider.setPageStep(5)
        self.caption = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self.caption.setObjectName("dim")
        self.player = QTimer(self, interval=PLAY_MS)
        self.player.timeout.connect(self._advance)
        self.play = small_button("Play", self.toggle_play, "Show one step after the other (Space)")
        self.form = QFormLayout()
        self.decode = self._button("Decode here", self._decode)
        self.go_on = self._button("Continue from here", self._continue)
        self._lay_out()
        self.setFocusProxy(self.slider)
        self.loops.currentIndexChanged.connect(self._show_loop)
        self.slider.valueChanged.connect(self._look)
        self._to_list, self._to_read = WhenSeen(self, self._list_loops), WhenSeen(self, self._read_steps)
        runs.changed.connect(self._run_changed)
        runs.planned.connect(self._to_list.ask)
        runs.progressed.connect(self._ask_for_missing)
        # Once for all edits of one act, such as the letters that an input method puts in.
        self._edited = QTimer(self, singleShot=True, interval=0)
        self._edited.timeout.connect(self._to_list.ask)
        document.changed.connect(lambda: self._edited.start())
        self._list_loops()

    def _button(self, text: str, act: Callable[[], None]) -> QPushButton:
        button = QPushButton(text)
        button.clicked.connect(lambda: act())
        return button

    def _lay_out(self) -> None:
        scrub = QHBoxLayout()
        scrub.addWidget(self.play)
        scrub.addWidget(self.slider, 1)
        buttons = FlowLayout(self.decode, self.go_on)
        column = QVBoxLayout()
        column.addWidget(self.loops)
        column.addLayout(scrub)
        column.addWidget(self.caption)
        column.addLayout(self.form)
        column.addLayout(buttons)
        column.addStretch(1)
        self.halves = QBoxLayout(QBoxLayout.Direction.TopToBottom, self)
        self.halves.setContentsMargins(10, 4, 10, 8)
        self.halves.addWidget(self.view, 1)
        self.halves.addLayout(column)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A low panel has the picture beside the rest, a high one above it."""
        wide = event.size().width() > 1.5 * event.size().height()
        self.halves.setDirection(QBoxLayout.Direction.LeftToRight if wide else QBoxLayout.Direction.TopToBottom)
        self.halves.setStretch(1, int(wide))

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
        """The loops that were run; those whose steps have a place of their own first."""
        if not self.isVisible():  # it reads them when it is shown
            return
        nodes = [node for node in self.runs.loops if owner(node) in self.document.graph.nodes]
        nodes.sort(key=lambda node: not self._domain.describe_step(self.runs.steps(node)[0].values))
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
        graph = self.document.graph
        titles = [graph.nodes[z.begin].title or "Repeat" for z in zone_nodes(graph) if node in z.nodes]
        for id in node.split("/"):
            shown = graph.nodes.get(id)
            type = self.document.declared(shown.type) if shown else None
            titles.append((shown and shown.title) or (type.title if type else id))
            graph = type.group.graph if type and type.group else Graph()
        return " › ".join(titles)

    def _show_loop(self) -> None:
        self._read_steps()
        for widget in (self.slider, self.play):
            widget.setEnabled(len(self.steps) > 1)
        self._show_settings()

    def _read_steps(self) -> None:
        self.steps = self.runs.steps(self.node)
        with QSignalBlocker(self.slider):
            self.slider.setRange(1, max(len(self.steps), 1))
            if self._following:
                self.slider.setValue(self._newest())
        self._show_step()
        self._ask_for_missing()

    def _ask_for_missing(self) -> None:
        """Those of steps that came from the cache, and those there was no time for during the run."""
        if seen(self) and not self.runs.running:
            self.runs.wanted.emit([step.call for step in self.steps if step.picture is None])

    def _look(self, number: int) -> None:
        """A person moved the slider. While a run goes on there is nothing beyond the newest step."""
        newest = self._newest()
        self._following = number == newest or (self.runs.running and number > newest)
        if self._following:
            with QSignalBlocker(self.slider):
                self.slider.setValue(newest)
        self._show_step()

    def toggle_play(self) -> None:
        """Show one step after the other, from the first again at the end; or stop."""
        if self.player.isActive():
            self.player.stop()
        elif len(self.steps) > 1:
            if self.slider.value() >= self._newest():
                self.slider.setValue(1)
            self.player.start()
        self.play.setText("Pause" if self.player.isActive() else "Play")

    def _advance(self) -> None:
        if self.slider.value() < self._newest():
            self.slider.setValue(self.slider.value() + 1)
        else:
            self.toggle_play()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            self.toggle_play()
        else:
            super().keyPressEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if self.player.isActive():
            self.toggle_play()

    def _newest(self) -> int:
        """The last step that there is something to see of; the number of it, from 1. The first before there is any."""
        last = self.runs.last_rounds(self.node)
        if len(last) == 1:  # in a zone that is in no other, a round is a step
            return min(last[0] + 1, max(len(self.steps), 1))
        return next((number for number in range(len(self.steps), 0, -1) if self.steps[number - 1].picture), 1)

    def _run_changed(self, node: str) -> None:
        if node == self.node:
            self._to_read.ask()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._list_loops()

    @property
    def step(self) -> StepRecord | None:
        index = self.slider.value() - 1
        return self.steps[index] if index < len(self.steps) else None

    def _show_step(self) -> None:
        step = self.step
        self.view.show_picture(step.picture if step else None, "No picture of this step" if step else "")
        self.caption.setText(self._describe(step) if step else "Run a graph with a loop: its steps appear here.")
        loop, why = self._loop()
        last = self.slider.value() >= len(self.steps)
        self.decode.setEnabled(loop is not None)
        self.go_on.setEnabled(loop is not None and not last)
        self.decode.setToolTip(why or DECODE_TIP)
        self.go_on.setToolTip(why or ("There is nothing left to do after the last step." if last else GO_ON_TIP))

    def _describe(self, step: StepRecord) -> str:
        parts = [f"Step {self.slider.value()} of {len(self.steps)}", *self._domain.describe_step(step.values)]
        if step.seconds is not None:
            parts.append(f"took {duration(step.seconds)}")
        return "  ·  ".join(parts)

    # Branching off ------------------------------------------------------------------------------------

    def _loop(self) -> tuple[Loop | None, str]:
        """The loop in the document, or why there is none to branch off."""
        step = self.step
        if step is None or len(step.iteration) != 1:
            return None, "Only a loop that is in no other loop can be branched off."
        graph = self.document.graph
        if self._found is None or self._found[0] is not graph or self._found[1] != self.node:
            self._found = graph, self.node, self._find_loop(graph)
        return self._found[2]

    def _find_loop(self, graph: Graph) -> tuple[Loop | None, str]:
        way = self._domain.branching
        if way is None:
            return None, "These nodes do not say how a loop of theirs is cut."
        try:
            return find_loop(graph, self.document.declared, way, self.node), ""
        except ValueError as error:
            return None, str(error)

    def _show_settings(self) -> None:
        """Editors for what may be different from here on, as it is in the loop."""
        if not self.steps and self.runs.running:
            return  # they are about to come back: what lies below must not move away from under the pointer meanwhile
        loop = self._loop()[0]
        ports = [
            port
            for id in (loop.nodes if loop else ())
            for name in (loop.way.settings if loop else ())
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
            editor.edited.connect(partial(self._set, port))
            self.editors[port] = editor
            self.form.addRow(f"{label(port.socket)} from here", editor)

    def _set(self, port: Port, value: object) -> None:
        self.settings[port] = value
        self.editors[port].show_value(value)

    def _decode(self) -> None:
        step, top = self.slider.value() - 1, below(self.document, self.runs)
        self._branch("Decode here", lambda graph, loop: decode_here(graph, loop, step, top))

    def _continue(self) -> None:
        step, steps, top = self.slider.value() - 1, len(self.steps), below(self.document, self.runs)

        def edit(graph: Graph, loop: Loop) -> tuple[Graph, str]:
            self._check_settings()
            return continue_from(graph, loop, step, steps, self.settings, top)

        self._branch("Continue from here", edit)

    def _check_settings(self) -> None:
        """Raises ValueError when one is not what its parameter takes."""
        for port, value in self.settings.items():
            spec = self.document.input(port)
            if spec and (complaint := spec.complaint(value)):
                raise ValueError(complaint)

    def _branch(self, text: str, edit: Callable[[Graph, Loop], tuple[Graph, str]]) -> None:
        """Add the nodes as one step of the history, and compute what they show."""
        loop = self._loop()[0]
        if loop is None:
            return
        before = self.document.graph
        try:
            after, shown = edit(before, loop)
        except ValueError as error:
            self.caption.setText(str(error))
            return
        self.document.edit(text, lambda _: after)
        self.branched.emit([id for id in after.nodes if id not in before.nodes] or [shown])
        self.runner.compute((shown,))


def below(document: Document, runs: RunState) -> float:
    """Where nothing lies, in world units: lower than every node, its picture and the frame of a zone around it."""
    bottom = 0.0
    for id, node in document.graph.nodes.items():
        figure, width = figure_of(node.type), node.size[0] if node.size else WIDTH
        look = Look(aspect=runs.of(id).aspect, width=width, collapsed=node.collapsed)
        shape = make_shape(document.type_of(id), look) if figure == "node" else figure_shape(figure, node.size)
        bottom = max(bottom, node.pos[1] + shape.height)
    return bottom + BRANCH_GAP


class StepView(QWidget):
    """A picture as large as there is room, its pixels kept as pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumHeight(120)
        self.picture: Picture | None = None
        self._hint = ""

    def sizeHint(self) -> QSize:
        return QSize(320, 260)

    def show_picture(self, picture: Picture | None, hint: str) -> None:
        """hint: what it says without a picture."""
        self.picture, self._hint = picture, hint
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), color(colors().field))
        if self.picture is None:
            painter.setFont(panel_font(12))
            painter.setPen(color(colors().faint))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._hint)
            return
        shown = pixmap(self.picture)
        size = shown.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        place = QRectF(0, 0, size.width(), size.height())
        place.moveCenter(QRectF(self.rect()).center())
        painter.drawPixmap(place, shown, QRectF(shown.rect()))

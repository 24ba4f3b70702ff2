"""A workflow as a plain form and its pictures, for people who do not want to see the graph."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from nodegraph.app_view import App, app_of, set_app, suggested
from nodegraph.graph import Diff, Port
from nodegraph.node import Multiline
from ui.canvas.scene import pixmap
from ui.document import Document
from ui.panels.parameter_row import ParameterRow
from ui.run_state import RunState
from ui.text import duration, label
from ui.theme import color, colors, font

FORM_WIDTH = 400
CAPTION = 26


class Pictures(QWidget):
    """The pictures of some nodes, as large as there is room for."""

    def __init__(self, document: Document, runs: RunState) -> None:
        super().__init__()
        self.document, self.runs = document, runs
        self.nodes: tuple[str, ...] = ()
        runs.changed.connect(lambda node: self.update() if node in self.nodes else None)
        self.setAccessibleName("Results")

    def show_nodes(self, nodes: tuple[str, ...]) -> None:
        self.nodes = nodes
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), color(colors().canvas))
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        columns = max(1, round(len(self.nodes) ** 0.5))
        rows = -(-len(self.nodes) // columns)
        for index, node in enumerate(self.nodes):
            width, height = self.width() / columns, self.height() / rows
            cell = QRectF(index % columns * width, index // columns * height, width, height)
            self._paint_cell(painter, node, cell.adjusted(16, 16, -16, -16))

    def _paint_cell(self, painter: QPainter, node: str, cell: QRectF) -> None:
        room = cell.adjusted(0, 0, 0, -CAPTION)
        picture = self.runs.of(node).picture
        painter.setFont(font(13))
        if picture is None:
            painter.setPen(color(colors().dim))
            painter.drawText(room, Qt.AlignmentFlag.AlignCenter, "The picture appears here\nwhen you run.")
            return
        scale = min(room.width() / picture.width, room.height() / picture.height)
        place = QRectF(0, 0, picture.width * scale, picture.height * scale)
        place.moveCenter(room.center())
        shown = pixmap(picture)
        painter.drawPixmap(place, shown, QRectF(shown.rect()))
        painter.setPen(color(colors().dim))
        foot = QRectF(cell.left(), place.bottom() + 6, cell.width(), CAPTION)
        painter.drawText(foot, Qt.AlignmentFlag.AlignCenter, title_of(self.document, node))


class AppView(QWidget):
    """The form, the buttons and the pictures. What is shown is chosen here and kept in the workflow."""

    run_wanted = Signal()
    stop_wanted = Signal()

    def __init__(self, document: Document, runs: RunState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document, self.runs = document, runs
        self.rows: dict[Port, ParameterRow] = {}
        self._shown: tuple[object, ...] = ()
        self.heading = QLabel()
        self.heading.setObjectName("heading")
        self.form = QScrollArea(widgetResizable=True)
        self.form.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.run_button = QPushButton("Run")
        self.run_button.setDefault(True)
        self.run_button.setToolTip("Make the pictures with these settings")
        self.stop_button = QPushButton("Stop")
        self.stop_button.setToolTip("Stop; finished steps are kept")
        self.choose_button = QPushButton("Choose what is shown…")
        self.choose_button.setToolTip("Pick the parameters and results of this view; the choice is saved in the file")
        self.bar = QProgressBar(textVisible=False, maximum=1000)
        self.left = QLabel()
        self.left.setObjectName("dim")
        self.left.setWordWrap(True)
        self.pictures = Pictures(document, runs)
        self._lay_out()
        self._connect()
        self.refresh()

    def _lay_out(self) -> None:
        side = QWidget()
        side.setObjectName("side")
        side.setFixedWidth(FORM_WIDTH)
        column = QVBoxLayout(side)
        column.setContentsMargins(18, 16, 18, 16)
        column.setSpacing(10)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 1)
        buttons.addWidget(self.stop_button)
        column.addWidget(self.heading)
        column.addWidget(self.form, 1)
        column.addWidget(self.bar)
        column.addWidget(self.left)
        column.addLayout(buttons)
        column.addWidget(self.choose_button)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(side)
        row.addWidget(self.pictures, 1)

    def _connect(self) -> None:
        self.run_button.clicked.connect(self.run_wanted)
        self.stop_button.clicked.connect(self.stop_wanted)
        self.choose_button.clicked.connect(self.choose)
        self.document.changed.connect(self._apply)
        self.document.file_changed.connect(lambda: self.heading.setText(self.document.name))
        self.runs.progressed.connect(self._show_run)
        self._show_run()

    @property
    def app(self) -> App:
        """What the workflow chose; without a choice, what most people look for."""
        graph = self.document.graph
        chosen = app_of(graph)
        return chosen if chosen != App() else suggested(graph, self.document.declared)

    def refresh(self) -> None:
        """Build the form anew when other parameters are to be shown, and show the values in any case."""
        self.heading.setText(self.document.name)
        app, graph = self.app, self.document.graph
        shown = tuple((port, self._spec(port)) for port in app.inputs)
        if shown != self._shown:
            self._shown = shown
            self._fill([port for port, spec in shown if spec is not None])
        self.pictures.show_nodes(tuple(id for id in app.outputs if id in graph.nodes))
        for row in self.rows.values():
            row.refresh()

    def _spec(self, port: Port) -> object:
        return self.document.type_of(port.node).input(port.socket)

    def _fill(self, ports: list[Port]) -> None:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 12, 0)
        column.setSpacing(6)
        self.rows = {}
        names = [port.socket for port in ports]
        for port in ports:
            spec = self.document.type_of(port.node).input(port.socket)
            assert spec is not None
            row = ParameterRow(self.document, port.node, spec)
            if names.count(port.socket) > 1:
                title = title_of(self.document, port.node)  # a prompt needs no more than the node's name
                row.name.setText(title if spec.get(Multiline) else f"{title}: {label(spec.name)}")
            self.rows[port] = row
            column.addWidget(row)
        if not ports:
            hint = QLabel("This workflow has no parameters to show here. Choose some below.")
            hint.setWordWrap(True)
            hint.setObjectName("dim")
            column.addWidget(hint)
        column.addStretch(1)
        self.form.setWidget(page)

    def _apply(self, change: Diff) -> None:
        self.refresh()

    def _show_run(self) -> None:
        running = self.runs.running
        seconds = self.runs.seconds_left()
        self.stop_button.setEnabled(running)
        # setValue paints at once, and with the bar all of the window that waits to be painted: for every event.
        self.bar.setUpdatesEnabled(False)
        self.bar.setValue(round(1000 * self.runs.fraction) if running else 0)
        self.bar.setUpdatesEnabled(True)
        self.left.setText(f"{duration(seconds)} left" if running and seconds else self.runs.outcome or " ")

    def choose(self) -> None:
        """Ask which parameters and results are shown."""
        dialog = ChooseDialog(self.document, self.app, self)
        if dialog.exec():
            self.document.edit("Choose the app view", set_app, dialog.app())


class ChooseDialog(QDialog):
    """Every parameter that can be typed and every node with a result, to tick."""

    def __init__(self, document: Document, app: App, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Choose what the app view shows")
        self.resize(460, 560)
        self.tree = QTreeWidget()
        self.tree.setHeaderHidden(True)
        self.tree.setAccessibleName("Parameters and results")
        self._before = app
        self._ports: dict[Port, QTreeWidgetItem] = {}
        self._results: dict[str, QTreeWidgetItem] = {}
        for id in document.graph.nodes:
            self._add(document, id, app)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(QLabel("Tick the parameters and the results to show."))
        column.addWidget(self.tree)
        column.addWidget(buttons)

    def _add(self, document: Document, id: str, app: App) -> None:
        type, links = document.type_of(id), document.graph.links
        ports = [Port(id, spec.name) for spec in type.inputs if spec.editable and Port(id, spec.name) not in links]
        if type.annotation or not (ports or type.outputs):
            return
        top = QTreeWidgetItem(self.tree, [title_of(document, id)])
        for port in ports:
            self._ports[port] = _ticked(top, label(port.socket), port in app.inputs)
        if type.outputs:
            self._results[id] = _ticked(top, "Its picture", id in app.outputs)
        top.setExpanded(any(p.node == id for p in app.inputs) or id in app.outputs)

    def app(self) -> App:
        """What is ticked: what was shown before keeps its place, what is new comes after it."""
        ports = [port for port, item in self._ports.items() if item.checkState(0) == Qt.CheckState.Checked]
        results = [id for id, item in self._results.items() if item.checkState(0) == Qt.CheckState.Checked]
        return App(
            (*(p for p in self._before.inputs if p in ports), *(p for p in ports if p not in self._before.inputs)),
            (
                *(i for i in self._before.outputs if i in results),
                *(i for i in results if i not in self._before.outputs),
            ),
        )


def _ticked(parent: QTreeWidgetItem, text: str, on: bool) -> QTreeWidgetItem:
    item = QTreeWidgetItem(parent, [text])
    item.setCheckState(0, Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
    return item


def title_of(document: Document, id: str) -> str:
    """What people call the node."""
    return document.graph.nodes[id].title or document.type_of(id).title

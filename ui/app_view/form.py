"""A workflow as a plain form and its pictures, for people who do not want to see the graph."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QScrollArea, QVBoxLayout, QWidget

from nodegraph.formats.app_rows import App, app_of, set_app, suggested
from nodegraph.graph import Diff, Port
from nodegraph.node import Multiline
from nodegraph.types import Picture, columns
from ui.app_view.chooser import ChooseDialog, names
from ui.base.text import label
from ui.base.theme import color, colors, panel_font, scaled
from ui.base.unstyled import let_go
from ui.documents.document import Document
from ui.panels.parameter_row import ParameterRow
from ui.runs.run_state import RunState
from ui.widgets.pixmaps import one_of, pixmap

FORM_WIDTH = 400
CAPTION = 26  # room for the name of a picture, among others


class Pictures(QWidget):
    """The pictures of some nodes, as large as there is room for. Of a batch a click picks one, or shows all again."""

    def __init__(self, document: Document, runs: RunState) -> None:
        super().__init__()
        self.document, self.runs = document, runs
        self.nodes: tuple[str, ...] = ()
        self.names: dict[str, str] = {}
        self._places: dict[str, QRectF] = {}  # of the pictures, as they were painted last
        runs.changed.connect(lambda _: self.update())
        runs.picked.changed.connect(lambda _: self.update())
        self.setAccessibleName("Results")

    def show_nodes(self, nodes: tuple[str, ...]) -> None:
        self.nodes, self.names = nodes, names(self.document) if len(nodes) > 1 else {}
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), color(colors().canvas))
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        self._places = {}
        across = max(1, round(len(self.nodes) ** 0.5))
        rows = -(-len(self.nodes) // across)
        for index, node in enumerate(self.nodes):
            width, height = self.width() / across, self.height() / rows
            cell = QRectF(index % across * width, index // across * height, width, height)
            self._paint_cell(painter, node, cell.adjusted(16, 16, -16, -16))

    def _forming(self) -> Picture | None:
        """How far a single picture is, while the steps that make it run."""
        if len(self.nodes) > 1 or not self.runs.running:
            return None
        return next((run.picture for run in self.runs.nodes.values() if run.state == "running" and run.calls > 1), None)

    def _shown(self, node: str) -> Picture | None:
        picture = self.runs.of(node).picture
        item = self.runs.picked.of(node, picture)
        return picture if picture is None or item is None else one_of(picture, item)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        node = next((node for node, place in self._places.items() if place.contains(event.position())), None)
        picture = self.runs.of(node).picture if node else None
        if node is None or picture is None or picture.count < 2 or self._forming():
            return
        place, item = self._places[node], None
        if self.runs.picked.of(node, picture) is None:
            at, across = event.position() - place.topLeft(), columns(picture.count)
            down = -(-picture.count // across)
            item = int(at.x() * across / place.width()) + across * int(at.y() * down / place.height())
        if item is None or item < picture.count:
            self.runs.picked.pick(node, item)

    def _paint_cell(self, painter: QPainter, node: str, cell: QRectF) -> None:
        room = cell.adjusted(0, 0, 0, -scaled(CAPTION)) if len(self.nodes) > 1 else cell
        picture = self._forming() or self._shown(node)
        painter.setFont(panel_font())
        if picture is None:
            painter.setPen(color(colors().dim))
            painter.drawText(room, Qt.AlignmentFlag.AlignCenter, "The picture appears here\nwhen you run.")
            return
        scale = min(room.width() / picture.width, room.height() / picture.height)
        place = QRectF(0, 0, picture.width * scale, picture.height * scale)
        place.moveCenter(room.center())
        self._places[node] = place
        shown = pixmap(picture)
        painter.drawPixmap(place, shown, QRectF(shown.rect()))
        painter.setPen(color(colors().dim))
        foot = QRectF(cell.left(), place.bottom(), cell.width(), scaled(CAPTION))
        if len(self.nodes) > 1:
            painter.drawText(foot, Qt.AlignmentFlag.AlignCenter, self.names[node])


class AppView(QWidget):
    """The form, the buttons and the pictures. What is shown is chosen here and kept in the workflow."""

    run_wanted = Signal()
    stop_wanted = Signal()
    held = Signal(bool)  # a slider is held: runs should be quick

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
        self.run_button.setObjectName("run")
        self.run_button.setToolTip("Make the pictures with these settings")
        self.stop_button = QPushButton("Stop")
        self.stop_button.setToolTip("Stop; finished steps are kept")
        self.choose_button = QPushButton("Choose what is shown…")
        self.choose_button.setToolTip("Pick the parameters and results of this view; the choice is saved in the file")
        self.bar = QProgressBar(textVisible=False, maximum=1000)
        self.bar.setAccessibleName("Progress of the run")
        keeps_place = self.bar.sizePolicy()
        keeps_place.setRetainSizeWhenHidden(True)
        self.bar.setSizePolicy(keeps_place)
        self.pictures = Pictures(document, runs)
        self._lay_out()
        self._connect()
        self.refresh()

    def _lay_out(self) -> None:
        self.side = QWidget()
        self.side.setObjectName("side")
        self.side.setFixedWidth(scaled(FORM_WIDTH))
        column = QVBoxLayout(self.side)
        column.setContentsMargins(18, 16, 18, 16)
        column.setSpacing(10)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 1)
        buttons.addWidget(self.stop_button)
        column.addWidget(self.heading)
        column.addWidget(self.form, 1)
        column.addWidget(self.bar)
        column.addLayout(buttons)
        column.addWidget(self.choose_button)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.side)
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
        usual = self.document.registry.domain.usual
        return chosen if chosen != App() else suggested(graph, self.document.declared, usual)

    def refresh(self) -> None:
        """Build the form anew when other parameters are to be shown, and show the values in any case."""
        self.heading.setText(self.document.name)
        app, graph = self.app, self.document.graph
        shown = tuple((port, self.document.input(port)) for port in app.inputs)
        if shown != self._shown:
            self._shown = shown
            self._fill([port for port, spec in shown if spec is not None])
        self.pictures.show_nodes(tuple(id for id in app.outputs if id in graph.nodes))
        for row in self.rows.values():
            row.refresh()

    def _fill(self, ports: list[Port]) -> None:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 12, 0)
        column.setSpacing(6)
        self.rows = {}
        titles, sockets = names(self.document), [port.socket for port in ports]
        for port in ports:
            spec = self.document.input(port)
            assert spec is not None
            row = ParameterRow(self.document, port.node, spec)
            if spec.get(Multiline):  # a prompt is known by the node's name
                row.name.setText(titles[port.node])
            elif sockets.count(port.socket) > 1:
                row.name.setText(f"{titles[port.node]}: {label(spec.name)}")
            row.held.connect(self.held)
            self.rows[port] = row
            column.addWidget(row)
        if not ports:
            hint = QLabel("This workflow has no parameters to show here. Choose some below.")
            hint.setWordWrap(True)
            hint.setObjectName("dim")
            column.addWidget(hint)
        column.addStretch(1)
        if before := self.form.widget():
            let_go(before)
        self.form.setWidget(page)

    def _apply(self, change: Diff) -> None:
        if self.isVisible():
            self.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:
            self.side.setFixedWidth(scaled(FORM_WIDTH))

    def _show_run(self) -> None:
        running = self.runs.running
        self.stop_button.setEnabled(running)
        self.bar.setVisible(running)
        # setValue paints at once, and with the bar all of the window that waits to be painted: for every event.
        self.bar.setUpdatesEnabled(False)
        self.bar.setValue(round(1000 * self.runs.fraction) if running else 0)
        self.bar.setUpdatesEnabled(True)

    def choose(self) -> None:
        """Ask which parameters and results are shown."""
        dialog = ChooseDialog(self.document, self.app, self)
        if dialog.exec():
            self.document.edit("Choose the app view", set_app, dialog.app())
        dialog.deleteLater()

"""The window: canvas in the middle, panels around it, actions in menus and the toolbar."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QDockWidget,
    QFileDialog,
    QLabel,
    QMainWindow,
    QMessageBox,
    QProgressBar,
    QToolBar,
    QToolButton,
    QWidget,
)

from nodegraph.engine import Settings
from nodegraph.graph import Graph
from nodegraph.plan import Plan
from nodegraph.registry import Registry
from ui.actions import Action, install
from ui.canvas.canvas import Canvas
from ui.document import Document
from ui.engine import Engine
from ui.panels.inspector import Inspector
from ui.panels.preview import Preview
from ui.panels.problems import Problems
from ui.planner import LivePlan
from ui.run_state import RunState, owner
from ui.runner import Runner
from ui.text import duration

FILES = "Workflows (*.json *.png)"


class MainWindow(QMainWindow):
    """One document, its views, and the engine that runs it."""

    def __init__(self, registry: Registry, settings: Settings) -> None:
        super().__init__()
        self.document = Document(registry, parent=self)
        self.runs = RunState(self)
        self.plan = LivePlan(self.document, self)
        self.engine = Engine(settings, self)
        self.runner = Runner(self.document, self.engine, self.plan, self.runs, self)
        self.canvas = Canvas(self.document, self.runs, self)
        self.inspector = Inspector(self.document)
        self.preview = Preview(self.document, self.runs)
        self.problems = Problems(self.document, self.runs)
        self.actions_by_id = install(self._actions(), self, self.canvas)
        self._build()
        self._connect()
        self._show_file()
        self._show_run()

    def start(self) -> None:
        """Start what takes time, once the window is on the screen: planning and the engine."""
        self.plan.start()
        self.engine.start()

    # Parts --------------------------------------------------------------------------------------------

    def _actions(self) -> tuple[Action, ...]:
        stack, canvas, runner = self.document.undo_stack, self.canvas, self.runner
        return (
            Action("file.new", "New", self.new, "Ctrl+N"),
            Action("file.open", "Open…", self.ask_open, "Ctrl+O", "Open a workflow, or a picture made by one"),
            Action("file.save", "Save", self.save, "Ctrl+S"),
            Action("file.save_as", "Save as…", self.save_as, "Ctrl+Shift+S"),
            Action("file.quit", "Quit", self.close, "Ctrl+Q"),
            Action("edit.undo", "Undo", stack.undo, "Ctrl+Z"),
            Action("edit.redo", "Redo", stack.redo, "Ctrl+Shift+Z"),
            Action("canvas.select_all", "Select all", canvas.select_all, "Ctrl+A"),
            Action("canvas.delete", "Delete", canvas.delete_selected, "Delete"),
            Action("canvas.fit", "Show all", canvas.fit, "F", "Show the selected nodes, or all"),
            Action("run.all", "Run", runner.run, "Ctrl+Return", "Compute the graph; what is unchanged is reused"),
            Action("run.selected", "Run to the selected nodes", self.run_selected, "Ctrl+Shift+Return"),
            Action("run.stop", "Stop", runner.stop, "Esc", "Stop; finished steps are kept"),
            Action("run.live", "Live", runner.set_live, "Ctrl+L", "Run after every edit", checkable=True),
        )

    def _build(self) -> None:
        self.setCentralWidget(self.canvas)
        self.setAcceptDrops(True)
        self.setDockOptions(QMainWindow.DockOption.AnimatedDocks)
        self.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        right, bottom = Qt.DockWidgetArea.RightDockWidgetArea, Qt.DockWidgetArea.BottomDockWidgetArea
        docks = [
            self._dock("Preview", self.preview, right),
            self._dock("Inspector", self.inspector, right),
            self._dock("Problems", self.problems, bottom),
        ]
        self.problems_dock = docks[2]
        self.problems_dock.hide()
        self.resizeDocks(docks[:1], [380], Qt.Orientation.Horizontal)
        self.resizeDocks(docks[:2], [420, 480], Qt.Orientation.Vertical)
        self.resizeDocks(docks[2:], [120], Qt.Orientation.Vertical)
        self._build_toolbar()
        self._build_menus(docks)
        self._build_status()

    def _dock(self, title: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(title)
        dock.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetMovable | QDockWidget.DockWidgetFeature.DockWidgetClosable
        )
        name = QLabel(title)
        name.setObjectName("title")
        dock.setTitleBarWidget(name)
        dock.setWidget(widget)
        self.addDockWidget(area, dock)
        return dock

    def _build_toolbar(self) -> None:
        bar = QToolBar("Main", self)
        bar.setObjectName("Main")
        bar.setMovable(False)
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        for ids in (("file.new", "file.open", "file.save"), ("edit.undo", "edit.redo"), ("canvas.fit",)):
            bar.addActions([self.actions_by_id[id] for id in ids])
            bar.addSeparator()
        bar.addActions([self.actions_by_id[id] for id in ("run.all", "run.stop", "run.live")])
        button = bar.widgetForAction(self.actions_by_id["run.all"])
        if isinstance(button, QToolButton):
            button.setObjectName("run")
        self.addToolBar(bar)

    def _build_menus(self, docks: list[QDockWidget]) -> None:
        names = {"file": "File", "edit": "Edit", "canvas": "Canvas", "run": "Run"}
        menus = {id: self.menuBar().addMenu(text) for id, text in names.items()}
        for id, action in self.actions_by_id.items():
            menus[id.split(".", 1)[0]].addAction(action)
        view = self.menuBar().addMenu("View")
        view.addActions([dock.toggleViewAction() for dock in docks])

    def _build_status(self) -> None:
        self.status = QLabel()
        self.left = QLabel()
        self.bar = QProgressBar(textVisible=False)
        self.bar.setFixedWidth(220)
        self.bar.setRange(0, 1000)
        self.statusBar().setSizeGripEnabled(False)
        self.statusBar().addWidget(self.status, 1)
        self.statusBar().addPermanentWidget(self.left)
        self.statusBar().addPermanentWidget(self.bar)
        self.statusBar().setContentsMargins(6, 0, 12, 0)

    def _connect(self) -> None:
        self.document.file_changed.connect(self._show_file)
        self.document.replaced.connect(self._forget)
        stack = self.document.undo_stack
        stack.indexChanged.connect(self._show_history)
        self.canvas.selection_changed.connect(self._show_selection)
        self.plan.planned.connect(self._show_plan)
        self.problems.chosen.connect(self.canvas.center_on)
        self.problems.counted.connect(lambda count: self.problems_dock.setVisible(count > 0))
        self.runs.progressed.connect(self._show_run)
        self.runner.state_changed.connect(self._show_run)
        self._clock = QTimer(self, interval=500)  # so that the time left also falls while nothing is reported
        self._clock.timeout.connect(self._show_run)

    # Showing ------------------------------------------------------------------------------------------

    def _show_file(self) -> None:
        self.setWindowTitle(f"{self.document.name}[*] — Denoodle")
        self.setWindowModified(self.document.dirty)
        self._show_history()

    def _forget(self) -> None:
        """What is shown belongs to the document before."""
        self.runner.stop()
        self.runs.clear()
        self.canvas.select(())
        self.preview.clear()
        self.problems.show_problems(())

    def _show_history(self) -> None:
        stack = self.document.undo_stack
        for id, can, text in (
            ("edit.undo", stack.canUndo(), stack.undoText()),
            ("edit.redo", stack.canRedo(), stack.redoText()),
        ):
            action = self.actions_by_id[id]
            action.setEnabled(can)
            verb = "Undo" if id == "edit.undo" else "Redo"
            action.setToolTip(f"{verb} {text[:1].lower() + text[1:]}" if text else verb)

    def _show_selection(self) -> None:
        ids = tuple(self.canvas.selection)
        self.inspector.show_nodes(ids)
        if len(ids) == 1:
            self.preview.show_node(ids[0])

    def _show_plan(self, plan: Plan) -> None:
        self.problems.show_problems(plan.problems)
        self.canvas.scene.show_problems({owner(p.node): p.message for p in reversed(plan.problems)})

    def _show_run(self) -> None:
        running = self.runs.running
        self.actions_by_id["run.stop"].setEnabled(running)
        self.bar.setVisible(running)
        self.bar.setValue(round(self.runs.fraction * 1000))
        left = self.runs.seconds_left()
        self.left.setText(f"{duration(left)} left" if left is not None and left >= 1 else "")
        self.status.setToolTip("\n".join(self.runs.saved))
        self.status.setText(self._activity() if running or not self.engine.ready else self.runs.outcome)
        if running != self._clock.isActive():
            (self._clock.start if running else self._clock.stop)()

    def _activity(self) -> str:
        """Which node is at work, and how far it is."""
        if not self.engine.ready:
            return self.runs.outcome or "Starting the engine"
        for id, run in self.runs.nodes.items():
            if run.state == "running" and id in self.document.graph.nodes:
                title = self.canvas.scene.nodes[id].title
                return f"{title}: {min(run.done + 1, run.calls)} of {run.calls}" if run.calls > 1 else title
        return "Preparing"

    # Actions ------------------------------------------------------------------------------------------

    def run_selected(self) -> None:
        if self.canvas.selection:
            self.runner.run(tuple(self.canvas.selection))

    def new(self) -> None:
        if self.may_discard():
            self.document.reset(Graph())
            self.canvas.fit_all()

    def ask_open(self) -> None:
        folder = str(self.document.path.parent) if self.document.path else ""
        path, _ = QFileDialog.getOpenFileName(self, "Open a workflow", folder, FILES)
        if path:
            self.open(Path(path))

    def open(self, path: Path) -> None:
        """Show the workflow in a file, after asking about unsaved changes; say what is wrong when it cannot be read."""
        if not self.may_discard():
            return
        try:
            self.document.open(path)
        except ValueError as error:
            self._complain("The file was not opened", str(error))
            return
        self.canvas.fit_all()

    def save(self) -> bool:
        """Whether it is saved."""
        return self.save_to(self.document.path) if self.document.path else self.save_as()

    def save_as(self) -> bool:
        start = str(self.document.path or f"{self.document.name}.json")
        path, _ = QFileDialog.getSaveFileName(self, "Save the workflow", start, "Workflows (*.json)")
        return bool(path) and self.save_to(Path(path if Path(path).suffix else f"{path}.json"))

    def save_to(self, path: Path) -> bool:
        try:
            self.document.save(path)
        except ValueError as error:
            self._complain("The workflow was not saved", str(error))
            return False
        return True

    def may_discard(self) -> bool:
        """Ask about unsaved changes; whether the document may be left."""
        if not self.document.dirty:
            return True
        buttons = QMessageBox.StandardButton
        answer = QMessageBox.question(
            self,
            "Unsaved changes",
            f"Save the changes to {self.document.name}?",
            buttons.Save | buttons.Discard | buttons.Cancel,
            buttons.Save,
        )
        return self.save() if answer == buttons.Save else answer == buttons.Discard

    def _complain(self, title: str, sentence: str) -> None:
        QMessageBox.warning(self, title, sentence)

    # Window -------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(1440, 900)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls() and event.mimeData().urls()[0].isLocalFile():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self.open(Path(event.mimeData().urls()[0].toLocalFile()))

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.may_discard():
            event.ignore()
            return
        self.hide()
        self.engine.close()
        self.plan.close()
        event.accept()

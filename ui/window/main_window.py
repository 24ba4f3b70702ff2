"""The window: documents in tabs, panels around them, actions in menus, the toolbar and the action search."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QByteArray, QPoint, QSize, Qt, QTemporaryDir, QTimer
from PySide6.QtGui import QAction, QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QMainWindow, QMenu, QToolBar, QToolButton

from nodegraph.registry import Registry
from nodegraph.running.engine import Settings as EngineSettings
from ui.actions.icons import ICONS
from ui.actions.keys import bound
from ui.actions.keys_dialog import KeysDialog
from ui.actions.menus import build_menus
from ui.actions.search import ActionSearch
from ui.actions.table import Action, Actions
from ui.base import theme
from ui.base.icons import icon
from ui.base.settings import Settings, sealed, unsealed
from ui.canvas.canvas import Canvas
from ui.documents.document import Document
from ui.documents.session import Session
from ui.panels.gallery import GalleryPanel
from ui.panels.inspector import Inspector
from ui.panels.log import Entry, LogPanel
from ui.panels.preview import Preview
from ui.panels.problems import Problems
from ui.panels.queue import QueuePanel
from ui.runs.engine import Engine
from ui.runs.live_plan import LivePlan
from ui.runs.picture_index import Gallery
from ui.runs.queue import Queue
from ui.runs.run_state import RunState
from ui.runs.runner import Runner
from ui.window.docks import BOTTOM, LEFT, RIGHT, Docks
from ui.window.status import StatusBar
from ui.window.tabs import Tabs
from ui.window.tour import end_tour
from ui.window.window_actions import theme_action, window_actions
from ui.window.workspace import Workspace

TOOLBAR = (
    ("file.open", "file.save"),
    ("edit.undo", "edit.redo"),
    ("run.all", "run.stop", "run.live"),
    ("view.app",),
)
WORDLESS = ("file.open", "file.save", "edit.undo", "edit.redo")
"""Of the toolbar: what every program has, and people know by its picture."""
LAYOUT_MS = 1000  # from a change of the layout to its record


class MainWindow(QMainWindow):
    """The open documents, their views, and the one engine that runs them.

    settings: what the user prefers. session: keeps the documents safe. By default the window has its own of both,
    which last as long as it does.
    """

    def __init__(
        self,
        registry: Registry,
        engine: EngineSettings,
        settings: Settings | None = None,
        session: Session | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings or Settings(parent=self)
        keeps = session is not None
        if session is None:
            self._temporary = QTemporaryDir()
            session = Session(registry, Path(self._temporary.path()), self)
        self.session = session
        self.engine = Engine(engine, self)
        self.queue = Queue(self.engine, session.folder if keeps else None, self)
        self.gallery = Gallery(session.folder / "gallery.jsonl", self)
        self.queue_panel = QueuePanel(self.queue)
        self.gallery_panel = GalleryPanel(self.gallery)
        self.log = LogPanel(self.engine)
        self.started = False
        self._graph_layout: QByteArray | None = None  # while the app view has the room
        self._layout_pause = QTimer(self, interval=LAYOUT_MS, singleShot=True)
        self.status_bar = StatusBar()
        self.tabs = Tabs(self.session, self._workspace)
        self.docks = Docks(self)
        self.actions_table = Actions(self)
        self._build()
        self._connect()
        self._apply_settings()
        self._show_workspace(self.workspace)
        self._restore_layout()

    def start(self) -> None:
        """Start what takes time, once the window is on the screen: planning and the engine."""
        self.started = True
        for workspace in self.tabs.workspaces:
            workspace.plan.start()
        self.engine.start()

    # The document that is shown -----------------------------------------------------------------------

    @property
    def workspace(self) -> Workspace:
        return self.tabs.current

    @property
    def document(self) -> Document:
        return self.workspace.document

    @property
    def canvas(self) -> Canvas:
        return self.workspace.canvas

    @property
    def runs(self) -> RunState:
        return self.workspace.runs

    @property
    def runner(self) -> Runner:
        return self.workspace.runner

    @property
    def plan(self) -> LivePlan:
        return self.workspace.plan

    @property
    def inspector(self) -> Inspector:
        return self.workspace.inspector

    @property
    def preview(self) -> Preview:
        return self.workspace.preview

    @property
    def problems(self) -> Problems:
        return self.workspace.problems

    @property
    def actions_by_id(self) -> dict[str, QAction]:
        return self.actions_table.qt

    # Parts --------------------------------------------------------------------------------------------

    def _workspace(self, document: Document) -> Workspace:
        made = Workspace(document, self.engine, self.queue, self.session, self)
        made.failed.connect(self.say)
        made.document.undo_stack.indexChanged.connect(self._show_history)
        made.runs.progressed.connect(self._show_run)
        made.runner.state_changed.connect(self._show_run)
        made.problems.counted.connect(self.status_bar.refresh)
        if self.started:
            made.plan.start()
        return made

    def _on_current(self, action: Action) -> Action:
        """An action of a canvas, done on the one that is shown."""
        id = action.id  # not the action: it holds the canvas of the first document
        return replace(action, callback=lambda *state: self.workspace.canvas_actions[id].callback(*state))

    def _build(self) -> None:
        self.setCentralWidget(self.tabs)
        self.setStatusBar(self.status_bar)
        self.setAcceptDrops(True)
        self.docks.add("Preview", RIGHT)
        self.docks.add("Inspector", RIGHT)
        for title in ("Problems", "Trajectory", "History", "Memory"):
            self.docks.add(title, BOTTOM)
        self.docks.add("Queue", BOTTOM, self.queue_panel)
        self.docks.add("Gallery", BOTTOM, self.gallery_panel)
        self.docks.add("Log", BOTTOM, self.log)
        self.docks.add("Outline", LEFT)
        self.docks.arrange()
        for action in (*window_actions(self), *map(self._on_current, self.workspace.canvas_actions.values())):
            self.actions_table.add(action)
        for title in self.docks.titles:
            self._add_panel_action(title)
        self._build_toolbar()
        self._build_menus()

    def _add_panel_action(self, title: str) -> None:
        dock = self.docks[title]
        action = Action(f"view.panel_{title.lower()}", title, dock.show, tip=f"Show or hide {title}", submenu="Panels")
        made = self.actions_table.add(action, dock.toggleViewAction())
        made.triggered.connect(lambda on: dock.raise_() if on else None)

    def _build_toolbar(self) -> None:
        self.toolbar = bar = QToolBar("Main", self)
        bar.setObjectName("Main")
        bar.setMovable(False)
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        for ids in TOOLBAR:
            bar.addActions([self.actions_by_id[id] for id in ids])
            bar.addSeparator()
        bar.removeAction(bar.actions()[-1])
        for id in WORDLESS:
            _tool_button(bar, self.actions_by_id[id]).setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        self.run_button = _tool_button(bar, self.actions_by_id["run.all"])
        self.run_button.setObjectName("run")
        # After every change of its action, whose icon a button takes.
        self.actions_by_id["run.all"].changed.connect(self._ink_run_button)
        self._ink_run_button()
        bar.toggleViewAction().setVisible(False)
        self.addToolBar(bar)

    def _ink_run_button(self) -> None:
        self.run_button.setIcon(icon(ICONS["run.all"], "on_accent"))

    def _build_menus(self) -> None:
        menus = build_menus(self.menuBar(), self.actions_table)
        self.recent = QMenu("Recent", self)
        self.recent.setToolTipsVisible(True)
        self.recent.aboutToShow.connect(self._fill_recent)
        menus["file"].insertMenu(self.actions_by_id["file.save"], self.recent)

    def _fill_recent(self) -> None:
        self.recent.clear()
        for path in self.session.recent:
            self.recent.addAction(path.name, partial(self.open, path)).setToolTip(str(path))
        if not self.session.recent:
            self.recent.addAction("Nothing yet").setEnabled(False)

    def _connect(self) -> None:
        self.tabs.switched.connect(self._show_workspace)
        self.tabs.retitled.connect(self._show_file)
        self.status_bar.problems.clicked.connect(lambda: self.docks.show("Problems"))
        self.settings.changed.connect(self._apply_settings)
        self.settings.troubled.connect(self.complain)
        self.session.troubled.connect(self.complain)
        self.queue.troubled.connect(self.complain)
        self.gallery.troubled.connect(self.complain)
        self.engine.happened.connect(self.gallery.take)
        self.gallery_panel.restored.connect(self.open)
        self.gallery_panel.failed.connect(self.say)
        self.gallery_panel.looked_at.connect(lambda result: self._preview_in_view().show_result(result))
        self.gallery_panel.pinned.connect(lambda side, result: self._preview_in_view().pin(side, result))
        self.gallery_panel.compared.connect(lambda a, b: self._preview_in_view().compare_two(a, b))
        self.queue_panel.opened.connect(self.tabs.new)
        self.docks.placed.connect(self._layout_pause.start)
        self._layout_pause.timeout.connect(self._keep_layout)

    # Showing ------------------------------------------------------------------------------------------

    def _show_workspace(self, workspace: Workspace) -> None:
        self.docks.show_workspace(workspace)
        self.status_bar.show_workspace(workspace)
        for id, action in workspace.canvas_actions.items():
            workspace.canvas.addAction(self.actions_by_id[id])
            if action.checkable:
                action.callback(self.actions_by_id[id].isChecked())
        for other in self.tabs.workspaces:
            other.runner.live = other is workspace and self.settings.now.live
        workspace.show_app(self.actions_by_id["view.app"].isChecked())
        self._show_file()
        self._show_run()

    def _preview_in_view(self) -> Preview:
        self.docks.show("Preview")
        return self.preview

    def _show_file(self) -> None:
        self.setWindowTitle(f"{self.document.name}[*] — Denoodle")
        self.setWindowModified(self.document.dirty)
        self._show_history()

    def _show_history(self) -> None:
        stack = self.document.undo_stack
        for id, can, text in (
            ("edit.undo", stack.canUndo(), stack.undoText()),
            ("edit.redo", stack.canRedo(), stack.redoText()),
        ):
            action = self.actions_by_id[id]
            action.setEnabled(can)
            verb = self.actions_table.table[id].text
            action.setToolTip(f"{verb} {text[:1].lower() + text[1:]}" if text else verb)

    def _show_run(self) -> None:
        self.actions_by_id["run.stop"].setEnabled(self.runs.running)
        self.status_bar.refresh()

    # Settings -----------------------------------------------------------------------------------------

    def _apply_settings(self) -> None:
        now = self.settings.now
        app = QApplication.instance()
        look = theme.THEMES.get(now.theme, theme.DARK)
        if isinstance(app, QApplication) and (look != theme.colors() or now.text_scale != theme.scale()):
            theme.apply(app, look, now.text_scale, self.docks.behind)
        self.toolbar.setIconSize(QSize(theme.scaled(17), theme.scaled(17)))
        self.actions_table.bind(bound(self.actions_table.table.values(), now.preset, now.keys))
        self.actions_by_id["run.live"].setChecked(now.live)
        for name, known in theme.THEMES.items():
            self.actions_by_id[theme_action(name)].setChecked(known == look)
        self._show_history()

    def scale_text(self, by: float) -> None:
        scale = round(min(max(self.settings.now.text_scale + by, theme.MIN_SCALE), theme.MAX_SCALE), 2)
        self.settings.change(text_scale=scale)

    def set_live(self, on: bool) -> None:
        self.settings.change(live=on)
        self.runner.set_live(on)

    def _restore_layout(self) -> None:
        geometry, layout = unsealed(self.settings.now.window) or (b"", b"")
        if not self.restoreGeometry(QByteArray(geometry)):
            self.resize(self.sizeHint())
        self.restoreState(QByteArray(layout))

    def _keep_layout(self) -> None:
        """As it is beside the graph: what the app view hides comes back with the graph."""
        self._layout_pause.stop()
        states = (self.saveGeometry(), self._graph_layout or self.saveState())
        self.settings.change(window=sealed(*(bytes(state.data()) for state in states)))

    def show_app(self, on: bool) -> None:
        """The app view of every document instead of its canvas; the panels, which are for the graph, give it room."""
        if on:
            end_tour(self)
            self._graph_layout = self.saveState()
            for title in self.docks.titles:
                self.docks.hide(title)
        elif self._graph_layout is not None:
            self.restoreState(self._graph_layout)
            self._graph_layout = None
        self.workspace.show_app(on)

    # Actions ------------------------------------------------------------------------------------------

    def run(self, targets: tuple[str, ...] = ()) -> None:
        """Compute these nodes, or everything; what is in the way is shown."""
        self.runner.run(targets)
        if self.problems.count():
            self.docks.show("Problems")

    def run_selected(self) -> None:
        if self.canvas.state.targets:
            self.run(self.canvas.state.targets)

    def find_action(self) -> ActionSearch:
        search = ActionSearch(self.actions_table, self)
        search.open_at(self.mapToGlobal(QPoint((self.width() - search.width()) // 2, self.height() // 8)))
        return search

    def edit_keys(self) -> None:
        KeysDialog(self.actions_table, self.settings, self).show()

    def open(self, path: Path) -> None:
        self.tabs.open(path)

    def restore(self) -> None:
        """Show what was open when the program last ended without being closed, and say what could not be read."""
        for sentence in (*self.settings.complaints, *self.session.complaints, *self.gallery.complaints):
            self.complain(sentence)
        for sentence in self.session.begin_recovery():
            self.complain(sentence)
        documents = self.session.restore()
        for document in documents:
            self.tabs.show_document(document)
        if changed := [document.name for document in documents if document.dirty]:
            undo = " Undo goes back to what was saved." if any(d.path for d in documents if d.dirty) else ""
            self.say(f"The unsaved changes are back: {', '.join(changed)}.{undo}")
        try:
            self.queue.restore()
        except ValueError as error:
            self.complain(str(error))

    def say(self, sentence: str) -> None:
        """In the line at the foot, for a while."""
        self.status_bar.say(sentence)

    def complain(self, sentence: str) -> None:
        """What is damaged, or cannot be kept: at the foot until it was surely read, and in the log for good."""
        if not self.log.entries or self.log.entries[-1].text != sentence:  # a full disk says so with every edit
            self.log.add(Entry("warning", sentence))
        self.status_bar.say(sentence, hold=True)

    # Window -------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(1440, 900)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls() and event.mimeData().urls()[0].isLocalFile():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Opens the files; with Shift, their nodes are added to the graph that is shown, where they are dropped."""
        for path in (Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()):
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                place = self.canvas.mapFrom(self, event.position())
                self.tabs.insert(path, self.canvas.state.view.to_world(place))
            else:
                self.open(path)

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.tabs.may_leave_all():
            event.ignore()
            return
        self._keep_layout()
        self.hide()
        self._layout_pause.stop()
        self.engine.close()
        self.tabs.end()
        self.queue.close()
        event.accept()


def _tool_button(bar: QToolBar, action: QAction) -> QToolButton:
    button = bar.widgetForAction(action)
    assert isinstance(button, QToolButton)
    return button

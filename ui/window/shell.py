"""The window's parts, and what can be done with them. Panels, menus and keys are put on it by `MainWindow`."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QPoint, Qt, QTemporaryDir, QTimer, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMainWindow

from nodegraph.formats.files import Damaged
from nodegraph.graph import Graph, Port
from nodegraph.library.store import library_folder
from nodegraph.node import TypeOf
from nodegraph.registry import Registry
from nodegraph.running.engine import Settings as EngineSettings
from nodegraph.running.pace import pace_file
from ui.actions.table import Actions
from ui.base import theme
from ui.base.presence import Presence
from ui.base.settings import Settings, sealed, unsealed
from ui.base.text import learn
from ui.canvas.canvas import Canvas
from ui.canvas.commands.bringing import bring_as_input
from ui.documents.document import Document
from ui.documents.session import Session
from ui.panels.log import Entry, LogPanel
from ui.panels.preview import Preview
from ui.panels.problems import Problems
from ui.runs.engine import Engine
from ui.runs.forecast import Forecast
from ui.runs.live_plan import LivePlan
from ui.runs.night import Night
from ui.runs.picture_index import Gallery
from ui.runs.queue import Queue
from ui.runs.remedies import Remedies
from ui.runs.results import Result
from ui.runs.run_state import RunState
from ui.runs.runner import Runner
from ui.runs.sweep_record import SweepRecord
from ui.shelves.beginning import Beginning
from ui.shelves.file_offers import FileOffers
from ui.shelves.finding import Finding
from ui.shelves.missing_files import MissingFiles
from ui.shelves.shelves import Shelves
from ui.widgets.tool_bar import ToolBar
from ui.window.docks import Docks
from ui.window.dropping import drop_files
from ui.window.other_devices import OtherDevices
from ui.window.side_bar import SideBar
from ui.window.status import StatusBar
from ui.window.tabs import Tabs
from ui.window.workspace import Workspace

if TYPE_CHECKING:  # what is not there at first is imported when it is made, so that the window is there sooner
    from ui.actions.search import ActionSearch
    from ui.panels.viewer import Viewer
    from ui.window.attention import Attention
    from ui.window.download_dialog import DownloadDialog
    from ui.window.missing_dialog import MissingDialog

LAYOUT_MS = 1000  # from a change of the layout to its record


class Shell(QMainWindow):
    """The open documents, their views, and the one engine that runs them: all that actions, panels and the tour know.

    settings: what the user prefers. session: keeps the documents safe. By default the window has its own of both,
    which last as long as it does.
    """

    kinds_changed = Signal()  # those of a document, or what is selected, or another document is shown

    def __init__(
        self,
        registry: Registry,
        engine: EngineSettings,
        settings: Settings | None = None,
        session: Session | None = None,
    ) -> None:
        super().__init__()
        learn(registry.domain.acronyms)
        self.settings = settings or Settings(parent=self)
        self._keeps = keeps = session is not None
        if session is None:
            self._temporary = QTemporaryDir()
            session = Session(registry, Path(self._temporary.path()), self)
        self.session = session
        self.engine = Engine(engine, self)
        self._pace_file = pace_file() if keeps else None
        self.queue = Queue(self.engine, session.folder if keeps else None, self)
        self.forecast = Forecast(self.queue, self.engine, registry, parent=self)
        self.presence = Presence(self)
        reports = session.folder / "queue_reports.json" if keeps and self.queue.keeps else None
        self.night = Night(self.queue, self.presence.away, reports, parent=self)
        self.attention: Attention | None = None  # from the start on
        self.remedies = Remedies(registry.domain.remedies, self)
        self.gallery = Gallery(session.folder / "gallery.jsonl", self)
        self.sweeps = SweepRecord(self.queue, session.folder / "sweeps.jsonl" if keeps else None, self.gallery, self)
        self.shelves = Shelves(
            library_folder() if keeps else session.folder / "library",
            registry.domain.stock,
            self.gallery,
            engine.package,
            self,
        )
        self.shelves.failed.connect(self.complain)
        self.engine.tells = partial(self.shelves.described, registry=registry)
        self.shelves.downloads.failed.connect(lambda why: self.log.add(Entry("failure", why)))
        self.shelves.downloads.fetched.connect(lambda path: self.announce(f"It is there: {path}"))
        self.shelves.used = self.settings.now.recent_models
        self.shelves.used_changed.connect(lambda: self.settings.change(recent_models=self.shelves.used))
        self.finding = Finding(engine.package, self)
        self.log = LogPanel(self.engine)
        self.other_devices = OtherDevices(engine, self.engine, self.queue, self)
        self.remedies.refused.connect(lambda why, trace: self.log.add(Entry("failure", f"{why}\n{trace}".rstrip())))
        self.remedies.kept.connect(self._say_kept)
        self.started = False
        self.recent_nodes = [*self.settings.now.recent_nodes]  # one list for all canvases
        self._graph_layout: QByteArray | None = None  # while the app view has the room
        self._layout_pause = QTimer(self, interval=LAYOUT_MS, singleShot=True)
        self._layout_pause.timeout.connect(self._keep_layout)
        self.status_bar = StatusBar()
        self.toolbar = ToolBar("Main", self)
        self.side_bar = SideBar(self)
        self.tabs = Tabs(self.session, self._workspace)
        self.docks = Docks(self)
        self.actions_table = Actions(self)

    def start(self) -> None:
        """Start what takes time, once the window is on the screen: planning and the engine."""
        self.started = True
        if self._keeps:  # or else it is a window of a test or a tool, for which no desktop is to be disturbed
            from ui.window.attention import Attention

            self.attention = Attention(self, self.settings, self.engine, self.queue, self.night)
        if (handle := self.windowHandle()) is not None:
            self.presence.watch(handle)
        for workspace in self.tabs.workspaces:
            self._start(workspace)
        self.engine.start()
        self.shelves.start()

    def _start(self, workspace: Workspace) -> None:
        workspace.plan.start()
        if self.attention is not None:
            workspace.sweep.elsewhere.ended.connect(self.attention.sweep_ended)
        if workspace.missing is not None:
            workspace.missing.start()

    def _workspace(self, document: Document) -> Workspace:
        made = Workspace(document, self.engine, self.queue, self.session, self.remedies, self.sweeps, self)
        document.tells = self.engine.tells
        FileOffers(self.shelves, made.following, made)
        Beginning(self.shelves, document, made).lacking.connect(lambda: self.docks.show("Problems"))
        made.missing = MissingFiles(self.shelves, made.following, made)
        made.missing.noticed.connect(lambda: self.show_missing(made))
        made.missing_wanted.connect(lambda: self.show_missing(made))
        made.helping.connect(lambda: self.docks.show("Problems"))
        made.failed.connect(self.say)
        made.wanted.connect(lambda graph: self.tabs.new(graph))
        made.varying.connect(self._vary)
        made.sweep.happened.connect(self.log.take)
        made.preview.carries_workflow = self.settings.now.carries_workflow
        made.canvas.state.recent = self.recent_nodes
        made.canvas.state.added.connect(self._layout_pause.start)
        made.following.followed.connect(self.announce)
        made.following.changed.connect(self.kinds_changed)
        made.selected.connect(lambda _: self.kinds_changed.emit())
        made.problems.counted.connect(self.status_bar.refresh)
        if self.started:
            self._start(made)
        return made

    def _vary(self, port: Port) -> None:
        """In the panel for it, which is where the values are written."""
        from ui.panels.sweep import SweepPanel

        self.docks.show("Sweep")
        panel = self.docks.panel("Sweep")
        assert isinstance(panel, SweepPanel)
        panel.vary(port)

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
    def preview(self) -> Preview:
        return self.workspace.preview

    @property
    def problems(self) -> Problems:
        return self.workspace.problems

    @property
    def actions_by_id(self) -> dict[str, QAction]:
        return self.actions_table.qt

    # Layout -------------------------------------------------------------------------------------------

    def _restore_layout(self) -> None:
        geometry, layout = unsealed(self.settings.now.window) or (b"", b"")
        if not self.restoreGeometry(QByteArray(geometry)):
            self.resize(self.sizeHint())
        self.restoreState(QByteArray(layout))
        self.side_bar.setVisible(self.settings.now.side_bar)

    def _keep_layout(self) -> None:
        """As it is beside the graph: what the app view hides comes back with the graph."""
        self._layout_pause.stop()
        states = (self.saveGeometry(), self._graph_layout or self.saveState())
        window = sealed(*(bytes(state.data()) for state in states))
        self.settings.change(window=window, recent_nodes=tuple(self.recent_nodes))

    def show_app(self, on: bool) -> None:
        """The app view of every document instead of its canvas; the panels, which are for the graph, give it room."""
        if on:
            self._graph_layout = self.saveState()
            for title in self.docks.titles:
                self.docks.hide(title)
        elif self._graph_layout is not None:
            self.restoreState(self._graph_layout)
            self._graph_layout = None
        self.workspace.show_app(on)

    def show_full_screen(self, on: bool) -> None:
        full = Qt.WindowState.WindowFullScreen
        self.setWindowState(self.windowState() | full if on else self.windowState() & ~full)

    # What can be done ---------------------------------------------------------------------------------

    def run(self, targets: tuple[str, ...] = ()) -> None:
        """Compute these nodes, or everything; what is in the way is shown."""
        self.runner.run(targets)
        if self.problems.count():
            self.docks.show("Problems")
            QTimer.singleShot(0, self, self.canvas.state.show_faulty)  # when the panel has its place

    def try_seeds(self, count: int) -> None:
        """A picture for each of so many new seeds, in the panel for that."""
        if self.workspace.sweep.try_seeds(count, random.SystemRandom().randrange):
            self.docks.show("Sweep")
        else:
            self.say("There is no seed here that could be another: add a node that has one, or unlink it")

    def run_selected(self) -> None:
        if self.canvas.state.targets:
            self.run(self.canvas.state.targets)

    def scale_text(self, by: float) -> None:
        scale = round(min(max(self.settings.now.text_scale + by, theme.MIN_SCALE), theme.MAX_SCALE), 2)
        self.settings.change(text_scale=scale)

    def set_live(self, on: bool) -> None:
        self.settings.change(live=on)
        self.runner.set_live(on)

    def preview_in_view(self) -> Preview:
        self.docks.show("Preview")
        return self.preview

    def take_over(self, what: str, change: Callable[[Graph, Graph, TypeOf], Graph], result: Result) -> None:
        """What another picture was made with, in the document that is shown; one step that can be undone."""
        document = self.document
        before = document.graph
        name = result.file.name if result.file else "a picture"
        document.edit(f"Use {what} of {name}", change, result.graph, document.declared)
        if document.graph == before:
            self.say(f"Nothing of this document has {what} of that picture, or it has them already.")

    def use_as_input(self, path: Path) -> None:
        """A picture of the gallery is what the document begins with."""
        bring_as_input(self.canvas.state, path)

    def show_viewer(self, step: Callable[[int], object] | None = None) -> Viewer:
        """step: to a neighbour, where that is not one in the preview's strip."""
        from ui.panels.viewer import Viewer

        viewer = Viewer(self.preview_in_view(), step)
        viewer.showFullScreen()
        return viewer

    def show_pictures(self, paths: Sequence[str]) -> None:
        """Choose these in the gallery."""
        from ui.panels.gallery import GalleryPanel

        self.docks.show("Gallery")
        panel = self.docks.panel("Gallery")
        assert isinstance(panel, GalleryPanel)
        if not panel.tiles.choose(paths):
            self.say("These pictures are not in the gallery, or its search leaves them out")

    def find_action(self) -> ActionSearch:
        from ui.actions.search import ActionSearch

        search = ActionSearch(self.actions_table, self)
        search.open_at(self.mapToGlobal(QPoint((self.width() - search.width()) // 2, self.height() // 8)))
        return search

    def show_download(self) -> DownloadDialog:
        from ui.window.download_dialog import DownloadDialog

        shown = DownloadDialog(self.shelves, parent=self)
        shown.show()
        return shown

    def fetch_for(self, workspace: Workspace, address: str, then: Callable[[str], object]) -> None:
        """What a document names, which may be anybody's: a person sees the first address and agrees before it is asked.

        then: told the path of what was fetched.
        """
        from ui.window.download_dialog import DownloadDialog

        shown = DownloadDialog(self.shelves, address, self, trusted=workspace.trusted)
        shown.looked.connect(workspace.trust)
        shown.fetched.connect(then)
        shown.show()

    def show_missing(self, workspace: Workspace) -> MissingDialog | None:
        """The files that a document misses, with what can be done; None while none is known to be missing."""
        from ui.window.missing_dialog import MissingDialog

        shown = next((d for d in self.findChildren(MissingDialog) if d.isVisible()), None)
        if shown or workspace.missing is None or not workspace.missing.files:
            return shown
        shown = MissingDialog(workspace.missing, self.shelves.downloads.refusal, self)
        shown.fetch_wanted.connect(partial(self.fetch_for, workspace))
        shown.open()
        return shown

    def show_remedy(self, name: str) -> None:
        from ui.window.remedy_dialog import RemedyDialog

        RemedyDialog(self.remedies, name, self).show()

    def _say_kept(self, name: str) -> None:
        self.announce(f"{self.remedies.declared[name].title} is there now, for all documents")

    def edit_keys(self) -> None:
        from ui.actions.keys_dialog import KeysDialog

        KeysDialog(self.actions_table, self.settings, self).show()

    def choose_device(self) -> None:
        self.edit_settings("Computing")

    def edit_settings(self, page: str = "") -> None:
        """page: its title; empty for the first."""
        from ui.window.settings_dialog import SettingsDialog

        shown = next((d for d in self.findChildren(SettingsDialog) if d.isVisible()), None)
        shown = shown or SettingsDialog(
            self.settings, self.engine, self.shelves, self.session.registry.domain.naming, self
        )
        shown.turn_to(page)
        shown.show()
        shown.raise_()
        shown.activateWindow()

    def open(self, path: Path) -> None:
        """A workflow in a tab of its own; what a node takes becomes one, in the middle of the canvas."""
        drop_files(self.tabs, [path], None)

    def ask_open(self) -> None:
        if path := self.tabs.ask_open():
            self.open(path)

    def restore(self) -> None:
        """Show what was open when the program last ended without being closed, and say what could not be read."""
        for sentence in (
            *self.settings.complaints,
            *self.session.complaints,
            *self.gallery.complaints,
            *self.sweeps.complaints,
            *self.night.complaints,
        ):
            self.complain(sentence)
        self._load_pace()
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

    def _load_pace(self) -> None:
        try:
            if self._pace_file is not None and self._pace_file.exists():
                self.engine.pace.load(self._pace_file)
        except Damaged as error:
            self.complain(f"{error}; times are measured anew")

    def keep_pace(self) -> None:
        """What calls took, for the next start. It is worth nothing to a disk that is full."""
        if self._pace_file is not None:
            with suppress(OSError):
                self.engine.pace.save(self._pace_file)

    def say(self, sentence: str) -> None:
        """In the line at the foot, for a while."""
        self.status_bar.say(sentence)

    def announce(self, sentence: str) -> None:
        """What was done beside what the user did: also while nodes run, until it was surely read."""
        self.status_bar.say(sentence, hold=True)

    def complain(self, sentence: str) -> None:
        """What is damaged, or cannot be kept: at the foot until it was surely read, and in the log for good."""
        if not self.log.entries or self.log.entries[-1].text != sentence:  # a full disk says so with every edit
            self.log.add(Entry("warning", sentence))
        self.status_bar.say(sentence, hold=True)

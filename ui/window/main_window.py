"""The window: documents in tabs, panels around them, actions in menus, the toolbar and the action search."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from time import time

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QAction, QCloseEvent, QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QMenu, QMenuBar, QToolBar, QToolButton, QWidget

from nodegraph.graph import Diff
from nodegraph.registry import Registry
from nodegraph.running.engine import Settings as EngineSettings
from ui.actions.icons import ICONS
from ui.actions.keys import bound
from ui.actions.menus import build_menus
from ui.actions.table import Action
from ui.base import theme
from ui.base.icons import icon
from ui.base.settings import Settings
from ui.base.slices import Slices
from ui.base.text import clock, show_decimal
from ui.canvas.commands.bringing import place_at
from ui.documents.document import Document
from ui.documents.session import Session
from ui.panels.night import sums
from ui.widgets.flow import FlowLayout
from ui.widgets.numbers import decimal, set_decimal
from ui.window.dropping import drop, takes
from ui.window.engine_settings import engine_settings
from ui.window.panels import PANELS, DocumentPanel, Panel, WindowPanel
from ui.window.shell import Shell
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


class MainWindow(Shell):
    """The shell with its panels, menus, keys and toolbar: what one sees and presses."""

    def __init__(
        self,
        registry: Registry,
        engine: EngineSettings,
        settings: Settings | None = None,
        session: Session | None = None,
    ) -> None:
        super().__init__(registry, engine, settings, session)
        self._restyling = Slices(self)
        self._build()
        self._connect()
        self._apply_settings()
        self._show_workspace(self.workspace)
        self._restore_layout()

    # Parts --------------------------------------------------------------------------------------------

    def _workspace(self, document: Document) -> Workspace:
        made = super()._workspace(document)
        made.document.undo_stack.indexChanged.connect(self._show_history)
        made.runs.progressed.connect(self._show_run)
        made.runner.state_changed.connect(self._show_run)
        return made

    def _on_current(self, action: Action) -> Action:
        """An action of a canvas, done on the one that is shown."""
        id = action.id  # not the action: it holds the canvas of the first document
        return replace(action, callback=lambda *state: self.workspace.canvas_actions[id].callback(*state))

    def _build(self) -> None:
        self.setCentralWidget(self.tabs)
        self.setStatusBar(self.status_bar)
        self.setAcceptDrops(True)
        for panel in PANELS:
            self._add_panel(panel)
        self.docks.arrange()
        for action in (*window_actions(self), *map(self._on_current, self.workspace.canvas_actions.values())):
            self.actions_table.add(action)
        for panel in PANELS:
            self._add_panel_action(panel)
        self._fill_toolbar()
        self.side_bar.fill(self.actions_by_id[f"view.panel_{panel.title.lower()}"] for panel in PANELS if panel.at_edge)
        self.addToolBar(Qt.ToolBarArea.LeftToolBarArea, self.side_bar)
        self._build_menus()

    def _add_panel(self, panel: Panel) -> None:
        match panel:
            case DocumentPanel(make=make):
                self.docks.add_for_documents(panel.title, panel.area, make)
            case WindowPanel(make=make):
                self.docks.add(panel.title, panel.area, partial(make, self))

    def _add_panel_action(self, panel: Panel) -> None:
        dock, id, tip = self.docks[panel.title], f"view.panel_{panel.title.lower()}", f"Show or hide {panel.title}"
        action = Action(id, panel.title, dock.show, panel.key, tip, submenu="Panels")
        made = self.actions_table.add(action, dock.toggleViewAction())
        made.setIcon(icon(panel.icon))
        made.triggered.connect(lambda on: dock.raise_() if on else None)

    def _fill_toolbar(self) -> None:
        bar = self.toolbar
        bar.setObjectName("tools")  # no name that a kept layout of the window may have
        bar.setMovable(False)
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        for ids in TOOLBAR:
            bar.addActions([self.actions_by_id[id] for id in ids])
            bar.addSeparator()
        bar.removeAction(bar.actions()[-1])
        self.run_button = _tool_button(bar, self.actions_by_id["run.all"])
        self.run_button.setObjectName("run")
        # After every change of its action, whose icon a button takes.
        self.actions_by_id["run.all"].changed.connect(self._ink_run_button)
        self._ink_run_button()
        bar.toggleViewAction().setVisible(False)

    def _show_words(self) -> None:
        """In the toolbar: all, none, or those that nobody knows by a picture."""
        words = self.settings.now.toolbar_words
        for id in (id for ids in TOOLBAR for id in ids):
            plain = words == "none" or (words == "some" and id in WORDLESS)
            styles = Qt.ToolButtonStyle
            style = styles.ToolButtonIconOnly if plain else styles.ToolButtonTextBesideIcon
            _tool_button(self.toolbar, self.actions_by_id[id]).setToolButtonStyle(style)

    def _ink_run_button(self) -> None:
        self.run_button.setIcon(icon(ICONS["run.all"], "on_accent"))

    def _build_menus(self) -> None:
        self.menus = QMenuBar()
        menus = build_menus(self.menus, self.actions_table)
        self.setMenuWidget(_top_line(self.menus, self.toolbar))
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
        self.tabs.switched.connect(self.kinds_changed)
        self.tabs.opened.connect(lambda workspace: workspace.missing.notice())
        self.tabs.retitled.connect(self._show_file)
        self.status_bar.problems.clicked.connect(lambda: self.docks.show("Problems"))
        self.status_bar.queued.clicked.connect(lambda: self.docks.show("Queue"))
        self.queue.listed.connect(self.status_bar.refresh)
        self.queue.turned.connect(self.status_bar.refresh)
        self.forecast.changed.connect(self._show_end)
        self.night.changed.connect(self._show_night)
        self.night.troubled.connect(self.complain)
        self._show_night()
        self.settings.changed.connect(self._apply_settings)
        self.settings.troubled.connect(self.complain)
        self.session.troubled.connect(self.complain)
        self.queue.troubled.connect(self.complain)
        self.gallery.troubled.connect(self.complain)
        self.sweeps.troubled.connect(self.complain)
        self.engine.happened.connect(self.gallery.take)
        self.other_devices.happened.connect(self.gallery.take)
        self.other_devices.happened.connect(self.log.take)
        self.engine.replaced.connect(self.announce)
        self.docks.placed.connect(self._layout_pause.start)
        self.docks.placed.connect(self._show_full_screen)

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

    def _show_full_screen(self) -> None:
        """The desktop has ways of its own out of it."""
        self.actions_by_id["view.full_screen"].setChecked(self.isFullScreen())

    def _show_run(self) -> None:
        self.actions_by_id["run.stop"].setEnabled(self.runs.running)
        self.status_bar.refresh()

    def _show_end(self) -> None:
        end = self.forecast.end
        when = f"; all done {clock(end, time())}" if end is not None else ""
        self.status_bar.queued.setToolTip(f"Runs that wait{when}: show the queue")

    def _show_night(self) -> None:
        """Nobody is here, or has just come: the panel may come to the front."""
        self.status_bar.report = sums(self.night.reports[-1]) if self.night.reports else ""
        self.status_bar.refresh()
        if self.night.reports:
            self.docks.show("Queue")

    # Settings -----------------------------------------------------------------------------------------

    def _apply_settings(self) -> None:
        now = self.settings.now
        computing = engine_settings(now, self.engine.began_with)
        self.engine.use(**computing)
        self.other_devices.use(**computing)
        self.remedies.allow_network(now.network)
        self.shelves.downloads.allow_network(now.network)
        self._write_numbers(now.decimal)
        for workspace in self.tabs.workspaces:
            workspace.preview.carries_workflow = now.carries_workflow
        app = QApplication.instance()
        look = theme.THEMES.get(now.theme, theme.DARK)
        if isinstance(app, QApplication) and (look != theme.colors() or now.text_scale != theme.scale()):
            self._restyling.begin(theme.applying(app, look, now.text_scale, self.docks.behind))
        self.toolbar.setIconSize(QSize(theme.scaled(17), theme.scaled(17)))
        self.side_bar.follow_text()
        self.side_bar.setVisible(now.side_bar)
        self.actions_by_id["view.side_bar"].setChecked(now.side_bar)
        self._show_words()
        self.actions_table.bind(bound(self.actions_table.table.values(), now.preset, now.keys))
        self.actions_by_id["run.live"].setChecked(now.live)
        for name, known in theme.THEMES.items():
            self.actions_by_id[theme_action(name)].setChecked(known == look)
        self._show_history()

    def _write_numbers(self, sign: str) -> None:
        """Typed and shown with this sign before fractions."""
        before = decimal()
        set_decimal(sign)
        show_decimal(sign or ".")
        if "," in (sign, before) and sign != before:
            for document in (workspace.document for workspace in self.tabs.workspaces):
                document.changed.emit(Diff(changed=tuple(document.graph.nodes)))  # to be written anew

    # Window -------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(1440, 900)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Always a copy: whoever lets a file or a text be moved would take it away from where it was."""
        if takes(event.mimeData()):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        """What it would be put on is lit."""
        if (place := self._on_canvas(event.position())) is not None:
            found = place_at(self.canvas.state, place)
            self.canvas.state.hover(found.node or found.wire)
        else:
            self.canvas.state.hover(None)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.canvas.state.hover(None)

    def dropEvent(self, event: QDropEvent) -> None:
        """What is dropped becomes what it means, on the canvas where it is let go; with Shift, workflows are added."""
        insert = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self.canvas.state.hover(None)
        drop(self.tabs, event.mimeData(), self._on_canvas(event.position()), insert=insert)

    def _on_canvas(self, at: QPointF) -> QPointF | None:
        """A place in the window as one of the canvas, in pixels; None where it does not lie there."""
        place = self.canvas.mapFrom(self, at)
        return place if self.canvas.isVisible() and self.canvas.rect().contains(place.toPoint()) else None

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.tabs.may_leave_all():
            event.ignore()
            return
        self._keep_layout()
        self.keep_pace()
        self.hide()
        self.docks.put_away()
        self._layout_pause.stop()
        self.engine.close()
        self.other_devices.close()
        self.tabs.end()
        self.night.close()
        if self.attention is not None:
            self.attention.close()
        self.queue.close()
        self.remedies.close()
        self.finding.close()
        self.shelves.close()
        event.accept()


def _top_line(menus: QMenuBar, tools: QToolBar) -> QWidget:
    """Both in one line, which leaves more of a low screen to the graph; below each other in a narrow window."""
    made = QWidget()
    made.setObjectName("top")
    made.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    made.setLayout(FlowLayout(menus, tools, growing=tools))
    return made


def _tool_button(bar: QToolBar, action: QAction) -> QToolButton:
    button = bar.widgetForAction(action)
    assert isinstance(button, QToolButton)
    return button

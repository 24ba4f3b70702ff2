"""The panels, as a table: one more is a file in `ui.panels`, a row here and its test.

A row says where the panel is at a first start, which key shows and hides it, and how it is made: with what it is told,
and what becomes of what it says. What is hidden at first is imported when it is made, so that the window is there
sooner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from nodegraph.editing.seeds import with_seeds_of
from nodegraph.editing.texts import with_texts_of
from ui.panels.inspector import Inspector
from ui.window.docks import BOTTOM, LEFT, RIGHT
from ui.window.shell import Shell
from ui.window.workspace import Workspace


@dataclass(frozen=True, slots=True)
class _Panel:
    """title: on its dock and in the View menu. area: at a first start; then only those at the right are shown.

    key: shows and hides it, as QKeySequence writes it. icon: Lucide's name of its drawing. at_edge: it has its icon in
    the side bar.
    """

    title: str
    area: Qt.DockWidgetArea
    key: str
    icon: str
    at_edge: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class DocumentPanel(_Panel):
    """Every document has one of its own. make: when it is first looked at."""

    make: Callable[[Workspace], QWidget]


@dataclass(frozen=True, slots=True)
class WindowPanel(_Panel):
    """There is one for all documents. make: when it is first looked at."""

    make: Callable[[Shell], QWidget]


def _inspector(workspace: Workspace) -> QWidget:
    made = Inspector(workspace.canvas.scope, workspace.page)
    made.held.connect(workspace.runner.hold)
    workspace.selected.connect(made.show_nodes)
    workspace.following.changed.connect(made.show_kinds)
    made.show_kinds(workspace.following.kinds)
    made.show_nodes(tuple(workspace.canvas.state.selection))
    return made


def _outline(workspace: Workspace) -> QWidget:
    from ui.panels.outline import Outline

    made = Outline(workspace.canvas.scope, workspace.runs, workspace.page)
    made.chosen.connect(workspace.canvas.state.center_on)
    workspace.selected.connect(made.select)
    made.select(tuple(workspace.canvas.state.selection))
    return made


def _problems(workspace: Workspace) -> QWidget:
    """With what can be done about the first that has something."""
    from ui.panels.remedy_bar import RemedyBar
    from ui.window.missing_dialog import MissingBar

    made = QWidget(workspace.page)
    bar = RemedyBar(workspace.remedies)
    column = QVBoxLayout(made)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    column.addWidget(workspace.problems)
    column.addWidget(bar)
    if workspace.missing is not None:
        column.addWidget(MissingBar(workspace.missing, workspace.missing_wanted.emit))
    made.setFocusProxy(workspace.problems)
    workspace.problems.helped.connect(bar.show_remedy)
    bar.show_remedy(workspace.problems.remedy)
    return made


def _history(workspace: Workspace) -> QWidget:
    from ui.panels.history import HistoryPanel

    made = HistoryPanel(workspace.document, workspace.session, workspace.page)
    made.failed.connect(workspace.failed)
    return made


def _trajectory(workspace: Workspace) -> QWidget:
    from ui.panels.trajectory import TrajectoryPanel

    made = TrajectoryPanel(workspace.document, workspace.runs, workspace.runner, workspace.page)
    made.branched.connect(workspace.show_branch)
    workspace.pointed.connect(made.show_node)
    return made


def _memory(workspace: Workspace) -> QWidget:
    from ui.panels.memory import MemoryPanel

    return MemoryPanel(workspace.document, workspace.engine, workspace.plan, workspace.page)


def _sweep(workspace: Workspace) -> QWidget:
    from ui.panels.sweep import SweepPanel

    made = SweepPanel(workspace.sweep, workspace.page)
    made.looked_at.connect(workspace.preview.show_result)
    made.compared.connect(workspace.preview.compare_two)
    made.opened.connect(workspace.wanted)
    made.failed.connect(workspace.failed)
    workspace.selected.connect(made.show_selected)
    made.show_selected(tuple(workspace.canvas.state.selection))
    return made


def _queue(window: Shell) -> QWidget:
    from ui.panels.queue import QueuePanel

    made = QueuePanel(window.queue, forecast=window.forecast, night=window.night)
    made.opened.connect(window.tabs.new)
    made.pictures_wanted.connect(window.show_pictures)
    return made


def _gallery(window: Shell) -> QWidget:
    from ui.panels.gallery import GalleryPanel

    made = GalleryPanel(
        window.gallery,
        registry=window.session.registry,
        settings=window.settings,
        folder=lambda: window.settings.now.output_folder or window.engine.began_with.out_dir,
    )
    made.input_wanted.connect(window.use_as_input)
    made.enlarged.connect(lambda: window.show_viewer(made.step))
    made.restored.connect(window.open)
    made.failed.connect(window.say)
    made.looked_at.connect(lambda result: window.preview_in_view().show_result(result))
    made.pinned.connect(lambda side, result: window.preview_in_view().pin(side, result))
    made.texts_wanted.connect(lambda result: window.take_over("the prompts", with_texts_of, result))
    made.seeds_wanted.connect(lambda result: window.take_over("the seeds", with_seeds_of, result))
    made.compared.connect(lambda a, b: window.preview_in_view().compare_two(a, b))
    return made


def _models(window: Shell) -> QWidget:
    from ui.panels.models import ModelsPanel
    from ui.window import models_here

    made = ModelsPanel(window.shelves)
    made.placed.connect(partial(models_here.place, window))
    made.used.connect(partial(models_here.use, window))
    made.words_wanted.connect(partial(models_here.into_prompt, window))
    made.folders_wanted.connect(lambda: window.edit_settings("Model folders"))
    made.fetch_wanted.connect(window.show_download)
    made.failed.connect(window.say)

    def show_fitting() -> None:
        made.show_fitting(models_here.families(window.workspace))

    window.kinds_changed.connect(show_fitting)
    show_fitting()
    return made


Panel = DocumentPanel | WindowPanel

PANELS: tuple[Panel, ...] = (
    DocumentPanel("Preview", RIGHT, "Alt+1", "image", attrgetter("preview")),
    DocumentPanel("Inspector", RIGHT, "Alt+2", "sliders-horizontal", _inspector),
    DocumentPanel("Problems", BOTTOM, "Alt+3", "triangle-alert", _problems),
    DocumentPanel("Trajectory", BOTTOM, "Alt+4", "film", _trajectory, at_edge=True),
    DocumentPanel("Sweep", BOTTOM, "Alt+W", "grid-3x3", _sweep),
    DocumentPanel("History", BOTTOM, "Alt+5", "history", _history),
    DocumentPanel("Memory", BOTTOM, "Alt+6", "memory-stick", _memory),
    WindowPanel("Queue", BOTTOM, "Alt+7", "list-ordered", _queue, at_edge=True),
    WindowPanel("Gallery", BOTTOM, "Alt+8", "images", _gallery, at_edge=True),
    WindowPanel("Log", BOTTOM, "Alt+9", "scroll-text", attrgetter("log")),
    WindowPanel("Models", BOTTOM, "Alt+M", "boxes", _models, at_edge=True),
    DocumentPanel("Outline", LEFT, "Alt+0", "list-tree", _outline),
)
"""In the order of their tabs and of the menu."""

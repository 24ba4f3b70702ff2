"""One open document with everything that shows or runs it: what a tab of the window holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QStackedWidget, QWidget

from nodegraph.planning.plan import Plan
from ui.actions.table import Action
from ui.base.unstyled import let_go
from ui.canvas.actions import canvas_actions
from ui.canvas.canvas import Canvas
from ui.documents.document import Document
from ui.documents.session import Session
from ui.panels.preview import Preview
from ui.panels.problems import Problems
from ui.runs.engine import Engine
from ui.runs.following import Following
from ui.runs.kept_pictures import Pictures
from ui.runs.live_plan import LivePlan
from ui.runs.measuring import Measurer
from ui.runs.queue import Queue
from ui.runs.remedies import Remedies
from ui.runs.results import Results
from ui.runs.run_state import RunState
from ui.runs.runner import Runner
from ui.runs.sweep_record import SweepRecord
from ui.runs.sweep_runs import SweepRuns
from ui.shelves.missing_files import MissingFiles

if TYPE_CHECKING:
    from ui.app_view.form import AppView


class Workspace(QObject):
    """Views see the document and the runs; they do not know of each other, nor of the window.

    page: the canvas, or the app view in its place. A panel that nobody has looked at is not there yet: it is made when
    it is asked for, and is the page's until it has a place.
    """

    failed = Signal(str)  # what could not be done, as a sentence
    selected = Signal(tuple)  # ids of the graph that the canvas shows
    pointed = Signal(str)  # the node of the document that alone is selected, or has the one that is inside it
    wanted = Signal(object)  # the Graph that is to be shown in a tab of its own
    varying = Signal(object)  # the Port of a parameter that is to vary: in the panel for that
    missing_wanted = Signal()  # the files that are missing are to be shown, with what can be done
    helping = Signal()  # something that is missing is chosen or fetched: how that goes is seen beside the problems

    def __init__(
        self,
        document: Document,
        engine: Engine,
        queue: Queue,
        session: Session,
        remedies: Remedies,
        record: SweepRecord,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.document, self.engine, self.session, self.remedies = document, engine, session, remedies
        self.runs = RunState(self, engine.pace)
        self.plan = LivePlan(document, self)
        self.following = Following(document, self.plan, self)  # before the runner: what follows is run with the edit
        self.runner = Runner(document, engine, queue, self.plan, self.runs, self)
        self.sweep = SweepRuns(document, engine, queue, self.plan, self.runner, record, self)
        self.canvas = Canvas(document, self.runs)
        self.canvas.scope.measure = Measurer(engine, self.plan, self).ask
        self.page = QStackedWidget()
        self.page.addWidget(self.canvas)
        self.page.setFocusProxy(self.canvas)
        self.app_view: AppView | None = None
        self.pictures = Pictures(engine, self.plan, self.runner, self)
        self.results = Results(self.runs, self.runner, self.pictures, self)
        self.preview = Preview(document, self.runs, self.results, self.pictures)
        self.problems = Problems(document, self.runs)
        self.missing: MissingFiles | None = None  # who looks for missing files, if anybody does
        self.trusted = False  # whether the addresses that the document names may be asked: a person has agreed
        self.panels: dict[str, QWidget] = {}  # that somebody has looked at, by title
        self.canvas_actions: dict[str, Action] = {action.id: action for action in canvas_actions(self.canvas)}
        self._connect()

    def _connect(self) -> None:
        self.canvas.state.selection_changed.connect(self._show_selection)
        self.canvas.state.held.connect(self.runner.hold)
        self.canvas.scope.moved.connect(self._show_selection)
        self.plan.planned.connect(self._show_plan)
        self.following.changed.connect(self.canvas.scene.show_kinds)
        self.problems.chosen.connect(self.canvas.state.center_on)
        self.canvas.state.refused.connect(self.failed)
        self.canvas.state.remedy_wanted.connect(self._help)
        self.canvas.state.vary_wanted.connect(self.varying)
        self.remedies.kept.connect(self.plan.again)

    def trust(self) -> None:
        self.trusted = True

    def panel(self, title: str, make: Callable[[Workspace], QWidget]) -> QWidget:
        """The panel of this title. make: when it is asked for the first time."""
        if title not in self.panels:
            self.panels[title] = make(self)
        return self.panels[title]

    @property
    def pristine(self) -> bool:
        """Whether nothing would be missed: a new document that nobody touched."""
        return self.document.path is None and not self.document.dirty and not self.document.graph.nodes

    def show_app(self, on: bool) -> None:
        """The app view instead of the canvas, or the canvas again. The view is made when it is first looked at."""
        if on and self.app_view is None:
            from ui.app_view.form import AppView

            self.app_view = AppView(self.document, self.runs)
            self.app_view.run_wanted.connect(lambda: self.runner.run())
            self.app_view.stop_wanted.connect(self.runner.stop)
            self.app_view.held.connect(self.runner.hold)
            self.page.addWidget(self.app_view)
        shown = self.app_view if on and self.app_view is not None else self.canvas
        self.page.setCurrentWidget(shown)
        self.page.setFocusProxy(shown)
        shown.setFocus()

    def end(self) -> None:
        """Run nothing any more; let go of threads."""
        self.document.undo_stack.blockSignals(True)  # it speaks once more when it is deleted
        self.sweep.close()
        self.runner.close()
        self.plan.close()

    def delete(self) -> None:
        """With all its widgets, whose parents are others."""
        for widget in {self.page, self.preview, self.problems, *self.panels.values()}:
            let_go(widget)
            widget.setParent(None)
            widget.deleteLater()
        self.deleteLater()

    def _show_selection(self) -> None:
        ids = tuple(self.canvas.state.selection)
        if len(ids) == 1:
            self.preview.show_node(self.canvas.scope.prefix + ids[0])
            self.pointed.emit((*self.canvas.scope.path, ids[0])[0])
        self.selected.emit(ids)

    def _show_plan(self, plan: Plan) -> None:
        self.problems.show_problems(plan.problems)
        first: dict[str, str] = {}
        for problem in plan.problems:
            first.setdefault(problem.node, problem.message)
        self.canvas.scene.show_problems(first)
        self.canvas.state.remedies = {problem.node: problem.remedy for problem in plan.problems if problem.remedy}

    def _help(self, name: str, by_file: bool) -> None:
        self.helping.emit()
        if by_file:
            from ui.panels.remedy_bar import choose

            choose(self.remedies, name, self.page)
        else:
            self.remedies.begin(name)

    def show_branch(self, ids: Sequence[str]) -> None:
        """Select nodes of the document itself, and bring them into view."""
        self.canvas.scope.leave(0)
        self.canvas.state.select(ids)
        self.canvas.state.reveal(*ids)

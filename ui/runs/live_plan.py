"""Plans the document a short while after each edit: what is wrong with it, and which results are out of date."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from PySide6.QtCore import QObject, QTimer, Signal

from nodegraph.graph import Graph
from nodegraph.limits import extents
from nodegraph.pieces import Pieces
from nodegraph.planning.plan import Plan, Planner, plan
from ui.base.turns import Turn
from ui.documents.document import Document

PAUSE_MS = 120
"""Between an edit and the plan that shows what it did; further edits meanwhile are planned along with it."""

SLICE = 0.008
"""Seconds of planning after which the window answers, before it goes on with a large graph."""


class LivePlan(QObject):
    """planned: the plan of the document as it is now, at most one in PAUSE_MS."""

    planned = Signal(object)  # Plan
    _loaded = Signal()

    def __init__(self, document: Document, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self._planner = Planner(document.registry)
        self._others = Planner(document.registry)
        self.latest: Plan | None = None  # that was told; the document may have gone on since
        self.ready = False  # for the first plan, whatever planning needs must have been imported
        self._others_plan = 0  # how many plans are on their way that somebody waits for
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._plan)
        self._turn = Turn(self)  # to go on with a plan
        self._turn.came.connect(self._plan)
        self._loaded.connect(self._first_plan)
        self._loader = threading.Thread(target=self._load, name="first plan")

    def start(self) -> None:
        """From now on. Planning needs networkx, whose import takes half a second: too long for the GUI thread."""
        self.document.changed.connect(self._edited)
        self._loader.start()

    def close(self) -> None:
        if self._loader.ident is not None:
            self._loader.join()

    def set_environment(self, environment: str) -> None:
        """What the engine mixes into its keys; without it no key agrees with the engine's."""
        self._planner = Planner(self.document.registry, environment)
        self._others = Planner(self.document.registry, environment)
        if self.ready:
            self._plan()

    @property
    def due(self) -> bool:
        """Whether a plan is on its way."""
        return self._timer.isActive() or self._turn.asked

    def now(self, targets: Sequence[str] | None = None) -> Plan:
        """The plan for these targets, at once."""
        return self._planner.plan(self.document.graph, targets)

    def planning(self, graph: Graph, targets: Sequence[str] | None = None) -> Pieces[Plan]:
        """The plan of a graph, the document's or another, in pieces.

        Meanwhile the document is not planned by itself: two plans would undo each other.
        """
        planner = self._planner if graph is self.document.graph else self._others
        self._others_plan += 1
        try:
            while not planner.prepare(graph, 0.0, targets):
                yield
            return planner.plan(graph, targets)
        finally:
            self._others_plan -= 1

    def again(self) -> None:
        """Look again at what lies outside of the document, and say what that comes to."""
        if self.ready:
            self._plan()

    def _edited(self) -> None:
        if not self.due:
            self._timer.start(PAUSE_MS)

    def _load(self) -> None:
        plan(Graph(), {})  # imports what planning needs
        extents((), {}.get)  # and networkx, for groups and for Arrange
        self._loaded.emit()

    def _first_plan(self) -> None:
        self.ready = True
        self._plan()

    def _plan(self) -> None:
        if not self.ready:
            return
        if self._others_plan:
            self._timer.start(PAUSE_MS)
        elif self._planner.prepare(self.document.graph, SLICE):
            self.latest = self.now()
            self.planned.emit(self.latest)
        else:
            self._turn.ask()

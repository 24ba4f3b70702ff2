"""Running the document: what to compute, when, and what came of it."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence

from PySide6.QtCore import QObject, Signal

from nodegraph.editing.draft import draft
from nodegraph.editing.seeds import with_new_seeds, with_seeds_of
from nodegraph.graph import Graph
from nodegraph.pieces import Pieces
from nodegraph.planning.plan import Plan
from nodegraph.running.messages import Event, Gone, Idle, Planned, Ready
from ui.base.slices import Slices
from ui.documents.document import Document
from ui.runs.describe import summary
from ui.runs.engine import Engine
from ui.runs.job import Job
from ui.runs.live_plan import LivePlan
from ui.runs.queue import Queue
from ui.runs.run_state import RunState

DRAFT_SECONDS = 0.5
"""While a slider is held, a run that takes no longer is not dropped for the next."""

MANY = 1000
"""Nodes of a document from which on even the first piece of preparing a run waits until the window has answered."""

_draw = random.SystemRandom().randrange


class Runner(QObject):
    """Runs one document on the engine that all documents share, by hand, live or through the queue.

    live: every edit runs at once; the run it replaces is dropped. Live runs show what sinks are given and write no
    files. While a slider is held they use less of what has a Draft limit, and come to their end when that is soon, so
    that whole pictures are seen; the last one is in full.
    """

    started = Signal()  # by hand or live, not by the queue
    asked = Signal()  # by hand: whoever asked wants to see what comes of it
    ended = Signal(object)  # a run came to its end: its graph, before anybody hears of it and begins another
    state_changed = Signal()  # running or not, or whether a slider is held

    def __init__(
        self,
        document: Document,
        engine: Engine,
        queue: Queue,
        plan: LivePlan,
        runs: RunState,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.document, self.engine, self.queue, self.plan, self.runs = document, engine, queue, plan, runs
        self.live = False
        self._closed = False
        self._held = False
        self._since = 0.0  # when the latest run began
        self._targets: tuple[str, ...] = ()
        self._keys: Mapping[str, str] = {}  # what the latest run is to find
        self._running: Graph | None = None  # the graph of the latest run
        self._finished: Graph | None = None  # that of the latest run that came to its end
        self._jobs: set[int] = set()  # of this document, in the queue
        self._queued: Graph | None = None  # the graph that was queued last
        self._preparation = Slices(self)  # what is to be done before anything is heard of a run
        self._follow_later = False  # after that
        self._comparison = Slices(self)  # of what was computed with the document as it is now
        self._known_targets: tuple[Graph, tuple[str, ...]] = Graph(), ()
        engine.unclaimed.connect(self._take)
        engine.telling.connect(runs.hold)
        queue.began.connect(self._queued_began)
        queue.happened.connect(self._queued_happened)
        plan.planned.connect(self._planned)
        if engine.environment:
            plan.set_environment(engine.environment)

    def targets(self) -> tuple[str, ...]:
        """What Run computes: the sinks; in a graph without any, every node whose results nobody uses."""
        graph = self.document.graph
        if graph is not self._known_targets[0]:
            self._known_targets = graph, self._find_targets(graph)
        return self._known_targets[1]

    def _find_targets(self, graph: Graph) -> tuple[str, ...]:
        # A type that is not installed is none of these kinds: it need not be guessed, which takes a look at all links.
        types = {type: self.document.declared(type) for type in {node.type for node in graph.nodes.values()}}
        sinks = {id for id, type in types.items() if type is not None and type.is_sink}
        notes = {id for id, type in types.items() if type is not None and type.annotation}
        active = [(id, node.type) for id, node in graph.nodes.items() if node.mode == "on"]
        if found := tuple(id for id, type in active if type in sinks):
            return found
        used = {src.node for src in graph.links.values()}
        return tuple(id for id, type in active if id not in used and type not in notes)

    @property
    def finished(self) -> Graph | None:
        """The graph of the latest run that came to its end."""
        return self._finished

    @property
    def began(self) -> bool:
        """Whether there was a run."""
        return self._running is not None

    @property
    def held(self) -> bool:
        """Whether a slider is held, so that live runs use less."""
        return self._held

    # By hand ------------------------------------------------------------------------------------------

    def run(self, targets: Sequence[str] = ()) -> None:
        """Compute these nodes, or everything, at once; a queued job that runs waits. Seeds that change do so first."""
        self.asked.emit()
        self._new_seeds()
        self.compute(targets or self.targets())

    def compute(self, targets: Sequence[str]) -> None:
        """The same with the seeds as they are."""
        self._start(self.document.graph, tuple(targets), effects=True)

    def enqueue(self, targets: Sequence[str] = ()) -> None:
        """The same when its turn comes: with the graph as it is now."""
        self._new_seeds()
        targets = tuple(targets) or self.targets()
        if targets:
            self._queued = self.document.graph
            # Known to be ours before it begins, which may be at once.
            self._jobs.add(self.queue.next_id)
            about = summary(self.document.graph, self.document.declared)
            title = ": ".join(filter(None, (self.document.name, about)))
            self.queue.add(self.document.graph, targets, title, document=self.document.name)

    def stop(self) -> None:
        """End the run of this document, whether it was started by hand or is its job in the queue."""
        self.runs.stop()
        job = self.queue.running
        if job and job.id in self._jobs:
            self.queue.cancel(job.id)
        self.engine.stop(self._receive)

    def close(self) -> None:
        """Run nothing any more and hear nothing; jobs that are queued run all the same."""
        self._closed, self.live = True, False
        self._follow_later = False
        self._preparation.drop()
        self._comparison.drop()
        self._prepared()
        self.engine.forget(self._receive)

    def use_last_seeds(self) -> None:
        """Put back the seeds of the latest run that came to its end, and keep them."""
        if self._finished:
            self.document.edit("Use the last seeds", with_seeds_of, self._finished, self.document.declared)

    def _new_seeds(self) -> None:
        self.document.edit("New seed", with_new_seeds, self.document.declared, _draw)

    # Live ---------------------------------------------------------------------------------------------

    def set_live(self, on: bool) -> None:
        self.live = on
        if on:
            self._start(self.document.graph, self.targets(), effects=False)

    def hold(self, on: bool) -> None:
        """A slider is held, or let go: what was run with less is run in full then."""
        self._held = on
        if not on and self.plan.ready:
            self._follow()
        self.state_changed.emit()

    def _planned(self, plan: Plan) -> None:
        self.runs.settle(plan.problems)
        if self.runs.running and self._running is not None and not self._preparation.busy:
            # It may have begun before anything could be planned, or before the engine said what is in its keys.
            self._get_ready(self._expecting(self._running, self._targets))
        self._follow()

    def _follow(self) -> None:
        """Compare what was computed with the document as it is now; in live mode, run what is different."""
        if self._preparation.busy:
            self._follow_later = True
            return
        graph = self._live_graph() if self.live else self.document.graph
        self._comparison.begin(self._comparing(graph), lambda plan: self._compared(graph, plan))

    def _comparing(self, graph: Graph) -> Pieces[Plan]:
        plan = yield from self.plan.planning(graph)
        yield from self.runs.comparing(plan.keys, plan.calls)
        return plan

    def _compared(self, graph: Graph, plan: Plan) -> None:
        if self._preparation.busy:  # a run was begun meanwhile
            self._follow_later = True
            return
        queued = graph is self._queued  # its turn comes: run now as well, it would take the engine from the queue
        # Not for what ran before: a node that crashes the engine would do so for ever.
        if self.live and not queued and not plan.problems and self._differs(plan) and not self._soon_over():
            self._start(graph, self.targets(), effects=False)

    def _soon_over(self) -> bool:
        """Whether the draft that runs may finish first: dropped each time, none would while a slider moves."""
        return self._held and self.runs.running and time.monotonic() - self._since < DRAFT_SECONDS

    def _live_graph(self) -> Graph:
        return draft(self.document.graph, self.document.declared) if self._held else self.document.graph

    def _differs(self, plan: Plan) -> bool:
        """Whether this plan leads elsewhere than the latest run."""
        return self.targets() != self._targets or any(plan.keys.get(id) != key for id, key in self._keys.items())

    # Running ------------------------------------------------------------------------------------------

    def _start(self, graph: Graph, targets: tuple[str, ...], *, effects: bool) -> None:
        if targets:
            self.started.emit()
            self._begin(graph, targets)
            self.engine.run(graph, targets, self._receive, effects=effects)
            self.state_changed.emit()

    def _begin(self, graph: Graph, targets: tuple[str, ...]) -> None:
        self._targets, self._running, self._since = targets, graph, time.monotonic()
        beginning = self._beginning(graph, targets)
        if not self._closed:
            next(beginning)
        self._get_ready(beginning)

    def _beginning(self, graph: Graph, targets: tuple[str, ...]) -> Pieces[None]:
        """Tell the run's state what is to come, as far as that is known."""
        beginning = self.runs.beginning()
        next(beginning)  # so that the run is seen to be on its way
        yield
        planned = self.plan.ready
        if planned:
            whole = yield from self.plan.planning(graph)
            yield from self.runs.comparing(whole.keys, whole.calls)
        yield from beginning
        if planned:
            yield from self._expecting(graph, targets)

    def _expecting(self, graph: Graph, targets: tuple[str, ...]) -> Pieces[None]:
        plan = yield from self.plan.planning(graph, targets)
        self._keys = plan.keys
        yield from self.runs.expecting(plan.calls)

    def _get_ready(self, pieces: Pieces[None]) -> None:
        """Do this for a run, in pieces, before anything is heard of it; in place of what was to be done for another."""
        if self._closed:  # a plan or a job that was on its way: events kept for who is deleted next are kept for ever
            return
        many = len(self.document.graph.nodes) > MANY
        (self._preparation.put_off if many else self._preparation.begin)(pieces, lambda _: self._prepared())
        if self._preparation.busy:
            self.engine.keep_events(self, True)

    def _prepared(self) -> None:
        self.engine.keep_events(self, False)
        if self._follow_later:
            self._follow_later = False
            self._follow()

    def _receive(self, event: Event) -> None:
        """An event of this document's own run."""
        if isinstance(event, Idle) and not event.stopped and not self.runs.stopping:
            self.runs.tell()  # what it made
            self._finished = self._running
            if self._finished is not None:
                self.ended.emit(self._finished)
        self._take(event)
        if self._held and isinstance(event, Idle) and self.plan.ready:
            self._follow()  # the slider may have moved on since

    def _take(self, event: Event) -> None:
        if isinstance(event, Ready):
            self.plan.set_environment(event.environment)
        self.runs.take(event)
        if isinstance(event, Ready | Planned | Idle | Gone):
            self.runs.tell()  # who hears of the run looks at its nodes
            self.state_changed.emit()

    def _queued_began(self, job: Job) -> None:
        if job.id in self._jobs:
            self._begin(job.graph, job.targets)
            self.state_changed.emit()

    def _queued_happened(self, id: int, event: Event) -> None:
        if id in self._jobs:
            self._receive(event)
            if isinstance(event, Idle) and self.plan.ready:
                self._follow()  # the document may have gone on since

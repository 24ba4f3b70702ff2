"""Running the document: what to compute, when, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QObject, Signal

from nodegraph.messages import Event, Ready
from nodegraph.plan import Plan
from ui.document import Document
from ui.engine import Engine
from ui.planner import LivePlan
from ui.run_state import RunState


class Runner(QObject):
    """live: every edit runs at once; the run it replaces is dropped."""

    state_changed = Signal()  # running or not

    def __init__(
        self, document: Document, engine: Engine, plan: LivePlan, runs: RunState, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.document, self.engine, self.plan, self.runs = document, engine, plan, runs
        self.live = False
        self._targets: tuple[str, ...] = ()
        self._keys: Mapping[str, str] = {}  # what the latest run is to find
        engine.happened.connect(self._take)
        plan.planned.connect(self._planned)

    def targets(self) -> tuple[str, ...]:
        """What Run computes: the sinks; in a graph without any, every node whose results nobody uses."""
        graph = self.document.graph
        active = [id for id, node in graph.nodes.items() if node.mode == "on"]
        sinks = tuple(id for id in active if self.document.known(id) and self.document.type_of(id).is_sink)
        used = {src.node for src in graph.links.values()}
        return sinks or tuple(
            id for id in active if id not in used and self.document.type_of(id).kind != "annotation"
        )

    def run(self, targets: Sequence[str] = ()) -> None:
        """Compute these nodes, or everything."""
        self._targets = tuple(targets) or self.targets()
        if not self._targets:
            return
        if self.plan.ready:
            self.runs.compare(self.plan.now().keys)
        self.runs.begin()
        self._expect()
        self.engine.run(self.document.graph, self._targets)
        self.state_changed.emit()

    def _expect(self) -> None:
        """Tell the run's state what is to come, as far as that is known."""
        if self.plan.ready:
            plan = self.plan.now(self._targets)
            self._keys = plan.keys
            self.runs.expect({key: call.node for key, call in plan.calls.items()})

    def stop(self) -> None:
        self.runs.stop()
        self.engine.stop()

    def set_live(self, on: bool) -> None:
        self.live = on
        if on:
            self.run()

    def _planned(self, plan: Plan) -> None:
        if self.runs.running:
            self._expect()  # the run may have begun before anything could be planned
        self.runs.compare(plan.keys)
        # Not for what ran before: a node that crashes the engine would do so for ever.
        if self.live and not plan.problems and self._differs(plan):
            self.run()

    def _differs(self, plan: Plan) -> bool:
        """Whether this plan leads elsewhere than the latest run."""
        return self.targets() != self._targets or any(plan.keys.get(id) != key for id, key in self._keys.items())

    def _take(self, event: Event) -> None:
        if isinstance(event, Ready):
            self.plan.set_environment(event.environment)
        self.runs.take(event)
        self.state_changed.emit()

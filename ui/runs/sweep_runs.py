"""The sweep of a document: what it is, which of its cells are made, and running the others through the queue."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Literal, NamedTuple

from PySide6.QtCore import QObject, QTimer, Signal

from nodegraph.editing.seeds import NUM_SEEDS, seeds
from nodegraph.graph import Graph, Port
from nodegraph.group_type import document_types
from nodegraph.node import NodeType
from nodegraph.pieces import Pieces
from nodegraph.planning.plan import Plan
from nodegraph.running.messages import Event, Ready
from nodegraph.running.pace import CallKinds
from nodegraph.sweeping.axes import Axis
from nodegraph.sweeping.cells import MOST_FORESEEN, graphs
from nodegraph.sweeping.sweep import FIELD, Cell, Sweep, graph_of, in_order, sweep_of, with_sweep
from ui.base.slices import Slices
from ui.documents.document import Document
from ui.runs.engine import Engine
from ui.runs.live_plan import PAUSE_MS, LivePlan
from ui.runs.queue import Job, Queue
from ui.runs.runner import Runner
from ui.runs.sweep_process import CameElsewhere, SweepProcess
from ui.runs.sweep_record import TAG, SweepRecord

AHEAD = 16
"""Cells in the queue at a time: what else is queued waits for no more of them."""

CellState = Literal["", "waiting", "running", "made", "failed"]


class Share(NamedTuple):
    """What the cells come to together. apart: the results of as many separate runs. together: the different ones.

    seconds: what those take that no made cell has; None when some were never measured.
    """

    apart: int = 0
    together: int = 0
    seconds: float | None = None


class _Todo(NamedTuple):
    """A cell as it was when somebody wanted it run."""

    graph: Graph
    targets: tuple[str, ...]
    title: str


class SweepRuns(QObject):
    """sweep: the document's; None when it has none. why: what is wrong with it, as a sentence; empty when nothing is.

    cells: in the order of the sheet. A cell goes by a name that its results decide, so that undo, other values and a
    restart find what was made. share: None until it is worked out, and for more than MOST_FORESEEN cells.
    """

    changed = Signal()  # the sweep, its cells or what they come to
    cell_changed = Signal(object)  # Cell: what is known of it
    turned = Signal()  # it runs, or does so no more
    said = Signal(str)  # what processes that make it have to say, a sentence

    def __init__(
        self,
        document: Document,
        engine: Engine,
        queue: Queue,
        plan: LivePlan,
        runner: Runner,
        record: SweepRecord,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.document, self._engine, self._queue, self._plan = document, engine, queue, plan
        self._runner, self._record = runner, record
        self.sweep: Sweep | None = None
        self.why = ""
        self.cells: list[Cell] = []
        self.share: Share | None = None
        self._names: dict[Cell, str] = {}
        self._by_name: dict[str, list[Cell]] = {}
        self._made: dict[str, tuple[str, ...]] = {}  # by name, the files that were there when somebody looked
        self._problems: dict[Cell, str] = {}
        self._failed: dict[str, str] = {}  # by name, why
        self._jobs: dict[str, int] = {}  # of cells that wait or run, by name
        self._todo: dict[str, _Todo] = {}  # by name, what is to be queued, the next one last
        self._wanted: tuple[Cell, ...] | None = None  # cells to run as soon as their names are known
        self._slowest: list[int] = []  # the axes, that first on which most results hang
        self._seen = Graph()
        self.elsewhere = SweepProcess(self)
        self._asked: dict[Cell, str] = {}  # the names of the cells that are made elsewhere
        self._naming = Slices(self)
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self._follow)
        document.changed.connect(self._edited)
        record.changed.connect(self._take)
        queue.listed.connect(self._feed)
        engine.happened.connect(self._hear)
        self.elsewhere.came.connect(self._take_in)
        self.elsewhere.said.connect(self.said)
        self.elsewhere.ended.connect(self._ended)
        self._follow()

    # What it is ---------------------------------------------------------------------------------------

    def put(self, sweep: Sweep | None, text: str = "Change the sweep", merge: object = None) -> None:
        """Give the document this sweep, as one undo step."""
        self.document.edit(text, with_sweep, sweep, merge=merge)
        self._follow()

    def vary(self, port: Port, values: Iterable[object]) -> None:
        """Let a parameter vary; one that does so already stays as it is."""
        sweep = self.sweep or Sweep(())
        if port not in {axis.port for axis in sweep.axes}:
            self.put(Sweep((*sweep.axes, Axis(port, tuple(values))), sweep.mode, sweep.sample), "Vary a parameter")

    def try_seeds(self, count: int, draw: Callable[[int], int]) -> bool:
        """Give the document a sweep of so many new seeds, in place of another, and run it; False when it has no seed.

        draw: a number from 0 up to its argument, which is not included.
        """
        ports = seeds(self.document.graph, self.document.declared)
        if not ports:
            return False
        axes = tuple(Axis(port, tuple(draw(NUM_SEEDS) for _ in range(count))) for port in ports)
        self.put(Sweep(axes, "zip"), f"Try {count} seeds")
        self.run()
        return True

    def keep(self, cells: Collection[Cell]) -> None:
        """Take all other cells out of a sweep whose cells stand in a list. The files of the others stay."""
        if self.sweep is None or not self.listed:
            return
        kept = [cell for cell in self.cells if cell in cells]
        axes = [
            Axis(axis.port, tuple(axis.values[cell[place]] for cell in kept))
            for place, axis in enumerate(self.sweep.axes)
        ]
        self.put(Sweep(tuple(axes), self.sweep.mode), "Keep some cells of the sweep")

    @property
    def listed(self) -> bool:
        """Whether each cell stands for itself: values go together, or one parameter varies."""
        return self.sweep is not None and (self.sweep.mode == "zip" or len(self.sweep.axes) == 1)

    def starred(self, cell: Cell) -> bool:
        """Whether a picture of the cell has a star in the gallery."""
        gallery = self._record.gallery
        return gallery is not None and any(
            path in gallery.pictures and gallery.pictures[path].starred for path in self.pictures(cell)
        )

    def star(self, cells: Collection[Cell]) -> None:
        """Star the pictures of these cells, or take the stars off when all have one."""
        gallery = self._record.gallery
        paths = [path for cell in cells for path in self.pictures(cell) if gallery and path in gallery.pictures]
        if gallery is not None and paths:
            gallery.star(*paths, on=not all(gallery.pictures[path].starred for path in paths))
            for cell in cells:
                self.cell_changed.emit(cell)

    @property
    def types(self) -> Mapping[str, NodeType]:
        return document_types(self.document.graph.groups, self.document.registry)

    def _edited(self, _: object) -> None:
        self._pause.start()

    def _follow(self) -> None:
        """Take what the document says now."""
        graph = self.document.graph
        if graph is self._seen:
            return
        self._seen = graph
        self.share, self.cells, self.why = None, [], ""
        try:
            self.sweep = sweep_of(graph, self.types) if FIELD in graph.extra else None
            self.cells = self.sweep.cells() if self.sweep and self.sweep.axes else []
        except ValueError as error:
            self.why = str(error)
        self._names, self._by_name, self._made, self._problems = {}, {}, {}, {}
        self.changed.emit()
        self._naming.put_off(self._named(graph), self._known)

    def _named(self, graph: Graph) -> Pieces[Share | None]:
        """Find the names of the cells, and what they come to together."""
        if not self.cells or self.sweep is None:
            return None
        targets, kinds = self._runner.targets(), CallKinds()
        apart, seconds = 0, dict[str, float | None]()
        hanging, base = [0] * len(self.sweep.axes), frozenset[str]()
        self._slowest = list(range(len(hanging)))
        for cell, alone in zip(self.cells, graphs(graph, self.sweep, self.cells), strict=True):
            plan = yield from self._plan.planning(alone, targets)
            yield
            self._name(cell, plan, targets)
            base = base or frozenset(plan.calls)
            if len(differing := [axis for axis, index in enumerate(cell) if index]) == 1:
                hanging[differing[0]] = len(base - plan.calls.keys())
            if len(self.cells) <= MOST_FORESEEN:
                keys = [key for key, call in plan.calls.items() if call.type.outputs]
                apart += len(keys)
                for key, call in plan.calls.items():
                    kind = kinds.of(call)
                    if call.type.outputs:
                        seconds.setdefault(key, self._engine.pace.seconds(kind))
        self._slowest.sort(key=lambda axis: -hanging[axis])
        return Share(apart, len(seconds), _sum(seconds.values())) if apart else None

    def _name(self, cell: Cell, plan: Plan, targets: tuple[str, ...]) -> None:
        if plan.problems:
            first = plan.problems[0]
            self._problems[cell] = f"{first.node}: {first.message}"
            return
        keys = " ".join(plan.keys[target] for target in targets if target in plan.keys)
        name = blake2b(keys.encode(), digest_size=16).hexdigest()
        self._names[cell] = name
        self._look(name)
        self._by_name.setdefault(name, []).append(cell)

    def _look(self, name: str) -> None:
        """Whether the files of a cell are there."""
        paths = self._record.pictures(name)
        if paths is None:
            self._made.pop(name, None)
        else:
            self._made[name] = paths

    def _known(self, share: Share | None) -> None:
        self.share = share
        for job in self._queue.jobs:  # such as those of before a restart
            name = job.tag.removeprefix(TAG)
            if job.tag.startswith(TAG) and name in self._by_name and not job.over:
                self._jobs[name] = job.id
        if self._wanted is not None and self._engine.ready:
            wanted, self._wanted = self._wanted, None
            self.run(wanted)
        self.changed.emit()
        self.turned.emit()

    def _hear(self, event: Event) -> None:
        """What the engine mixes into its keys decides the names as well."""
        if isinstance(event, Ready):
            self._seen = Graph()
            self._follow()

    @property
    def naming(self) -> bool:
        """Whether it is still being found out which cells are made."""
        return self._naming.busy

    # What came of it ----------------------------------------------------------------------------------

    def pictures(self, cell: Cell) -> tuple[str, ...]:
        """The files of a cell that is made."""
        return self._made.get(self._names.get(cell, ""), ())

    def state(self, cell: Cell) -> CellState:
        name = self._names.get(cell)
        if name is None:
            return "failed" if cell in self._problems else ""
        if name in self._made:
            return "made"
        if name in self._jobs:
            return "running" if self._queue.job(self._jobs[name]).state == "running" else "waiting"
        if name in self._failed:
            return "failed"
        waits = name in self._todo or name in self._asked.values() or self._wanted is not None
        return "waiting" if waits else ""

    def message(self, cell: Cell) -> str:
        """Why a cell could not be made, as a sentence; else empty."""
        return self._problems.get(cell) or self._failed.get(self._names.get(cell, ""), "")

    def graph(self, cell: Cell) -> Graph:
        """The workflow that makes a cell alone."""
        assert self.sweep is not None
        return graph_of(with_sweep(self.document.graph, None), self.sweep.values(cell))

    @property
    def made(self) -> int:
        return sum(self.state(cell) == "made" for cell in self.cells)

    # Running ------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        return bool(self._todo or self._jobs or self._wanted is not None or self.elsewhere.running)

    def run(self, cells: Iterable[Cell] = ()) -> None:
        """Make what is not made, of these cells or of all; what failed is tried again. What is edited meanwhile changes
        nothing of that.
        """
        if self.sweep is None:
            return
        if not self._engine.ready or self._naming.busy:
            self._wanted = tuple(cells)
            self._engine.start()
            self.turned.emit()
            return
        wanted = [cell for cell in (tuple(cells) or self.cells) if cell in self._names]
        for cell in wanted:
            self._look(self._names[cell])  # a picture may have been deleted since
        self._failed = {name: why for name, why in self._failed.items() if name not in map(self._names.get, wanted)}
        todo = {self._names[cell]: cell for cell in wanted if self.state(cell) == ""}  # one of those that are alike
        for cell in in_order(todo.values(), self._slowest)[::-1]:
            what = f"{self.document.name}: {', '.join(self.sweep.labels(cell).values())}"
            self._todo[self._names[cell]] = _Todo(self.graph(cell), self._runner.targets(), what)
        self._feed()
        self.changed.emit()
        self.turned.emit()

    def run_on(self, where: str, workers: int) -> None:
        """Have other processes make it, see `SweepProcess`: every cell that their own folder lacks."""
        if self.sweep is None or self.running:
            return
        out = Path(self._engine.settings.out_dir) / "sweeps" / self.document.name
        self._failed, self._asked = {}, {cell: name for cell, name in self._names.items() if self.state(cell) != "made"}
        self.elsewhere.begin(with_sweep(self.document.graph, self.sweep), where, workers, out, self._engine.settings)
        self.changed.emit()
        self.turned.emit()

    def _take_in(self, came: CameElsewhere) -> None:
        name = self._asked.pop(came.cell, None)
        if name is None:
            return
        if came.images:
            self._record.put(name, came.images)
        elif came.failed:
            self._failed[name] = came.failed
            self._take(name)

    def _ended(self, why: str) -> None:
        self._asked = {}
        if why:
            self.said.emit(why)
        self.changed.emit()
        self.turned.emit()

    def close(self) -> None:
        """With the document."""
        self.elsewhere.close()

    def stop(self) -> None:
        """Run no further cell, and end the one that runs; what it computed is kept."""
        self.elsewhere.stop()
        self._todo, self._wanted = {}, None
        jobs, self._jobs = tuple(self._jobs.values()), {}
        self._queue.cancel(*(id for id in jobs if self._queue.lists(id)))
        self.changed.emit()
        self.turned.emit()

    def _feed(self) -> None:
        """Queue the next cells."""
        gone = [name for name, id in self._jobs.items() if not self._queue.lists(id)]  # taken off the list by a person
        for name in gone:
            del self._jobs[name]
        while self._todo and len(self._jobs) < AHEAD:
            name, todo = self._todo.popitem()
            self._jobs[name] = self._queue.next_id  # known before it begins, which may be at once
            self._queue.add(todo.graph, todo.targets, todo.title, TAG + name)
        if gone and not self.running:
            self.turned.emit()

    def _take(self, name: str) -> None:
        """Something is new of the job of a cell."""
        if name in self._by_name:
            self._look(name)
        id = self._jobs.get(name)
        if id is not None and self._queue.lists(id) and (job := self._queue.job(id)).over:
            self._over(name, job)
        for cell in self._by_name.get(name, ()):
            self.cell_changed.emit(cell)

    def _over(self, name: str, job: Job) -> None:
        del self._jobs[name]
        if job.state == "failed":
            self._failed[name] = job.message
        if not self.running:
            self.turned.emit()


def _sum(seconds: Iterable[float | None]) -> float | None:
    known = [value for value in seconds if value is not None]
    return sum(known) if known else None

"""The sweep of a document: what it is, which of its cells are made, and running the others through the queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple
from uuid import uuid4

from PySide6.QtCore import QObject, QTimer, Signal

from nodegraph.editing.seeds import NUM_SEEDS, seeds
from nodegraph.graph import Graph, Port
from nodegraph.group_type import document_types
from nodegraph.node import NodeType
from nodegraph.pieces import Pieces, in_parts
from nodegraph.running.messages import Event, Finished, Keeps, Kept, Ready
from nodegraph.running.pace import Pace
from nodegraph.sweeping.axes import Axis
from nodegraph.sweeping.ledger import Ledgers
from nodegraph.sweeping.sweep import FIELD, Cell, Sweep, graph_of, sweep_of, with_sweep
from nodegraph.types import Picture
from ui.base.slices import Slices
from ui.documents.document import Document
from ui.runs.engine import Engine
from ui.runs.job import Job
from ui.runs.live_plan import PAUSE_MS, LivePlan
from ui.runs.picture_index import Gallery
from ui.runs.queue import Queue
from ui.runs.runner import Runner
from ui.runs.sweep_jobs import Source, SweepJobs
from ui.runs.sweep_names import Named, chosen, naming
from ui.runs.sweep_process import CameElsewhere, CellRun, SweepProcess
from ui.runs.sweep_record import SweepRecord

SWEEPS = "sweeps"
"""In the folder of pictures, what has a folder for what other processes made of each document."""

CellState = Literal["", "waiting", "running", "made", "failed"]


class Share(NamedTuple):
    """What the cells come to together. apart: the results of as many separate runs. together: the different ones.
    missing: of these, how many are to be computed, by what `Pace` knows them by.
    """

    apart: int
    together: int
    missing: Mapping[str, int]

    @property
    def kept(self) -> int:
        """How many need not be computed."""
        return self.together - sum(self.missing.values())

    def seconds(self, pace: Pace) -> float | None:
        """What is missing takes on this machine; None when some of it was never measured."""
        each = {kind: pace.seconds(kind) for kind in self.missing}
        known = [seconds * self.missing[kind] for kind, seconds in each.items() if seconds is not None]
        return sum(known) if len(known) == len(each) else None


class SweepRuns(QObject):
    """sweep: the document's; None when it has none. why: what is wrong with it, as a sentence; empty when nothing is.

    cells: in the order of the sheet. A cell goes by a name that its results decide, so that undo, other values and a
    restart find what was made. share: None until it is worked out, and for more than MOST_FORESEEN cells.
    """

    changed = Signal()  # the sweep, its cells or what they come to
    cell_changed = Signal(object)  # Cell: what is known of it
    turned = Signal()  # it runs, or does so no more
    said = Signal(str)  # what processes that make it have to say, a sentence
    happened = Signal(object)  # Event: in a cell that other processes make

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
        self._jobs = SweepJobs(queue, self)
        self._choosing = Slices(self)  # which cells are to be run
        self._wanted: tuple[Cell, ...] | None = None  # cells to run as soon as their names are known
        self._slowest: list[int] = []  # the axes, that first on which most results hang
        self._kinds: dict[str, str] = {}  # of the results that are not kept, by key, see `Pace`
        self._seen = Graph()
        self.elsewhere = SweepProcess(self)
        self._asker = uuid4().hex  # what answers of the engine bear
        self._asked: dict[Cell, str] = {}  # the names of the cells that are made elsewhere
        self._live: dict[Cell, CellRun] = {}  # those of them that run
        self._naming = Slices(self)
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self._follow)
        document.changed.connect(self._edited)
        record.changed.connect(self._take)
        self._jobs.over.connect(self._over)
        self._jobs.turned.connect(self.turned)
        engine.happened.connect(self._hear)
        queue.heard.connect(self._hear_of_job)  # of other engines as well
        self.elsewhere.came.connect(self._take_in)
        self.elsewhere.happened.connect(self._hear_elsewhere)
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

    @property
    def gallery(self) -> Gallery | None:
        """Where the pictures have their stars and ratings."""
        return self._record.gallery

    def starred(self, cell: Cell) -> bool:
        """Whether a picture of the cell has a star in the gallery."""
        gallery = self.gallery
        return gallery is not None and any(
            path in gallery.pictures and gallery.pictures[path].starred for path in self.pictures(cell)
        )

    def star(self, cells: Collection[Cell]) -> None:
        """Star the pictures of these cells, or take the stars off when all have one."""
        gallery = self.gallery
        paths = [path for cell in cells for path in self.pictures(cell) if gallery and path in gallery.pictures]
        if gallery is not None and paths:
            gallery.star(*paths, on=not all(gallery.pictures[path].starred for path in paths))
            for cell in cells:
                self.cell_changed.emit(cell)

    @property
    def pace(self) -> Pace:
        """What the expected time goes by."""
        return self._engine.pace

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
        self._names, self._by_name, self._made, self._problems, self._kinds = {}, {}, {}, {}, {}
        self.changed.emit()
        self._naming.put_off(self._named(graph), self._known)

    def _named(self, graph: Graph) -> Pieces[Named | None]:
        """Find the names of the cells, which of them are made, and what they come to together."""
        if not self.cells or self.sweep is None:
            return None
        out = Path(self._engine.settings.out_dir)
        ledgers = Ledgers((out / SWEEPS / self.document.name, out))
        found = yield from naming(graph, self.sweep, self.cells, self._runner.targets(), self._plan.planning)
        self._names, self._problems, self._slowest = found.names, found.problems, found.slowest
        for part in in_parts(found.names.items()):
            for cell, name in part:
                self._by_name.setdefault(name, []).append(cell)
                if self._record.pictures(name) is None and (paths := ledgers.files(found.sinks[name])):
                    self._record.put(name, paths)  # made by processes that the window had started, or by the shell
                self._look(name)
            yield
        return found

    def _look(self, name: str) -> None:
        """Whether the files of a cell are there."""
        paths = self._record.pictures(name)
        if paths is None:
            self._made.pop(name, None)
        else:
            self._made[name] = paths

    def _known(self, found: Named | None) -> None:
        if found is not None and found.apart:
            self._kinds = found.kinds
            self.share = Share(found.apart, len(found.kinds), Counter(found.kinds.values()))
            self._engine.ask(Keeps(self._asker, tuple(found.kinds)))
        self._jobs.adopt(self._by_name.keys())
        if self._wanted is not None and self._engine.ready:
            wanted, self._wanted = self._wanted, None
            self.run(wanted)
        self.changed.emit()
        self.turned.emit()

    def _hear_of_job(self, id: int, event: Event) -> None:
        """No lambda: the queue, which outlives the document, would hold it with all of its views."""
        self._hear(event)

    def _hear(self, event: Event) -> None:
        match event:
            case Ready():  # what the engine mixes into its keys decides the names as well
                self._seen = Graph()
                self._follow()
            case Kept() if event.name == self._asker:
                self._note_kept(event.keys)
            case Finished() if self._kinds:
                self._note_kept((event.key,))
            case _:
                pass

    def _note_kept(self, keys: Iterable[str]) -> None:
        """These results need not be computed."""
        kinds = [kind for key in keys if (kind := self._kinds.pop(key, None)) is not None]
        if kinds and self.share is not None:
            self.share = self.share._replace(missing=Counter(self.share.missing) - Counter(kinds))
            self.turned.emit()

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
        if cell in self._live:
            return "running"
        if self._jobs.waits(name):
            return "running" if self._jobs.runs(name) else "waiting"
        if name in self._failed:
            return "failed"
        waits = cell in self._asked or self._wanted is not None or self._choosing.busy
        return "waiting" if waits else ""

    def on_the_way(self, cell: Cell) -> tuple[Picture | None, float]:
        """What a cell that runs looks like by now, and how far it is, 0..1."""
        if (run := self._live.get(cell)) is not None:
            return run.picture, run.fraction
        job = self._jobs.job(self._names.get(cell, ""))
        return (job.picture, job.fraction) if job is not None else (None, 0.0)

    def message(self, cell: Cell) -> str:
        """Why a cell could not be made, as a sentence; else empty."""
        return self._problems.get(cell) or self._failed.get(self._names.get(cell, ""), "")

    def graph(self, cell: Cell) -> Graph:
        """The workflow that makes a cell alone."""
        assert self.sweep is not None
        return graph_of(with_sweep(self.document.graph, None), self.sweep.values(cell))

    @property
    def made(self) -> int:
        return sum(len(self._by_name.get(name, ())) for name in self._made)

    @property
    def failed(self) -> int:
        cells = [cell for name in self._failed for cell in self._by_name.get(name, ())]
        return sum(self.state(cell) == "failed" for cell in cells) + len(self._problems)

    # Running ------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        return bool(self._jobs or self._choosing.busy or self._wanted is not None or self.elsewhere.running)

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
        source = Source(with_sweep(self.document.graph, None), self.sweep, self._runner.targets(), self.document.name)
        todo = chosen(wanted, self._names, self._slowest, self._is_missing)
        self._choosing.begin(todo, lambda todo: self._begin(todo, source))
        self.changed.emit()
        self.turned.emit()

    def _is_missing(self, name: str) -> bool:
        """Whether a cell is to be made: a picture may have been deleted since somebody looked."""
        self._failed.pop(name, None)
        return self._record.pictures(name) is None and not self._jobs.waits(name)

    def _begin(self, todo: dict[str, Cell], source: Source) -> None:
        for name in todo:
            self._made.pop(name, None)
        self._jobs.begin(todo, source)
        self.changed.emit()
        self.turned.emit()

    def run_on(self, where: str, workers: int) -> None:
        """Have other processes make what is not made, see `SweepProcess`."""
        if self.sweep is None or self.running:
            return
        out = Path(self._engine.settings.out_dir) / SWEEPS / self.document.name
        made = {cell: paths for cell in self.cells if (paths := self.pictures(cell))}
        self._failed, self._asked = {}, {cell: name for cell, name in self._names.items() if self.state(cell) != "made"}
        self.elsewhere.begin(
            with_sweep(self.document.graph, self.sweep), where, workers, out, self._engine.settings, made
        )
        self.changed.emit()
        self.turned.emit()

    def _hear_elsewhere(self, cell: Cell, event: Event) -> None:
        if cell in self._asked:
            self._live.setdefault(cell, CellRun()).take(event)
            self.cell_changed.emit(cell)
        self.happened.emit(event)

    def _take_in(self, came: CameElsewhere) -> None:
        name = self._asked.pop(came.cell, None)
        self._live.pop(came.cell, None)
        if name is None:
            return
        if came.images:
            self._record.put(name, came.images)
        elif came.failed:
            self._failed[name] = came.failed
            self._take(name)

    def _ended(self, why: str) -> None:
        self._asked, self._live = {}, {}
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
        self._wanted = None
        self._choosing.drop()
        self._jobs.stop()
        self.changed.emit()
        self.turned.emit()

    def _take(self, name: str) -> None:
        """Something is new of the job of a cell."""
        if name in self._by_name:
            self._look(name)
        self._jobs.take(name)
        for cell in self._by_name.get(name, ()):
            self.cell_changed.emit(cell)

    def _over(self, name: str, job: Job) -> None:
        if job.state == "failed":
            self._failed[name] = job.message

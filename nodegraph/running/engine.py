"""The engine: plans graphs, computes what is not cached, says what happens; in this process or in its own."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import logging
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast

from nodegraph import machine
from nodegraph.batch import alone
from nodegraph.formats import workflow
from nodegraph.formats.files import remove_leftovers
from nodegraph.formats.package import discover
from nodegraph.graph import Graph
from nodegraph.group_type import document_types
from nodegraph.node import NAMING
from nodegraph.planning.plan import Plan, Planner
from nodegraph.running.cache import Cache, DiskCache
from nodegraph.running.executor import Broken, Complaint, IsUnderWay, WhyBroken, execute
from nodegraph.running.keeper import Keeper
from nodegraph.running.messages import (
    Began,
    Broke,
    Device,
    Event,
    Failed,
    Free,
    Heard,
    Holding,
    Idle,
    Keeps,
    Kept,
    Look,
    Measure,
    Measured,
    Memory,
    Ready,
    Report,
    Request,
    Run,
    Seen,
    Source,
    Warned,
)
from nodegraph.running.pictures import pictured
from nodegraph.types import Preview

if TYPE_CHECKING:  # it takes long to import, and what starts an engine comes after the window
    from multiprocessing.connection import Connection

DISK_BYTES = 4 << 30
BROKEN = 69  # EX_UNAVAILABLE of sysexits.h
"""The exit code of a process that ends itself because what it computes on gave up."""

WRITING_SECONDS = 5.0
"""For what such a process still has to write."""

PLANNING_SECONDS = 0.05
"""Of planning, before the engine looks whether something else is wanted."""


def cache_folder() -> str:
    """Where results are kept between runs: DENOODLE_CACHE, or the platform's folder for what may be deleted."""
    if chosen := os.environ.get("DENOODLE_CACHE"):
        return chosen
    home = Path.home()
    if sys.platform == "win32":
        return str(Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "denoodle" / "cache")
    if sys.platform == "darwin":
        return str(home / "Library" / "Caches" / "denoodle")
    return str(Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "denoodle")


def quarter_of_memory() -> int:
    """In bytes."""
    return (machine.memory() or 8 << 30) // 4


@dataclass(frozen=True, slots=True)
class Settings:
    """How an engine is started.

    package: where the node types are. device: auto, cpu, or a card, cuda:0. cache: the folder of results on disk; None
    keeps them in memory alone. memory_bytes: what results may take up in memory; disk_bytes: in the cache. out_dir:
    where sinks write. precision: one of PRECISIONS. tells_workflow: whether sinks put the workflow into files.
    naming: what they call files, see `nodegraph.node.Context`.
    """

    package: str = "nodes"
    device: str = "auto"
    cache: str | None = field(default_factory=cache_folder)
    memory_bytes: int = field(default_factory=quarter_of_memory)
    out_dir: str = "output"
    precision: str = "auto"
    disk_bytes: int = DISK_BYTES
    tells_workflow: bool = True
    naming: str = NAMING


class Engine:
    """What one process keeps from run to run: node types, plans and results.

    The package may offer these functions: `environment(device, precision)`, a text for what changes bits; `codec()`,
    which writes results to disk; `complaint(outputs, arguments)`, why a result must not be passed on; `preview(value,
    max_side, item)`, what a value of a pictured type looks like; `measure(taken, text)`, see Measure;
    `configure(device, precision)`, which loads what computing needs; `under_way()`, asked after that: what tells
    whether outputs are still being computed, or None where
    they never are; `devices()`, the Devices there are, and `device(name)`, which of them a name means; `broken(error)`,
    why nothing more can be computed in this process; `keeper()`, who looks after memory (see
    `nodegraph.running.keeper`); `models()`, the Holdings in memory, and `free(id)`, which forgets one. Its
    `LIBRARY_SETTINGS` go into the environment, unless the user has set them, before any of its modules is imported, and
    so do its `LIBRARY_RULES`, whatever the user has set.
    Raises ValueError or ImportError when the package or the device is not there.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._package = importlib.import_module(settings.package)
        for name, value in getattr(self._package, "LIBRARY_SETTINGS", {}).items():
            os.environ.setdefault(name, value)
        os.environ.update(getattr(self._package, "LIBRARY_RULES", {}))
        self.registry = discover(settings.package)
        self.environment = ""
        if hasattr(self._package, "environment"):
            self.environment = self._package.environment(settings.device, settings.precision)
        disk = None
        if settings.cache is not None and hasattr(self._package, "codec"):
            disk = DiskCache(Path(settings.cache), settings.disk_bytes, self._package.codec())
        self.cache = Cache(settings.memory_bytes, disk)
        self._complaint: Complaint = getattr(self._package, "complaint", lambda outputs, given: None)
        self._preview: Preview = getattr(self._package, "preview", lambda value, max_side, item: None)
        self.broken: WhyBroken = getattr(self._package, "broken", lambda error: "")
        self._is_under_way: IsUnderWay | None = None
        self._keeper: Keeper | None = None
        self._planner = Planner(self.registry, self.environment)
        self._written: dict[str, list[str]] = {}  # files, by the key of the sink that wrote them

    def configure(self) -> None:
        """Get ready to compute. Takes seconds (torch and more are imported), and planning does without."""
        gc.disable()  # what the libraries make at import is no garbage, and looking through it on the way takes 0.5 s
        try:
            if hasattr(self._package, "configure"):
                self._package.configure(self._settings.device, self._settings.precision)
        finally:
            gc.enable()
        if hasattr(self._package, "under_way"):
            self._is_under_way = self._package.under_way()
        if hasattr(self._package, "keeper"):
            self._keeper = self._package.keeper()
        remove_leftovers(Path(self._settings.out_dir), deep=True)
        # What the libraries made at import stays for good; each of the collector's full passes over it takes 0.4 s.
        gc.collect()
        gc.freeze()

    def plan(self, graph: Graph, targets: tuple[str, ...]) -> Plan:
        return cast(Plan, self.plan_some(graph, targets, inf))

    def plan_some(self, graph: Graph, targets: tuple[str, ...], seconds: float) -> Plan | None:
        """Plan for so long; None when there is more to do: call again to go on."""
        try:
            return self._planner.plan(graph, targets) if self._planner.prepare(graph, seconds, targets) else None
        except Exception:
            self._planner = Planner(self.registry, self.environment)  # this one stopped half-way
            raise

    def execute(
        self,
        plan: Plan,
        run: Run,
        emit: Callable[[Event], None],
        wanted: Callable[[str], bool] = lambda key: True,
        stop: Callable[[], bool] = lambda: False,
    ) -> Idle:
        """Run what the plan of this run is missing; wanted and stop as for `nodegraph.running.executor.execute`."""
        for key, paths in run.written.items():
            self._written.setdefault(key, list(paths))
        # Writing out a large graph takes longer than an unchanged run: only for those who may put it into a file.
        sinks = any(call.type.is_sink and call.type.takes_context for call in plan.calls.values())
        carries, naming = self._settings.tells_workflow, self._settings.naming
        told = sinks and run.effects and (carries or naming != NAMING)  # a name may tell of it
        text = workflow.dumps(run.graph) if told else ""
        return execute(
            plan,
            run.targets,
            self.cache,
            emit,
            wanted,
            stop,
            effects=run.effects,
            written=self._written,
            workflow=text,
            workflow_of=partial(self._workflow_of, run.graph),
            out_dir=run.out_dir or self._settings.out_dir,
            naming=naming,
            carries_workflow=carries,
            complaint=self._complaint,
            preview=self._preview,
            broken=self.broken,
            is_under_way=self._is_under_way,
            keeper=self._keeper,
        )

    def idle(self) -> float | None:
        """Get ready for what comes, a little; the seconds until it is worth asking again, None: never."""
        return self._keeper.idle() if self._keeper else None

    def devices(self) -> tuple[Device, ...]:
        """What there is to compute on."""
        return self._package.devices() if hasattr(self._package, "devices") else ()

    def device(self) -> str:
        """The name of the one that computes; empty where the package does not say."""
        return self._package.device(self._settings.device) if hasattr(self._package, "device") else ""

    def _workflow_of(self, graph: Graph, node: str, item: int, count: int) -> str:
        types = document_types(graph.groups, self.registry)
        return workflow.dumps(alone(graph, node, item, count, types.get) or graph)

    def look(self, key: str, source: Source, max_side: int) -> Seen | None:
        """What a result looks like, under the name of `key`; None when it is not kept."""
        outputs = self.cache.get(source.key)
        if outputs is None:
            return None
        shown = pictured(outputs, source.output)
        return Seen(key, None if shown is None else self._preview(shown, max_side, source.item), max_side)

    def measure(self, request: Measure) -> Measured:
        """On any thread."""
        known = hasattr(self._package, "measure")
        return Measured(request.name, self._package.measure(request.taken, request.text) if known else "")

    def give_up(self) -> None:
        """Write what can still be written when what it computes on gave up.

        What is on the device cannot be read any more, and asking for it may never return.
        """
        writing = threading.Thread(target=self.cache.close, daemon=True)
        writing.start()
        writing.join(WRITING_SECONDS)

    def memory(self) -> Memory:
        models: tuple[Holding, ...] = self._package.models() if hasattr(self._package, "models") else ()
        disk = self.cache.disk
        on_disk = (disk.count, disk.used) if disk else (0, 0)
        return Memory(models, self.cache.sizes(), self.cache.memory_bytes, *on_disk)

    def free(self, request: Free) -> None:
        """Not while a call runs."""
        for id in request.models:
            self._package.free(id)
        if "memory" in request.results:
            self.cache.clear()
        if "disk" in request.results and self.cache.disk:
            self.cache.disk.clear()


def serve(conn: Connection, settings: Settings) -> None:
    """The main function of an engine process: receives requests or None (end), sends events. Does not return."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the editor to answer
    faulthandler.enable()
    with contextlib.suppress(OSError):  # Linux alone has this: when memory runs out, the editor is not what should end
        Path("/proc/self/oom_score_adj").write_text("500")
    start = time.perf_counter()
    logging.captureWarnings(True)
    warnings = Warnings(conn.send)  # such as why a device is passed over
    logging.getLogger().addHandler(warnings)
    try:
        engine = Engine(settings)
        server = _Server(conn, engine)
        warnings.tell = server.emit
        seconds = time.perf_counter() - start
        server.emit(Ready(os.getpid(), seconds, engine.environment, engine.devices(), engine.device()))
        threading.Thread(target=server.listen, name="listener", daemon=True).start()
        engine.configure()
        server.awake = True
        server.emit(Heard())
    except (ImportError, ValueError, OSError) as error:
        conn.send(Failed("", f"The engine cannot start: {error}", traceback=traceback.format_exc()))
        sys.exit(1)
    server.work()


class Warnings(logging.Handler):
    """Passes on what is written to Python's log in this process."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        super().__init__(logging.WARNING)
        self.tell = emit

    def emit(self, record: logging.LogRecord) -> None:
        self.tell(Warned(self.format(record).strip()))


@dataclass(frozen=True, slots=True)
class _Task:
    """A Run and its plan. failed: why there is no plan."""

    run: Run
    plan: Plan
    failed: Failed | None = None


class _Server:
    """Two threads: one listens and plans, one works.

    `_latest` decides: a running call stops at its next progress report when the latest plan has no use for it, so
    cancelling, superseding and editing while running are the same thing. What concerns memory waits for the end of
    the running call, since models belong to the thread that works.
    """

    def __init__(self, conn: Connection, engine: Engine) -> None:
        self._conn, self._engine = conn, engine
        self._sending = threading.Lock()
        self._inbox: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()  # None: look into the other one
        self._requests: queue.SimpleQueue[Report | Free | Look] = queue.SimpleQueue()
        self._looks: list[tuple[str, Source, int]] = []  # what is still to be looked at, the next one last
        self._latest: _Task | None = None
        self.awake = False  # what computing needs is loaded
        self._texts: queue.SimpleQueue[Measure] = queue.SimpleQueue()
        self._measurer: threading.Thread | None = None

    def emit(self, event: Event) -> None:
        with self._sending:
            try:
                self._conn.send(event)
            except OSError:
                self._end()

    def listen(self) -> None:
        run: Run | None = None  # what is being planned; another one takes its place
        while True:
            try:
                if run is not None and not self._conn.poll():
                    run = None if self._plan(run) else run
                    continue
                request: Request | None = self._conn.recv()
            except (EOFError, OSError):
                request = None  # the editor is gone
            if request is None:
                self._end()
            elif isinstance(request, Run):
                run = request
                if self.awake:
                    self.emit(Heard(run.ticket))
            elif isinstance(request, Measure):
                self._texts.put(request)
                if self._measurer is None:
                    self._measurer = threading.Thread(target=self._measure, name="measurer", daemon=True)
                    self._measurer.start()
            elif isinstance(request, Keeps):
                self.emit(Kept(request.name, tuple(filter(self._engine.cache.__contains__, request.keys))))
            else:
                self._requests.put(request)
                self._inbox.put(None)

    def _measure(self) -> None:
        """On a thread of its own: what reads words takes a second to load, and a run may take minutes."""
        while True:
            request = self._texts.get()
            while not self._texts.empty():
                request = self._texts.get()
            try:
                self.emit(self._engine.measure(request))
            except Exception as error:  # a text that cannot be measured must not end the engine
                logging.getLogger(__name__).info("not measured: %s", error)

    def _plan(self, run: Run) -> bool:
        """Plan for a while; whether it is done and the run can begin."""
        try:
            plan = self._engine.plan_some(run.graph, run.targets, PLANNING_SECONDS)
            if plan is None:
                return False
            self._latest = _Task(run, plan)
        except Exception as error:
            # A mistake in planning must not end the engine, and with it what is computed already.
            failed = Failed("", f"The graph cannot be planned: {error}", traceback=traceback.format_exc())
            self._latest = _Task(run, Plan({}, {}, (), {}), failed)
        self._inbox.put(self._latest)
        return True

    def work(self) -> None:
        while True:
            while self._looks and self._inbox.empty():
                self._look(*self._looks.pop())
            task = self._next()
            self._answer()
            if task is not None and task is self._latest:
                self._work_on(task)

    def _next(self) -> _Task | None:
        """What is to be done; while there is nothing, the engine gets ready."""
        pause: float | None = 0.0
        while True:
            try:
                return self._inbox.get(timeout=pause)
            except queue.Empty:
                pause = self._idle()

    def _idle(self) -> float | None:
        try:
            return self._engine.idle()
        except Exception as error:  # what was to help must not end the engine; whoever needs it will say why it fails
            logging.getLogger(__name__).info("not ready for what comes: %s", error)
            return None

    def _work_on(self, task: _Task) -> None:
        self.emit(Began(task.run.ticket))
        if task.failed:
            self.emit(task.failed)
        for problem in task.plan.problems:
            self.emit(Failed(problem.node, problem.message, problem.socket))

        def stop() -> bool:
            self._answer()
            return self._latest is not task

        def wanted(key: str) -> bool:
            return self._latest is not None and key in self._latest.plan.calls

        try:
            idle = self._engine.execute(task.plan, task.run, self.emit, wanted, stop)
        except Broken as error:
            self._give_up(error)
            return
        except Exception as error:  # as in `_plan`
            if why := self._engine.broken(error):  # found out between two calls
                self._give_up(Broken(None, why))
            self.emit(Failed("", f"The graph cannot be run: {error}", traceback=traceback.format_exc()))
            idle = Idle(0, 0, 0.0)
        if task is self._latest:
            self.emit(replace(idle, stopped=not task.run.targets))

    def _look(self, key: str, source: Source, max_side: int) -> None:
        try:
            seen = self._engine.look(key, source, max_side)
        except Exception as error:
            if why := self._engine.broken(error):
                self._give_up(Broken(None, why))
            self.emit(Warned(f"A result cannot be shown: {error}"))
            return
        if seen:
            self.emit(seen)

    def _answer(self) -> None:
        """Do what was asked about memory since the last time; take note of what is to be looked at."""
        asked = False
        while not self._requests.empty():
            request = self._requests.get()
            if isinstance(request, Look):
                asked_for = [(key, source, request.max_side) for key, source in request.sources.items()]
                self._looks += asked_for[::-1]
                continue
            asked = True
            if isinstance(request, Free):
                try:
                    self._engine.free(request)
                except Exception as error:
                    if why := self._engine.broken(error):
                        self._give_up(Broken(None, why))
                    self.emit(Failed("", f"Memory cannot be freed: {error}", traceback=traceback.format_exc()))
        if asked:
            self.emit(self._engine.memory())

    def _give_up(self, broken: Broken) -> NoReturn:
        """End a process that can compute nothing any more, with what it has on the disk: another one goes on."""
        self.emit(Broke(broken.node, broken.why, "".join(traceback.format_exception(broken))))
        self._engine.give_up()
        os._exit(BROKEN)

    def _end(self) -> None:
        self._engine.cache.close()
        # A node may be deep in native code, where no exception reaches it.
        os._exit(0)

"""Compute the calls of a plan that are not in the cache, and say what happens."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from nodegraph.failure import explain, let_go, may_be_memory
from nodegraph.node import NAMING, Cancelled, Context
from nodegraph.planning.calls import as_outputs
from nodegraph.planning.fingerprints import Changed, changed, fingerprint
from nodegraph.planning.keys import Ref
from nodegraph.planning.plan import Call, Plan
from nodegraph.running.cache import Cache
from nodegraph.running.keeper import Keeper, networks
from nodegraph.running.messages import Event, Failed, Finished, Idle, Planned, Progress, Saved, Started
from nodegraph.running.missing import missing, num_needed
from nodegraph.running.pictures import Look, Pictures
from nodegraph.types import NetworkId, Picture, Preview

EVENT_SECONDS = 1 / 30
"""Progress reports and previews closer together than this are left out: nobody sees them."""

UNDER_WAY = 1
"""Calls whose results may still be under way when the next one is made: so a device always has work, and never more."""

Emit = Callable[[Event], None]
Complaint = Callable[[Mapping[str, Any], Mapping[str, Any]], str | None]
"""(outputs, arguments) of a call that was made: why its results must not be passed on; None when they may."""
IsUnderWay = Callable[[tuple[Any, ...]], bool]
"""Whether results are still being computed elsewhere: who looks at them waits, who only passes them on does not."""
WhyBroken = Callable[[Exception], str]
"""Why nothing more can be computed in this process after an error, in a few words; empty when it can."""


class Broken(Exception):
    """What the process computes on gave up: another one has to go on. node: that was run. why: in a few words."""

    def __init__(self, node: str | None, why: str) -> None:
        super().__init__(f"{node}: {why}")
        self.node, self.why = node, why


def execute(
    plan: Plan,
    targets: Iterable[str],
    cache: Cache,
    emit: Emit,
    wanted: Callable[[str], bool] = lambda key: True,
    stop: Callable[[], bool] = lambda: False,
    *,
    effects: bool = True,
    written: dict[str, list[str]] | None = None,
    workflow: str = "",
    workflow_of: Callable[[str, int, int], str] | None = None,
    out_dir: str = "output",
    naming: str = NAMING,
    carries_workflow: bool = True,
    complaint: Complaint | None = None,
    preview: Preview = lambda value, max_side, item: None,
    broken: WhyBroken = lambda error: "",
    is_under_way: IsUnderWay | None = None,
    keeper: Keeper | None = None,
) -> Idle:
    """Run what the targets need, each as early as its own chain allows; a failed call fails only what depends on it.

    wanted: asked at every progress report of the running call, which is given up when its key is wanted no more.
    stop: asked between calls. effects: see `nodegraph.running.messages.Run`. written: the files that a sink wrote in
    earlier runs, by its key, kept up to date: one whose files are still there does not act again. workflow, out_dir,
    naming, carries_workflow, workflow_of(node, item, count): for sinks (see Context). complaint: fails a call whose
    results are not sound. preview: shows values of the types that can be looked at. is_under_way: of results that the
    next call may already be given; what is said of a call and kept of it waits for them. keeper: is told of the run,
    and gets a call another try when memory ran out. Results go into the cache as they come, so a stopped run goes on
    where it stopped. Raises Broken when an error was the last that this process can have, as `broken` says.
    """
    written = {} if written is None else written
    sinks = _Sinks(effects, written, workflow, workflow_of, out_dir, naming, carries_workflow)
    made = _Run(plan, cache, emit, wanted, sinks, complaint, preview, broken, is_under_way, keeper)
    return made.execute(targets, stop)


@dataclass(frozen=True, slots=True)
class _Sinks:
    """What a run does with its sinks; the fields are those of `execute`."""

    effects: bool
    written: dict[str, list[str]]
    workflow: str
    workflow_of: Callable[[str, int, int], str] | None
    out_dir: str
    naming: str
    carries_workflow: bool

    def idle(self, key: str) -> bool:
        """Whether there is nothing for this sink to do."""
        paths = self.written.get(key)
        return not self.effects or (bool(paths) and all(map(os.path.exists, paths or ())))


class _Made(NamedTuple):
    """A call that was made, with its results. said: events of it that wait for those of the call before.

    seconds: that it took; None when its results were under way, so that their coming counts. peak: see `Finished`.
    """

    call: Call
    args: dict[str, Any]
    values: tuple[Any, ...]
    started: float
    seconds: float | None
    look: Look | None
    peak: int
    said: list[Event]


class _Run:
    def __init__(
        self,
        plan: Plan,
        cache: Cache,
        emit: Emit,
        wanted: Callable[[str], bool],
        sinks: _Sinks,
        complaint: Complaint | None,
        preview: Preview,
        broken: WhyBroken,
        is_under_way: IsUnderWay | None,
        keeper: Keeper | None,
    ) -> None:
        self.plan, self.cache, self.emit, self.wanted, self.sinks = plan, cache, emit, wanted, sinks
        self.complaint, self.broken = complaint, broken
        self.is_under_way, self.keeper = is_under_way, keeper
        self.pictures = Pictures(preview)
        self.number = 0  # of the call that runs
        self.under_way: deque[_Made] = deque()
        self.running: Call | None = None
        self.said: list[Event] = []  # of the call that runs, while another is under way
        self.run, self.settled = 0, 0.0  # results that were computed, and when the last of them was there
        self.held: dict[str, tuple[Any, ...]] = {}  # results that a later call takes
        self.takes: Mapping[str, list[Ref]] = {}  # of the calls to run, what they take
        self.absent: set[str] = set()  # results that failed, or are left out, and those that take them
        self.uses: Counter[str] = Counter()  # how many calls still take a result
        self.reported = self.pictured = 0.0  # when the last report, and the last preview with one, was sent

    def execute(self, targets: Iterable[str], stop: Callable[[], bool]) -> Idle:
        start = time.perf_counter()
        self.roots = {key: None for target in targets for key in self.plan.roots(target)}
        order, found, self.takes, self.absent = missing(self.plan, self.roots, self.cache, self.sinks.effects)
        waiting = len(self.absent)
        num_results = (num_needed(self.plan, self.roots) if self.plan.problems else self.plan.num_results) - waiting
        cached = num_results - sum(1 for call in order if call.type.outputs)
        self.emit(Planned(num_results, cached))
        self.uses.update(ref.key for taken in self.takes.values() for ref in taken)
        for key, values in found.items():
            if key in self.uses:
                self.held[key] = values
            self._finished(self.plan.calls[key], 0.0, True, values)
        del found
        try:
            stopped = self._compute(order, stop)
        finally:
            if self.keeper:
                self.keeper.end()
        return Idle(self.run, cached, time.perf_counter() - start, stopped, waiting)

    def _compute(self, order: Sequence[Call], stop: Callable[[], bool]) -> bool:
        """Whether it ended early. What is under way then is left out."""
        if self.keeper:
            self.keeper.begin(lambda: self.number, lambda: _networks_of(order, self.number + 1))
        for self.number, call in enumerate(order):
            if stop():
                self.settle_arrived()
                return True
            if call.type.is_sink or call.type.on_request:
                self._settle(0)  # what acts must not act on what turns out to be unsound
            if self._is_absent(call):
                self.absent.add(call.key)
            else:
                self.running, self.said = call, []
                self.say(Started(call.node, call.key, call.iteration))
                try:
                    self._run(call)
                except Cancelled:
                    self.settle_arrived()
                    return True
                except Exception as error:
                    self._settle(0)
                    self._failed(call, error)
                if self.under_way:
                    self._settle(UNDER_WAY)
            self._release(call)
        self._settle(0)
        return False

    def _is_absent(self, call: Call) -> bool:
        """Whether something that it takes failed, or was left out."""
        return bool(self.absent) and any(ref.key in self.absent for ref in self.takes[call.key])

    def say(self, event: Event) -> None:
        """Of the call that runs: after all that is said of the calls before it."""
        if self.under_way:
            self.said.append(event)
        else:
            self.emit(event)

    def settle_arrived(self) -> None:
        """Do what is to be done with the results that are there by now."""
        self._settle(len(self.under_way))

    def _settle(self, most: int) -> None:
        """Wait until no more results are under way than these, and do what is to be done with the others."""
        while self.under_way and (len(self.under_way) > most or self._is_there(self.under_way[0].values)):
            made = self.under_way.popleft()
            try:
                if self._is_absent(made.call):
                    self.absent.add(made.call.key)
                else:
                    self._keep(made)
            except Exception as error:
                self._failed(made.call, error)
            self.settled = time.perf_counter()
            self._say_what_waits()

    def _say_what_waits(self) -> None:
        """What was said of the call that comes first now."""
        first = self.under_way[0] if self.under_way else None
        call, said = (first.call, first.said) if first else (self.running, self.said)
        if call and not self._is_absent(call):
            for event in said:
                self.emit(event)
        said.clear()

    def _failed(self, call: Call, error: Exception) -> None:
        """Nothing is said of a failure when the call before it turned out to have failed."""
        self._give_up_if_broken(call, error)
        if not self._is_absent(call):
            message, trace = self._explain(error)
            self.emit(Failed(call.node, message, None, trace))
        self.absent.add(call.key)
        self.held.pop(call.key, None)

    def _explain(self, error: Exception) -> tuple[str, str]:
        if self.keeper and may_be_memory(error) and (shortage := self.keeper.shortage()):
            return shortage, ""
        return explain(error)

    def _run(self, call: Call) -> None:
        type, args = call.type, {**call.args}
        for name in call.takes:
            args[name] = self._value(args[name])
        if type.is_sink:
            if self.sinks.idle(call.key):
                for path in self.sinks.written.get(call.key, ()) if self.sinks.effects else ():
                    self.emit(Saved(call.node, path, call.key))
                self._finished(call, 0.0, self.sinks.effects, tuple(args.values()))
                return
            self.sinks.written.pop(call.key, None)
        _check_files(call)
        start = time.perf_counter()
        result, look = self._tried(call, args)
        seconds = time.perf_counter() - start
        _check_files(call)
        if path := changed(args.values()):
            raise Changed(path)
        values = as_outputs(result) if type.outputs else ()
        if len(values) != len(type.outputs):
            raise TypeError(f"{type.id} declares {len(type.outputs)} outputs and returned {len(values)}")
        if values and call.key in self.uses:
            self.held[call.key] = values
        peak = self.keeper.peak() if self.keeper else 0
        made = _Made(call, args, values, start, seconds, look, peak, self.said)
        if self.under_way or not self._is_there(values):
            self.under_way.append(made._replace(seconds=None))
            self.said = []
        else:
            self._keep(made)

    def _tried(self, call: Call, args: Mapping[str, Any]) -> tuple[Any, Look | None]:
        """What the node makes, and its last look; tried again as long as there is something that may help."""
        type, keeper = call.type, self.keeper
        while True:
            context = _CallContext(self, call) if type.takes_context else None
            try:
                result = type.fn(context, **args) if context else type.fn(**args)
                return result, context and context.look
            except Exception as error:
                if keeper is None or not may_be_memory(error):
                    raise
                keeper.ran_out(error)
                failure = error
            # Out here, for what is being handled holds the frames of the failed try, and they hold what they made.
            let_go(failure)
            if not keeper.relieve(self.cache):
                raise failure

    def _is_there(self, values: tuple[Any, ...]) -> bool:
        return self.is_under_way is None or not self.is_under_way(values)

    def _keep(self, made: _Made) -> None:
        """Look at the results of a call, keep them and tell of them. Raises ValueError when they are not sound."""
        call, values = made.call, made.values
        if self.complaint is not None:
            names = (output.name for output in call.type.outputs)
            if why := self.complaint(dict(zip(names, values, strict=True)), made.args):
                raise ValueError(why)
        seconds = made.seconds
        if seconds is None:
            seconds = time.perf_counter() - max(made.started, self.settled)
        if values and not _reads_what_was_made(call):
            self.cache.put(call.key, values, seconds)
        self.run += bool(values)
        self._finished(call, seconds, False, values or tuple(made.args.values()), made.look, made.peak)

    def _give_up_if_broken(self, call: Call, error: Exception) -> None:
        if why := self.broken(error):
            raise Broken(call.node, why) from error

    def _value(self, arg: Any) -> Any:
        if isinstance(arg, Ref):
            return self.held[arg.key][self.plan.calls[arg.key].type.output_index[arg.output]]
        if isinstance(arg, tuple):
            return tuple(map(self._value, cast("tuple[Any, ...]", arg)))
        return arg

    def _release(self, call: Call) -> None:
        """What no other call takes is from now on the cache's alone."""
        for ref in self.takes[call.key]:
            self.uses[ref.key] -= 1
            if not self.uses[ref.key]:
                self.held.pop(ref.key, None)

    def _finished(
        self,
        call: Call,
        seconds: float,
        cached: bool,
        values: tuple[Any, ...],
        look: Look | None = None,
        peak: int = 0,
    ) -> None:
        key, type = call.key, call.type
        look = look or self.pictures.look(values, type.output_index.get(type.shows) if type.shows else None)
        picture = self._picture(call, look) if look else None
        size = self.cache.size(key)
        self.emit(Finished(call.node, key, call.iteration, seconds, cached, picture, size, peak))
        if key in self.plan.twins:
            for node in self.plan.twins[key]:
                if node != call.node:
                    self.emit(Finished(node, key, call.iteration, 0.0, True, picture, size))

    def _picture(self, call: Call, look: Look) -> Picture | None:
        """None when pictures have taken too much of the run's time."""
        last = self.plan.keys.get(call.node) == call.key
        if call.key not in self.roots and not self.pictures.have_time(last):
            return None
        try:
            return self.pictures.take(look)
        except Exception as error:
            self._give_up_if_broken(call, error)
            message, trace = explain(error)
            self.emit(Failed(call.node, f"the result cannot be shown: {message}", None, trace))
            return None


class _CallContext(Context):
    def __init__(self, run: _Run, call: Call) -> None:
        self._run, self._call = run, call
        self._first = True
        self.look: Look | None = None  # that of the last report
        self.workflow, self.out_dir = run.sinks.workflow, run.sinks.out_dir
        self.naming, self.carries_workflow = run.sinks.naming, run.sinks.carries_workflow

    def workflow_of(self, item: int, count: int) -> str:
        of = self._run.sinks.workflow_of
        return of(self._call.node, item, count) if of and self.workflow and count > 1 else self.workflow

    def progress(self, done: int, total: int, preview: Look | None = None) -> None:
        run = self._run
        run.settle_arrived()
        if not run.wanted(self._call.key):
            raise Cancelled
        now = time.perf_counter()
        if not self._first and done < total and now - run.reported < EVENT_SECONDS:
            return
        picture = None
        if done >= total:
            self.look = preview  # shown with the result, which is about to come
        elif preview and now - run.pictured >= EVENT_SECONDS:
            picture = preview()
            run.pictured = time.perf_counter()
        self._first, run.reported = False, now
        run.say(Progress(self._call.node, done, total, picture))

    def saved(self, path: str) -> None:
        self._run.sinks.written.setdefault(self._call.key, []).append(path)
        self._run.say(Saved(self._call.node, path, self._call.key))


def _check_files(call: Call) -> None:
    """Raises Changed when a file is not any more what the call's key says."""
    if call.files:
        for path, known in call.files.items():
            if fingerprint(path) != known:
                raise Changed(path)


def _networks_of(order: Sequence[Call], start: int) -> set[NetworkId]:
    """What the calls from this place on describe in their arguments."""
    return {found for call in order[start:] for value in call.args.values() for found in networks(value)}


def _reads_what_was_made(call: Call) -> bool:
    """Whether it reads a file that another call names, so that its key cannot say what is in that file."""
    names = call.type.file_inputs
    return bool(names) and any(isinstance(call.args[name], Ref) for name in names)

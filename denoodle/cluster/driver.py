"""A sweep by several workers: who does which cell, what is sent where, and what comes of it, which is kept here."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from denoodle.cluster.files import Wanted, parts, tree_at, wanted_at
from denoodle.cluster.worker import versions
from nodegraph.failure import explain
from nodegraph.formats import workflow
from nodegraph.graph import Graph
from nodegraph.node import File, NodeType
from nodegraph.planning.fingerprints import locate
from nodegraph.planning.plan import Plan, Planner
from nodegraph.registry import Registry
from nodegraph.running.keeper import networks
from nodegraph.running.messages import Failed, Saved
from nodegraph.sweeping.cells import graphs
from nodegraph.sweeping.here import Came, Stop, Tell
from nodegraph.sweeping.ledger import Ledger
from nodegraph.sweeping.news import event_of
from nodegraph.sweeping.scheduler import TRIES, Item, Scheduler
from nodegraph.sweeping.sweep import Cell, Sweep

START_SECONDS = 180.0
PATIENCE = 0.25
"""Seconds between two looks at what workers are doing."""

MOST_TRIED = 50
"""Values of an axis that are looked at to tell whether networks hang on it."""

MOST_DEATHS = 20
"""Of workers, one after the other: then it is not the cells."""

PART = 32 << 20
"""Bytes of a file that are sent at a time."""


class Answer(NamedTuple):
    """What a worker made of a job; see `Worker.compute`. text: None when the worker died."""

    worker: int
    text: str | None
    data: list[bytes]


class Workers(Protocol):
    """Engines in processes of their own, by number; each is a `Worker`, whose words are passed on."""

    def hire(self) -> int:
        """Start another; its number."""
        ...

    def hello(self, worker: int, seconds: float) -> dict[str, Any] | None:
        """Who it is; None when it is still starting after so many seconds. Raises ValueError when it cannot start."""
        ...

    def dismiss(self, worker: int) -> None:
        """End one that has nothing to do."""
        ...

    def find(self, worker: int, wanted: str) -> str: ...

    def send(self, worker: int, wanted: str, part: str, data: bytes, last: bool) -> None: ...

    def keep(self, worker: int, wanted: str) -> str: ...

    def begin(self, worker: int, job: str) -> None: ...

    def answers(self, seconds: float) -> Iterator[Answer]:
        """Of those that are through by now, or within so many seconds."""
        ...

    def news(self) -> list[str]:
        """What happened at those that are at work, as far as it has come; waits for nobody."""
        ...

    def stop(self) -> None:
        """Have everybody stop, and end who does not, within two seconds."""
        ...


class Stopped(Exception):
    """Nobody wants it any more."""


class Driver:
    """types: of the workflow's nodes. say: what a person is to know, in a sentence."""

    def __init__(
        self, workers: Workers, registry: Registry, types: Mapping[str, NodeType], say: Callable[[str], None]
    ) -> None:
        self._workers, self._registry, self._types, self.say = workers, registry, types, say
        self.environment: str | None = None
        self._hosts: dict[int, str] = {}
        self._places: dict[int, dict[str, str]] = {}  # by worker, where files lie there that it has elsewhere
        self._wanted: dict[str, Wanted] = {}  # by path, what some worker lacked

    def hire(self, count: int, stop: Stop = lambda: False) -> list[int]:
        """So many workers, but for those that compute otherwise than most. Raises ValueError when one is not fit;
        Stopped.
        """
        hired = [self._workers.hire() for _ in range(count)]
        told = {worker: self._hello(worker, stop) for worker in hired}
        for one in told.values():
            for name, ours in versions().items():
                if (theirs := one["versions"][name]) != ours:
                    raise ValueError(f"the worker on {one['host']} has {name} {theirs}; it must have {ours}, as here")
        ((self.environment, _),) = Counter(one["environment"] for one in told.values()).most_common(1)
        self._hosts = {worker: one["host"] for worker, one in told.items()}
        for worker in hired:
            if (theirs := told[worker]["environment"]) != self.environment:
                self.say(f"{self.name(worker)} computes otherwise than the others, {theirs!r}; it is left out")
                self._workers.dismiss(worker)
        return [worker for worker in hired if told[worker]["environment"] == self.environment]

    def _hello(self, worker: int, stop: Stop) -> dict[str, Any]:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if stop():
                raise Stopped
            told = self._workers.hello(worker, PATIENCE)
            if told is not None:
                return told
        raise ValueError(f"a worker cannot start: it was not there after {START_SECONDS:.0f} s")

    def name(self, worker: int) -> str:
        """What people call it."""
        host = self._hosts.get(worker)
        return f"worker {worker} on {host}" if host else f"worker {worker}"

    def came(
        self,
        graph: Graph,
        targets: tuple[str, ...],
        sweep: Sweep,
        order: Sequence[Cell],
        ledger: Ledger,
        workers: Sequence[int],
        tell: Tell = lambda cell, event: None,
        stop: Stop = lambda: False,
    ) -> Iterator[Came]:
        """What comes of each cell, as it comes. A worker that dies is replaced, and its cell done again."""
        run = _Run(self, self._workers, graph, targets, sweep, order, ledger, len(workers), stop)
        yield from run.made(workers, tell)

    def plan(self) -> Callable[[Graph, tuple[str, ...]], Plan]:
        """What plans as the workers do."""
        return Planner(self._registry, self.environment or "").plan

    def job(self, worker: int, cell: Cell, graph: Graph, targets: Sequence[str]) -> str:
        """What a worker is told of a cell, see `Worker.compute`."""
        named = {path: place for path in _files(graph, self._types) if (place := locate(path)) is not None}
        told: dict[str, Any] = {"cell": cell, "workflow": workflow.dumps(graph), "targets": list(targets)}
        told["files"] = {path: tree_at(place) for path, place in named.items()}
        return json.dumps(told | {"expects": self.environment, "places": self._places.setdefault(worker, {})})

    def send(self, worker: int, paths: Sequence[str], stop: Stop) -> None:
        """What a worker lacks, once, unless it has it elsewhere. Raises ValueError with a sentence that names the file
        and the worker; Stopped.
        """
        for path in paths:
            if path in self._places[worker]:  # it was there, and is no more
                del self._places[worker][path]
            try:
                self._places[worker][path] = self._place(worker, path, stop)
            except Stopped:
                raise
            except Exception as error:
                why = explain(error)[0].splitlines()[-1]
                raise ValueError(f"{self.name(worker)} lacks {path}, and it could not be sent: {why}") from error

    def _place(self, worker: int, path: str, stop: Stop) -> str:
        """Where a worker has what it lacked under this path."""

        def heard(*_: int) -> None:
            if stop():
                raise Stopped

        place = locate(path) or path
        if path not in self._wanted or self._wanted[path].tree != tree_at(place):
            self._wanted[path] = wanted_at(place, heard)
        wanted = self._wanted[path]
        told = json.dumps(wanted._asdict())
        if there := self._workers.find(worker, told):
            return there
        self.say(f"sending {path} to {self.name(worker)}")
        for part, file in parts(place):
            with open(file, "rb") as opened:
                last = False
                while not last:
                    heard()
                    data = opened.read(PART)
                    last = opened.tell() >= wanted.tree[part][0] or not data
                    self._workers.send(worker, told, part, data, last)
        return self._workers.keep(worker, told)


class _Run:
    """One sweep. doing: by worker, which cell it is at, and its plan."""

    def __init__(
        self,
        driver: Driver,
        cluster: Workers,
        graph: Graph,
        targets: tuple[str, ...],
        sweep: Sweep,
        order: Sequence[Cell],
        ledger: Ledger,
        workers: int,
        stop: Stop,
    ) -> None:
        self.driver, self.cluster, self.ledger, self.stop = driver, cluster, ledger, stop
        self.graph, self.targets, self.sweep, self.order = graph, targets, sweep, order
        self.plan = driver.plan()
        self.scheduler = Scheduler(self._needs(), workers)
        self.doing: dict[int, tuple[Item, Plan]] = {}
        self.deaths = 0  # of workers, one after the other
        self.why_none = "no worker is left"  # which the cells that nobody can do are told

    def _needs(self) -> list[Hashable]:
        """What each cell needs, told by the values of the axes on which networks hang, each looked at alone.

        Of many values some are looked at: each takes a plan, and a wrong guess costs no more than loads.
        """
        first = (0,) * len(self.sweep.axes)
        base = self._networks(first)
        deciding: list[int] = []
        for axis, varied in enumerate(self.sweep.axes):
            step = 1 + len(varied.values) // MOST_TRIED
            others = ((*first[:axis], index, *first[axis + 1 :]) for index in range(step, len(varied.values), step))
            if any(self._networks(other) != base for other in others):
                deciding.append(axis)
        return [tuple(cell[axis] for axis in deciding) for cell in self.order]

    def _networks(self, cell: Cell) -> frozenset[Hashable]:
        plan = self._planned(cell)[1]
        return frozenset(id for call in plan.calls.values() for value in call.args.values() for id in networks(value))

    def _planned(self, cell: Cell) -> tuple[Graph, Plan]:
        (alone,) = graphs(self.graph, self.sweep, [cell])
        return alone, self.plan(alone, self.targets)

    def made(self, workers: Sequence[int], tell: Tell) -> Iterator[Came]:
        try:
            for worker in workers:
                yield from self._go_on(worker)
            while self.doing:
                if self.stop():
                    raise Stopped
                for answer in self.cluster.answers(PATIENCE):
                    yield from self._take(answer, tell)
                self._tell(self.cluster.news(), tell)
        except Stopped:
            self.cluster.stop()
            yield from (Came(self.order[item.number], stopped=True) for item, _ in self.doing.values())
            return
        while (item := self.scheduler.next("nobody")) is not None:
            yield self._failed(item, self.why_none)

    def _tell(self, news: Sequence[str], tell: Tell) -> None:
        for text in news:
            told = json.loads(text)
            if not isinstance(event := event_of(told), Saved):  # in a folder of the worker's; see `_keep`
                tell(tuple(told["cell"]), event)

    def _go_on(self, worker: int) -> Iterator[Came]:
        """Give a worker what it does next; what is there already, or cannot be computed, is told at once."""
        while (item := self.scheduler.next(worker)) is not None:
            alone, plan = self._planned(self.order[item.number])
            if plan.problems:
                told = tuple(Failed(problem.node, problem.message, problem.socket) for problem in plan.problems)
                yield Came(self.order[item.number], failures=told)
                continue
            if not self._todo(plan):
                yield Came(self.order[item.number], self._images(plan), cached=plan.num_results)
                continue
            self._begin(worker, item, alone, plan)
            return

    def _begin(self, worker: int, item: Item, graph: Graph, plan: Plan) -> None:
        self.doing[worker] = item, plan
        self.cluster.begin(worker, self.driver.job(worker, self.order[item.number], graph, self._todo(plan)))

    def _todo(self, plan: Plan) -> list[str]:
        targets = [target for target in self.targets if target in plan.keys]
        return [target for target in targets if self.ledger.files(plan.keys[target]) is None]

    def _images(self, plan: Plan) -> tuple[str, ...]:
        keys = [plan.keys[target] for target in self.targets if target in plan.keys]
        return tuple(dict.fromkeys(str(path) for key in keys for path in self.ledger.files(key) or ()))

    def _take(self, answer: Answer, tell: Tell) -> Iterator[Came]:
        item, plan = self.doing.pop(answer.worker)
        if answer.text is None:
            yield from self._lost(answer.worker)
            return
        self.deaths = 0
        told: dict[str, Any] = json.loads(answer.text)
        if "refused" in told:
            self._leave_out(answer.worker, told["refused"])
            return
        if "lacking" in told:
            self._send(answer.worker, item, plan, told["lacking"])
            return
        self._tell(told["news"], tell)
        failures = tuple(Failed(node, message, None, trace) for node, message, trace in told["failures"])
        if not failures and not told["stopped"]:
            for event in self._keep(plan, told["saved"], answer.data):
                tell(self.order[item.number], event)
        images = self._images(plan)
        yield Came(self.order[item.number], images, told["run"], told["cached"], told["seconds"], failures)
        yield from self._go_on(answer.worker)

    def _send(self, worker: int, item: Item, plan: Plan, paths: Sequence[str]) -> None:
        self.doing[worker] = item, plan  # should it be stopped meanwhile
        try:
            self.driver.send(worker, paths, self.stop)
        except ValueError as error:
            del self.doing[worker]
            self._leave_out(worker, str(error))
            return
        alone, plan = self._planned(self.order[item.number])
        self._begin(worker, item, alone, plan)

    def _leave_out(self, worker: int, why: str) -> None:
        self.driver.say(f"{why}; it is left out")
        self.why_none = why
        self.scheduler.left_out(worker)

    def _keep(self, plan: Plan, saved: Mapping[str, Sequence[str]], data: Sequence[bytes]) -> Iterator[Saved]:
        beside, rest = self.ledger.beside(), iter(data)
        written: dict[str, list[str]] = {}
        for target, names in saved.items():
            if self.ledger.files(plan.keys[target]) is not None:  # another worker was faster with what both write
                _ = [next(rest) for _ in names]
                continue
            written[plan.keys[target]] = []
            for name in names:
                place = beside / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(next(rest))
                written[plan.keys[target]].append(os.fspath(place))
        kept, keys = self.ledger.keep(written), {plan.keys[target]: target for target in saved}
        return (Saved(keys[key], str(path), key) for key, paths in kept.items() for path in paths)

    def _lost(self, worker: int) -> Iterator[Came]:
        given_up = self.scheduler.lost(worker)
        if given_up is not None:
            yield self._failed(given_up, f"{TRIES} workers died while they computed it")
        self.deaths += 1
        if self.deaths == MOST_DEATHS:
            self.why_none = f"{MOST_DEATHS} workers died one after the other"
            return
        self.driver.say(f"{self.driver.name(worker)} is gone; another takes its place, and its cell is done again")
        yield from self._go_on(self.cluster.hire())

    def _failed(self, item: Item, why: str) -> Came:
        return Came(self.order[item.number], failures=(Failed("", why),))


def _files(graph: Graph, types: Mapping[str, NodeType]) -> Iterator[str]:
    """The files and folders that a workflow names."""
    for node in graph.nodes.values():
        type = types.get(node.type)
        for spec in type.inputs if type else ():
            value = node.params.get(spec.name)
            if spec.get(File) and isinstance(value, str) and value:
                yield value

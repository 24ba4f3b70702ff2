"""A sweep on a cluster: who does which cell, what is sent where, and what comes of it. The pictures are kept here."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from denoodle.cluster.cluster import Answer, Cluster
from denoodle.cluster.worker import digest_of
from nodegraph.formats import workflow
from nodegraph.graph import Graph
from nodegraph.node import File, NodeType
from nodegraph.planning.fingerprints import locate
from nodegraph.planning.plan import Plan, Planner
from nodegraph.registry import Registry
from nodegraph.running.keeper import networks
from nodegraph.running.messages import Event, Failed
from nodegraph.sweeping.cells import graphs
from nodegraph.sweeping.here import Came
from nodegraph.sweeping.ledger import Ledger
from nodegraph.sweeping.scheduler import TRIES, Item, Scheduler
from nodegraph.sweeping.sweep import Cell, Sweep

PATIENCE = 0.25
"""Seconds between two looks at what workers are doing."""

MOST_TRIED = 50
"""Values of an axis that are looked at to tell whether networks hang on it."""

Tell = Callable[[Event], None]


class Driver:
    """types: of the workflow's nodes. say: what a person is to know, in a sentence."""

    def __init__(
        self, cluster: Cluster, registry: Registry, types: Mapping[str, NodeType], say: Callable[[str], None]
    ) -> None:
        self._cluster, self._registry, self._types, self.say = cluster, registry, types, say
        self.environment: str | None = None
        self._places: dict[int, dict[str, str]] = {}  # by worker, where files lie there that were sent
        self._digests: dict[str, str] = {}

    def hire(self, count: int) -> list[int]:
        """So many workers that are fit for this program. Raises ValueError when one is not."""
        hired = [self._cluster.hire() for _ in range(count)]
        for worker in hired:
            told = self._cluster.hello(worker)
            if self.environment is None:
                self.environment = told["environment"]
            elif told["environment"] != self.environment:
                ours, theirs = self.environment, told["environment"]
                raise ValueError(
                    f"the worker on {told['host']} computes otherwise than the others, {theirs!r}, not {ours!r}: "
                    "one sweep is made on machines of one kind"
                )
        return hired

    def came(
        self,
        graph: Graph,
        targets: tuple[str, ...],
        sweep: Sweep,
        order: Sequence[Cell],
        ledger: Ledger,
        workers: Sequence[int],
        tell: Tell = lambda event: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[Came]:
        """What comes of each cell, as it comes. A worker that dies is replaced, and its cell done again."""
        run = _Run(self, self._cluster, graph, targets, sweep, order, ledger, len(workers))
        yield from run.made(workers, tell, stop)

    def plan(self) -> Callable[[Graph, tuple[str, ...]], Plan]:
        """What plans as the workers do."""
        return Planner(self._registry, self.environment or "").plan

    def job(self, worker: int, graph: Graph, targets: Sequence[str]) -> str:
        """What a worker is told of a cell, see `Worker.compute`."""
        named = {path: place for path in _files(graph, self._types) if (place := locate(path)) is not None}
        told: dict[str, Any] = {"workflow": workflow.dumps(graph), "targets": list(targets)}
        told["files"] = {path: _size(place) for path, place in named.items()}
        return json.dumps(told | {"expects": self.environment, "places": self._places.setdefault(worker, {})})

    def send(self, worker: int, paths: Sequence[str]) -> None:
        """What a worker lacks, once. Raises ValueError with a sentence that names the file and the worker."""
        for path in paths:
            place = Path(locate(path) or path)
            if place.is_dir():
                raise ValueError(f"worker {worker} lacks the folder {path}: put it there, or use single files")
            self.say(f"sending {path} to worker {worker}")
            try:
                self._places[worker][path] = self._cluster.send(worker, place, self._digest(place))
            except Exception as error:
                raise ValueError(f"worker {worker} lacks {path}, and it could not be sent: {error}") from error

    def _digest(self, place: Path) -> str:
        if str(place) not in self._digests:
            self._digests[str(place)] = digest_of(place)
        return self._digests[str(place)]


class _Run:
    """One sweep. doing: by worker, which cell it is at, and its plan."""

    def __init__(
        self,
        driver: Driver,
        cluster: Cluster,
        graph: Graph,
        targets: tuple[str, ...],
        sweep: Sweep,
        order: Sequence[Cell],
        ledger: Ledger,
        workers: int,
    ) -> None:
        self.driver, self.cluster, self.ledger = driver, cluster, ledger
        self.graph, self.targets, self.sweep, self.order = graph, targets, sweep, order
        self.plan = driver.plan()
        self.scheduler = Scheduler(self._needs(), workers)
        self.doing: dict[int, tuple[Item, Plan]] = {}

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

    def made(self, workers: Sequence[int], tell: Tell, stop: Callable[[], bool]) -> Iterator[Came]:
        for worker in workers:
            yield from self._go_on(worker)
        while self.doing:
            if stop():
                self.cluster.stop()
                yield from (Came(self.order[item.number], stopped=True) for item, _ in self.doing.values())
                return
            for answer in self.cluster.answers(PATIENCE):
                yield from self._take(answer)
            for worker, events in self.cluster.news():
                for event in events if worker in self.doing else ():
                    tell(event)
        while (item := self.scheduler.next("nobody")) is not None:
            yield self._failed(item, "no worker is left")

    def _go_on(self, worker: int) -> Iterator[Came]:
        """Give a worker what it does next; what is there already, or cannot be computed, is told at once."""
        while (item := self.scheduler.next(worker)) is not None:
            alone, plan = self._planned(self.order[item.number])
            if plan.problems:
                told = tuple(Failed(problem.node, problem.message, problem.socket) for problem in plan.problems)
                yield Came(self.order[item.number], failures=told)
                continue
            todo = self._todo(plan)
            if not todo:
                yield Came(self.order[item.number], self._images(plan), cached=plan.num_results)
                continue
            self.doing[worker] = item, plan
            self.cluster.begin(worker, self.driver.job(worker, alone, todo))
            return

    def _todo(self, plan: Plan) -> list[str]:
        targets = [target for target in self.targets if target in plan.keys]
        return [target for target in targets if self.ledger.files(plan.keys[target]) is None]

    def _images(self, plan: Plan) -> tuple[str, ...]:
        keys = [plan.keys[target] for target in self.targets if target in plan.keys]
        return tuple(dict.fromkeys(str(path) for key in keys for path in self.ledger.files(key) or ()))

    def _take(self, answer: Answer) -> Iterator[Came]:
        item, plan = self.doing.pop(answer.worker)
        if answer.text is None:
            yield from self._lost(answer.worker)
            return
        told: dict[str, Any] = json.loads(answer.text)
        if "refused" in told:
            self.driver.say(f"{told['refused']}; it is left out")
            self.scheduler.lost(answer.worker)
            return
        if "lacking" in told:
            yield from self._send(answer.worker, item, plan, told["lacking"])
            return
        failures = tuple(Failed(node, message, None, trace) for node, message, trace in told["failures"])
        if not failures and not told["stopped"]:
            self._keep(plan, told["saved"], answer.data)
        images = self._images(plan)
        yield Came(self.order[item.number], images, told["run"], told["cached"], told["seconds"], failures)
        yield from self._go_on(answer.worker)

    def _send(self, worker: int, item: Item, plan: Plan, paths: Sequence[str]) -> Iterator[Came]:
        try:
            self.driver.send(worker, paths)
        except ValueError as error:
            yield self._failed(item, str(error))
            yield from self._go_on(worker)
            return
        alone, plan = self._planned(self.order[item.number])
        self.doing[worker] = item, plan
        self.cluster.begin(worker, self.driver.job(worker, alone, self._todo(plan)))

    def _keep(self, plan: Plan, saved: Mapping[str, Sequence[str]], data: Sequence[bytes]) -> None:
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
        self.ledger.keep(written)

    def _lost(self, worker: int) -> Iterator[Came]:
        given_up = self.scheduler.lost(worker)
        self.driver.say(f"worker {worker} is gone; another takes its place, and its cell is done again")
        if given_up is not None:
            yield self._failed(given_up, f"{TRIES} workers died while they computed it")
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


def _size(place: str) -> int:
    """In bytes; -1 of a folder."""
    return -1 if os.path.isdir(place) else os.path.getsize(place)

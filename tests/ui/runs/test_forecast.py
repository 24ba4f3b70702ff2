"""When the queue will be done: on an engine that is none, with a clock that stands."""

import pytest
from PySide6.QtCore import QObject, Signal

from nodegraph.planning.plan import plan
from nodegraph.registry import Registry
from nodegraph.running.messages import Finished, Idle, Keeps, Kept, Planned, Ready, Started
from nodegraph.running.pace import CallKinds, Pace
from tests.ui.engines import slow
from ui.runs.forecast import Forecast
from ui.runs.queue import Queue

NOW = 1_000_000.0


class StandingEngine(QObject):
    """Runs what it is given until it is told that it has."""

    freed = Signal()
    happened = Signal(object)
    environment, ready = "", True

    def __init__(self) -> None:
        super().__init__()
        self.pace, self.receiver = Pace(), None
        self.asked: list[Keeps] = []

    @property
    def running(self) -> bool:
        return self.receiver is not None

    def run(self, graph, targets, receiver, *, effects=True) -> None:
        self.receiver = receiver

    def ask(self, request: Keeps) -> None:
        self.asked.append(request)

    def tell(self, event) -> None:
        self.happened.emit(event)
        receiver = self.receiver
        if isinstance(event, Idle):
            self.receiver = None
        receiver(event)
        if isinstance(event, Idle):
            self.freed.emit()


class Desk:
    """Boxes take 2 s, what holds them up 10 s."""

    def __init__(self, registry: Registry) -> None:
        self.registry, self.engine = registry, StandingEngine()
        self.queue = Queue(self.engine)  # type: ignore[arg-type]
        self.forecast = Forecast(self.queue, self.engine, registry, lambda: NOW)  # type: ignore[arg-type]

    def look(self) -> None:
        self.forecast._look()
        self.forecast._planning.finish()

    def learn(self) -> None:
        for work in self.forecast._work.values():
            kinds = CallKinds()
            for call in work.calls.values():
                self.engine.pace.learn(kinds.of(call), {"box": 2.0, "slow": 10.0, "save": 0.0}[call.node])
        self.forecast.tell()

    @property
    def rest(self) -> dict[int | str, float]:
        return {key: end - NOW for key, end in self.forecast.ends.items()}


@pytest.fixture
def desk(qapp, registry: Registry) -> Desk:
    return Desk(registry)


def test_nothing_is_said_while_nothing_is_known_and_then_when_each_job_and_all_are_done(desk: Desk):
    for tag in "abc":
        desk.queue.add(slow(1, tag=tag), ("save",), tag)
    desk.look()
    assert (desk.rest, desk.forecast.end) == ({}, None)
    desk.forecast._dues.clear()  # as before anything was heard of it
    desk.learn()
    assert desk.rest == {1: 12, 2: 22, 3: 32}  # the box is the same, and made once
    desk.engine.tell(Planned(2, 0))
    desk.forecast.tell()
    assert desk.rest == {1: 12, 2: 22, 3: 32}
    assert desk.forecast._clock.isActive()
    assert desk.forecast.end == NOW + 32


def test_it_follows_what_is_done_and_what_is_kept(desk: Desk, registry: Registry):
    first = slow(1, tag="a")
    desk.queue.add(first, ("save",), "a")
    desk.queue.add(slow(1, tag="b"), ("save",), "b")
    desk.look()
    desk.learn()
    desk.engine.tell(Planned(2, 0))
    keys = plan(first, registry, ("save",)).keys
    desk.engine.tell(Started("box", keys["box"]))
    desk.engine.tell(Finished("box", keys["box"], (), 2.0, False))
    desk.forecast.tell()
    assert desk.rest == {1: 10, 2: 20}
    last = desk.engine.asked[-1]
    desk.engine.happened.emit(Kept(last.name, last.keys))  # another session made it
    desk.forecast.tell()
    assert desk.rest == {1: 10, 2: 10}
    desk.engine.tell(Idle(2, 0, 12.0))
    desk.look()
    assert desk.rest == {2: 0}
    desk.engine.tell(Planned(2, 2))
    desk.forecast.tell()
    assert desk.rest == {2: 0}


def test_what_another_process_says_before_a_job_that_runs_is_planned_again_is_no_fault(desk: Desk):
    desk.queue.add(slow(1, tag="a"), ("save",), "a")
    desk.look()
    desk.learn()
    desk.engine.happened.emit(Ready(1, 0.1, "other"))
    last = desk.engine.asked[-1]
    desk.engine.happened.emit(Kept(last.name, last.keys[:1]))
    desk.look()
    assert desk.forecast._dues.keys() == {1}


def test_the_cells_of_a_sweep_that_are_not_listed_count_and_what_comes_after_waits_for_them(desk: Desk):
    desk.queue.pause()
    for tag in "ab":
        desk.queue.add(slow(1, tag=tag), ("save",), tag, block="sweep")
    desk.queue.expect("sweep", 3)
    desk.queue.add(slow(1, tag="c"), ("save",), "c")
    desk.queue.paused = False
    desk.look()
    desk.learn()
    assert desk.rest == {1: 12, 2: 12 + 10 + 3 * 11, "sweep": 55, 3: 65}
    desk.queue.pause()
    desk.forecast.tell()
    assert desk.rest == {}


def test_two_engines_are_done_sooner(desk: Desk):
    desk.queue.pause()
    other = StandingEngine()
    desk.queue.employ(other)  # type: ignore[arg-type]
    for tag in "abc":
        desk.queue.add(slow(1, tag=tag), ("save",), tag)
    desk.queue.paused = False
    desk.look()
    desk.learn()
    assert desk.rest == {1: 12, 2: 10, 3: 20}

"""Several engines take jobs off one queue: no job twice, no engine two at a time, and none is left."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QObject, Signal

from nodegraph.graph import Graph
from nodegraph.running.engine import Settings
from nodegraph.running.messages import Event, Gone, Idle
from tests.ui.engines import LONG, Desk, loop, slow
from ui.runs.engine import Engine
from ui.runs.hand import assigned
from ui.runs.queue import Queue


class FakeEngine(QObject):
    """Runs what it is given when it is told to go on."""

    freed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.receiver = None
        self.ran: list[str] = []

    @property
    def running(self) -> bool:
        return self.receiver is not None

    def run(self, graph: Graph, targets: object, receiver: object, *, effects: bool = True) -> None:
        assert self.receiver is None, "two at a time"
        self.receiver = receiver
        self.ran.append(graph.nodes["box"].params["value"])

    def stop(self, receiver: object) -> None:
        if receiver == self.receiver:
            self.end(Idle(0, 0, 0.0, stopped=True))

    forget = stop

    def end(self, event: Event) -> None:
        receiver, self.receiver = self.receiver, None
        receiver(event)
        self.freed.emit()


def test_the_cells_of_a_sweep_give_way_to_a_job_of_a_higher_priority():
    engine = FakeEngine()
    queue = Queue(engine)
    for number in range(4):
        queue.add(slow(1, value=float(number)), ("save",), "cell", block="sweep")
    job = queue.add(slow(1, value=10.0), ("save",), "job")
    queue.prioritise(job.id, by=1)
    late = queue.add(slow(1, value=4.0), ("save",), "cell", block="sweep")
    assert late.priority == 0
    while engine.running:
        engine.end(Idle(1, 0, 0.1))
    assert engine.ran == [0, 10, 1, 2, 3, 4]


def test_cells_that_come_later_have_the_priority_of_their_sweep_and_its_place():
    engine = FakeEngine()
    queue = Queue(engine)
    cell = queue.add(slow(1, value=1.0), ("save",), "cell", block="sweep")
    queue.add(slow(1, value=10.0), ("save",), "job")
    queue.prioritise(cell.id, by=-1)
    assert queue.add(slow(1, value=2.0), ("save",), "cell", block="sweep").priority == -1
    queue.prioritise(cell.id, by=1)
    queue.prioritise(*(job.id for job in queue.jobs if job.block), by=1)
    assert [job.title for job in queue.jobs] == ["cell", "cell", "job"]


KINDS = ("add", "end", "die", "cancel", "pause", "resume", "employ", "dismiss")
ACTS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 3)), max_size=40)


@given(ACTS)
def test_whatever_happens_each_job_is_run_at_one_place_at_a_time_and_in_the_end_none_waits(acts: list[tuple[str, int]]):
    engines = [FakeEngine() for _ in range(4)]
    queue = Queue(engines[0])
    employed = [engines[0]]
    for number, (act, which) in enumerate(acts):
        engine = engines[which]
        if act == "add":
            queue.add(slow(1, value=float(number)), ("save",), str(number))
        elif act in ("end", "die") and engine.running:
            engine.end(Idle(1, 0, 0.1) if act == "end" else Gone(-6, None, "it crashed"))
        elif act == "cancel" and (live := [job.id for job in queue.jobs if not job.over]):
            queue.cancel(live[which % len(live)])
        elif act == "pause":
            queue.pause()
        elif act == "resume":
            queue.resume()
        elif act == "employ" and engine not in employed:
            employed.append(engine)
            queue.employ(engine)
        elif act == "dismiss" and engine in employed[1:]:
            employed.remove(engine)
            queue.dismiss(engine)
        running = [job for job in queue.jobs if job.state == "running"]
        assert len(running) == sum(engine.running for engine in engines)
        assert not any(engine.running for engine in engines if engine not in employed)
        if not queue.paused and any(job.state == "pending" for job in queue.jobs):
            assert all(engine.running for engine in employed)  # nobody is idle while a job waits
    queue.resume()
    while working := [engine for engine in engines if engine.running]:
        working[0].end(Idle(1, 0, 0.1))
    assert all(job.over for job in queue.jobs)
    queue.close()


def test_the_first_job_goes_to_the_first_that_is_free():
    first, second, third = FakeEngine(), FakeEngine(), FakeEngine()
    queue = Queue(first)
    for engine in (second, third):
        queue.employ(engine)
    second.receiver = print  # at work
    assert [(id, hand.engine) for id, hand in assigned((7, 8, 9), queue._hands)] == [(7, first), (8, third)]
    queue.close()


@pytest.fixture
def second(desk: Desk) -> Iterator[Engine]:
    """Another engine process beside that of the desk."""
    made = Engine(Settings("tests.toy_nodes", cache=None, out_dir=str(desk.folder / "out")))
    yield made
    made.close()


def test_two_processes_work_at_two_jobs_at_a_time(desk: Desk, second: Engine, qtbot):
    desk.queue.employ(second)
    for number in range(4):
        desk.queue.add(slow(20, tag=str(number)), ("save",), str(number))
    assert [job.state for job in desk.queue.jobs] == ["running", "running", "pending", "pending"]
    qtbot.waitUntil(lambda: [job.state for job in desk.queue.jobs] == ["done"] * 4, timeout=LONG)
    assert len({path for job in desk.queue.jobs for path in job.saved}) == 4


def test_what_another_engine_runs_is_seen_in_its_row_and_not_on_the_canvas(desk: Desk, second: Engine, qtbot):
    desk.queue.employ(second)
    runner = desk.open(loop(60))
    runner.run()  # takes the engine of the documents
    job = desk.queue.add(slow(5, tag="other"), ("save",), "other")
    assert desk.queue.running is None
    qtbot.waitUntil(lambda: desk.queue.job(job.id).state == "done", timeout=LONG)
    assert desk.queue.job(job.id).picture is not None
    runner.stop()
    qtbot.waitUntil(lambda: not desk.engine.running, timeout=LONG)


def test_an_engine_that_is_dismissed_gives_its_job_back(desk: Desk, second: Engine, qtbot):
    desk.queue.employ(second)
    desk.queue.add(slow(60, tag="a"), ("save",), "a")
    desk.queue.add(slow(1, tag="b"), ("save",), "b")
    qtbot.waitUntil(lambda: second.ready, timeout=LONG)
    desk.queue.dismiss(second)
    qtbot.waitUntil(lambda: [job.state for job in desk.queue.jobs] == ["done"] * 2, timeout=LONG)


def test_cancelling_and_pausing_reach_every_engine(desk: Desk, second: Engine, qtbot):
    desk.queue.employ(second)
    endless = [desk.queue.add(slow(100_000, tag=tag), ("save",), tag) for tag in "ab"]
    qtbot.waitUntil(lambda: desk.engine.ready and second.ready, timeout=LONG)
    desk.queue.cancel(*[job.id for job in endless])
    qtbot.waitUntil(lambda: [job.state for job in desk.queue.jobs] == ["cancelled"] * 2, timeout=LONG)
    looping = [desk.queue.add(loop(100), ("save",), tag) for tag in "cd"]
    qtbot.waitUntil(lambda: all(desk.queue.job(job.id).fraction > 0 for job in looping), timeout=LONG)
    desk.queue.pause()
    qtbot.waitUntil(lambda: [desk.queue.job(job.id).state for job in looping] == ["pending"] * 2, timeout=LONG)
    assert not desk.queue.pausing

"""What the engine says reaches the window in batches, and the engine waits when there is too much of it."""

import os
import signal
import threading

import pytest
from PySide6.QtCore import QObject

from nodegraph.graph import Graph, Node, Port, connect, remove_nodes
from nodegraph.planning.calls import Call
from nodegraph.running.engine import Settings
from nodegraph.running.messages import Event, Finished, Gone, Idle, Planned, Started
from tests.toy_nodes.boxes import box
from tests.ui.engines import LONG, Desk, loop
from ui.base.post import FULL, Post
from ui.runs.call_records import Records
from ui.runs.due import Due
from ui.runs.engine import BATCH, Engine
from ui.runs.run_state import RunState

BOX = box.node_type  # type: ignore[attr-defined]

EVENT = Started("n", "k")


def test_who_reads_waits_when_too_much_has_not_been_taken():
    post, put = Post(), []

    def read() -> None:
        for number in range(FULL + 10):
            post.put(EVENT)
            put.append(number)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(0.5)
    assert reader.is_alive()
    assert len(put) == FULL
    taken = 0
    while taken < FULL + 10:
        taken += post.take() is EVENT
    reader.join(5)
    assert not reader.is_alive()


def test_the_news_of_the_end_never_waits():
    post = Post()
    for _ in range(FULL):
        post.put(EVENT)
    post.put(Gone(0))
    post.set_open(True)
    post.put(EVENT)
    assert sum(1 for _ in iter(post.take, None)) == FULL + 2


def test_a_run_of_many_quick_calls_is_told_in_batches_in_which_a_node_changes_once(desk: Desk, qtbot):
    quick = connect(remove_nodes(loop(rounds=400), ["slow"]), Port("begin", "state"), Port("step", "box"))
    runner = desk.open(quick)
    told: list[str] = []
    most: list[int] = [0]
    batches: list[int] = []

    def telling(on: bool) -> None:
        if on:
            batches.append(0)
        else:
            most[0] = max(most[0], told.count("step"))
        told.clear()

    desk.engine.telling.connect(telling)
    desk.engine.happened.connect(lambda event: batches.__setitem__(-1, batches[-1] + 1))
    runner.runs.changed.connect(told.append)
    runner.run()
    qtbot.waitUntil(lambda: runner.runs.outcome != "", timeout=LONG)
    assert sum(batches) >= 2 * 400
    assert max(batches) <= BATCH + 1
    assert most[0] == 1


def calls(count: int, node: str = "step") -> dict[str, Call]:
    return {f"{node} {i}": Call(f"{node} {i}", node, (i,), BOX, {}) for i in range(count)}


def test_the_time_left_is_not_added_up_again_for_each_event():
    class Counting(dict[str, float]):
        reads = 0

        def get(self, key, default=None):
            Counting.reads += 1
            return super().get(key, default)

    due = Due()
    due.expect(calls(4000).values())
    due._each = Counting()  # pyright: ignore[reportPrivateUsage]
    Counting.reads = 0
    for i in range(4000):
        due.over(f"step {i}")
        due.took("step", 0.5)
        due.seconds("")
    assert Counting.reads <= 5 * 4000  # so many for each event, however many calls there are
    assert due.seconds("") == 0.0


def test_the_time_left_is_what_adding_it_up_gives():
    due = Due()
    expected = {**calls(5, "group/a"), **calls(3, "b")}
    due.expect(expected.values())
    due.took("group/a", 2.0)
    due.took("b", 1.0)
    for key in ("group/a 3", "b 0", "group/a 0", "group/a 0", "unknown"):
        due.over(key)
    due.took("group/a", 4.0)
    assert (due.seconds(""), due.seconds("group"), due.seconds("group/a"), due.seconds("b")) == (14.0, 12.0, 12.0, 2.0)


def test_a_round_is_found_without_looking_at_the_others():
    records = Records()
    records.expect(calls(1000).values())
    found = records.at("step", [700])
    assert found is not None
    assert found.iteration == (700,)
    assert records.at("step", [1000]) is None


def test_of_many_steps_those_are_read_that_are_looked_at(monkeypatch):
    records, read = Records(), []
    records.expect(calls(4000).values())
    known = records.known
    monkeypatch.setattr(records, "known", lambda key: read.append(key) or known(key))
    steps = records.steps("step")
    assert (len(steps), steps[700].iteration, steps[-1].iteration) == (4000, (700,), (3999,))
    assert read == ["step 700", "step 3999"]


def test_what_changes_while_a_batch_is_told_is_told_once_at_its_end():
    runs = RunState()
    told: list[str] = []
    progress: list[None] = []
    runs.changed.connect(told.append)
    runs.progressed.connect(lambda: progress.append(None))
    runs.hold(True)
    for i in range(50):
        runs.take(Started("step", f"step {i}", (i,)))
        runs.take(Finished("step", f"step {i}", (i,), 0.1, cached=False))
    assert not told
    assert not progress
    runs.hold(False)
    assert (told, len(progress)) == (["step"], 1)


def test_of_very_many_nodes_the_views_are_told_in_pieces(qtbot):
    runs = RunState()
    told: list[str] = []
    runs.changed.connect(told.append)
    runs.hold(True)
    for i in range(1000):
        runs.take(Finished(f"n{i}", f"k{i}", (), 0.1, cached=False))
    runs.hold(False)
    assert len(told) <= 300
    qtbot.waitUntil(lambda: len(told) == 1000)


def test_planning_anew_tells_of_no_node_that_is_as_it_was():
    runs = RunState()
    for i in range(100):
        runs.take(Finished(f"n{i}", f"k{i}", (), 0.1, cached=False))
    told: list[str] = []
    runs.changed.connect(told.append)
    runs.compare({f"n{i}": f"k{i}" for i in range(100)})
    assert not told
    runs.compare({f"n{i}": "other" if i == 7 else f"k{i}" for i in range(100)})
    assert told == ["n7"]


def test_a_run_that_ends_in_a_batch_is_told_with_what_its_nodes_made():
    runs = RunState()
    runs.hold(True)
    runs.take(Planned(1, 0))
    runs.take(Finished("n", "k", (), 0.1, cached=False))
    runs.take(Idle(1, 0, 0.1))
    runs.tell()
    assert runs.of("n").state == "done"
    assert not runs.at_work


@pytest.fixture
def engine(qapp, qtbot):
    owner = QObject()
    made = Engine(Settings("tests.toy_nodes", cache=None), owner)
    made.start()
    yield made
    made.close()


@pytest.mark.usefixtures("spawned")
def test_an_engine_that_was_stopped_while_it_had_nothing_to_do_is_noticed_on_run(engine: Engine, qtbot, monkeypatch):
    heard: list[Event] = []
    engine.happened.connect(heard.append)
    qtbot.waitUntil(lambda: engine._awake, timeout=LONG)  # pyright: ignore[reportPrivateUsage]
    os.kill(engine.pid or 0, signal.SIGSTOP)
    os.waitpid(engine.pid or 0, os.WUNTRACED)  # until then it may still hear the run
    got: list[Event] = []
    engine._hearing.setInterval(200)  # pyright: ignore[reportPrivateUsage]
    engine.run(Graph({"box": Node("toy.box")}), ("box",), got.append)
    qtbot.waitUntil(lambda: any(isinstance(event, Gone) for event in got), timeout=LONG)
    qtbot.waitUntil(lambda: engine.ready, timeout=LONG)  # and another one is there
    assert "did not react" in next(event for event in got if isinstance(event, Gone)).message


def test_a_stopped_engine_has_less_than_five_seconds(engine: Engine):
    assert engine._hearing.interval() < 5000  # pyright: ignore[reportPrivateUsage]


def test_an_engine_that_is_at_work_is_not_taken_for_one_that_is_stuck(desk: Desk, qtbot):
    runner = desk.open(loop(rounds=200, parts=1))
    desk.engine.start()
    qtbot.waitUntil(lambda: desk.engine._awake, timeout=LONG)  # pyright: ignore[reportPrivateUsage]
    runner.run()
    qtbot.waitUntil(lambda: desk.engine._working, timeout=LONG)  # pyright: ignore[reportPrivateUsage]
    runner.run()
    assert not desk.engine._hearing.isActive()  # pyright: ignore[reportPrivateUsage]


def test_an_engine_that_was_not_heard_is_not_taken_for_one_that_is_stuck(engine: Engine, qtbot):
    heard: list[Event] = []
    engine.happened.connect(heard.append)
    qtbot.waitUntil(lambda: engine._awake, timeout=LONG)  # pyright: ignore[reportPrivateUsage]
    engine._hearing.setInterval(200)  # pyright: ignore[reportPrivateUsage]
    pid = engine.pid
    engine.keep_events("me", True)
    got: list[Event] = []
    engine.run(Graph({"box": Node("toy.box")}), ("box",), got.append)
    told = len(heard)
    qtbot.wait(1000)
    assert engine.pid == pid
    assert len(heard) == told
    engine.keep_events("me", False)
    qtbot.waitUntil(lambda: any(isinstance(event, Idle) for event in got), timeout=LONG)
    assert engine.pid == pid

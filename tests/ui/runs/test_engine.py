"""The engine process as the window holds it: it goes with its owner, and says nothing afterwards."""

import os
import signal
import threading
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QObject

from nodegraph.graph import Graph, Node, Port, add_node, connect
from nodegraph.running.engine import Settings
from nodegraph.running.messages import Event, Failed, Finished, Gone, Idle, Saved
from tests.ui.engines import LONG, slow
from ui.runs.engine import Engine


@pytest.fixture
def owner(qapp) -> QObject:
    return QObject()


@pytest.fixture
def others() -> set[threading.Thread]:
    """Threads of engines that tests before this one left to end."""
    return set(threading.enumerate())


@pytest.fixture
def engine(owner: QObject, others: set[threading.Thread], qtbot) -> Engine:
    """Up and running."""
    made = Engine(Settings("tests.toy_nodes", cache=None), owner)
    made.start()
    qtbot.waitUntil(lambda: made.ready, timeout=LONG)
    return made


def threads(others: set[threading.Thread]) -> list[str]:
    return [thread.name for thread in set(threading.enumerate()) - others if thread.name.startswith("engine")]


def test_the_process_ends_with_the_owner_of_the_engine(engine: Engine, owner: QObject, others: set[threading.Thread]):
    pid = engine.pid
    engine.run(slow(1000), ("save",), lambda event: None)
    shiboken6.delete(owner)
    assert not threads(others)
    with pytest.raises(ProcessLookupError):
        os.kill(pid or 0, 0)


def test_a_closed_engine_stays_closed(engine: Engine, others: set[threading.Thread], qtbot):
    heard: list[object] = []
    engine.happened.connect(heard.append)
    os.kill(engine.pid or 0, 9)  # Gone is on its way
    engine.close()
    engine.run(slow(1), ("save",), heard.append)
    qtbot.wait(50)
    assert (heard, engine.pid, threads(others)) == ([], None, [])


def breaking(folder: Path, times: int) -> Graph:
    """Something that takes a while, then a node that breaks what all runs on, so often."""
    graph = slow(5)
    broken = Node("toy.break", {"times": times, "counter": str(folder / "counter")})
    graph = connect(add_node(graph, "break", broken), Port("slow", "box"), Port("break", "box"))
    graph = add_node(graph, "after", Node("toy.save", {"filename": "after"}))
    return connect(graph, Port("break", "box"), Port("after", "box"))


@pytest.fixture
def keeping(owner: QObject, tmp_path: Path) -> Engine:
    """With results on disk."""
    cache, out = str(tmp_path / "cache"), str(tmp_path / "out")
    return Engine(Settings("tests.toy_nodes", cache=cache, out_dir=out), owner)


def test_a_run_whose_device_gave_up_goes_on_in_another_process(keeping: Engine, tmp_path: Path, qtbot):
    heard: list[Event] = []
    said: list[str] = []
    keeping.replaced.connect(said.append)
    keeping.run(breaking(tmp_path, 1), ("save", "after"), heard.append)
    qtbot.waitUntil(lambda: any(isinstance(event, Idle) for event in heard), timeout=LONG)
    assert said == [
        "The device gave up while it was running 'break' (an illegal memory access). The engine was started again, and "
        "the run goes on from what it had."
    ]
    assert not [event for event in heard if isinstance(event, Gone | Failed)]
    computed = [event.node for event in heard if isinstance(event, Finished) and not event.cached]
    assert computed.count("slow") == 1
    assert {Path(event.path).name for event in heard if isinstance(event, Saved)} == {"box1.txt", "after.txt"}
    assert not keeping.running


def test_a_run_whose_device_gives_up_at_the_same_node_again_ends(keeping: Engine, tmp_path: Path, qtbot):
    heard: list[Event] = []
    keeping.run(breaking(tmp_path, 100), ("after",), heard.append)
    qtbot.waitUntil(lambda: not keeping.running, timeout=LONG)
    (gone,) = [event for event in heard if isinstance(event, Gone)]
    assert gone.node == "break"
    assert "It did so before in this run, so the run ends here" in gone.message
    assert (tmp_path / "counter").read_text() == "xx"
    heard.clear()
    keeping.run(slow(1), ("save",), heard.append)  # another process is there for what comes next
    qtbot.waitUntil(lambda: any(isinstance(event, Idle) for event in heard), timeout=LONG)


def test_stop_waits_for_an_engine_that_has_not_come_to_a_node_yet(owner: QObject, qtbot, monkeypatch):
    monkeypatch.setattr("ui.runs.engine.PATIENCE_MS", 50)
    heard: list[Event] = []
    engine = Engine(Settings("tests.toy_nodes", cache=None), owner)
    engine.happened.connect(heard.append)
    engine.start()
    engine.run(slow(1), ("save",), heard.append)
    os.kill(engine.pid or 0, signal.SIGSTOP)  # it takes its time
    engine.stop(heard.append)
    qtbot.wait(200)
    assert not heard
    os.kill(engine.pid or 0, signal.SIGCONT)
    qtbot.waitUntil(lambda: not engine.running, timeout=LONG)
    assert not [event for event in heard if isinstance(event, Gone)]

"""The engine process as the window holds it: it goes with its owner, and says nothing afterwards."""

import os
import signal
import threading

import pytest
import shiboken6
from PySide6.QtCore import QObject

from nodegraph.running.engine import Settings
from nodegraph.running.messages import Event, Gone
from tests.ui.engines import LONG, slow
from ui.runs.engine import Engine


@pytest.fixture
def owner(qapp) -> QObject:
    return QObject()


@pytest.fixture
def engine(owner: QObject, qtbot) -> Engine:
    """Up and running."""
    made = Engine(Settings("tests.toy_nodes", cache=None), owner)
    made.start()
    qtbot.waitUntil(lambda: made.ready, timeout=LONG)
    return made


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("engine")]


def test_the_process_ends_with_the_owner_of_the_engine(engine: Engine, owner: QObject):
    pid = engine.pid
    engine.run(slow(1000), ("save",), lambda event: None)
    shiboken6.delete(owner)
    assert not threads()
    with pytest.raises(ProcessLookupError):
        os.kill(pid or 0, 0)


def test_a_closed_engine_stays_closed(engine: Engine, qtbot):
    heard: list[object] = []
    engine.happened.connect(heard.append)
    os.kill(engine.pid or 0, 9)  # Gone is on its way
    engine.close()
    engine.run(slow(1), ("save",), heard.append)
    qtbot.wait(50)
    assert (heard, engine.pid, threads()) == ([], None, [])


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

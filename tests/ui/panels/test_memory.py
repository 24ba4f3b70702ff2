"""What the engine holds, and letting go of it, with a real engine process."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from nodegraph.graph import Graph, Node, Port
from nodegraph.running.messages import Began, Finished, Memory
from tests.ui.engines import LONG, Desk
from ui.panels.memory import MemoryPanel
from ui.runs.runner import Runner


def closed() -> Graph:
    """A box with a lid on it, saved."""
    nodes = {
        "box": Node("toy.box"),
        "lid": Node("toy.lid"),
        "close": Node("toy.close", title="Close it"),
        "save": Node("toy.save"),
    }
    links = {
        Port("close", "box"): Port("box", "box"),
        Port("close", "lid"): Port("lid", "lid"),
        Port("save", "box"): Port("close", "box"),
    }
    return Graph(nodes, links)


@pytest.fixture
def runner(desk: Desk, qtbot) -> Runner:
    """A document that ran."""
    made = desk.open(closed())
    qtbot.waitUntil(lambda: made.plan.ready, timeout=LONG)
    made.run()
    qtbot.waitUntil(lambda: made.runs.outcome != "", timeout=LONG)
    return made


@pytest.fixture
def panel(runner: Runner, qtbot) -> MemoryPanel:
    made = MemoryPanel(runner.document, runner.engine, runner.plan)
    qtbot.addWidget(made)
    made.resize(800, 300)
    made.show()
    qtbot.waitUntil(lambda: rows(made) != [], timeout=LONG)
    return made


def rows(panel: MemoryPanel) -> list[tuple[str, str]]:
    """What and by whom, for everything below the headings."""
    tops = [panel.tree.topLevelItem(i) for i in range(panel.tree.topLevelItemCount())]
    items = [top.child(i) for top in tops for i in range(top.childCount())]
    return [(item.text(0), item.text(1)) for item in items]


def planned(*_: object) -> None:
    raise AssertionError("it is planned at once, though somebody waits for the window")


def test_what_the_engine_says_is_shown_by_the_plan_that_is_there(panel: MemoryPanel, monkeypatch):
    monkeypatch.setattr(panel.plan, "now", planned)
    panel.document.set_param("box", "value", 7.0)
    panel.engine.happened.emit(Memory((), {"a key of another document": 5}, 100, 0, 0))
    assert rows(panel) == [("1 result", "Earlier settings, or other documents")]


def test_results_are_listed_by_the_node_that_has_them(panel: MemoryPanel):
    assert sorted(rows(panel)) == [("1 result", "Box"), ("1 result", "Close it"), ("lid, on cpu", "Close it")]


def test_results_of_other_settings_are_told_apart(panel: MemoryPanel, runner: Runner, qtbot):
    runner.document.set_param("box", "value", 5.0)
    runner.run()
    qtbot.waitUntil(lambda: ("2 results", "Earlier settings, or other documents") in rows(panel), timeout=LONG)


def test_freed_results_are_computed_again(panel: MemoryPanel, runner: Runner, qtbot):
    QTest.mouseClick(panel.free_results, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: rows(panel) == [("lid, on cpu", "Close it")], timeout=LONG)
    computed: list[str] = []
    runner.engine.happened.connect(
        lambda e: computed.append(e.node) if isinstance(e, Finished) and not e.cached else None
    )
    runner.run()
    qtbot.waitUntil(lambda: not runner.runs.running, timeout=LONG)
    assert {"box", "close"} <= set(computed)
    assert not any(runner.runs.of(id).stale for id in ("box", "close", "save"))


def test_a_model_is_freed_and_comes_back_when_it_is_used(panel: MemoryPanel, runner: Runner, qtbot):
    panel.tree.topLevelItem(0).child(0).setSelected(True)
    QTest.mouseClick(panel.free, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: ("lid, on cpu", "Close it") not in rows(panel), timeout=LONG)
    assert ("1 result", "Close it") in rows(panel)
    runner.document.set_param("box", "value", 6.0)
    runner.run()
    qtbot.waitUntil(lambda: ("lid, on cpu", "Close it") in rows(panel), timeout=LONG)


def test_what_was_in_use_at_the_most_is_told_by_node_of_the_latest_run(panel: MemoryPanel):
    def ran(*peaks: tuple[str, int]) -> list[tuple[str, str, str]]:
        panel.engine.happened.emit(Began(1))
        for node, peak in peaks:
            panel.engine.happened.emit(Finished(node, "key", (), 1.0, False, None, 0, peak))
        panel.engine.happened.emit(Memory((), {}, 100, 0, 0))
        top = panel.tree.topLevelItem(2)
        found = [top.child(i) for i in range(top.childCount())] if top else []
        return [(item.text(0), item.text(1), item.text(2)) for item in found]

    assert ran() == []
    assert ran(("box", 5 << 20), ("close", 3 << 20), ("box", 7 << 20), ("lid", 0)) == [
        ("", "Box", "7.3 MB"),
        ("", "Close it", "3.1 MB"),
    ]
    assert ran(("box", 2 << 20)) == [("", "Close it", "3.1 MB"), ("", "Box", "2.1 MB")]

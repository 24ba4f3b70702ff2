"""Scrubbing through the steps of a run and branching off."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Port, set_param
from nodegraph.running.messages import Finished
from tests.ui.engines import LONG, Desk, climb, loop
from ui.panels.trajectory import TrajectoryPanel

WORKFLOW = Path(__file__).parents[3] / "workflows" / "text_to_image.json"


class Way(NamedTuple):
    """A run of five steps, and what its domain calls things.

    step: the node of the loop. caption: of the last step. looked: what is computed for a look at a step, before the
    node that shows it. setting: with a value that is refused, the sentence, and one that is not.
    """

    panel: TrajectoryPanel
    step: str
    caption: str
    looked: list[str]
    setting: tuple[str, float, str, float]


def starter() -> Graph:
    """The default workflow with small pictures."""
    graph = set_param(workflow.load(WORKFLOW), "scheduler", "steps", 5)
    for side in ("width", "height"):
        graph = set_param(graph, "latent", side, 64)
    return graph


@pytest.fixture(params=["toys", pytest.param("starter", marks=pytest.mark.slow)])
def way(request: pytest.FixtureRequest, qtbot, tmp_path: Path):
    package = "tests.toy_nodes" if request.param == "toys" else "nodes"
    desk = Desk(discover(package), tmp_path, package)
    runner = desk.open(climb(5) if request.param == "toys" else starter())
    made = TrajectoryPanel(runner.document, runner.runs, runner)
    qtbot.addWidget(made)
    made.resize(360, 560)
    made.show()
    runner.run()
    qtbot.waitUntil(lambda: runner.runs.outcome.startswith("Done"), timeout=3 * LONG)
    if request.param == "toys":
        refused = ("push", 99.0, "push must be between 0 and 30, got 99.0", 2.0)
        yield Way(made, "carry", r"at 5 feet", ["unlock_2"], refused)
    else:
        refused = ("guidance_scale", 99.0, "guidance_scale must be between 0 and 30, got 99.0", 1.0)
        yield Way(made, "denoise/step", r"σ .+ → 0  ·  timestep \d+ → 0", ["decode_2"], refused)
    desk.close()


def computed(panel: TrajectoryPanel) -> list[str]:
    """Gathers the nodes that are computed from now on."""
    found: list[str] = []
    panel.runner.engine.happened.connect(
        lambda e: found.append(e.node) if isinstance(e, Finished) and not e.cached else None
    )
    return found


@pytest.fixture
def toys(qtbot, desk: Desk) -> TrajectoryPanel:
    """After a loop of five rounds."""
    runner = desk.open(loop(5))
    made = TrajectoryPanel(runner.document, runner.runs, runner)
    qtbot.addWidget(made)
    made.show()
    runner.run()
    qtbot.waitUntil(lambda: runner.runs.outcome.startswith("Done"), timeout=LONG)
    made.slider.setFocus()
    return made


def test_scrubbing_looks_for_the_loop_in_the_graph_once(toys: TrajectoryPanel, monkeypatch):
    looked, look = [], toys._find_loop  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(toys, "_find_loop", lambda graph: looked.append(graph) or look(graph))
    toys.document.set_param("box", "value", 9.0)
    for key in (Qt.Key.Key_Home, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Right):
        QTest.keyClick(toys.slider, key)
    assert toys.slider.value() == 4
    assert len(looked) == 1


def test_letters_that_come_together_list_the_loops_once(toys: TrajectoryPanel, qtbot, monkeypatch):
    listed: list[str] = []
    monkeypatch.setattr(toys, "_show_loop", lambda: listed.append(toys.node))
    for value in range(20):
        toys.document.set_param("box", "value", float(value), merge=("typed", "box"))
    assert not listed
    qtbot.waitUntil(lambda: bool(listed), timeout=LONG)
    assert len(listed) == 1


def test_steps_are_played_one_after_the_other(toys: TrajectoryPanel, qtbot):
    toys.player.setInterval(1)
    seen: list[int] = []
    toys.slider.valueChanged.connect(seen.append)
    QTest.keyClick(toys.slider, Qt.Key.Key_Space)
    assert toys.play.text() == "Pause"
    qtbot.waitUntil(lambda: toys.play.text() == "Play", timeout=LONG)
    assert seen == [1, 2, 3, 4, 5]
    QTest.keyClick(toys.slider, Qt.Key.Key_Home)
    QTest.mouseClick(toys.play, Qt.MouseButton.LeftButton)
    QTest.keyClick(toys.play, Qt.Key.Key_Space)
    assert toys.play.text() == "Play"


def test_a_step_that_is_looked_at_stays_while_another_run_goes_on(toys: TrajectoryPanel, qtbot):
    QTest.keyClick(toys.slider, Qt.Key.Key_Home)
    QTest.keyClick(toys.slider, Qt.Key.Key_Right)
    before = toys.view.picture
    toys.document.edit("Value", set_param, "box", "value", 7.0)
    toys.runner.run()
    qtbot.waitUntil(lambda: toys.runs.outcome.startswith("Done"), timeout=LONG)
    assert toys.slider.value() == 2
    assert toys.view.picture not in (before, None)
    QTest.keyClick(toys.slider, Qt.Key.Key_End)  # from here on it follows again
    toys.document.edit("Rounds", set_param, "begin", "count", 6)
    toys.runner.run()
    qtbot.waitUntil(lambda: toys.slider.value() == 6, timeout=LONG)


def test_steps_of_another_domain_are_told_and_set_in_its_own_words(desk: Desk, qtbot):
    runner = desk.open(climb(3))
    panel = TrajectoryPanel(runner.document, runner.runs, runner)
    qtbot.addWidget(panel)
    panel.show()
    runner.run()
    qtbot.waitUntil(lambda: runner.runs.outcome.startswith("Done"), timeout=LONG)
    assert re.fullmatch(r"Step 3 of 3  ·  at 3 feet  ·  took .+ m?s", panel.caption.text())
    assert [*panel.editors] == [Port("carry", "push")]
    QTest.keyClick(panel.slider, Qt.Key.Key_Home)
    QTest.mouseClick(panel.decode, Qt.MouseButton.LeftButton)
    added = {node.type for node in runner.document.graph.nodes.values()}
    assert added >= {"toy.saw", "toy.unlock"}


def test_the_buttons_stay_under_the_pointer_when_they_are_pressed(desk: Desk, qtbot):
    runner = desk.open(climb(3))
    panel = TrajectoryPanel(runner.document, runner.runs, runner)
    qtbot.addWidget(panel)
    panel.resize(976, 173)  # as low as below the canvas
    panel.show()
    runner.run()
    qtbot.waitUntil(lambda: runner.runs.outcome.startswith("Done"), timeout=LONG)
    QTest.keyClick(panel.slider, Qt.Key.Key_Home)
    where = lambda: [button.mapTo(panel, button.rect().topLeft()) for button in (panel.decode, panel.go_on)]  # noqa: E731
    qtbot.wait(20)
    before, places = where(), []
    looking = runner.runs.changed.connect(lambda _: places.append(where()))
    for button in (panel.decode, panel.go_on):
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        places.append(where())
        qtbot.waitUntil(lambda: not runner.runs.running and runner.runs.outcome.startswith("Done"), timeout=LONG)
        qtbot.wait(50)
        places.append(where())
    runner.runs.changed.disconnect(looking)
    assert panel.loops.count() > 1
    assert all(place == before for place in places)


def test_steps_are_scrubbed_with_the_keyboard_and_branched_off(way: Way, qtbot):
    panel, runs, document = way.panel, way.panel.runs, way.panel.document
    # Every step is there, and the newest one is shown.
    assert panel.node == way.step
    assert panel.slider.maximum() == panel.slider.value() == 5
    assert len({step.picture for step in panel.steps}) == 5
    assert re.fullmatch(rf"Step 5 of 5  ·  {way.caption}  ·  took .+ m?s", panel.caption.text())
    assert not panel.go_on.isEnabled()
    panel.slider.setFocus()
    for _ in range(3):
        QTest.keyClick(panel.slider, Qt.Key.Key_Left)
    assert panel.caption.text().startswith("Step 2 of 5")
    assert panel.view.picture == panel.steps[1].picture

    # A look at this step costs no denoising, and is one step of the history.
    before, work, branches = document.graph, computed(panel), list[list[str]]()
    panel.branched.connect(branches.append)
    QTest.mouseClick(panel.decode, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: runs.of(branches[0][-1]).picture is not None and not runs.running, timeout=LONG)
    assert work == [*way.looked, branches[0][-1]]
    document.undo_stack.undo()
    assert document.graph == before

    # Going on with another setting computes the other steps alone.
    work.clear()
    name, bad, sentence, good = way.setting
    panel.show_node(way.step.partition("/")[0])
    panel.slider.setValue(2)
    field = next(editor for port, editor in panel.editors.items() if port.socket == name)
    field.edited.emit(bad)
    QTest.mouseClick(panel.go_on, Qt.MouseButton.LeftButton)
    assert panel.caption.text() == sentence
    assert document.graph == before
    field.edited.emit(good)
    QTest.mouseClick(panel.go_on, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: runs.of(branches[1][-1]).picture is not None and not runs.running, timeout=LONG)
    step = re.compile(rf"(.*/)?{way.step.rpartition('/')[2]}(_\d+)?")
    assert sum(step.fullmatch(node) is not None for node in work) == 3
    added = [node for id, node in document.graph.nodes.items() if id not in before.nodes]
    assert "Steps 3 to 5" in {node.title for node in added}
    assert good in [node.params.get(name) for node in added]

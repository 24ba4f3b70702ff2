"""Scrubbing through a denoising and branching off, on the starter model."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from nodegraph import workflow
from nodegraph.graph import set_param
from nodegraph.messages import Finished
from nodegraph.registry import discover
from tests.ui.engines import LONG, Desk
from ui.panels.trajectory import TrajectoryPanel

WORKFLOW = Path(__file__).parents[2] / "workflows" / "text_to_image.json"


@pytest.fixture
def panel(qtbot, tmp_path: Path):
    """The default workflow after a run of five steps."""
    desk = Desk(discover("nodes"), tmp_path, "nodes")
    graph = set_param(workflow.load(WORKFLOW), "scheduler", "steps", 5)
    runner = desk.open(graph)
    made = TrajectoryPanel(runner.document, runner.runs, runner)
    qtbot.addWidget(made)
    made.resize(360, 560)
    made.show()
    runner.run()
    qtbot.waitUntil(lambda: runner.runs.outcome.startswith("Done"), timeout=3 * LONG)
    yield made
    desk.close()


def computed(panel: TrajectoryPanel) -> list[str]:
    """Gathers the nodes that are computed from now on."""
    found: list[str] = []
    panel.runner.engine.happened.connect(
        lambda e: found.append(e.node) if isinstance(e, Finished) and not e.cached else None
    )
    return found


def test_steps_are_scrubbed_with_the_keyboard_and_branched_off(panel: TrajectoryPanel, qtbot):
    runs, document = panel.runs, panel.document
    # Every step is there, and the newest one is shown.
    assert panel.node == "denoise/step"
    assert panel.slider.maximum() == panel.slider.value() == 5
    assert len({step.picture for step in panel.steps}) == 5
    assert panel.caption.text().startswith("Step 5 of 5  ·  σ ")
    assert not panel.go_on.isEnabled()
    panel.slider.setFocus()
    for _ in range(3):
        QTest.keyClick(panel.slider, Qt.Key.Key_Left)
    assert panel.caption.text().startswith("Step 2 of 5")
    assert panel.view.picture == panel.steps[1].picture

    # A look at this step costs no denoising, and is one step of the history.
    before, work, shown = document.graph, computed(panel), list[str]()
    panel.branched.connect(shown.append)
    QTest.mouseClick(panel.decode, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: runs.of(shown[0]).picture is not None and not runs.running, timeout=LONG)
    assert work == ["decode_2", shown[0]]
    document.undo_stack.undo()
    assert document.graph == before

    # Going on with another guidance scale denoises the other steps alone.
    work.clear()
    panel.show_node("denoise")
    panel.slider.setValue(2)
    field = next(editor for port, editor in panel.editors.items() if port.socket == "guidance_scale")
    field.edited.emit(1.0)
    QTest.mouseClick(panel.go_on, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: runs.of(shown[1]).picture is not None and not runs.running, timeout=LONG)
    assert sum(node.endswith("/step") for node in work) == 3
    tail = next(n for n in document.graph.nodes.values() if n.title == "Steps 3 to 5")
    assert tail.params["guidance_scale"] == 1.0

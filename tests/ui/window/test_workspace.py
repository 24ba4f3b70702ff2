"""What the views of one document do for each other, also inside groups."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import SIGNAL, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QSlider

from nodegraph.formats.app_rows import App, set_app
from nodegraph.graph import Graph, Port, disconnect
from nodegraph.registry import Registry
from nodegraph.running.engine import Settings
from nodegraph.running.messages import Failed
from tests.ui.engines import LONG
from ui.canvas.commands import selection
from ui.documents.session import Session
from ui.runs.engine import Engine
from ui.runs.queue import Queue
from ui.runs.remedies import Remedies
from ui.runs.sweep_record import SweepRecord
from ui.window.panels import PANELS, DocumentPanel
from ui.window.workspace import Workspace


@pytest.fixture
def workspace(qtbot, registry: Registry, graph: Graph, tmp_path: Path) -> Iterator[Workspace]:
    """Shown, without an engine."""
    engine, session = Engine(Settings("tests.toy_nodes", cache=None)), Session(registry, tmp_path)
    queue = Queue(engine)
    made = Workspace(session.new(graph), engine, queue, session, Remedies({}), SweepRecord(queue))
    for widget in (made.page, *(made.panel(row.title, row.make) for row in PANELS if isinstance(row, DocumentPanel))):
        qtbot.addWidget(widget)
        widget.show()
    yield made
    made.end()
    session.end()
    queue.close()


@pytest.fixture
def group(workspace: Workspace) -> str:
    """The sum as a group; its node's id."""
    workspace.canvas.state.select({"left", "right", "sum"})
    selection.group(workspace.canvas.state)
    (id,) = workspace.canvas.state.selection
    return id


def without_second(workspace: Workspace, qtbot) -> None:
    """Take a wire off inside the group, and plan."""
    workspace.canvas.scope.edit("Unlink", disconnect, Port("sum", "b"))
    workspace.plan.start()
    qtbot.waitUntil(lambda: workspace.problems.count() > 0, timeout=LONG)


def test_what_its_panels_are_made_of_is_let_go_with_a_document(workspace: Workspace):
    parts = [workspace.preview.mode.view().window(), workspace.problems.viewport()]
    workspace.delete()
    assert [part.receivers(SIGNAL("destroyed(QObject*)")) for part in parts] == [1, 1]


def test_a_node_chosen_in_the_outline_inside_a_group_is_gone_to_there(workspace: Workspace, group: str):
    workspace.canvas.scope.enter(group)
    outline = workspace.panels["Outline"]
    outline.tree.setCurrentItem(outline.items["sum"])
    assert workspace.canvas.scope.path == (group,)
    assert workspace.canvas.state.selection == {"sum"}


def test_a_problem_inside_a_group_is_marked_inside_and_on_the_group(workspace: Workspace, group: str, qtbot):
    workspace.canvas.scope.enter(group)
    without_second(workspace, qtbot)
    sentence = workspace.canvas.scene.nodes["sum"].problem
    assert "connected" in sentence
    workspace.canvas.scope.leave()
    assert workspace.canvas.scene.nodes[group].problem == sentence


def test_a_click_on_a_problem_inside_a_group_goes_into_it(workspace: Workspace, group: str, qtbot):
    workspace.canvas.scope.enter(group)
    without_second(workspace, qtbot)
    workspace.canvas.scope.leave()
    place = workspace.problems.visualRect(workspace.problems.rows.index(0)).center()
    QTest.mouseClick(workspace.problems.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert workspace.canvas.scope.path == (group,)
    assert workspace.canvas.state.selection == {"sum"}


def test_a_slider_of_the_app_view_is_held_as_one_on_the_canvas(workspace: Workspace):
    workspace.document.edit("App", set_app, App((Port("settings", "count"),)))
    workspace.show_app(True)
    assert workspace.app_view
    (row,) = workspace.app_view.rows.values()
    (slider,) = row.findChildren(QSlider)
    slider.setSliderDown(True)
    assert workspace.runner.held
    slider.setSliderDown(False)
    assert not workspace.runner.held


def test_a_failure_goes_with_its_node(workspace: Workspace, qtbot):
    workspace.runs.take(Failed("sum", "the box must be red"))
    assert workspace.problems.count() == 1
    workspace.canvas.state.select({"sum", "show"})
    selection.delete(workspace.canvas.state)
    workspace.plan.start()
    qtbot.waitUntil(lambda: workspace.problems.count() == 0, timeout=LONG)

"""The pictures of finished runs, each with the graph that made it."""

import pytest

from nodegraph.graph import Graph, Node, Port, add_node, connect
from nodegraph.running.messages import Memory, Report
from tests.ui.engines import LONG, Desk, slow
from ui.runs.kept_pictures import Pictures
from ui.runs.results import Results
from ui.runs.runner import Runner


@pytest.fixture
def runner(desk: Desk) -> Runner:
    return desk.open(slow(1))


@pytest.fixture
def results(desk: Desk, runner: Runner) -> Results:
    return Results(runner.runs, runner, Pictures(desk.engine, runner.plan, runner))


def run(runner: Runner, results: Results, qtbot) -> None:
    count = len(results.kept)
    runner.run()
    qtbot.waitUntil(lambda: len(results.kept) == count + 1, timeout=LONG)


def values(results: Results) -> list[float]:
    return [result.graph.nodes["box"].params["value"] for result in results.kept]


def test_a_picture_that_is_shown_again_is_no_result_of_the_latest_run(desk: Desk, runner, results, qtbot):
    run(runner, results, qtbot)
    runner.document.set_param("box", "value", 2.0)
    run(runner, results, qtbot)
    with qtbot.waitSignal(runner.plan.planned, timeout=LONG):
        runner.document.undo_stack.undo()
    assert runner.runs.of("save").picture == results.kept[0].picture
    with qtbot.waitSignal(desk.engine.happened, timeout=LONG, check_params_cb=lambda e: isinstance(e, Memory)):
        desk.engine.ask(Report())
    assert values(results) == [1.0, 2.0]
    runner.run()
    qtbot.waitUntil(lambda: not runner.runs.running, timeout=LONG)
    assert values(results) == [1.0, 2.0]  # what was there already is not listed twice


def test_what_a_stopped_run_made_is_no_result_of_the_run_before(runner, results, qtbot):
    run(runner, results, qtbot)
    graph = add_node(runner.document.graph, "endless", Node("toy.slow", {"parts": 100_000}))
    graph = connect(add_node(graph, "later", Node("toy.save")), Port("endless", "box"), Port("later", "box"))
    runner.document.edit("More", lambda _: connect(graph, Port("box", "box"), Port("endless", "box")))
    runner.document.set_param("box", "value", 2.0)
    runner.run()
    qtbot.waitUntil(lambda: runner.runs.of("endless").state == "running", timeout=LONG)
    runner.stop()
    qtbot.waitUntil(lambda: not runner.runs.running, timeout=LONG)
    assert values(results) == [1.0]


def finish(runner: Runner, qtbot) -> None:
    qtbot.waitUntil(lambda: not runner.runs.running, timeout=LONG)


def test_what_comes_of_a_slider_counts_when_it_is_let_go(runner, results, qtbot):
    runner.hold(True)
    runner.run()
    finish(runner, qtbot)
    assert values(results) == []
    runner.hold(False)
    assert values(results) == [1.0]


def test_a_run_that_is_stopped_after_a_slider_was_let_go_makes_no_result(runner, results, qtbot):
    """What finished while it was held has been followed by another run."""
    runner.hold(True)
    runner.run()
    finish(runner, qtbot)
    graph = add_node(runner.document.graph, "endless", Node("toy.slow", {"parts": 100_000}))
    runner.document.edit("More", lambda _: connect(graph, Port("box", "box"), Port("endless", "box")))
    runner._held = False
    runner.run(["box", "endless"])
    qtbot.waitUntil(lambda: runner.runs.of("endless").state == "running", timeout=LONG)
    runner.stop()
    finish(runner, qtbot)
    assert values(results) == []


def test_each_picture_of_a_batch_is_a_result_of_its_own(desk: Desk, qtbot):
    graph = Graph(
        {"tray": Node("toy.tray", {"value": 5.0, "batch": 3}), "show": Node("toy.show")},
        {Port("show", "box"): Port("tray", "tray")},
    )
    runner = desk.open(graph)
    results = Results(runner.runs, runner, Pictures(desk.engine, runner.plan, runner))
    runner.run()
    qtbot.waitUntil(lambda: bool(results.kept), timeout=LONG)
    sheet, *each = results.kept
    assert results.newest is sheet
    assert [(result.item, result.of) for result in each] == [(0, 3), (1, 3), (2, 3)]
    greys = [bytes([grey] * 3) * 64 for grey in (5, 15, 25)]
    assert [result.picture.rgb for result in each] == greys
    assert [result.graph.nodes["tray"].params for result in each] == [
        {"value": 5.0, "batch": 1, "batch_index": item} for item in range(3)
    ]
    # restored, it is that picture
    runner.document.edit("Restore", lambda _: each[1].graph)
    runner.run()
    qtbot.waitUntil(lambda: runner.runs.of("show").picture == each[1].picture, timeout=LONG)


def test_a_run_is_listed_although_live_is_switched_on_as_it_ends(runner, results, qtbot):
    """Whoever hears first that the run is over may begin the next one, as the tour does."""

    def go_live() -> None:
        if runner.began and not runner.runs.running and not runner.live:
            runner.set_live(True)

    runner.runs.progressed.connect(go_live)
    runner.run()
    qtbot.waitUntil(lambda: runner.live and not runner.runs.running, timeout=LONG)
    assert values(results) == [1.0]
    runner.document.set_param("box", "value", 2.0)
    qtbot.waitUntil(lambda: values(results) == [1.0, 2.0], timeout=LONG)

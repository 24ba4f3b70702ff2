"""What is kept is shown: after a restart, without a run, and in full size."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nodegraph.graph import Graph, Node, Port, set_param
from nodegraph.types import FULL_SIDE, PREVIEW_SIDE
from tests.toy_nodes.boxes import Box, preview
from tests.ui.engines import LONG, Desk, loop, slow
from ui.canvas.canvas import Canvas
from ui.panels.preview import Preview
from ui.panels.trajectory import TrajectoryPanel
from ui.runs.kept_pictures import Pictures
from ui.runs.results import Results
from ui.runs.runner import Runner

Opened = tuple[Runner, Preview]


@pytest.fixture
def start(qtbot, registry, tmp_path: Path) -> Iterator[Callable[[Graph], Opened]]:
    """Opens a document in a program that has just been started, with the results of the one before on the disk."""
    desks: list[Desk] = []

    def made(graph: Graph) -> Opened:
        for before in desks:
            before.close()
        desk = Desk(registry, tmp_path, cache=tmp_path / "cache")
        desks[:] = [desk]
        runner = desk.open(graph)
        pictures = Pictures(desk.engine, runner.plan, runner)
        preview = Preview(runner.document, runner.runs, Results(runner.runs, runner, pictures), pictures)
        qtbot.addWidget(preview)
        desk.engine.start()
        qtbot.waitUntil(lambda: desk.engine.ready and runner.plan.ready, timeout=LONG)
        return runner, preview

    yield made
    for desk in desks:
        desk.close()


def run(qtbot, runner: Runner) -> None:
    runner.run()
    qtbot.waitUntil(lambda: runner.runs.outcome.startswith("Done"), timeout=LONG)


def test_a_document_that_is_opened_shows_its_results_without_a_run(qtbot, start):
    run(qtbot, start(slow(3))[0])
    runner, preview = start(slow(3))
    qtbot.waitUntil(lambda: preview.node == "save", timeout=LONG)
    assert runner.runs.of("slow").state == "cached"
    assert not runner.began
    kept = preview.results.kept
    assert [(result.node, result.graph) for result in kept] == [("save", runner.document.graph)]
    run(qtbot, runner)
    assert len(kept) == 1  # nothing new came of it


def test_a_document_whose_results_are_not_kept_shows_none(qtbot, start):
    run(qtbot, start(slow(3))[0])
    runner, preview = start(slow(3, value=9.0))
    qtbot.wait(300)
    assert runner.runs.of("save").picture is None
    assert preview.results.kept == []


def test_where_a_picture_comes_from_is_known_without_planning_what_was_edited_since(qtbot, start, monkeypatch):
    runner, preview = start(slow(3))
    run(qtbot, runner)

    def now() -> None:
        raise AssertionError("it is planned at once, though somebody waits for the window")

    monkeypatch.setattr(runner.plan, "now", now)
    key = runner.runs.picture_key("save")
    runner.document.set_param("box", "value", 9.0)
    assert preview.pictures.source(key) is not None


def test_settings_of_an_earlier_day_show_their_picture(qtbot, start):
    run(qtbot, start(slow(3))[0])
    runner, _ = start(slow(3, value=9.0))
    run(qtbot, runner)
    runner.document.edit("Back", set_param, "box", "value", 1.0)
    qtbot.waitUntil(lambda: runner.runs.of("save").picture == preview(Box(1.0)), timeout=LONG)
    assert not runner.runs.of("save").stale


def glazed(clay: str) -> Graph:
    """A pot and its glaze, which is nothing to look at."""
    nodes = {
        "clay": Node("toy.clay", {"of": clay}),
        "pot": Node("toy.pot"),
        "mix": Node("toy.mix"),
        "glaze": Node("toy.glaze"),
        "show": Node("toy.show"),
    }
    links = {Port("pot", "clay"): Port("clay", "clay"), Port("mix", "clay"): Port("clay", "clay")}
    links |= {Port("glaze", "pot"): Port("pot", "box"), Port("glaze", "glaze"): Port("mix", "glaze")}
    return Graph(nodes, links | {Port("show", "box"): Port("glaze", "box")})


def test_what_another_document_made_of_these_settings_is_cached_also_where_there_is_nothing_to_look_at(qtbot, desk):
    run(qtbot, desk.open(glazed("red")))
    runner = desk.open(glazed("white"))
    pictures = Pictures(desk.engine, runner.plan, runner)
    run(qtbot, runner)
    runner.document.set_param("clay", "of", "red")
    nodes = ("mix", "glaze", "show")
    qtbot.waitUntil(lambda: {runner.runs.of(id).state for id in nodes} == {"cached"}, timeout=LONG)
    assert not any(runner.runs.of(id).stale for id in nodes)
    assert runner.runs.of("mix").seconds == 0.0  # what it took is not known here
    del pictures


def test_every_step_of_a_loop_that_came_from_the_cache_can_be_looked_at(qtbot, start):
    run(qtbot, start(loop(5))[0])
    runner, _ = start(loop(5))
    panel = TrajectoryPanel(runner.document, runner.runs, runner)
    qtbot.addWidget(panel)
    panel.show()
    panel.show_node("slow")

    def pictures() -> list[object]:
        return [step.picture for step in panel.steps]

    everything = [preview(Box(1.0 + round)) for round in range(5)]
    qtbot.waitUntil(lambda: pictures() == everything, timeout=LONG)
    run(qtbot, runner)
    assert pictures() == everything


def test_after_undo_the_rounds_of_these_settings_are_to_be_picked(qtbot, start):
    runner, _ = start(loop(5))
    canvas = Canvas(runner.document, runner.runs)
    qtbot.addWidget(canvas)

    def rounds() -> int:
        return canvas.scene.zones[0].rounds

    run(qtbot, runner)
    assert rounds() == 5
    runner.document.set_param("begin", "count", 3)
    run(qtbot, runner)
    assert rounds() == 3
    runner.document.undo_stack.undo()
    qtbot.waitUntil(lambda: rounds() == 5, timeout=LONG)
    runner.document.set_param("begin", "count", 9)
    qtbot.waitUntil(lambda: len(runner.plan.now().calls) > 18, timeout=LONG)
    assert rounds() == 5  # nothing is known of nine


def test_a_round_that_is_picked_on_the_canvas_shows_what_is_kept_of_it(qtbot, start):
    run(qtbot, start(loop(5))[0])
    runner, _ = start(loop(5))
    canvas = Canvas(runner.document, runner.runs)
    qtbot.addWidget(canvas)
    qtbot.waitUntil(lambda: canvas.scene.zones[0].rounds == 5, timeout=LONG)
    canvas.scene.look_at_round(canvas.scene.zones[0], -2)
    qtbot.waitUntil(lambda: canvas.scene.nodes["slow"].run.picture == preview(Box(3.0)), timeout=LONG)


def test_a_large_picture_is_shown_in_full_size(qtbot, start):
    runner, preview = start(slow(1, value=1000.0))
    preview.show()
    run(qtbot, runner)
    qtbot.waitUntil(lambda: width(preview) == FULL_SIDE, timeout=LONG)
    assert f"{FULL_SIDE} × {FULL_SIDE}" in preview.caption.text()
    runner.document.edit("Other", set_param, "box", "value", 1100.0)
    run(qtbot, runner)
    preview.compare("side")
    qtbot.waitUntil(lambda: {*preview.view.small} == {"a", "b"}, timeout=LONG)
    assert preview.view.a.width() == preview.view.b.width() == FULL_SIDE


def width(preview: Preview) -> int:
    """Of the picture that is shown, in pixels; 0 without one."""
    return preview.pixmap.width() if preview.pixmap else 0


def test_a_picture_that_is_hidden_is_not_held_in_full_size_and_is_back_when_it_is_seen(qtbot, start):
    runner, preview = start(slow(1, value=1000.0))
    preview.show()
    run(qtbot, runner)
    qtbot.waitUntil(lambda: width(preview) == FULL_SIDE, timeout=LONG)
    preview.hide()
    assert 0 < width(preview) <= PREVIEW_SIDE
    assert not preview.view.small
    preview.show()
    qtbot.waitUntil(lambda: width(preview) == FULL_SIDE, timeout=LONG)


def test_a_picture_that_comes_while_nobody_looks_is_not_asked_for_in_full_size(qtbot, start, monkeypatch):
    runner, preview = start(slow(1, value=1000.0))
    asked: list[str] = []
    monkeypatch.setattr(preview.pictures, "enlarge", lambda key, source: asked.append(key))
    run(qtbot, runner)
    assert width(preview) > 0
    assert not asked
    preview.show()
    assert len(asked) == 1

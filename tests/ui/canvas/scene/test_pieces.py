"""A change to very many things is followed in pieces, and nobody sees half of it who asks."""

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPointF, QTimer

from nodegraph.graph import Graph, Node, Port, move_nodes, remove_nodes
from nodegraph.running.messages import Finished
from ui.canvas.canvas import Canvas
from ui.canvas.scene.scene import MANY

COUNT = 5 * MANY


def boxes(count: int = COUNT) -> Graph:
    nodes = {f"n{i}": Node("toy.step", pos=(i % 20 * 300.0, i // 20 * 200.0)) for i in range(count)}
    return Graph(nodes, {Port(f"n{i}", "box"): Port(f"n{i - 1}", "box") for i in range(1, count)})


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with very many more nodes: a piece at a time."""
    monkeypatch.setattr("ui.base.slices.SLICE", 0.0)


@pytest.fixture
def many(canvas: Canvas, slowly: None) -> Canvas:
    """In the middle of it."""
    canvas.document.edit("Many", lambda _: boxes())
    assert not canvas.scene.complete
    return canvas


def test_between_the_pieces_the_window_answers_and_paints(many, qtbot, shows_document: Callable[[], bool]):
    answered: list[bool] = []
    clock = QTimer(interval=0)
    clock.timeout.connect(lambda: answered.append(many.scene.complete))
    clock.start()
    many.repaint()
    assert not many.scene.complete
    qtbot.waitUntil(lambda: many.scene.complete)
    assert answered.count(False) >= 5
    assert shows_document()


def test_whoever_asks_for_the_nodes_meanwhile_gets_all_of_them(many):
    assert len(many.scene.nodes) == COUNT
    assert many.scene.complete


def test_a_press_meanwhile_is_on_what_the_document_has_there(many, hand):
    x, y = boxes().nodes["n1"].pos
    hand.click(QPointF(x + 60, y + 12))
    assert many.state.selection == {"n1"}


def test_an_edit_meanwhile_comes_after_it(many, shows_document: Callable[[], bool]):
    many.document.edit("Remove", remove_nodes, {f"n{i}" for i in range(1, COUNT, 2)})
    many.document.edit("Move", move_nodes, {f"n{i}": (1.0 * i, 2.0 * i) for i in range(0, COUNT, 2)})
    many.document.undo_stack.undo()
    many.document.undo_stack.undo()
    assert shows_document()


def test_what_a_run_says_meanwhile_is_seen_when_the_node_is_there(many, qtbot):
    last = f"n{COUNT - 1}"
    many.runs.take(Finished(last, "k", (), 0.1, cached=False))
    assert not many.scene.complete
    qtbot.waitUntil(lambda: many.scene.complete)
    assert many.scene.nodes[last].run.state == "done"


def test_a_large_graph_that_is_opened_is_looked_at_as_soon_as_it_is_there(qtbot, registry, runs, slowly, document):
    document.edit("Many", lambda _: boxes())
    canvas = Canvas(document, runs)
    qtbot.addWidget(canvas)
    canvas.resize(1100, 800)
    canvas.show()
    canvas.repaint()
    assert not canvas.scene.complete
    qtbot.waitUntil(lambda: canvas.scene.complete)
    canvas.repaint()
    assert canvas.state.view.rect_to_world(canvas.state.area).intersects(canvas.scene.extent())


def test_the_first_frame_of_very_many_nodes_is_painted_bit_by_bit(qtbot, canvas, monkeypatch):
    painted: list[object] = []
    render = canvas._tiles._plain._render  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(canvas._tiles._plain, "_render", lambda *args: painted.append(args) or render(*args))
    monkeypatch.setattr("ui.canvas.paint.tiles.BUDGET", 0.0)
    canvas.document.edit("Many", lambda _: boxes())
    canvas.fit_all()
    canvas.scene.finish()
    canvas._tiles.clear()  # pyright: ignore[reportPrivateUsage]
    canvas.repaint()
    assert len(painted) == 1
    qtbot.waitUntil(lambda: len(painted) >= 20)

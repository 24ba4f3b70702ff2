"""Frames and the automatic layout, in view of the pictures that nodes get and of the wires between them."""

from itertools import combinations

import pytest
from PySide6.QtWidgets import QProgressBar, QProgressDialog, QPushButton

from nodegraph import graph as edits
from nodegraph.graph import Graph, Node, Port
from nodegraph.running.messages import Finished
from nodegraph.types import Picture
from ui.canvas.commands import selection
from ui.canvas.gestures import arrange
from ui.canvas.scene.placed import Placed
from ui.canvas.scene.shape import touches

STRIPES = Picture(2, 2, bytes([90, 0, 0, 0, 90, 0] * 2))


def test_a_frame_keeps_its_nodes_when_their_pictures_come(canvas):
    canvas.state.select({"left", "right"})
    selection.frame(canvas.state)
    for id in ("left", "right"):
        canvas.runs.take(Finished(id, id, (), 0.1, cached=False, picture=STRIPES))
    frame = canvas.scene.nodes["frame"].rect
    assert all(frame.contains(canvas.scene.nodes[id].rect) for id in ("left", "right"))
    tight = edits.change_node(canvas.document.graph, "frame", size=(290.0, 250.0))
    canvas.document.edit("Tighten", lambda _: tight)
    assert not canvas.scene.nodes["frame"].rect.contains(canvas.scene.nodes["right"].rect)
    assert canvas.scene.with_members({"frame"}) == {"frame", "left", "right"}


def test_arranging_leaves_room_for_pictures_and_lies_on_no_note(canvas):
    canvas.document.edit("Note", edits.add_node, "note", Node("canvas.note", {"text": "Read me"}, (0, -100)))
    canvas.document.edit("Move", edits.move_nodes, {"settings": (600, -100)})
    arrange.arrange(canvas.state)
    for id in ("left", "right", "sum"):
        canvas.runs.take(Finished(id, id, (), 0.1, cached=False, picture=STRIPES))
    rects = [item.rect for item in canvas.scene.nodes.values()]
    assert canvas.scene.nodes["left"].shape.picture is not None
    assert not any(a.intersects(b) for a, b in combinations(rects, 2))


def test_a_node_may_be_deleted_while_it_moves_to_its_place(canvas):
    canvas.state.select({"left"})
    selection.delete(canvas.state)
    arrange.arrange(canvas.state)
    assert canvas.carried()
    canvas.state.select({"sum"})
    selection.delete(canvas.state)
    canvas.grab()
    assert not canvas.carried()


def test_arranged_wires_pass_below_no_node(canvas):
    links = {Port("show", "box"): Port("sum", "box"), Port("sum", "a"): Port("left", "box")}
    more = {Port("far", "a"): Port("left", "box"), Port("far", "b"): Port("show", "box")}
    nodes = {**canvas.document.graph.nodes, "show": Node("toy.add", pos=(600, 0)), "far": Node("toy.add", pos=(900, 0))}
    canvas.document.edit("Longer", lambda _: Graph(nodes, links | more))
    arrange.arrange(canvas.state)
    for link in canvas.scene.links.values():
        others = [item for item in canvas.scene.nodes.values() if item.id not in (link.src.node, link.dst.node)]
        assert not any(touches(link.points, item.rect) for item in others)


def test_arranging_keeps_framed_nodes_in_their_frame(canvas):
    canvas.state.select({"left", "right"})
    selection.frame(canvas.state)
    canvas.state.select(())
    arrange.arrange(canvas.state)
    assert canvas.scene.with_members({"frame"}) == {"frame", "left", "right"}


def put_into_the_wire_to_show(canvas, hand) -> None:
    nodes = {**canvas.document.graph.nodes, "new": Node("toy.step", pos=(320, 400))}
    canvas.document.edit("New", lambda graph: Graph(nodes, graph.links))
    wire = canvas.scene.links[Port("show", "box")]
    canvas.state.select({"new"})
    hand.drag(hand.header("new"), hand.header("new") + (wire.a + wire.b) / 2 - canvas.scene.nodes["new"].rect.center())


def test_a_node_put_into_a_wire_gets_room(canvas, hand, qtbot):
    before = canvas.document.graph
    put_into_the_wire_to_show(canvas, hand)
    assert canvas.document.graph.links[Port("show", "box")].node == "new"
    rects = {id: canvas.scene.nodes[id].rect for id in ("sum", "new", "show")}
    assert rects["sum"].right() < rects["new"].left()
    assert rects["new"].right() < rects["show"].left()
    assert canvas.document.graph.nodes["left"] == before.nodes["left"]
    qtbot.waitUntil(lambda: not canvas.carried())
    canvas.document.undo_stack.undo()
    assert canvas.document.graph.nodes["show"] == before.nodes["show"]


def test_a_frame_goes_along_with_what_makes_room(canvas, hand):
    canvas.state.select({"show"})
    selection.frame(canvas.state)
    put_into_the_wire_to_show(canvas, hand)
    assert canvas.scene.with_members({"frame"}) == {"frame", "show"}


def test_a_frame_around_a_part_of_what_makes_room_grows(canvas, hand):
    canvas.state.select({"sum", "show"})
    selection.frame(canvas.state)
    before = canvas.scene.with_members({"frame"})
    put_into_the_wire_to_show(canvas, hand)
    assert canvas.scene.with_members({"frame"}) == before | {"new"}
    assert canvas.scene.nodes["frame"].rect.right() > canvas.scene.nodes["show"].rect.right()


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with many nodes: nothing is done at once."""
    monkeypatch.setattr("ui.canvas.gestures.arrange.AT_ONCE", 0)
    monkeypatch.setattr("ui.widgets.piecework.SLICE", 0.0)


def test_a_layout_that_takes_long_is_made_in_pieces_with_its_progress_to_see(canvas, qtbot, slowly):
    arrange.arrange(canvas.state)
    (dialog,) = canvas.findChildren(QProgressDialog)
    assert canvas.document.undo_stack.count() == 0
    seen: list[int] = []
    dialog.findChild(QProgressBar).valueChanged.connect(seen.append)
    qtbot.waitUntil(lambda: canvas.document.undo_stack.count() == 1)
    assert len(set(seen)) > 5


def test_a_layout_that_is_stopped_moves_nothing(canvas, qtbot, slowly):
    before = canvas.document.graph
    arrange.arrange(canvas.state)
    (dialog,) = canvas.findChildren(QProgressDialog)
    stop = dialog.findChild(QPushButton)
    assert stop.text() == "Stop"
    stop.click()
    qtbot.wait(500)
    assert canvas.document.graph is before
    assert canvas.document.undo_stack.count() == 0


def test_very_many_nodes_are_moved_at_once_and_do_not_glide(canvas, qtbot, monkeypatch):
    nodes = {f"n{i}": Node("toy.box", pos=(0.0, 10.0 * i)) for i in range(400)}
    canvas.document.edit("Many", lambda _: Graph(nodes))
    canvas.scene.finish()
    touched: list[object] = []
    shaped: list[object] = []
    canvas.scene.touched.connect(touched.append)
    monkeypatch.setattr(canvas.scene, "_place", shaped.append)
    arrange.arrange(canvas.state)
    moved = lambda: canvas.document.undo_stack.count() == 2 and canvas.scene.complete  # noqa: E731
    qtbot.waitUntil(moved, timeout=30_000)  # a second, when nothing else runs
    assert (len(touched), len(shaped)) == (1, 0)
    assert not canvas.carried()
    assert all(canvas.scene.nodes[id].node.pos == node.pos for id, node in canvas.document.graph.nodes.items())


def test_what_was_laid_out_of_very_many_nodes_is_followed_in_pieces(canvas, qtbot, monkeypatch):
    monkeypatch.setattr("ui.base.slices.SLICE", 0.0)
    nodes = {f"n{i}": Node("toy.box", pos=(0.0, 10.0 * i)) for i in range(600)}
    canvas.document.edit("Many", lambda _: Graph(nodes))
    canvas.scene.finish()
    at_once: list[bool] = []
    monkeypatch.setattr(
        canvas.scene, "finish", lambda: at_once.append(not canvas.scene.complete) or Placed.finish(canvas.scene)
    )
    arrange.arrange(canvas.state)
    moved = lambda: canvas.document.undo_stack.count() == 2 and canvas.scene.complete  # noqa: E731
    qtbot.waitUntil(moved, timeout=30_000)
    assert not any(at_once)

"""Parameters are changed on the node itself, with the mouse and the keys."""

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu

from nodegraph import graph as edits
from nodegraph.graph import Node, Port
from ui.canvas.commands import one_node
from ui.canvas.scene.shape import CHEVRON, EDGE, HEADER, MAX_WIDTH, MIN_WIDTH
from ui.canvas.scene.view import View

LEFT = Qt.MouseButton.LeftButton
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def move(canvas, hand, world: QPointF, keys: Qt.KeyboardModifier) -> None:
    """A move of the pressed mouse with keys held: QTest has none."""
    at = hand.at(world)
    place = canvas.mapToGlobal(at)
    QApplication.sendEvent(canvas, QMouseEvent(QEvent.Type.MouseMove, at, place, LEFT, LEFT, keys))


def change(canvas, id: str, **fields) -> None:
    canvas.document.edit("Change", lambda graph: edits.change_node(graph, id, **fields))


# Dragging ---------------------------------------------------------------------------------------------


def test_dragging_a_number_along_its_row_takes_it_through_its_range(canvas, hand, row, params):
    width = row("ratio", 1).x() - row("ratio", 0).x()
    hand.drag(row("ratio", 0.2), row("ratio", 0.2) + QPointF(width / 4, 0))
    assert params()["ratio"] == pytest.approx(1.0, abs=0.05)  # a quarter of 0..2 from 0.5; a pixel or two are slop
    assert canvas.document.graph.nodes["settings"].pos == (300, 200)


def test_a_drag_of_a_number_is_one_undo_step(canvas, hand, row, params):
    before = canvas.document.graph
    hand.drag(row("ratio"), row("ratio") + QPointF(40, 0))
    assert canvas.document.undo_stack.count() == 1
    assert params()["ratio"] > 0.5
    canvas.document.undo_stack.undo()
    assert canvas.document.graph == before


def test_two_drags_are_two_undo_steps(canvas, hand, row):
    for _ in range(2):
        hand.drag(row("ratio"), row("ratio") + QPointF(30, 0))
    assert canvas.document.undo_stack.count() == 2


def test_a_number_stays_in_its_range_and_keeps_its_step(hand, row, params):
    hand.drag(row("count"), row("count") + QPointF(900, 0))
    assert params()["count"] == 10
    hand.drag(row("count"), row("count") - QPointF(900, 0))
    assert params()["count"] == 1
    hand.drag(row("ratio"), row("ratio") + QPointF(33, 0))
    assert round(params()["ratio"], 2) == params()["ratio"]


def test_coming_back_from_beyond_the_end_changes_the_value_at_once(canvas, hand, row, params):
    start = row("ratio")
    hand.press(start)
    hand.move(start + QPointF(10, 0))
    hand.move(start + QPointF(400, 0))
    hand.move(start + QPointF(350, 0))
    hand.release(start + QPointF(350, 0))
    assert params()["ratio"] == pytest.approx(2.0 - 50 / 204 * 2, abs=0.05)  # 50 of the row's 204 pixels, of 0..2


def test_a_number_without_a_range_changes_by_a_step_every_few_pixels(hand, row, document):
    start = row("value", node="left")
    hand.press(start)
    hand.move(start + QPointF(5, 0))
    hand.move(start + QPointF(25, 0))
    hand.release(start + QPointF(25, 0))
    assert document.graph.nodes["left"].params["value"] == 2.6  # 6 steps of 0.1, 4 pixels each


def test_ctrl_is_finer_and_shift_coarser(canvas, hand, row, params):
    found = []
    for keys in (CTRL, Qt.KeyboardModifier.NoModifier, SHIFT):
        start = row("ratio")
        hand.press(start)
        move(canvas, hand, start + QPointF(5, 0), keys)
        move(canvas, hand, start + QPointF(15, 0), keys)
        hand.release(start + QPointF(15, 0))
        found.append(params()["ratio"] - 0.5)
        canvas.document.undo_stack.undo()
    assert found[0] == pytest.approx(found[1] / 10, abs=0.006)
    assert 0 < found[0] < found[1] < found[2]


def test_a_large_seed_loses_no_digit(canvas, hand, row, params):
    canvas.document.set_param("settings", "seed", 12345678901234567890)
    hand.drag(row("seed", 0.1), row("seed", 0.1) + QPointF(40, 0))
    assert 0 < params()["seed"] - 12345678901234567890 <= 10


def test_escape_during_a_drag_leaves_no_trace(canvas, hand, row):
    before = canvas.document.graph
    hand.press(row("ratio"))
    for far in (10, 30):
        hand.move(row("ratio") + QPointF(far, 0))
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    hand.release(row("ratio"))
    assert canvas.document.graph == before
    assert canvas.document.undo_stack.count() == 0


def test_it_is_told_that_a_number_is_held(canvas, hand, row, qtbot):
    told = []
    canvas.state.held.connect(told.append)
    hand.press(row("ratio"))
    hand.move(row("ratio") + QPointF(30, 0))
    assert told == [True]
    hand.release(row("ratio") + QPointF(30, 0))
    assert told == [True, False]
    hand.click(row("flag"))
    assert told == [True, False]


def test_a_drag_from_any_other_parameter_carries_the_node(canvas, hand, row, params):
    for name in ("flag", "kind", "text", "path"):
        hand.drag(row(name), row(name) + QPointF(40, 20))
        canvas.document.undo_stack.undo()
    assert canvas.document.undo_stack.count() == 1
    assert canvas.document.undo_stack.redoText() == "Move node"
    assert not params()


def test_a_linked_number_is_not_changed(canvas, hand, row):
    canvas.document.edit("Connect", edits.connect, Port("left", "box"), Port("settings", "ratio"))
    hand.drag(row("ratio"), row("ratio") + QPointF(40, 20))
    assert "ratio" not in canvas.document.graph.nodes["settings"].params
    assert canvas.document.graph.nodes["settings"].pos == (340, 220)


# Clicking ---------------------------------------------------------------------------------------------


def test_a_click_throws_a_switch_and_selects_the_node(canvas, hand, row, params):
    hand.click(row("flag"))
    assert params()["flag"] is True
    assert canvas.state.selection == {"settings"}
    hand.click(row("flag"))
    assert params()["flag"] is False


def test_a_click_offers_the_choices(canvas, hand, row, params):
    hand.click(row("kind"))
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    assert [a.text() for a in menu.actions()] == ["linear", "cosine"]
    assert [a.isChecked() for a in menu.actions()] == [True, False]
    QTest.keyClick(menu, Qt.Key.Key_Down)
    QTest.keyClick(menu, Qt.Key.Key_Return)
    assert params()["kind"] == "cosine"


def test_the_die_rolls_another_seed(canvas, hand, row, params):
    seeds = set()
    for _ in range(3):
        hand.click(row("seed", 0.95))
        seeds.add(params()["seed"])
    assert len(seeds) == 3


def test_a_click_changes_what_becomes_of_the_seed(canvas, hand, row):
    found = []
    for _ in range(3):
        hand.click(row("seed", 0.78))
        found.append(canvas.document.graph.nodes["settings"].seed_mode)
    assert found == ["increment", "random", "fixed"]


def test_the_dots_of_a_file_open_the_dialog(hand, row, params, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("notes.txt", ""))
    hand.click(row("path", 0.96))
    assert params()["path"] == "notes.txt"


def test_ctrl_and_a_click_adds_to_the_selection_and_changes_nothing(canvas, hand, row, params):
    hand.click(hand.header("left"))
    hand.click(row("flag"), CTRL)
    assert canvas.state.selection == {"left", "settings"}
    assert not params()


# The node ---------------------------------------------------------------------------------------------


def test_the_right_edge_resizes_in_one_step(canvas, hand):
    item = canvas.scene.nodes["settings"]
    edge = item.pos + QPointF(item.shape.width - EDGE / 2, item.shape.height - 30)
    hand.drag(edge, edge + QPointF(80, 0))
    assert canvas.document.graph.nodes["settings"].size[0] == 300
    assert item.shape.width == 300
    assert canvas.document.undo_stack.count() == 1
    canvas.document.undo_stack.undo()
    assert canvas.document.graph.nodes["settings"].size is None
    for far, width in ((-5000, MIN_WIDTH), (5000, MAX_WIDTH)):
        hand.drag(edge, edge + QPointF(far, 0))
        assert item.shape.width == width
        canvas.document.undo_stack.undo()


@pytest.mark.parametrize("held", ["edge", "number"])
def test_a_node_that_goes_while_it_is_held_takes_the_gesture_with_it(canvas, hand, row, held):
    """Undo by keyboard while the mouse is down; the gesture must not edit in the middle of it."""
    document, settings = canvas.document, canvas.document.graph.nodes["settings"]
    document.edit("Remove", edits.remove_nodes, {"settings"})
    document.edit("Add", edits.add_node, "settings", settings)
    item = canvas.scene.nodes["settings"]
    edge = item.pos + QPointF(item.shape.width - EDGE / 2, item.shape.height - 30)
    start = edge if held == "edge" else row("ratio")
    hand.press(start)
    hand.move(start + QPointF(30, 0))
    with_gesture = document.undo_stack.count()
    while "settings" in document.graph.nodes:
        document.undo_stack.undo()
    assert canvas.gesture is None
    assert document.undo_stack.count() == with_gesture
    document.undo_stack.redo()
    assert document.graph.nodes["settings"] == settings
    hand.release(start)


def test_wires_stay_on_their_sockets_when_a_node_is_resized(canvas, hand):
    item = canvas.scene.nodes["sum"]
    edge = item.pos + QPointF(item.shape.width - EDGE / 2, item.shape.height - 5)
    hand.drag(edge, edge + QPointF(50, 0))
    assert canvas.scene.links[Port("show", "box")].a == hand.socket("sum", "box", output=True)
    assert hand.socket("sum", "box", output=True).x() == item.pos.x() + 270


def test_a_double_click_on_the_edge_gives_back_the_natural_width(canvas, double_click):
    change(canvas, "settings", size=(400.0, 10.0))
    item = canvas.scene.nodes["settings"]
    double_click(item.pos + QPointF(400 - EDGE / 2, item.shape.height - 30))
    assert canvas.document.graph.nodes["settings"].size is None


def test_the_chevron_collapses_and_opens(canvas, hand):
    at = canvas.scene.nodes["sum"].pos + CHEVRON.center()
    hand.click(at)
    item = canvas.scene.nodes["sum"]
    assert item.node.collapsed
    assert item.shape.height == HEADER
    ends = [hand.socket("sum", name) for name in ("a", "b")]
    assert all(item.rect.adjusted(-1, 0, 1, 0).contains(end) for end in ends)
    assert ends[0] != ends[1]
    hand.click(at)
    assert not item.node.collapsed


def test_a_wire_is_pulled_from_a_collapsed_node(canvas, hand):
    change(canvas, "left", collapsed=True)
    canvas.document.edit("Disconnect", edits.disconnect, Port("sum", "a"))
    hand.drag(hand.socket("left", "box", output=True), hand.socket("sum", "a"))
    assert canvas.document.graph.links[Port("sum", "a")] == Port("left", "box")


def test_collapsed_parameters_without_a_link_have_no_socket(canvas):
    change(canvas, "settings", collapsed=True)
    assert not canvas.scene.nodes["settings"].shape.inputs


def test_several_nodes_collapse_in_one_step(canvas):
    canvas.state.select({"left", "right"})
    one_node.fold_selected(canvas.state)
    assert canvas.document.graph.nodes["left"].collapsed
    assert canvas.document.graph.nodes["right"].collapsed
    assert canvas.document.undo_stack.count() == 1


def test_annotations_have_no_rows_to_press(canvas, hand):
    note = Node("canvas.note", {"text": "hello"}, (600, 300), size=(200, 100))
    canvas.document.edit("Add", edits.add_node, "note", note)
    hand.drag(QPointF(650, 330), QPointF(690, 330))
    assert canvas.document.graph.nodes["note"].pos == (640, 300)


def test_a_double_click_on_a_node_far_away_goes_to_where_its_parameters_are_read(canvas, hand, row, double_click):
    canvas.state.show_view(View(0.3, 10, 10))
    double_click(row("text"))
    assert canvas.state.editor is None
    assert canvas.state.view.scale >= 0.6
    shown = canvas.state.view.rect_to_screen(canvas.scene.nodes["settings"].rect)
    assert canvas.rect().contains(shown.toRect())
    double_click(row("text"))  # now it is read, and edited
    assert canvas.state.editor is not None

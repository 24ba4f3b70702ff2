"""The mouse on the canvas: frames, notes, reroutes, wires, selection."""

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPlainTextEdit

from nodegraph import graph as edits
from nodegraph.graph import Graph, Node, Port
from ui.canvas.commands import selection
from ui.canvas.gestures import wires
from ui.canvas.overlays.palette import Palette

CTRL, SHIFT, ALT = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)
RIGHT = Qt.MouseButton.RightButton


@pytest.fixture
def graph() -> Graph:
    """Two boxes, added, shown; a free node; a frame around the boxes and a note."""
    nodes = {
        "frame": Node("canvas.frame", {"color": "#407060"}, (-40, -60), "Boxes", size=(300, 340)),
        "left": Node("toy.box", {"value": 2.0}, (0, 0)),
        "right": Node("toy.box", {"value": 3.0}, (0, 150)),
        "sum": Node("toy.add", {}, (420, 0)),
        "show": Node("toy.show", {}, (760, 0)),
        "free": Node("toy.step", {}, (420, 300)),
        "note": Node("canvas.note", {"text": "# Sum\nof *two* boxes"}, (0, 400), size=(240, 140)),
    }
    links = {
        Port("sum", "a"): Port("left", "box"),
        Port("sum", "b"): Port("right", "box"),
        Port("show", "box"): Port("sum", "box"),
    }
    return Graph(nodes, links)


def pull(canvas, hand, start: QPointF, end: QPointF, button=Qt.MouseButton.LeftButton, keys=None) -> None:
    """A drag with keys held."""
    hand.press(start, button, keys or Qt.KeyboardModifier.NoModifier)
    for part in (0.3, 0.6, 1.0):
        hand.move(start + (end - start) * part)
    hand.release(end, button)


# Frames and notes -------------------------------------------------------------------------------------


def test_a_frame_moves_the_nodes_in_it_in_one_step(canvas, hand):
    hand.drag(QPointF(20, -45), QPointF(70, -25))
    nodes = canvas.document.graph.nodes
    assert nodes["frame"].pos == (10, -40)
    assert nodes["left"].pos == (50, 20)
    assert nodes["right"].pos == (50, 170)
    assert nodes["sum"].pos == (420, 0)
    assert canvas.document.undo_stack.count() == 1


def test_a_node_moved_out_of_a_frame_is_no_longer_moved_by_it(canvas, hand):
    hand.drag(hand.header("right"), hand.header("right") + QPointF(0, 480))
    hand.drag(QPointF(20, -45), QPointF(20, -95))
    nodes = canvas.document.graph.nodes
    assert nodes["left"].pos == (0, -50)
    assert nodes["right"].pos == (0, 630)


def test_the_inside_of_a_frame_is_the_canvas(canvas, hand):
    hand.drag(QPointF(235, 50), QPointF(-20, 260))
    assert canvas.state.selection == {"left", "right"}
    assert canvas.document.undo_stack.count() == 0


def test_a_frame_is_selected_by_a_box_around_all_of_it(canvas, hand):
    hand.drag(QPointF(-60, -80), QPointF(280, 300))
    assert canvas.state.selection == {"frame", "left", "right"}


@pytest.mark.parametrize(("id", "low"), [("frame", QPointF(259, 279)), ("note", QPointF(239, 539))])
def test_the_corner_of_a_frame_or_note_resizes_it(canvas, hand, id, low):
    width, height = canvas.document.graph.nodes[id].size
    hand.drag(low, low + QPointF(40, 25))
    assert canvas.document.graph.nodes[id].size == (width + 40, height + 25)
    assert canvas.document.undo_stack.count() == 1


def test_the_right_edge_resizes_across_alone_and_not_below_a_least_width(canvas, hand):
    hand.drag(QPointF(258, 100), QPointF(-500, 160))
    assert canvas.document.graph.nodes["frame"].size == (80, 340)


def test_escape_while_resizing_leaves_the_size(canvas, hand):
    hand.press(QPointF(258, 100))
    hand.move(QPointF(300, 100))
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert canvas.document.undo_stack.count() == 0


def test_a_double_click_on_a_note_edits_its_text_in_place(canvas, hand):
    QTest.mouseDClick(canvas, Qt.MouseButton.LeftButton, pos=hand.at(QPointF(100, 460)))
    editor = canvas.state.editor
    assert editor is not None
    box = editor.findChild(QPlainTextEdit)
    assert box.toPlainText() == "# Sum\nof *two* boxes"
    box.selectAll()
    QTest.keyClicks(box, "Other")
    hand.click(QPointF(600, 600))
    assert canvas.document.graph.nodes["note"].params["text"] == "Other"


def test_a_note_grows_with_its_text(canvas, hand):
    QTest.mouseDClick(canvas, Qt.MouseButton.LeftButton, pos=hand.at(QPointF(100, 460)))
    box = canvas.state.editor.findChild(QPlainTextEdit)
    box.setPlainText("a line\n\n" * 20)
    hand.click(QPointF(600, 600))
    assert canvas.document.graph.nodes["note"].size[0] == 240
    assert canvas.document.graph.nodes["note"].size[1] > 300
    assert canvas.document.undo_stack.count() == 1


def test_a_double_click_on_a_frame_edits_its_title(canvas, hand):
    QTest.mouseDClick(canvas, Qt.MouseButton.LeftButton, pos=hand.at(QPointF(80, -45)))
    assert canvas.state.editor is not None
    QTest.keyClicks(canvas.state.editor.box, "Inputs")
    QTest.keyClick(canvas.state.editor.box, Qt.Key.Key_Return)
    assert canvas.document.graph.nodes["frame"].title == "Inputs"


# Wires ------------------------------------------------------------------------------------------------


def middle(canvas, dst: Port) -> QPointF:
    points = canvas.scene.links[dst].points
    return points[len(points) // 2]


def test_a_double_click_on_a_wire_bends_it(canvas, hand):
    QTest.mouseDClick(canvas, Qt.MouseButton.LeftButton, pos=hand.at(middle(canvas, Port("show", "box"))))
    graph = canvas.document.graph
    assert graph.links[Port("show", "box")] == Port("reroute", "value")
    assert graph.links[Port("reroute", "value")] == Port("sum", "box")
    assert canvas.document.undo_stack.count() == 1


def test_a_reroute_is_moved_by_its_middle_and_linked_from_its_ends(canvas, hand):
    canvas.document.edit("Bend", bent, Port("show", "box"), (660, 60))
    hand.drag(QPointF(674, 68), QPointF(674, 168))
    assert canvas.document.graph.nodes["reroute"].pos == (660, 160)
    hand.drag(hand.socket("reroute", "value", output=True), hand.socket("free", "box"))
    assert canvas.document.graph.links[Port("free", "box")] == Port("reroute", "value")


def bent(graph, link, pos):
    from nodegraph.editing.wires import add_reroute

    return add_reroute(graph, link, pos)


def test_a_reroute_has_the_colour_and_the_type_of_what_it_passes_on(canvas):
    canvas.document.edit("Bend", bent, Port("show", "box"), (660, 60))
    canvas.document.edit("Bend", bent, Port("show", "box"), (700, 60))
    box = canvas.scene.links[Port("sum", "a")].color
    assert {canvas.scene.links[Port(id, "value")].color for id in ("reroute", "reroute_2")} == {box}
    assert canvas.scene.nodes["reroute_2"].color == box
    assert canvas.scope.output(Port("reroute_2", "value")).type is canvas.scope.output(Port("sum", "box")).type


def test_a_node_dropped_on_a_wire_goes_into_it_in_one_step(canvas, hand):
    start = hand.header("free")
    by = middle(canvas, Port("show", "box")) - canvas.scene.nodes["free"].rect.center()
    hand.drag(start, start + by)
    graph = canvas.document.graph
    assert graph.links[Port("show", "box")] == Port("free", "box")
    assert graph.links[Port("free", "box")] == Port("sum", "box")
    assert canvas.document.undo_stack.count() == 1
    canvas.document.undo_stack.undo()
    assert graph.nodes.keys() == canvas.document.graph.nodes.keys()
    assert Port("free", "box") not in canvas.document.graph.links


def test_a_node_that_does_not_fit_a_wire_is_just_dropped(canvas, hand):
    by = middle(canvas, Port("show", "box")) - canvas.scene.nodes["right"].rect.center()
    hand.drag(hand.header("right"), hand.header("right") + by)
    assert canvas.document.graph.links[Port("show", "box")] == Port("sum", "box")


def test_ctrl_and_the_right_button_cut_the_wires_that_are_crossed(canvas, hand):
    pull(canvas, hand, QPointF(330, -30), QPointF(330, 260), RIGHT, CTRL)
    assert canvas.document.graph.links == {Port("show", "box"): Port("sum", "box")}
    assert canvas.document.undo_stack.undoText() == "Cut 2 wires"


def test_a_cut_beside_the_wires_cuts_nothing(canvas, hand):
    pull(canvas, hand, QPointF(330, 400), QPointF(330, 560), RIGHT, CTRL)
    assert canvas.document.undo_stack.count() == 0


@pytest.mark.parametrize("keys", [ALT, CTRL])  # many window managers keep Alt for themselves
def test_alt_or_ctrl_swaps_the_wires_of_two_inputs(canvas, hand, keys):
    pull(canvas, hand, hand.socket("sum", "a"), hand.socket("sum", "b"), keys=keys)
    links = canvas.document.graph.links
    assert (links[Port("sum", "a")], links[Port("sum", "b")]) == (Port("right", "box"), Port("left", "box"))
    assert canvas.document.undo_stack.count() == 1


def test_sockets_that_do_not_fit_are_dimmed_while_a_wire_is_pulled(canvas, hand):
    hand.press(hand.socket("free", "box", output=True))
    hand.move(hand.socket("free", "box", output=True) + QPointF(60, 40))
    canvas.grab()
    wire = canvas.gesture
    assert isinstance(wire, wires.Wire)
    dimmed = {(id, point.toTuple()) for id, points in wire._dimmed.items() for point in points}
    assert ("sum", hand.socket("sum", "box", output=True).toTuple()) in dimmed
    assert ("free", hand.socket("free", "amount").toTuple()) in dimmed  # its own: a circle
    assert ("sum", hand.socket("sum", "a").toTuple()) not in dimmed
    QTest.keyClick(canvas, Qt.Key.Key_Escape)


def test_a_wire_of_a_reroute_offers_only_what_takes_its_type(canvas, hand):
    canvas.document.edit("Bend", bent, Port("show", "box"), (660, 60))
    hand.drag(hand.socket("reroute", "value", output=True), QPointF(800, 400))
    offered = canvas.findChild(Palette)
    assert "toy.add" in {offer.type.id for offer in offered.offers}
    assert "math.number" not in {offer.type.id for offer in offered.offers}
    offered.close()


# Selection and moving ---------------------------------------------------------------------------------


def test_ctrl_and_alt_select_with_a_lasso(canvas, hand):
    hand.press(QPointF(360, -50), keys=CTRL | ALT)
    for x, y in [(700, -50), (700, 440), (360, 440)]:
        hand.move(QPointF(x, y))
    hand.release(QPointF(360, 440))
    assert canvas.state.selection == {"sum", "free"}


def test_a_lasso_that_is_cancelled_leaves_the_selection(canvas, hand):
    canvas.state.select({"left"})
    hand.press(QPointF(360, -50), keys=CTRL | ALT | SHIFT)
    for x, y in [(700, -50), (700, 440), (360, 440)]:
        hand.move(QPointF(x, y))
    assert canvas.state.selection == {"left", "sum", "free"}
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert canvas.state.selection == {"left"}


def test_nodes_snap_to_the_grid_when_that_is_on(canvas, hand):
    canvas.state.set_snap(True)
    hand.drag(hand.header("sum"), hand.header("sum") + QPointF(37, 23))
    assert canvas.document.graph.nodes["sum"].pos == (464, 16)


def test_the_minimap_leads_to_where_it_is_pressed(canvas, qtbot):
    canvas.minimap.show_map(True)
    place = canvas.minimap._map.to_screen(canvas.scene.nodes["show"].rect.center()).toPoint()
    QTest.mouseClick(canvas.minimap, Qt.MouseButton.LeftButton, pos=place)
    there = canvas.state.view.to_screen(canvas.scene.nodes["show"].rect.center())
    away = there - QPointF(canvas.rect().center())
    assert away.manhattanLength() < 2 / canvas.minimap._map.scale  # a pixel of the map
    assert canvas.minimap.geometry().right() < canvas.width()


def test_carrying_a_frame_paints_it_where_the_hand_is(canvas, hand, qtbot):
    hand.press(QPointF(20, -45))
    hand.move(QPointF(420, 255))
    qtbot.waitUntil(lambda: set(canvas.carried()) == {"frame", "left", "right"})
    empty, moved = hand.at(QPointF(-30, 270)), hand.at(QPointF(370, 570))
    background = canvas.grab().toImage().pixelColor(hand.at(QPointF(-60, 600)))
    qtbot.waitUntil(lambda: canvas.grab().toImage().pixelColor(empty) == background)
    assert canvas.grab().toImage().pixelColor(moved) != background
    QTest.keyClick(canvas, Qt.Key.Key_Escape)


def test_deleting_a_frame_leaves_what_is_in_it(canvas, hand, shows_document):
    hand.click(QPointF(20, -45))
    assert canvas.state.selection == {"frame"}
    selection.delete(canvas.state)
    assert {"left", "right"} <= canvas.document.graph.nodes.keys()
    assert shows_document()


def test_views_of_another_graph_show_exactly_that(canvas, shows_document):
    canvas.document.edit("Clear", edits.remove_nodes, set(canvas.document.graph.nodes))
    assert shows_document()
    canvas.document.undo_stack.undo()
    assert shows_document()


def test_a_click_on_one_of_several_selected_nodes_leaves_only_that_one(canvas, hand):
    canvas.state.select({"left", "right"})
    hand.click(QPointF(60, 10))
    assert canvas.state.selection == {"left"}
    assert canvas.document.undo_stack.count() == 0


def test_a_wire_dropped_where_it_does_not_fit_changes_nothing_and_offers_nothing(canvas, hand):
    before = canvas.document.graph
    hand.drag(hand.socket("left", "box", output=True), hand.socket("right", "box", output=True))
    assert canvas.document.graph == before
    assert canvas.findChild(Palette) is None


def test_tab_during_a_drag_does_nothing(canvas, hand):
    x, y = canvas.document.graph.nodes["sum"].pos
    hand.press(hand.header("sum"))
    hand.move(hand.header("sum") + QPointF(40, 30))
    QTest.keyClick(canvas, Qt.Key.Key_Tab)
    assert QApplication.activePopupWidget() is None
    hand.release(hand.header("sum") + QPointF(40, 30))
    assert canvas.document.graph.nodes["sum"].pos == (x + 40, y + 30)


def test_a_node_that_goes_while_it_is_dragged_ends_the_drag(canvas, hand):
    hand.press(hand.header("sum"))
    hand.move(hand.header("sum") + QPointF(40, 30))
    canvas.document.edit("Delete", edits.remove_nodes, {"sum"})
    assert canvas.gesture is None
    hand.release(QPointF(340, 30))
    assert "sum" not in canvas.document.graph.nodes


def test_a_wire_dropped_beside_the_canvas_offers_nothing(canvas, hand):
    start = hand.socket("sum", "box", output=True)
    hand.drag(start, start + QPointF(5000, 0))
    assert QApplication.activePopupWidget() is None


def test_tab_does_nothing_while_something_is_carried(canvas, hand):
    hand.press(hand.header("left"))
    hand.move(hand.header("left") + QPointF(60, 0))
    QTest.keyClick(canvas, Qt.Key.Key_Tab)
    assert QApplication.activePopupWidget() is None
    hand.release(hand.header("left") + QPointF(60, 0))
    assert canvas.document.undo_stack.count() == 1


def test_the_view_follows_what_is_dragged_beyond_its_edge(canvas, hand, qtbot):
    before, start = canvas.document.graph.nodes["sum"].pos, hand.header("sum")
    out = QPoint(canvas.width() + 60, hand.at(start).y())
    hand.press(start)
    QTest.mouseMove(canvas, out)
    qtbot.waitUntil(lambda: canvas.state.view.x < -400)
    assert canvas.state.view.y == 100
    below = canvas.state.view.to_world(QPointF(out))
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=out)
    x, _ = canvas.document.graph.nodes["sum"].pos
    assert abs(x - before[0] - (below - start).x()) <= 1
    still = canvas.state.view
    qtbot.wait(50)
    assert canvas.state.view == still


def test_zooming_during_a_drag_keeps_the_node_under_the_pointer(canvas, hand):
    start = hand.header("sum")
    hand.press(start)
    hand.move(start + QPointF(100, 40))
    at = canvas.gesture.at
    canvas.state.show_view(canvas.state.view.zoomed(0.5, QPointF()))
    assert canvas.state.view.to_world(at) - start == canvas.gesture.offset
    QTest.keyClick(canvas, Qt.Key.Key_Escape)

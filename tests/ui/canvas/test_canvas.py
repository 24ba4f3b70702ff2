"""The canvas shows the document, and the mouse and the keys change it."""

import random
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QInputDevice, QNativeGestureEvent, QPointingDevice, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from nodegraph import graph as edits
from nodegraph.formats.fields import FARTHEST
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port
from nodegraph.running.messages import Failed, Finished
from nodegraph.types import Picture
from ui.base.text import label, parameter_help
from ui.base.theme import DARK
from ui.canvas.canvas import Canvas
from ui.canvas.commands import selection
from ui.canvas.overlays.palette import Palette
from ui.canvas.scene.view import LEGIBLE, View, fitted
from ui.documents.document import Document
from ui.runs.run_state import RunState

EMPTY = QPointF(-60, 400)


def test_nodes_and_links_of_the_document_are_shown(shows_document):
    assert shows_document()


def test_the_canvas_shows_the_document_after_any_edit_undo_and_redo(canvas, shows_document):
    pick = random.Random(7)
    document = canvas.document
    for step in range(60):
        ids = list(document.graph.nodes)
        match pick.randrange(5):
            case 0:
                document.edit("Add", edits.add_node, f"n{step}", Node("toy.add", pos=(pick.randrange(900), 0)))
            case 1 if ids:
                document.edit("Delete", edits.remove_nodes, {pick.choice(ids)})
            case 2 if len(ids) > 1:
                a, b = pick.sample(ids, 2)
                document.edit("Connect", edits.connect, Port(a, "box"), Port(b, "a"))
            case 3:
                document.undo_stack.undo()
            case _:
                document.undo_stack.redo()
        assert shows_document()


def test_what_is_painted_after_edits_is_what_a_new_canvas_paints(canvas, hand, qtbot):
    hand.drag(hand.header("sum"), hand.header("sum") + QPointF(80, 120))
    canvas.document.set_param("left", "value", 77.0)
    canvas.document.edit("Delete", edits.remove_nodes, {"right"})
    canvas.state.select(())
    qtbot.waitUntil(lambda: canvas.grab().toImage() == repainted(canvas))


def repainted(canvas):
    """The canvas with every tile painted again."""
    canvas._tiles.clear()
    for _ in range(20):  # a frame may leave tiles to the next
        canvas.grab()
    return canvas.grab().toImage()


def test_a_drag_is_one_undo_step(canvas, hand):
    before = canvas.document.graph
    hand.drag(hand.header("sum"), hand.header("sum") + QPointF(50, 30))
    assert canvas.document.graph.nodes["sum"].pos == (350, 30)
    assert canvas.document.undo_stack.count() == 1
    canvas.document.undo_stack.undo()
    assert canvas.document.graph == before


def test_a_drag_carries_all_selected_nodes(canvas, hand):
    hand.click(hand.header("left"))
    hand.click(hand.header("sum"), Qt.KeyboardModifier.ShiftModifier)
    hand.drag(hand.header("sum"), hand.header("sum") + QPointF(0, 40))
    assert canvas.document.graph.nodes["left"].pos == (0, 40)
    assert canvas.document.graph.nodes["sum"].pos == (300, 40)
    assert canvas.document.graph.nodes["right"].pos == (0, 150)


def test_escape_during_a_drag_leaves_everything_as_it_was(canvas, hand):
    hand.press(hand.header("sum"))
    hand.move(hand.header("sum") + QPointF(50, 30))
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    hand.release(hand.header("sum") + QPointF(50, 30))
    assert canvas.document.undo_stack.count() == 0


def test_a_box_selects_what_it_touches(canvas, hand):
    hand.drag(QPointF(-40, -40), QPointF(100, 160))
    assert canvas.state.selection == {"left", "right"}


def test_a_click_on_nothing_clears_the_selection(canvas, hand):
    hand.click(hand.header("left"))
    assert canvas.state.selection == {"left"}
    hand.click(EMPTY)
    assert not canvas.state.selection


def test_a_wire_is_pulled_from_an_output_to_an_input(canvas, hand):
    canvas.document.edit("Disconnect", edits.disconnect, Port("sum", "a"))
    hand.drag(hand.socket("right", "box", output=True), hand.socket("sum", "a"))
    assert canvas.document.graph.links[Port("sum", "a")] == Port("right", "box")


def test_a_wire_is_pulled_from_an_input_to_an_output(canvas, hand):
    canvas.document.edit("Disconnect", edits.disconnect, Port("sum", "a"))
    hand.drag(hand.socket("sum", "a"), hand.socket("right", "box", output=True))
    assert canvas.document.graph.links[Port("sum", "a")] == Port("right", "box")


def test_a_wire_does_not_go_where_the_types_disagree(canvas, hand, monkeypatch):
    monkeypatch.setattr("ui.canvas.gestures.wires.open_palette", lambda *_, **__: None)
    hand.drag(hand.socket("left", "box", output=True), hand.socket("settings", "text"))
    assert Port("settings", "text") not in canvas.document.graph.links


def test_a_wire_does_not_close_a_circle(canvas, hand, monkeypatch):
    monkeypatch.setattr("ui.canvas.gestures.wires.open_palette", lambda *_, **__: None)
    canvas.document.edit("Add", edits.add_node, "more", Node("toy.add", pos=(600, 300)))
    canvas.document.edit("Connect", edits.connect, Port("sum", "box"), Port("more", "a"))
    hand.drag(hand.socket("more", "box", output=True), hand.socket("sum", "a"))
    assert canvas.document.graph.links[Port("sum", "a")] == Port("left", "box")


def test_a_wire_is_taken_off_its_input(canvas, hand):
    hand.drag(hand.socket("sum", "a"), EMPTY)
    assert Port("sum", "a") not in canvas.document.graph.links


def test_a_wire_is_carried_from_one_input_to_another_in_one_step(canvas, hand):
    canvas.document.edit("Disconnect", edits.disconnect, Port("sum", "b"))
    steps = canvas.document.undo_stack.count()
    hand.drag(hand.socket("sum", "a"), hand.socket("sum", "b"))
    assert canvas.document.graph.links[Port("sum", "b")] == Port("left", "box")
    assert Port("sum", "a") not in canvas.document.graph.links
    assert canvas.document.undo_stack.count() == steps + 1


def palette(canvas) -> Palette | None:
    return canvas.findChild(Palette)


def test_a_wire_dropped_on_nothing_offers_what_fits_and_links_it(canvas, hand):
    hand.drag(hand.socket("settings", "box", output=True), QPointF(700, 400))
    offered = palette(canvas)
    assert offered is not None
    assert {offer.type.id for offer in offered.offers} >= {"toy.add", "toy.show"}
    assert "toy.box" not in {offer.type.id for offer in offered.offers}
    QTest.keyClicks(offered.box, "show")
    QTest.keyClick(offered.box, Qt.Key.Key_Return)
    assert canvas.document.graph.links[Port("show_2", "box")] == Port("settings", "box")
    assert canvas.document.undo_stack.count() == 1


def test_tab_finds_and_adds_a_node_with_the_keyboard_alone(canvas):
    QTest.keyClick(canvas, Qt.Key.Key_Tab)
    found = palette(canvas)
    assert found is not None
    QTest.keyClicks(found.box, "bx")
    QTest.keyClick(found.box, Qt.Key.Key_Return)
    assert canvas.document.graph.nodes["box"].type == "toy.box"
    assert canvas.state.selection == {"box"}


def test_delete_removes_the_selected_nodes_and_their_links(canvas, hand, shows_document):
    hand.click(hand.header("sum"))
    selection.delete(canvas.state)
    assert "sum" not in canvas.document.graph.nodes
    assert not canvas.state.selection
    assert shows_document()


@pytest.mark.parametrize("button", [Qt.MouseButton.MiddleButton, None])
def test_the_middle_button_or_space_pans(canvas, hand, button):
    start = hand.at(EMPTY)
    if button is None:
        QTest.keyPress(canvas, Qt.Key.Key_Space)
    QTest.mousePress(canvas, button or Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(canvas, start + QPoint(30, -20))
    QTest.mouseRelease(canvas, button or Qt.MouseButton.LeftButton, pos=start + QPoint(30, -20))
    assert (canvas.state.view.x, canvas.state.view.y) == (130, 80)
    assert not canvas.state.selection


def test_space_that_was_let_go_in_another_place_pans_no_more(canvas, hand):
    QTest.keyPress(canvas, Qt.Key.Key_Space)
    canvas.clearFocus()
    hand.drag(EMPTY, EMPTY + QPointF(30, -20))
    assert (canvas.state.view.x, canvas.state.view.y) == (100, 100)


def test_the_wheel_zooms_at_the_pointer(canvas):
    at = QPointF(400, 300)
    before = canvas.state.view.to_world(at)
    QApplication.sendEvent(canvas, wheel(canvas, at, 120))
    after = canvas.state.view.to_world(at)
    assert canvas.state.view.scale > 1
    assert (after - before).manhattanLength() <= 1  # the offset is whole pixels


def wheel(canvas, at: QPointF, delta: int) -> QWheelEvent:
    none, buttons = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.NoButton
    place = canvas.mapToGlobal(at)
    return QWheelEvent(at, place, QPoint(), QPoint(0, delta), buttons, none, Qt.ScrollPhase.NoScrollPhase, False)


@pytest.fixture
def touchpad() -> QPointingDevice:
    kind, pointer = QInputDevice.DeviceType.TouchPad, QPointingDevice.PointerType.Finger
    return QPointingDevice("touchpad", 7, kind, pointer, QInputDevice.Capability.PixelScroll, 2, 1)


def test_two_fingers_on_a_touchpad_pan_and_with_ctrl_zoom(canvas, touchpad):
    def scroll(by: QPoint, keys: Qt.KeyboardModifier) -> None:
        at, none = QPointF(300, 200), Qt.MouseButton.NoButton
        phase, source = Qt.ScrollPhase.ScrollUpdate, Qt.MouseEventSource.MouseEventNotSynthesized
        event = QWheelEvent(at, canvas.mapToGlobal(at), by, by, none, keys, phase, False, source, touchpad)
        QApplication.sendEvent(canvas, event)

    before = canvas.state.view
    scroll(QPoint(-30, 12), Qt.KeyboardModifier.NoModifier)
    assert canvas.state.view == before.panned(-30, 12)
    scroll(QPoint(0, 120), Qt.KeyboardModifier.ControlModifier)
    assert canvas.state.view.scale > before.scale


def test_fingers_that_part_on_a_touchpad_zoom_between_them(canvas, touchpad):
    at, before = QPointF(300, 200), canvas.state.view
    zoom = Qt.NativeGestureType.ZoomNativeGesture
    event = QNativeGestureEvent(zoom, touchpad, 2, at, at, canvas.mapToGlobal(at), 0.25, QPointF())
    QApplication.sendEvent(canvas, event)
    assert canvas.state.view.scale == pytest.approx(before.scale * 1.25)
    moved = canvas.state.view.to_screen(before.to_world(at)) - at
    assert moved.manhattanLength() <= 2  # the offset is whole pixels


def test_fit_shows_everything(canvas):
    canvas.state.show_view(canvas.state.view.panned(5000, 0))
    canvas.fit()
    assert canvas.state.view.rect_to_world(QRectF(canvas.rect())).contains(canvas.scene.extent())


def test_fitting_nothing_or_a_point_keeps_a_usable_scale(canvas):
    assert fitted(QRectF(), canvas.size().toSizeF()).scale == 1
    assert fitted(QRectF(0, 0, 1, 1), canvas.size().toSizeF()).scale == 1


def test_a_failed_node_says_why(canvas, hand):
    canvas.runs.take(Failed("sum", "the box must be red"))
    assert canvas.tip_at(QPointF(hand.at(hand.header("sum")))) == "the box must be red"
    below = hand.at(QPointF(340, canvas.scene.nodes["sum"].rect.bottom() + 20))
    assert canvas.grab().toImage().pixelColor(below) != QColor(DARK.canvas)


def test_a_result_shows_its_picture_inside_the_node(canvas, hand, qtbot):
    red_and_blue = Picture(1, 2, bytes([255, 0, 0, 0, 0, 255]))
    canvas.runs.take(Finished("sum", "key", (), 0.1, cached=False, picture=red_and_blue))
    place = canvas.scene.nodes["sum"].shape.picture
    at = hand.at(canvas.scene.nodes["sum"].pos + place.topLeft() + QPointF(9, 9))
    qtbot.waitUntil(lambda: canvas.grab().toImage().pixelColor(at) == QColor(255, 0, 0))


def test_a_picture_of_one_colour_takes_no_room_in_its_node(canvas):
    red = Picture(2, 2, bytes([255, 0, 0]) * 4)
    canvas.runs.take(Finished("sum", "key", (), 0.1, cached=False, picture=red))
    assert canvas.scene.nodes["sum"].shape.picture is None


def test_everything_far_out_is_still_painted(canvas, qtbot):
    canvas.state.show_view(canvas.state.view.zoomed(0.1, QPointF()))
    at = canvas.state.view.to_screen(canvas.scene.nodes["settings"].rect.center()).toPoint()
    qtbot.waitUntil(lambda: canvas.grab().toImage().pixelColor(at) == QColor(DARK.raised))


def said_to_newcomers(canvas) -> bool:
    """Whether something is written in the middle of an otherwise empty canvas."""
    canvas.grab()
    middle = canvas.grab().toImage().copy(QRect(QPoint(), canvas.size()).adjusted(300, 300, -300, -300))
    tints = {middle.pixelColor(x, y).name() for x in range(middle.width()) for y in range(0, middle.height(), 2)}
    return len(tints - {DARK.canvas, DARK.grid}) > 8


def test_an_empty_canvas_says_how_to_begin_until_there_is_a_node(canvas):
    selection.select_all(canvas.state)
    canvas.document.edit("Clear", edits.remove_nodes, set(canvas.document.graph.nodes))
    assert said_to_newcomers(canvas)
    canvas.document.edit("Add", edits.add_node, "far", Node("toy.add", pos=(-5000, 0)))
    assert not said_to_newcomers(canvas)


def test_a_node_as_far_out_as_a_file_may_have_it_is_shown(canvas):
    canvas.document.edit("Move", edits.move_nodes, {"left": (FARTHEST, -FARTHEST)})
    canvas.fit_all()
    canvas.repaint()
    canvas.state.select({"left"})
    canvas.fit()
    canvas.repaint()
    assert canvas.scene.node_at(canvas.state.view.to_world(QPointF(canvas.rect().center()))).id == "left"


def opened(qtbot, registry, nodes: dict[str, Node]) -> Canvas:
    made = Canvas(Document(registry, Graph(nodes)), RunState())
    qtbot.addWidget(made)
    made.resize(1100, 800)
    made.show()
    qtbot.waitExposed(made)
    made.grab()
    return made


def test_a_graph_that_is_too_wide_to_read_its_notes_opens_at_the_first_of_them(qtbot, registry):
    nodes = {
        "later": Node("canvas.note", pos=(3000, 0)),
        "first": Node("canvas.note"),
        "far": Node("toy.add", pos=(6000, 0)),
    }
    canvas = opened(qtbot, registry, nodes)
    assert canvas.state.view.scale == LEGIBLE
    assert QRectF(canvas.rect()).contains(canvas.state.view.rect_to_screen(canvas.scene.nodes["first"].rect))


def test_a_graph_whose_notes_can_be_read_opens_whole(qtbot, registry):
    canvas = opened(qtbot, registry, {"note": Node("canvas.note"), "node": Node("toy.add", pos=(500, 0))})
    assert QRectF(canvas.rect()).contains(canvas.state.view.rect_to_screen(canvas.scene.extent()))


def test_the_tip_of_a_row_speaks_of_its_parameter(qtbot):
    """Of what it does and may be, whether it is typed, linked, or only an input; the header speaks of the node."""
    nodes = {"schedule": Node("schedule.noise_scheduler"), "n": Node("math.integer", pos=(-400.0, 0.0))}
    links = {Port("schedule", "steps"): Port("n", "number")}
    canvas = opened(qtbot, discover("nodes"), nodes)
    canvas.document.edit("Link", lambda graph: replace(graph, links=links))
    item = canvas.scene.nodes["schedule"]

    def tip(name: str) -> str:
        row = next(row for row in item.shape.rows if row.input is not None and row.input.name == name)
        canvas.state.show_view(View(1.0, 300, 200))
        return canvas.tip_at(canvas.state.view.to_screen(item.pos + QPointF(40, row.y + 12)))

    for name in ("schedule", "steps", "denoise", "model"):
        does = parameter_help(item.type.doc, name)
        assert (does or label(name))[:40].split("\n")[0][:20] in tip(name), name
        assert item.type.doc.split(".")[0] not in tip(name)
    assert canvas.tip_at(canvas.state.view.to_screen(item.pos + QPointF(60, 12))) == item.type.doc.split("\n\n", 1)[0]

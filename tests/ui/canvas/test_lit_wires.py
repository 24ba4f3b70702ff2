"""Which wire leads where: what is lit, what stands back, and what can be done to a wire."""

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu

from nodegraph import graph as edits
from nodegraph.editing.wires import add_reroute
from nodegraph.graph import Graph, Node, Port
from ui.base.theme import colors
from ui.canvas.canvas import Canvas
from ui.canvas.commands import selection
from ui.canvas.overlays.palette import Palette
from ui.canvas.scene.tracks import Stretch, Tracks
from ui.documents.document import Document
from ui.runs.run_state import RunState

A, B, SHOWN = Port("sum", "a"), Port("sum", "b"), Port("show", "box")
EMPTY = QPointF(-60, 600)


def on_wire(canvas: Canvas, dst: Port) -> QPointF:
    """The middle of a wire, in the world."""
    points = canvas.scene.links[dst].points
    return points[len(points) // 2]


def strength(canvas: Canvas, world: QPointF) -> float:
    """How far the place is from the colour of the canvas."""
    at = canvas.state.view.to_screen(world).toPoint()
    for _ in range(8):  # a frame may leave tiles to the next
        image = canvas.grab().toImage()
    near = [QColor(image.pixelColor(at + QPoint(0, dy))) for dy in range(-2, 3)]
    ground = QColor(colors().canvas)
    return max(
        abs(c.red() - ground.red()) + abs(c.green() - ground.green()) + abs(c.blue() - ground.blue()) for c in near
    )


def test_the_wires_of_the_node_under_the_pointer_are_lit_and_the_others_stand_back(canvas, hand, qtbot):
    canvas.document.edit("Part", edits.move_nodes, {"sum": (400.0, 40.0), "show": (800.0, 140.0)})
    before = strength(canvas, on_wire(canvas, SHOWN))
    hand.move(hand.header("left"))
    assert canvas.state.lit == {A}
    qtbot.waitUntil(lambda: strength(canvas, on_wire(canvas, SHOWN)) < 0.5 * before)
    assert strength(canvas, on_wire(canvas, A)) > before
    hand.move(EMPTY)
    assert not canvas.state.lit
    qtbot.waitUntil(lambda: strength(canvas, on_wire(canvas, SHOWN)) > 0.9 * before)


def test_the_wires_of_the_selected_node_stay_lit(canvas, hand):
    hand.click(hand.header("sum"))
    hand.move(EMPTY)
    assert canvas.state.lit == {A, B, SHOWN}
    hand.click(EMPTY)
    assert not canvas.state.lit


def test_a_wire_is_lit_through_its_reroutes_up_to_its_ends(canvas, hand):
    canvas.document.edit("Move", edits.move_nodes, {"show": (900.0, 0.0)})
    canvas.document.edit("Bend", add_reroute, SHOWN, (600.0, 120.0))
    hand.move(on_wire(canvas, SHOWN))
    assert canvas.state.lit == {SHOWN, Port("reroute", "value")}


def test_a_click_selects_a_wire_and_delete_cuts_it(canvas, hand):
    hand.click(on_wire(canvas, A))
    hand.move(EMPTY)
    assert canvas.state.wire == A
    assert canvas.state.lit == {A}
    selection.delete(canvas.state)
    assert A not in canvas.document.graph.links
    assert canvas.state.wire is None
    assert set(canvas.document.graph.nodes) == {"left", "right", "sum", "show", "settings"}


def test_hovering_paints_no_tile_before_the_pointer_rests(canvas, hand, monkeypatch):
    painted = []
    monkeypatch.setattr(canvas._tiles._dimmed, "_render", lambda *args: painted.append(args))
    for id in ("left", "sum", "show", "right"):
        hand.move(hand.header(id))
        canvas.grab()
    assert not painted


def test_of_a_node_with_hundreds_of_wires_none_is_lit(qtbot, registry):
    """Each would be painted anew in each frame."""
    nodes = {"hub": Node("toy.box")} | {f"n{i}": Node("toy.show", pos=(400.0, 40.0 * i)) for i in range(400)}
    links = {Port(f"n{i}", "box"): Port("hub", "box") for i in range(400)}
    canvas = Canvas(Document(registry, Graph(nodes, links)), RunState())
    qtbot.addWidget(canvas)
    canvas.scene.finish()
    canvas.state.hover("hub")
    assert not canvas.state.lit
    canvas.state.hover("n7")
    assert canvas.state.lit == {Port("n7", "box")}


# Modes ------------------------------------------------------------------------------------------------


def look(canvas: Canvas, mode: str):
    canvas.document.edit("Mode", lambda graph: edits.change_node(graph, "sum", mode=mode))
    rect = canvas.state.view.rect_to_screen(canvas.scene.nodes["sum"].rect.adjusted(4, 34, -4, -4)).toRect()
    return canvas.grab(rect).toImage()


def test_a_muted_and_a_bypassed_node_look_different_beside_their_words(canvas):
    looks = [look(canvas, mode) for mode in ("on", "muted", "bypassed")]
    assert all(a != b for a, b in zip(looks, looks[1:] + looks[:1], strict=True))


def test_a_line_leads_through_a_bypassed_node_from_what_it_passes_on_to_its_output(canvas):
    canvas.document.edit("Mode", lambda graph: edits.change_node(graph, "sum", mode="bypassed"))
    a, out = canvas.scene.socket_pos(A, output=False), canvas.scene.socket_pos(Port("sum", "box"), output=True)
    assert strength(canvas, (a + out) / 2) > 150
    canvas.document.edit("Mode", lambda graph: edits.change_node(graph, "sum", mode="muted"))
    assert strength(canvas, (a + out) / 2) < 150


# Lanes ------------------------------------------------------------------------------------------------


@pytest.fixture
def in_a_row(qtbot, registry) -> Canvas:
    """Three boxes and what adds them, so that the wires would run at one height."""
    nodes = {f"box {i}": Node("toy.box", {}, (i * 300.0, 0.0)) for i in range(3)}
    nodes |= {f"add {i}": Node("toy.add", {}, (1000.0, 200.0 * i)) for i in range(2)}
    links = {Port("add 0", "a"): Port("box 0", "box"), Port("add 0", "b"): Port("box 1", "box")}
    links |= {Port("add 1", "a"): Port("box 2", "box"), Port("add 1", "b"): Port("box 0", "box")}
    canvas = Canvas(Document(registry, Graph(nodes, links)), RunState())
    qtbot.addWidget(canvas)
    return canvas


def test_wires_that_would_run_on_one_lane_run_beside_each_other(in_a_row):
    links = in_a_row.scene.links
    heights = {dst: link.a.y() + link.aside.rise for dst, link in links.items()}
    assert heights["add 0", "a"] == heights["add 1", "b"]  # one output has one lane
    assert len({heights["add 0", "a"], heights["add 0", "b"], heights["add 1", "a"]}) == 3
    assert all(link.points[0] == link.a and link.points[-1] == link.b for link in links.values())


def test_a_wire_goes_back_to_its_height_when_the_other_is_gone(in_a_row):
    for dst in (Port("add 0", "a"), Port("add 1", "b")):
        in_a_row.document.edit("Cut", edits.disconnect, dst)
    in_a_row.document.edit("Cut", edits.disconnect, Port("add 0", "b"))
    assert in_a_row.scene.links[Port("add 1", "a")].aside.rise == 0


def test_tracks_do_not_depend_on_the_order_in_which_wires_came():
    stretches = {name: Stretch((name, "out"), low, low + 100.0) for name, low in (("a", 0.0), ("b", 50.0), ("c", 90.0))}
    found = []
    for order in ("abc", "cba", "bca"):
        tracks = Tracks()
        for name in order:
            tracks.put(name, 12.0, stretches[name])
            tracks.settle()
        found.append([tracks.of(name) for name in "abc"])
    assert found == [[0, 1, 2]] * 3


# What can be done to a wire ---------------------------------------------------------------------------


def menu_on(canvas: Canvas, dst: Port) -> QMenu:
    place = canvas.state.view.to_screen(on_wire(canvas, dst)).toPoint()
    QTest.mouseClick(canvas, Qt.MouseButton.RightButton, pos=place)
    (menu,) = canvas.findChildren(QMenu)
    return menu


def choose(menu: QMenu, text: str) -> None:
    action = next(action for action in menu.actions() if action.text() == text)
    QTest.mouseClick(menu, Qt.MouseButton.LeftButton, pos=menu.actionGeometry(action).center())


def test_the_menu_of_a_wire_cuts_it(canvas):
    choose(menu_on(canvas, A), "Cut the wire")
    assert A not in canvas.document.graph.links
    assert canvas.document.undo_stack.count() == 1


def test_the_menu_of_a_wire_bends_it(canvas):
    choose(menu_on(canvas, SHOWN), "Add a reroute")
    assert canvas.document.graph.links[SHOWN] == Port("reroute", "value")


@pytest.mark.parametrize(("text", "id"), [("Go to Box", "left"), ("Go to Add", "sum")])
def test_the_menu_of_a_wire_leads_to_its_ends(canvas, text, id):
    choose(menu_on(canvas, A), text)
    assert canvas.state.selection == {id}


def test_the_menu_of_a_wire_inserts_a_node_that_fits_as_one_step(canvas):
    before = canvas.document.graph
    choose(menu_on(canvas, SHOWN), "Insert a node…")
    palette = canvas.findChild(Palette)
    offered = {offer.type.id for offer in palette.offers}
    assert "toy.step" in offered
    assert not offered & {"toy.show", "toy.box"}  # nothing comes out of the one, or goes into the other
    QTest.keyClicks(palette.box, "step")
    QTest.keyClick(palette.box, Qt.Key.Key_Return)
    graph = canvas.document.graph
    assert graph.links[SHOWN] == Port("step", "box")
    assert graph.links[Port("step", "box")] == Port("sum", "box")
    assert not canvas.scene.nodes["step"].rect.intersects(canvas.scene.nodes["show"].rect)
    canvas.document.undo_stack.undo()
    assert canvas.document.graph == before

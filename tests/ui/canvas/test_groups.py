"""Groups and zones on the canvas: made, entered, edited inside, left, taken apart."""

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest

from nodegraph import graph as edits
from nodegraph.editing.group_body import NEW_SOCKET
from nodegraph.graph import Graph, Node, Port
from nodegraph.planning.calls import Call
from nodegraph.planning.plan import plan
from nodegraph.running.messages import Finished
from nodegraph.types import Picture
from ui.canvas.commands import selection
from ui.canvas.commands.adding import open_palette
from ui.canvas.gestures import arrange
from ui.canvas.overlays.palette import Palette

STRIPES = [Picture(2, 2, bytes([10 * i, 0, 0, 0, 10 * i, 0] * 2)) for i in range(1, 4)]


@pytest.fixture
def group(canvas) -> str:
    """The sum as a group; its node's id."""
    canvas.state.select({"left", "right", "sum"})
    selection.group(canvas.state)
    (id,) = canvas.state.selection
    return id


def tab(canvas) -> None:
    QTest.keyClick(canvas, Qt.Key.Key_Tab)


def test_a_group_takes_the_place_of_its_nodes_in_one_step(canvas, group, shows_document):
    assert canvas.document.graph.nodes[group].type == "group:Group"
    assert set(canvas.document.graph.nodes) == {group, "show", "settings"}
    assert canvas.document.undo_stack.count() == 1
    assert shows_document()


def test_what_cannot_be_grouped_is_explained(canvas):
    said = []
    canvas.state.refused.connect(said.append)
    canvas.state.select({"left", "show"})
    selection.group(canvas.state)
    assert said == ["No group was made: 'sum' lies between the chosen nodes: choose it as well."]


def test_ungrouping_brings_the_nodes_back_and_selects_them(canvas, group):
    selection.ungroup(canvas.state)
    assert canvas.state.selection == {"left", "right", "sum"}
    assert canvas.document.graph.links[Port("show", "box")] == Port("sum", "box")


def test_several_groups_are_taken_apart_in_one_step(canvas):
    for id in ("left", "right"):
        canvas.state.select({id})
        selection.group(canvas.state)
    before = canvas.document.undo_stack.count()
    canvas.state.select({"group", "group_2"})
    selection.ungroup(canvas.state)
    assert canvas.document.undo_stack.count() == before + 1
    assert canvas.state.selection == {"left", "right"}


def test_tab_enters_the_selected_group_and_escape_leaves_it(canvas, group, shows_document):
    tab(canvas)
    assert canvas.scope.path == (group,)
    assert {"left", "right", "sum"} < set(canvas.scene.nodes)
    assert not canvas.state.selection
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert canvas.scope.path == ()
    assert shows_document()


def test_a_double_click_beside_the_rows_enters_a_group(canvas, hand, group):
    rect = canvas.scene.nodes[group].rect
    QTest.mouseDClick(canvas, Qt.MouseButton.LeftButton, pos=hand.at(rect.bottomLeft() + QPointF(60, -4)))
    assert canvas.scope.path == (group,)


def test_breadcrumbs_lead_back(canvas, group):
    assert not canvas.breadcrumbs.isVisible()
    tab(canvas)
    assert canvas.breadcrumbs.isVisible()
    assert [button.text() for button in canvas.breadcrumbs.buttons] == ["Untitled", "Group"]
    QTest.mouseClick(canvas.breadcrumbs.buttons[0], Qt.MouseButton.LeftButton)
    assert canvas.scope.path == ()
    assert not canvas.breadcrumbs.isVisible()


def test_edits_inside_are_steps_of_the_document(canvas, hand, group):
    tab(canvas)
    canvas.grab()
    hand.drag(hand.header("sum"), hand.header("sum") + QPointF(40, 60))
    inner = canvas.document.graph.groups["Group"].graph
    assert inner.nodes["sum"].pos == (340, 60)
    canvas.document.undo_stack.undo()
    assert canvas.scope.graph.nodes["sum"].pos == (300, 0)
    assert canvas.scene.nodes["sum"].pos == QPointF(300, 0)
    assert canvas.scope.path == (group,)


def test_undoing_the_group_while_inside_leads_out_of_it(canvas, group, shows_document):
    tab(canvas)
    canvas.document.undo_stack.undo()
    assert canvas.scope.path == ()
    assert shows_document()


def test_the_walls_show_the_sockets_of_the_group(canvas, group):
    tab(canvas)
    walls = {node.type: id for id, node in canvas.scope.graph.nodes.items()}
    assert list(canvas.scene.nodes[walls["group.output"]].shape.inputs) == ["box", NEW_SOCKET]
    assert list(canvas.scene.nodes[walls["group.input"]].shape.outputs) == [NEW_SOCKET]


def test_a_wire_from_a_new_socket_gives_the_group_an_input(canvas, hand, group):
    tab(canvas)
    canvas.grab()
    walls = {node.type: id for id, node in canvas.scope.graph.nodes.items()}
    hand.drag(hand.socket(walls["group.input"], NEW_SOCKET, output=True), hand.socket("left", "value"))
    assert canvas.document.graph.groups["Group"].inputs == {"value": 2.0}
    assert list(canvas.scene.nodes[walls["group.input"]].shape.outputs) == ["value", NEW_SOCKET]
    canvas.scope.leave()
    assert "value" in canvas.scene.nodes[group].shape.inputs
    canvas.document.undo_stack.undo()
    assert "value" not in canvas.scene.nodes[group].shape.inputs


def test_the_walls_are_not_deleted(canvas, group):
    tab(canvas)
    selection.select_all(canvas.state)
    selection.delete(canvas.state)
    types = {node.type for node in canvas.scope.graph.nodes.values()}
    assert types == {"group.input", "group.output"}


def test_a_group_inside_a_group_is_entered_and_left_step_by_step(canvas, group):
    tab(canvas)
    canvas.state.select({"sum"})
    selection.group(canvas.state)
    (inner,) = canvas.state.selection
    tab(canvas)
    assert canvas.scope.path == (group, inner)
    assert canvas.scope.titles == ("Untitled", "Group", "Group 2")
    assert "sum" in canvas.scope.graph.nodes
    assert set(canvas.document.graph.groups) == {"Group", "Group 2"}
    QTest.keyClick(canvas, Qt.Key.Key_Backtab)
    assert canvas.scope.path == (group,)


def test_the_palette_offers_the_groups_of_the_document(canvas, group):
    palette = open_palette(canvas.state, QPointF(50, 50))
    assert "group:Group" in {offer.type.id for offer in palette.offers}
    assert "group.input" not in {offer.type.id for offer in palette.offers}
    palette.close()


def test_an_instance_computes_what_was_edited_inside(canvas, group, registry):
    before = plan(canvas.document.graph, registry).calls
    tab(canvas)
    canvas.scope.set_param("left", "value", 9.0)
    assert set(plan(canvas.document.graph, registry).calls) != set(before)


def test_nodes_inside_show_how_their_run_goes(canvas, group):
    canvas.runs.take(Finished(f"{group}/sum", "key", (), 0.1, cached=False, picture=STRIPES[0]))
    tab(canvas)
    assert canvas.scene.nodes["sum"].run.picture == STRIPES[0]
    canvas.runs.take(Finished(f"{group}/sum", "other", (), 0.1, cached=False, picture=STRIPES[1]))
    assert canvas.scene.nodes["sum"].run.picture == STRIPES[1]


def test_a_node_inside_a_group_is_gone_to_by_the_name_the_engine_gives_it(canvas, group):
    canvas.state.center_on(f"{group}/sum")
    assert canvas.scope.path == (group,)
    assert canvas.state.selection == {"sum"}
    assert canvas.state.targets == (f"{group}/sum",)
    canvas.state.center_on("show")
    assert canvas.scope.path == ()
    assert canvas.state.selection == {"show"}


def test_a_problem_inside_is_shown_on_the_group_and_inside_on_its_node(canvas, group):
    canvas.scene.show_problems({f"{group}/sum": "a must be connected"})
    assert canvas.scene.nodes[group].problem == "a must be connected"
    tab(canvas)
    assert canvas.scene.nodes["sum"].problem == "a must be connected"
    canvas.scene.show_problems({})
    assert canvas.scene.nodes["sum"].problem == ""


# Variables --------------------------------------------------------------------------------------------


def test_the_palette_offers_the_variables_of_the_graph(canvas):
    selection.name_output(canvas.state, Port("sum", "box"), "total")
    palette = open_palette(canvas.state, QPointF(50, 50))
    QTest.keyClicks(palette.box, "total")
    QTest.keyClick(palette.box, Qt.Key.Key_Return)
    (id,) = canvas.state.selection
    assert canvas.document.graph.nodes[id] == Node(
        "variable.get", {"name": "total"}, canvas.document.graph.nodes[id].pos
    )
    assert canvas.findChild(Palette) is None or not canvas.findChild(Palette).isVisible()


# Zones ------------------------------------------------------------------------------------------------


@pytest.fixture
def zone(canvas) -> str:
    """Three steps in a repeat zone; the begin's id."""
    nodes = {
        "box": Node("toy.box", {}, (0, 0)),
        "begin": Node("repeat.begin", {"count": 3}, (300, 0)),
        "step": Node("toy.step", {}, (600, 0)),
        "end": Node("repeat.end", {}, (900, 0)),
    }
    links = {
        Port("begin", "initial"): Port("box", "box"),
        Port("step", "box"): Port("begin", "state"),
        Port("end", "next"): Port("step", "box"),
        Port("end", "zone"): Port("begin", "zone"),
    }
    canvas.document.edit("Show", lambda _: Graph(nodes, links))
    canvas.document.undo_stack.clear()
    canvas.state.select(())
    return "begin"


def test_a_zone_is_framed_around_its_nodes(canvas, zone):
    (item,) = canvas.scene.zones
    assert item.title == "Repeat"
    assert all(item.rect.contains(canvas.scene.nodes[id].rect) for id in ("begin", "step", "end"))
    assert not item.rect.intersects(canvas.scene.nodes["box"].rect)


def test_the_frame_of_a_zone_follows_its_nodes(canvas, hand, zone):
    hand.drag(hand.header("step"), hand.header("step") + QPointF(0, 400))
    assert canvas.scene.zones[0].rect.contains(canvas.scene.nodes["step"].rect)
    canvas.document.edit("Cut", edits.disconnect, Port("end", "zone"))
    assert canvas.scene.zones == []


def test_arranging_keeps_other_nodes_out_of_a_zone_and_the_zone_in_its_frame(canvas, zone, qtbot):
    canvas.document.edit("Add", edits.add_node, "other", Node("toy.box", pos=(450, 40)))
    canvas.state.select({"begin", "step", "end"})
    selection.frame(canvas.state)
    canvas.document.edit("Out", edits.move_nodes, {"other": (450, 900)})
    canvas.state.select(())
    arrange.arrange(canvas.state)
    (item,) = canvas.scene.zones
    assert not item.rect.intersects(canvas.scene.nodes["other"].rect)
    assert not item.rect.intersects(canvas.scene.nodes["box"].rect)
    assert canvas.scene.with_members({"frame"}) == {"frame", "begin", "step", "end"}
    qtbot.waitUntil(lambda: not canvas.carried())


def pictured(canvas) -> None:
    """As if all three rounds had run."""
    calls = plan(canvas.document.graph, canvas.document.registry).calls
    steps: dict[str, Call] = {key: call for key, call in calls.items() if call.node == "step"}
    canvas.runs.expect(calls)
    for key, picture in zip(steps, STRIPES, strict=True):
        canvas.runs.take(Finished("step", key, (), 0.1, cached=False, picture=picture))


def test_without_pictures_there_is_no_round_to_choose(canvas, zone):
    assert canvas.scene.zones[0].rounds == 0
    assert canvas.scene.zone_at(canvas.scene.zones[0].picker.center()) is None


def test_the_round_of_a_zone_is_chosen_on_its_frame(canvas, hand, zone):
    pictured(canvas)
    canvas.grab()
    (item,) = canvas.scene.zones
    assert item.picked_text == "3 / 3"
    assert canvas.scene.nodes["step"].run.picture == STRIPES[2]
    before = item.picker.center() - QPointF(40, 0)
    hand.click(before)
    assert canvas.scene.zones[0].picked_text == "2 / 3"
    assert canvas.scene.nodes["step"].run.picture == STRIPES[1]
    hand.click(before)
    hand.click(before)  # there is none before the first
    assert canvas.scene.nodes["step"].run.picture == STRIPES[0]
    selection.step_round(canvas.state, 1)
    assert canvas.scene.nodes["step"].run.picture == STRIPES[1]
    assert canvas.document.undo_stack.count() == 0


def test_two_quick_clicks_are_two_rounds(canvas, hand, zone):
    pictured(canvas)
    canvas.grab()
    before = canvas.scene.zones[0].picker.center() - QPointF(40, 0)
    hand.click(before)
    QTest.mouseDClick(canvas, Qt.MouseButton.LeftButton, pos=hand.at(before))
    assert canvas.findChild(Palette) is None
    assert canvas.scene.zones[0].picked_text == "1 / 3"


def test_the_round_that_is_looked_at_is_never_beyond_the_last(canvas, hand, zone):
    pictured(canvas)
    canvas.scene.rounds.picked["begin"] = 7
    canvas.scene.look_at_round(canvas.scene.zones[0], 0)
    assert canvas.scene.zones[0].picked_text == "3 / 3"


def test_leaving_a_group_selects_it_where_it_was_seen(canvas, group):
    before = canvas.state.view
    tab(canvas)
    canvas.grab()
    canvas.zoom(0.5)
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert canvas.state.selection == {group}
    assert canvas.state.view == before
    tab(canvas)
    QTest.mouseClick(canvas.breadcrumbs.buttons[0], Qt.MouseButton.LeftButton)
    assert canvas.state.selection == {group}
    assert canvas.state.view == before

"""The keyboard on the canvas: everything can be done without a mouse."""

import json
from collections.abc import Callable

import pytest
from PySide6.QtCore import QPointF, Qt, QTimer
from PySide6.QtGui import QAction, QClipboard, QColor, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QColorDialog, QMenu

from nodegraph import graph as edits
from nodegraph.editing import clipboard
from nodegraph.editing.tint import tint_of
from nodegraph.graph import Port
from ui.canvas.actions import canvas_actions
from ui.canvas.canvas import Canvas
from ui.canvas.commands import selection
from ui.canvas.commands.bringing import paste
from ui.canvas.commands.connect import open_connections
from ui.canvas.overlays.menu import SHOWN
from ui.canvas.scene.view import View
from ui.documents.document import Document
from ui.runs.run_state import RunState
from ui.widgets.finder import Finder
from ui.widgets.keeping_dialog import NameDialog

CTRL, SHIFT, ALT = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)
NONE = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def canvas(canvas, qtbot):
    """With its actions, as in the window."""
    for action in canvas_actions(canvas):
        made = QAction(action.text, canvas, checkable=action.checkable, objectName=action.id)
        made.setShortcuts(QKeySequence.listFromString(action.shortcut))
        made.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        if action.checkable:
            made.toggled.connect(action.callback)
        else:
            made.triggered.connect(lambda _=False, call=action.callback: call())
        canvas.addAction(made)
    canvas.activateWindow()
    canvas.setFocus()
    qtbot.waitUntil(lambda: canvas.hasFocus())
    return canvas


def press(canvas, key, keys=NONE):
    QTest.keyClick(canvas, key, keys)


def test_no_key_does_two_things(canvas):
    keys = [key for action in canvas_actions(canvas) for key in action.shortcut.split("; ") if key]
    assert len(keys) == len(set(keys))
    ids = [action.id for action in canvas_actions(canvas)]
    assert len(ids) == len(set(ids))
    assert all(id.startswith("canvas.") for id in ids)


# Clipboard --------------------------------------------------------------------------------------------


def test_copy_and_paste_go_through_the_clipboard_as_workflow_text(canvas):
    canvas.state.select({"left", "sum"})
    press(canvas, Qt.Key.Key_C, CTRL)
    assert set(json.loads(QApplication.clipboard().text())["nodes"]) == {"left", "sum"}
    press(canvas, Qt.Key.Key_V, CTRL)
    graph = canvas.document.graph
    assert canvas.state.selection == {"left_2", "sum_2"}
    assert graph.links[Port("sum_2", "a")] == Port("left_2", "box")
    assert Port("sum_2", "b") not in graph.links
    assert canvas.document.undo_stack.count() == 1


def test_what_is_copied_in_one_window_is_pasted_in_another(canvas, registry, qtbot):
    canvas.state.select({"left", "sum"})
    press(canvas, Qt.Key.Key_C, CTRL)
    other = Canvas(Document(registry), RunState())
    qtbot.addWidget(other)
    paste(other.state)
    assert set(other.document.graph.nodes) == {"left", "sum"}


def test_cut_takes_the_nodes_away_and_paste_brings_them_back(canvas):
    canvas.state.select({"settings"})
    press(canvas, Qt.Key.Key_X, CTRL)
    assert "settings" not in canvas.document.graph.nodes
    press(canvas, Qt.Key.Key_V, CTRL)
    assert canvas.document.graph.nodes["settings"].type == "toy.settings"


def test_pasting_what_is_no_workflow_says_so_and_changes_nothing(canvas):
    said = []
    canvas.state.refused.connect(said.append)
    for text in (" ", '{"nodes": '):
        QApplication.clipboard().setText(text)
        press(canvas, Qt.Key.Key_V, CTRL)
    assert said[0] == "Nothing was pasted: there are no nodes on the clipboard, and no file, picture or text."
    assert "not JSON" in said[1]
    assert canvas.document.undo_stack.count() == 0


def test_pasting_from_an_empty_clipboard_says_so(canvas, monkeypatch):
    said = []
    canvas.state.refused.connect(said.append)
    monkeypatch.setattr(QClipboard, "mimeData", lambda self: None)
    press(canvas, Qt.Key.Key_V, CTRL)
    assert said == ["Nothing was pasted: there are no nodes on the clipboard, and no file, picture or text."]


def test_copying_nothing_leaves_the_clipboard_alone(canvas):
    QApplication.clipboard().setText("kept")
    press(canvas, Qt.Key.Key_C, CTRL)
    assert QApplication.clipboard().text() == "kept"


def test_a_duplicate_lies_beside_and_takes_its_wires_along_on_request(canvas):
    canvas.state.select({"sum"})
    press(canvas, Qt.Key.Key_D, CTRL)
    assert canvas.state.selection == {"sum_2"}
    assert Port("sum_2", "a") not in canvas.document.graph.links
    canvas.state.select({"sum"})
    press(canvas, Qt.Key.Key_D, CTRL | SHIFT)
    assert canvas.document.graph.links[Port("sum_3", "a")] == Port("left", "box")


def test_duplicates_of_one_node_never_lie_on_each_other(canvas):
    for _ in range(3):
        canvas.state.select({"sum"})
        press(canvas, Qt.Key.Key_D, CTRL)
    places = [node.pos for node in canvas.document.graph.nodes.values()]
    assert len(set(places)) == len(places)
    assert [canvas.document.graph.nodes[f"sum_{n}"].pos for n in (2, 3, 4)] == [(340, 40), (380, 80), (420, 120)]


# Nodes and wires --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "keys"), [(Qt.Key.Key_X, NONE), (Qt.Key.Key_Delete, CTRL)])
def test_delete_and_heal_links_the_neighbours(canvas, key, keys):
    canvas.state.select({"sum"})
    press(canvas, key, keys)
    assert canvas.document.graph.links == {Port("show", "box"): Port("left", "box")}


def test_delete_takes_the_wires_along(canvas):
    canvas.state.select({"sum"})
    press(canvas, Qt.Key.Key_Delete)
    assert canvas.document.graph.links == {}


@pytest.mark.parametrize(("key", "mode"), [(Qt.Key.Key_M, "muted"), (Qt.Key.Key_B, "bypassed")])
def test_mute_and_bypass_are_switched_on_and_off(canvas, key, mode):
    canvas.state.select({"sum", "left"})
    press(canvas, key)
    assert {canvas.document.graph.nodes[id].mode for id in ("sum", "left")} == {mode}
    press(canvas, key)
    assert {canvas.document.graph.nodes[id].mode for id in ("sum", "left")} == {"on"}


def test_swap_exchanges_the_two_wires_of_a_node(canvas):
    canvas.state.select({"sum"})
    press(canvas, Qt.Key.Key_S, ALT)
    assert canvas.document.graph.links[Port("sum", "a")] == Port("right", "box")


def test_detach_takes_off_the_wires_that_lead_out_of_the_selection(canvas):
    canvas.state.select({"left", "sum"})
    press(canvas, Qt.Key.Key_D, ALT)
    assert canvas.document.graph.links == {Port("sum", "a"): Port("left", "box")}


def test_connect_to_lists_what_fits_and_links_it_with_the_keyboard_alone(canvas):
    canvas.state.select({"settings"})
    press(canvas, Qt.Key.Key_C)
    finder = canvas.findChild(Finder)
    titles = [finder.list.item(row).text() for row in range(finder.list.count())]
    assert all("Settings: Box" in title or "Settings:" in title for title in titles)
    QTest.keyClicks(finder.box, "show")
    assert finder.list.count() == 1
    QTest.keyClick(finder.box, Qt.Key.Key_Return)
    assert canvas.document.graph.links[Port("show", "box")] == Port("settings", "box")


def test_connect_to_closes_no_circle_and_wants_one_node(canvas):
    canvas.state.select({"left", "sum"})
    assert open_connections(canvas.state) is None
    canvas.state.select({"sum"})
    finder = open_connections(canvas.state)
    titles = [finder.list.item(row).text() for row in range(finder.list.count())]
    assert not [title for title in titles if title.startswith("Add: Box  →  Add")]
    finder.close()


def test_reroutes_are_added_to_the_wires_that_leave(canvas):
    canvas.state.select({"sum"})
    press(canvas, Qt.Key.Key_R, SHIFT)
    assert canvas.document.graph.links[Port("show", "box")] == Port("reroute", "value")


def answering(act: Callable[[NameDialog], None]) -> None:
    """Do something in the dialog that asks for a name, when it is there."""

    def answer() -> None:
        dialog = QApplication.activeModalWidget()
        if isinstance(dialog, NameDialog) and dialog.isActiveWindow():
            act(dialog)
        else:
            QTimer.singleShot(5, answer)

    answer()


def naming(*keys: str | Qt.Key) -> None:
    """Type into it: texts and keys, one after the other."""

    def act(dialog: NameDialog) -> None:
        for typed in keys:
            (QTest.keyClicks if isinstance(typed, str) else QTest.keyClick)(dialog.name, typed)

    answering(act)


@pytest.mark.parametrize("end", [Qt.Key.Key_Return, Qt.Key.Key_Escape])
def test_a_variable_is_made_from_a_wire(canvas, end):
    naming("total", end)
    canvas.state.select({"sum"})
    press(canvas, Qt.Key.Key_V)
    graph = canvas.document.graph
    assert graph.nodes["set_variable"].params == {"name": "total"}
    assert graph.links[Port("set_variable", "value")] == Port("sum", "box")
    assert graph.links[Port("show", "box")] == Port("get_variable", "value")
    assert canvas.scene.links[Port("show", "box")].color == canvas.scene.links[Port("sum", "a")].color
    assert canvas.document.undo_stack.count() == 1


def test_escape_before_a_name_is_typed_makes_no_variable(canvas):
    naming(Qt.Key.Key_Escape)
    canvas.state.select({"sum"})
    press(canvas, Qt.Key.Key_V)
    assert canvas.document.undo_stack.count() == 0


def test_a_name_that_is_taken_is_explained_and_can_be_mended(canvas):
    selection.name_output(canvas.state, Port("sum", "box"), "total")

    def mend(dialog: NameDialog) -> None:
        QTest.keyClicks(dialog.name, "total")
        QTest.keyClick(dialog.name, Qt.Key.Key_Return)
        assert dialog.error.text() == "There is already a variable 'total'."
        QTest.keyClicks(dialog.name, " of two")
        QTest.keyClick(dialog.name, Qt.Key.Key_Escape)

    answering(mend)
    canvas.state.select({"left"})
    press(canvas, Qt.Key.Key_V)
    assert canvas.document.graph.nodes["set_variable_2"].params == {"name": "total of two"}


# Order ------------------------------------------------------------------------------------------------


def test_a_frame_is_put_around_the_selection(canvas):
    canvas.state.select({"left", "right"})
    press(canvas, Qt.Key.Key_J, CTRL)
    assert canvas.state.selection == {"frame"}
    assert canvas.scene.with_members({"frame"}) == {"frame", "left", "right"}


def test_a_new_frame_begins_with_its_title(canvas):
    canvas.state.select({"left", "right"})
    press(canvas, Qt.Key.Key_J, CTRL)
    QTest.keyClicks(canvas.state.editor.box, "Boxes")
    QTest.keyClick(canvas.state.editor.box, Qt.Key.Key_Return)
    assert canvas.document.graph.nodes["frame"].title == "Boxes"


def test_a_frame_gets_the_colour_that_is_chosen(canvas, monkeypatch):
    canvas.state.select({"left"})
    press(canvas, Qt.Key.Key_J, CTRL)
    QTest.keyClick(canvas.state.editor.box, Qt.Key.Key_Return)  # without a title
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: QColor("#112233"))
    press(canvas, Qt.Key.Key_K)
    assert canvas.document.graph.nodes["frame"].params == {"color": "#112233"}


def test_nodes_get_a_colour_that_can_be_undone_and_taken_off(canvas, monkeypatch):
    before = canvas.document.graph
    canvas.state.select({"left", "right"})
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: QColor("#112233"))
    press(canvas, Qt.Key.Key_K)
    nodes = canvas.document.graph.nodes
    assert {id for id, node in nodes.items() if tint_of(node) == "#112233"} == {"left", "right"}
    canvas.document.undo_stack.undo()
    assert canvas.document.graph == before
    canvas.document.undo_stack.redo()
    next(action for action in canvas.actions() if action.objectName() == "canvas.uncolor").trigger()
    assert canvas.document.graph == before


def test_a_note_is_added_ready_to_be_written(canvas):
    press(canvas, Qt.Key.Key_N)
    assert canvas.document.graph.nodes["note"].type == "canvas.note"
    assert canvas.state.editor is not None


@pytest.mark.parametrize(
    ("key", "edge", "coordinate"),
    [
        (Qt.Key.Key_Left, "left", lambda r: r.left()),
        (Qt.Key.Key_Right, "right", lambda r: r.right()),
        (Qt.Key.Key_Up, "top", lambda r: r.top()),
        (Qt.Key.Key_Down, "bottom", lambda r: r.bottom()),
    ],
)
def test_align_brings_nodes_to_the_outermost_edge(canvas, key, edge, coordinate):
    ids = {"left", "sum", "settings"}
    canvas.state.select(ids)
    outermost = (min if edge in ("left", "top") else max)(coordinate(canvas.scene.nodes[id].rect) for id in ids)
    press(canvas, key, SHIFT)
    assert {round(coordinate(canvas.scene.nodes[id].rect)) for id in ids} == {round(outermost)}
    assert canvas.document.undo_stack.count() == 1


@pytest.mark.parametrize(("key", "axis"), [(Qt.Key.Key_C, 0), (Qt.Key.Key_E, 1)])
def test_align_brings_middles_to_one_line(canvas, key, axis):
    ids = {"left", "sum", "settings"}
    canvas.state.select(ids)
    press(canvas, key, SHIFT)
    middles = [canvas.scene.nodes[id].rect.center().toTuple()[axis] for id in ids]
    assert max(middles) - min(middles) <= 1  # places are whole numbers


def test_distribute_makes_equal_gaps_and_keeps_the_ends(canvas):
    canvas.state.select({"left", "sum", "show"})
    canvas.document.edit("Move", edits.move_nodes, {"sum": (250, 0)})
    press(canvas, Qt.Key.Key_H, SHIFT)
    left, middle, right = (canvas.scene.nodes[id].rect for id in ("left", "sum", "show"))
    assert (left.left(), right.left()) == (0, 600)
    assert abs((middle.left() - left.right()) - (right.left() - middle.right())) <= 1


def test_ctrl_and_arrows_move_by_the_grid_and_alt_by_a_hair_as_one_step(canvas):
    canvas.state.select({"sum"})
    press(canvas, Qt.Key.Key_Right, CTRL)
    press(canvas, Qt.Key.Key_Right, CTRL)
    press(canvas, Qt.Key.Key_Down, ALT)
    assert canvas.document.graph.nodes["sum"].pos == (332, 1)
    canvas.document.undo_stack.undo()
    assert canvas.document.graph.nodes["sum"].pos == (300, 0)


def test_arranging_is_one_step_and_is_seen_as_a_movement(canvas, qtbot):
    before = canvas.document.graph
    press(canvas, Qt.Key.Key_L, SHIFT)
    after = canvas.document.graph
    assert after.nodes["left"].pos[0] < after.nodes["sum"].pos[0] < after.nodes["show"].pos[0]
    assert canvas.carried()  # on the way
    qtbot.waitUntil(lambda: not canvas.carried())
    canvas.document.undo_stack.undo()
    assert canvas.document.graph == before


# Going about ------------------------------------------------------------------------------------------


def test_arrow_keys_follow_the_wires(canvas):
    canvas.state.select({"left"})
    press(canvas, Qt.Key.Key_Right)
    assert canvas.state.selection == {"sum"}
    press(canvas, Qt.Key.Key_Right)
    assert canvas.state.selection == {"show"}
    press(canvas, Qt.Key.Key_Left)
    press(canvas, Qt.Key.Key_Left)
    assert canvas.state.selection == {"left"}


def test_arrow_keys_go_to_what_is_nearest_where_no_wire_leads(canvas):
    canvas.state.select({"left"})
    press(canvas, Qt.Key.Key_Down)
    assert canvas.state.selection == {"right"}
    press(canvas, Qt.Key.Key_Up)
    assert canvas.state.selection == {"left"}


def test_the_first_arrow_key_selects_something_and_brings_it_into_view(canvas):
    canvas.state.show_view(View(1.0, -5000, 0))
    press(canvas, Qt.Key.Key_Right)
    (id,) = canvas.state.selection
    assert canvas.state.view.rect_to_world(canvas.rect().toRectF()).contains(canvas.scene.nodes[id].rect)


def test_plus_and_minus_zoom_and_home_shows_all(canvas):
    before = canvas.state.view.scale
    press(canvas, Qt.Key.Key_Plus)
    assert canvas.state.view.scale > before
    press(canvas, Qt.Key.Key_Minus)
    assert canvas.state.view.scale == pytest.approx(before)
    canvas.state.show_view(View(1.0, -5000, 0))
    press(canvas, Qt.Key.Key_Home)
    canvas.grab()
    assert canvas.state.view.rect_to_world(canvas.rect().toRectF()).contains(canvas.scene.extent())


def test_select_all_nothing_and_the_others(canvas):
    press(canvas, Qt.Key.Key_A, CTRL)
    assert canvas.state.selection == set(canvas.document.graph.nodes)
    canvas.state.select({"left"})
    press(canvas, Qt.Key.Key_I, CTRL)
    assert canvas.state.selection == set(canvas.document.graph.nodes) - {"left"}
    press(canvas, Qt.Key.Key_A, CTRL | SHIFT)
    assert not canvas.state.selection


def test_the_right_button_on_a_node_selects_it_and_offers_what_can_be_done(canvas):
    at = canvas.state.view.to_screen(canvas.scene.nodes["sum"].pos + QPointF(60, 12)).toPoint()
    QTest.mouseClick(canvas, Qt.MouseButton.RightButton, pos=at)
    assert canvas.state.selection == {"sum"}
    menu = canvas.findChild(QMenu)
    known = {id for part in SHOWN for id in part}
    assert {action.objectName() for action in menu.actions() if not action.isSeparator()} == known
    next(action for action in menu.actions() if action.objectName() == "canvas.mute").trigger()
    assert canvas.document.graph.nodes["sum"].mode == "muted"
    menu.close()


def test_a_opens_the_palette(canvas):
    press(canvas, Qt.Key.Key_A)
    assert canvas.findChild(Finder) is not None
    canvas.findChild(Finder).close()


def test_the_clip_of_a_frame_takes_what_is_in_it_along(canvas):
    canvas.state.select({"left", "right"})
    press(canvas, Qt.Key.Key_J, CTRL)
    QTest.keyClick(canvas.state.editor.box, Qt.Key.Key_Escape)
    press(canvas, Qt.Key.Key_C, CTRL)
    copied = clipboard.paste(canvas.document.graph, QApplication.clipboard().text(), (0, 0))[1]
    assert set(copied) == {"frame_2", "left_2", "right_2"}


def test_pasted_nodes_lie_where_the_pointer_was(canvas):
    canvas.state.select({"left"})
    selection.copy(canvas.state)
    selection.paste_text(canvas.state, QApplication.clipboard().text(), QPointF(700.4, 300))
    assert canvas.document.graph.nodes["left_2"].pos == (700, 300)

"""The editor over a row: text is an edit as it is typed, a number when it is whole."""

import pytest
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPlainTextEdit

from nodegraph import graph as edits
from nodegraph.graph import Node
from nodegraph.node import Check, Input
from nodegraph.running.engine import Settings
from ui.canvas.commands import one_node, selection
from ui.canvas.overlays.live_editor import LiveEditor
from ui.canvas.overlays.palette import Palette
from ui.canvas.scene.view import View
from ui.window.main_window import MainWindow

LEFT = Qt.MouseButton.LeftButton
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def press_key(canvas, key: Qt.Key, keys=Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(canvas.state.editor.box, key, keys)


def type_over(canvas, text: str) -> None:
    QTest.keyClicks(canvas.state.editor.box, text)


def test_a_double_click_types_a_number(canvas, row, params, double_click):
    double_click(row("count"))
    type_over(canvas, "7")
    press_key(canvas, Qt.Key.Key_Return)
    assert params()["count"] == 7
    assert canvas.state.editor is None
    assert canvas.hasFocus()
    assert canvas.document.undo_stack.count() == 1


def test_escape_leaves_the_value(canvas, row, params, double_click):
    double_click(row("count"))
    type_over(canvas, "7")
    press_key(canvas, Qt.Key.Key_Escape)
    assert not params()
    assert canvas.state.editor is None


def test_a_wrong_value_is_not_taken_and_is_forgotten_elsewhere(canvas, hand, row, params, double_click):
    double_click(row("count"))
    type_over(canvas, "70")
    press_key(canvas, Qt.Key.Key_Return)
    assert canvas.state.editor.error.isVisible()
    assert "between 1 and 10" in canvas.state.editor.error.text()
    hand.click(QPointF(-60, 400))
    assert canvas.state.editor is None
    assert not params()


def test_the_editor_of_a_row_is_no_wider_than_its_node(canvas, row, double_click):
    double_click(row("count"))
    node = canvas.state.view.rect_to_screen(canvas.scene.nodes["settings"].rect)
    assert node.adjusted(-1, -1, 1, 1).contains(QRectF(canvas.state.editor.geometry()))


def test_going_elsewhere_commits(canvas, hand, row, params, double_click):
    double_click(row("count"))
    type_over(canvas, "7")
    hand.click(QPointF(-60, 400))
    assert params()["count"] == 7


def test_tab_goes_through_the_rows_and_round(canvas, row, params, double_click):
    double_click(row("count"))
    type_over(canvas, "7")
    visited = []
    for _ in range(8):
        press_key(canvas, Qt.Key.Key_Tab)
        visited.append(canvas.state.editor.spec.name)
    assert visited == ["ratio", "kind", "values", "seed", "path", "text", "flag", "count"]
    assert params() == {"count": 7}
    press_key(canvas, Qt.Key.Key_Backtab, SHIFT)
    assert canvas.state.editor.spec.name == "flag"
    press_key(canvas, Qt.Key.Key_Space)
    press_key(canvas, Qt.Key.Key_Return)
    assert params() == {"count": 7, "flag": True}


def test_a_click_opens_a_paragraph_and_ctrl_enter_commits_it(canvas, hand, row, params):
    hand.click(row("text"))
    assert isinstance(canvas.state.editor.box, QPlainTextEdit)
    press_key(canvas, Qt.Key.Key_End)
    type_over(canvas, " and")
    press_key(canvas, Qt.Key.Key_Return)
    type_over(canvas, "a dog")
    press_key(canvas, Qt.Key.Key_Return, CTRL)
    assert params()["text"] == "a cat and\na dog"
    assert canvas.state.editor is None


def test_a_list_is_typed(canvas, row, params, double_click):
    double_click(row("values"))
    type_over(canvas, "3, 4.5")
    press_key(canvas, Qt.Key.Key_Return)
    assert params()["values"] == (3.0, 4.5)


def test_a_path_is_typed_and_what_is_there_is_offered(canvas, row, params, double_click, tmp_path):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "nothing.png").touch()
    double_click(row("path"))
    type_over(canvas, f"{tmp_path}/no")
    completer = canvas.state.editor.box.completer()
    assert [offer.path for offer in completer.model().offers] == [f"{tmp_path}/notes.txt"]
    QTest.keyClick(completer.popup(), Qt.Key.Key_Down)
    QTest.keyClick(completer.popup(), Qt.Key.Key_Return)
    press_key(canvas, Qt.Key.Key_Return)
    assert params()["path"] == f"{tmp_path}/notes.txt"


def test_there_is_one_editor_and_no_widget_a_row(canvas, row, double_click):
    double_click(row("count"))
    first = canvas.state.editor
    double_click(row("values"))
    assert canvas.state.editor is not first
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert canvas.findChildren(LiveEditor) == [canvas.state.editor]
    press_key(canvas, Qt.Key.Key_Escape)
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert not canvas.findChildren(LiveEditor)


def test_the_editor_stays_on_its_row(canvas, hand, row, double_click):
    double_click(row("count"))
    canvas.state.show_view(canvas.state.view.panned(30, -20).zoomed(1.5, QPointF()))
    assert canvas.state.editor.geometry().contains(hand.at(row("count", 0.5)))


def test_the_editor_goes_with_its_node(canvas, row, double_click):
    double_click(row("count"))
    canvas.document.edit("Delete", edits.remove_nodes, {"settings"})
    assert canvas.state.editor is None


def test_the_keyboard_alone_reaches_the_rows(canvas, params):
    canvas.state.select({"settings"})
    one_node.edit_first_row(canvas.state)
    for _ in range(2):
        press_key(canvas, Qt.Key.Key_Tab)
    type_over(canvas, "9")
    press_key(canvas, Qt.Key.Key_Return)
    assert params() == {"count": 9}


def test_rows_too_small_to_read_are_not_hit(canvas, hand, row, params):
    canvas.state.show_view(View(0.3, 100, 100))
    hand.click(row("flag"))
    assert not params()
    assert canvas.state.selection == {"settings"}


def test_ctrl_enter_runs_with_what_was_typed_and_goes_on_typing(qtbot, registry, graph, monkeypatch):
    window = MainWindow(registry, Settings("tests.toy_nodes", cache=None))
    qtbot.addWidget(window, before_close_func=lambda w: w.document.undo_stack.setClean())
    window.tabs.show_document(window.session.new(graph))
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    ran = []
    monkeypatch.setattr(window.engine, "run", lambda graph, *_, **__: ran.append(graph) or 1)
    one_node.open_row(window.canvas.state, "settings", "text")
    type_over(window.canvas, " and a dog")
    press_key(window.canvas, Qt.Key.Key_Return, CTRL)
    qtbot.waitUntil(lambda: len(ran) > 0)
    assert ran[0].nodes["settings"].params["text"] == "a cat and a dog"
    assert window.canvas.state.editor is not None


def test_escape_leaves_the_canvas_with_the_keyboard_and_opens_nothing(canvas, row, double_click):
    double_click(row("count"))
    press_key(canvas, Qt.Key.Key_Escape)
    assert canvas.hasFocus()
    assert not canvas.window().findChildren(Palette)


def test_text_is_in_the_document_as_it_is_typed_and_is_one_step(canvas, hand, row, params):
    hand.click(row("text"))
    type_over(canvas, " and a dog")
    assert params()["text"] == "a cat and a dog"
    type_over(canvas, " and a fox")
    hand.click(QPointF(-60, 400))
    assert canvas.document.undo_stack.count() == 1


def test_escape_keeps_a_text_as_one_step_that_can_be_undone_and_done_again(canvas, hand, row, params):
    before = canvas.document.graph
    hand.click(row("text"))
    type_over(canvas, " and a dog")
    press_key(canvas, Qt.Key.Key_Escape)
    assert canvas.state.editor is None
    assert params()["text"] == "a cat and a dog"
    canvas.document.undo_stack.undo()
    assert canvas.document.graph == before
    canvas.document.undo_stack.redo()
    assert params()["text"] == "a cat and a dog"


@pytest.mark.parametrize("kind", ["canvas.note", "canvas.frame"])
def test_escape_keeps_what_is_written_on_a_note_and_a_frame(canvas, kind, double_click):
    canvas.document.edit("Add", edits.add_node, "it", Node(kind, pos=(0, 300)))
    double_click(canvas.scene.nodes["it"].pos + QPointF(40, 14))
    canvas.state.editor.box.selectAll()
    type_over(canvas, "Read me")
    press_key(canvas, Qt.Key.Key_Escape)
    node = canvas.document.graph.nodes["it"]
    assert "Read me" in (node.title, node.params.get("text"))


def test_escape_keeps_a_title_and_a_path(canvas, hand, row, params, double_click):
    double_click(hand.header("left"))
    type_over(canvas, "First box")
    press_key(canvas, Qt.Key.Key_Escape)
    assert canvas.document.graph.nodes["left"].title == "First box"
    double_click(row("path"))
    type_over(canvas, "notes.txt")
    press_key(canvas, Qt.Key.Key_Escape)
    assert params()["path"] == "notes.txt"


def test_a_text_that_cannot_be_so_is_kept_and_complained_about(canvas):
    """What was typed is not lost for being wrong: the row and the problems say what is."""
    spec = Input("text", str, "", (Check(lambda text: "text must be short" if len(text) > 3 else None),))
    LiveEditor(
        canvas.state,
        spec,
        lambda: canvas.document.graph.nodes["settings"].params.get("text", ""),
        lambda: QRectF(0, 0, 200, 24),
        lambda text, token: canvas.document.set_param("settings", "text", text, merge=token),
    )
    type_over(canvas, "too long")
    assert canvas.state.editor.error.isVisible()
    press_key(canvas, Qt.Key.Key_Escape)
    assert canvas.document.graph.nodes["settings"].params["text"] == "too long"


def test_escape_leaves_alone_what_else_was_done_meanwhile(canvas, hand, row, params):
    hand.click(row("text"))
    type_over(canvas, " and a dog")
    canvas.document.set_param("settings", "count", 9)
    press_key(canvas, Qt.Key.Key_Escape)
    assert params()["count"] == 9


def test_the_editor_shows_what_an_undo_brings_back(canvas, row, double_click):
    canvas.document.set_param("settings", "count", 8)
    double_click(row("count"))
    canvas.document.undo_stack.undo()
    assert canvas.state.editor.box.text() == "3"


def test_a_double_click_on_the_title_renames(canvas, hand, double_click):
    double_click(hand.header("left"))
    type_over(canvas, "First box")
    press_key(canvas, Qt.Key.Key_Return)
    assert canvas.document.graph.nodes["left"].title == "First box"
    selection.rename_selected(canvas.state)
    press_key(canvas, Qt.Key.Key_Backspace)
    press_key(canvas, Qt.Key.Key_Return)
    assert canvas.document.graph.nodes["left"].title is None

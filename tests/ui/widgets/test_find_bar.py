"""Find in a text: every hit is lit, and one goes from one to the next."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from nodegraph.graph import Node, add_node
from ui.canvas.actions import canvas_actions
from ui.canvas.commands import selection
from ui.canvas.paint.sockets import tint_of
from ui.widgets.finder import Finder
from ui.widgets.paragraph import Paragraph

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
TEXT = "a red fox, a Red house and a bored cat"


@pytest.fixture
def paragraph(qtbot) -> Paragraph:
    made = Paragraph()
    qtbot.addWidget(made)
    made.resize(400, 160)
    made.setPlainText(TEXT)
    made.show()
    qtbot.waitExposed(made)
    made.setFocus()
    return made


def search(paragraph: Paragraph, typed: str) -> None:
    QTest.keyClick(paragraph, Qt.Key.Key_F, CTRL)
    QTest.keyClicks(paragraph.finder.box, typed)


def lit(paragraph: Paragraph) -> list[str]:
    return [mark.cursor.selectedText() for mark in paragraph.extraSelections()]


def chosen(paragraph: Paragraph) -> tuple[int, str]:
    cursor = paragraph.textCursor()
    return cursor.selectionStart(), cursor.selectedText()


def test_ctrl_f_lights_all_hits_and_return_goes_round_them(paragraph: Paragraph):
    search(paragraph, "red")
    bar = paragraph.finder
    assert lit(paragraph) == ["red", "Red", "red"]
    places = [TEXT.index("red"), TEXT.index("Red"), TEXT.rindex("red")]
    assert chosen(paragraph) == (places[0], "red")
    assert bar.count.text() == "1 of 3"
    for key, keys, place in (
        (Qt.Key.Key_Return, Qt.KeyboardModifier.NoModifier, places[1]),
        (Qt.Key.Key_F3, Qt.KeyboardModifier.NoModifier, places[2]),
        (Qt.Key.Key_Return, Qt.KeyboardModifier.NoModifier, places[0]),
        (Qt.Key.Key_Return, SHIFT, places[2]),
    ):
        QTest.keyClick(bar.box, key, keys)
        assert chosen(paragraph)[0] == place
    QTest.keyClick(bar.box, Qt.Key.Key_Escape)
    assert not bar.isVisible()
    assert lit(paragraph) == []
    assert chosen(paragraph)[0] == places[2]
    assert paragraph.hasFocus()


def test_capitals_count_where_some_are_typed(paragraph: Paragraph):
    search(paragraph, "Red")
    assert lit(paragraph) == ["Red"]
    QTest.keyClicks(paragraph.finder.box, "x")
    assert paragraph.finder.count.text() == "none"
    assert lit(paragraph) == []


def test_what_is_selected_is_looked_for_and_typing_keeps_the_hits_right(paragraph: Paragraph):
    cursor = paragraph.textCursor()
    cursor.setPosition(2)
    cursor.setPosition(5, cursor.MoveMode.KeepAnchor)
    paragraph.setTextCursor(cursor)
    search(paragraph, "")
    assert len(lit(paragraph)) == 3
    paragraph.setFocus()
    cursor.setPosition(0)
    paragraph.setTextCursor(cursor)
    QTest.keyClicks(paragraph, "red ")
    assert lit(paragraph) == ["red", "red", "Red", "red"]


def test_the_bar_stays_inside_of_the_text(paragraph: Paragraph):
    search(paragraph, "red")
    paragraph.resize(180, 90)
    assert paragraph.rect().contains(paragraph.finder.geometry())


def test_finding_in_the_editor_on_the_canvas_keeps_it_open_and_leaving_the_bar_leaves_it(canvas, row, double_click):
    canvas.document.set_param("settings", "text", "a red fox and a red house")
    double_click(row("text"))
    editor = canvas.state.editor
    QTest.keyClick(editor.box, Qt.Key.Key_F, CTRL)
    QTest.keyClicks(editor.box.finder.box, "red")
    assert canvas.state.editor is editor
    assert editor.box.finder.count.text() == "1 of 2"
    canvas.setFocus()
    assert canvas.state.editor is None


def test_ctrl_f_on_the_canvas_finds_the_text_and_opens_it_there(canvas, qtbot):
    canvas.document.set_param("settings", "text", "a red fox and a red house")
    canvas.setFocus()
    next(act for act in canvas_actions(canvas) if act.id == "canvas.find_text").callback()
    finder = canvas.findChild(Finder)
    QTest.keyClicks(finder.box, "red h")
    assert [finder.list.item(row).text() for row in range(finder.list.count())] == ["Settings"]
    QTest.keyClick(finder.box, Qt.Key.Key_Return)
    box = canvas.state.editor.box
    assert box.textCursor().selectedText() == "red h"
    assert canvas.state.selection == {"settings"}


def finding(canvas, typed: str) -> Finder:
    canvas.setFocus()
    next(act for act in canvas_actions(canvas) if act.id == "canvas.find_text").callback()
    finder = canvas.findChildren(Finder)[-1]
    QTest.keyClicks(finder.box, typed)
    return finder


def listed(finder: Finder) -> list[str]:
    return [finder.list.item(row).text() for row in range(finder.list.count())]


@pytest.fixture
def grouped(canvas) -> str:
    """The node with a text is in a group, which there is twice. Gives the id of the first."""
    canvas.document.set_param("settings", "text", "a red fox")
    canvas.state.select({"settings"})
    selection.group(canvas.state)
    (group,) = canvas.state.selection
    selection.duplicate(canvas.state)
    canvas.state.select(())
    return group


def test_ctrl_f_finds_what_is_in_a_group_says_where_and_opens_the_group(canvas, grouped):
    finder = finding(canvas, "red f")
    assert listed(finder) == ["Untitled › Group › Settings"]
    (entry,) = (finder.list.item(0).data(Qt.ItemDataRole.UserRole),)
    assert entry.color == tint_of(canvas.scope.registry["toy.settings"].outputs[0].type)  # as in the palette
    QTest.keyClick(finder.box, Qt.Key.Key_Return)
    assert canvas.scope.path == (grouped,)
    assert canvas.state.selection == {"settings"}
    assert canvas.state.editor.box.textCursor().selectedText() == "red f"


def test_ctrl_f_in_a_group_finds_what_is_there_first_and_then_what_is_outside(canvas, grouped):
    canvas.document.edit("Note", add_node, "note", Node("canvas.note", {"text": "no red fence"}))
    canvas.scope.enter(grouped)
    finder = finding(canvas, "red f")
    assert listed(finder) == ["Settings", "Untitled › Note"]
    QTest.keyClick(finder.box, Qt.Key.Key_Return)
    assert canvas.scope.path == (grouped,)
    assert canvas.state.selection == {"settings"}
    canvas.setFocus()
    finder = finding(canvas, "no red")
    QTest.keyClick(finder.box, Qt.Key.Key_Return)
    assert canvas.scope.path == ()
    assert canvas.state.selection == {"note"}

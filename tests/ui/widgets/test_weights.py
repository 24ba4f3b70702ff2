"""Ctrl+Up and Ctrl+Down weigh what is selected, and the text means what they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtTest import QTest

from nodes.backend.prompt import parse
from ui.widgets.paragraph import Paragraph
from ui.widgets.weights import weigh

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
UP, DOWN = Qt.Key.Key_Up, Qt.Key.Key_Down


@pytest.fixture
def paragraph(qtbot) -> Paragraph:
    made = Paragraph()
    made.weighs = True
    qtbot.addWidget(made)
    made.show()
    return made


def select(box: Paragraph, words: str) -> None:
    assert box.find(words) or box.find(words, box.document().FindFlag.FindBackward)
    assert box.textCursor().selectedText() == words


def test_a_selection_is_weighed_step_by_step_and_back_to_what_it_was(paragraph):
    paragraph.setPlainText("a 🐈 red cat, on a hill")  # the first sign is two to Qt
    select(paragraph, "red cat")
    seen = []
    for key in (UP, UP, DOWN, DOWN, DOWN):
        QTest.keyClick(paragraph, key, CTRL)
        seen.append(paragraph.toPlainText().removeprefix("a 🐈 ").removesuffix(", on a hill"))
        assert paragraph.textCursor().selectedText() == "red cat"
    assert seen == ["(red cat:1.1)", "(red cat:1.2)", "(red cat:1.1)", "red cat", "(red cat:0.9)"]


def test_each_key_is_one_step_of_undo(paragraph):
    paragraph.setPlainText("a red cat")
    select(paragraph, "red")
    QTest.keyClick(paragraph, UP, CTRL)
    QTest.keyClick(paragraph, UP, CTRL)
    QTest.keyClick(paragraph, Qt.Key.Key_Z, CTRL)
    assert paragraph.toPlainText() == "a (red:1.1) cat"
    QTest.keyClick(paragraph, Qt.Key.Key_Z, CTRL)
    assert paragraph.toPlainText() == "a red cat"


def test_without_a_selection_it_is_the_word_where_one_types(paragraph):
    paragraph.setPlainText("a red cat")
    paragraph.moveCursor(QTextCursor.MoveOperation.End)
    QTest.keyClick(paragraph, UP, CTRL)
    QTest.keyClick(paragraph, UP, CTRL)
    assert paragraph.toPlainText() == "a red (cat:1.2)"


def test_other_texts_leave_the_keys_alone(paragraph):
    paragraph.weighs = False
    paragraph.setPlainText("a red cat")
    select(paragraph, "red")
    QTest.keyClick(paragraph, UP, CTRL)
    assert paragraph.toPlainText() == "a red cat"


def test_on_a_node_it_is_an_edit_of_the_document(canvas, hand, row, params):
    hand.click(row("text"))
    box = canvas.state.editor.box
    QTest.keyClick(box, Qt.Key.Key_A, CTRL)
    QTest.keyClick(box, UP, CTRL)
    assert params()["text"] == "(a cat:1.1)"
    QTest.keyClick(box, Qt.Key.Key_Escape)
    canvas.document.undo_stack.undo()
    assert "text" not in params()


@pytest.mark.parametrize(
    ("text", "selected", "steps", "after"),
    [
        ("(a cat)", "(a cat)", 1, "(a cat:1.2)"),  # brackets alone are 1.1
        ("(a cat)", "a cat", -1, "a cat"),
        ("(a cat: 1.25 )", "(a cat: 1.25 )", 1, "(a cat:1.35)"),
        ("((red:1.3) cat)", "(red:1.3) cat", 1, "((red:1.3) cat:1.2)"),
        ("(a cat:1.2)", "a", 1, "((a:1.1) cat:1.2)"),
        ("(a) and (b)", "(a) and (b)", 1, "((a) and (b):1.1)"),
        ("[a cat]", "a cat", 1, "[(a cat:1.1)]"),
        (" a  cat ", " a  cat ", 1, " (a  cat:1.1) "),
        (r"\(a cat\)", "a cat", 1, r"\((a cat:1.1)\)"),
        (r"a \cat", "cat", 1, None),
        ("a (cat", "a (cat", 1, None),
        ("a, , b", " ", 1, None),
        ("(a:10)", "a", 1, None),
        ("(a:0)", "a", -1, None),
        ("(a:50)", "a", -1, "(a:49.9)"),
        ("at 5:30", "at 5:30", 1, None),
    ],
)
def test_brackets_that_are_there_are_used(text, selected, steps, after):
    start = text.index(selected)
    weighed = weigh(text, start, start + len(selected), steps)
    assert (weighed and text[: weighed.start] + weighed.instead + text[weighed.end :]) == after


@given(st.text("ab ()[]:1.\\", max_size=14), st.integers(0, 14), st.integers(0, 14), st.sampled_from([-1, 1]))
def test_what_is_read_of_a_text_is_the_same_words_with_another_weight(text, start, end, steps):
    start, end = sorted((min(start, len(text)), min(end, len(text))))
    weighed = weigh(text, start, end, steps)
    if weighed is None:
        return
    after = text[: weighed.start] + weighed.instead + text[weighed.end :]
    first, last = weighed.selected
    assert after[first:last] in text
    try:
        before = "".join(piece.text for piece in parse(text))
    except ValueError:
        return
    assert "".join(piece.text for piece in parse(after)) == before

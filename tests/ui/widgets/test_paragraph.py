"""Long texts are typed, pasted and followed: what a key costs does not grow with what is there already."""

import tracemalloc
from functools import partial

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor, QTextOption
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolTip

from nodegraph.graph import set_param
from ui.canvas.overlays.live_editor import LiveEditor
from ui.panels.inspector import Inspector
from ui.widgets.lettering import elided, wrapped
from ui.widgets.paragraph import LONG_WORD, MAX_TEXT, Paragraph

CTRL = Qt.KeyboardModifier.ControlModifier
WORDS = QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere
ANYWHERE = QTextOption.WrapMode.WrapAnywhere


@pytest.fixture
def paragraph(qtbot) -> Paragraph:
    made = Paragraph()
    qtbot.addWidget(made)
    made.show()
    return made


def paste(box: Paragraph, qapp, text: str) -> None:
    qapp.clipboard().setText(text)
    QTest.keyClick(box, Qt.Key.Key_V, CTRL)


def test_a_key_on_the_canvas_sets_no_style_sheet(canvas, row, double_click, monkeypatch):
    set_sheets: list[str] = []
    set_sheet = LiveEditor.setStyleSheet
    monkeypatch.setattr(LiveEditor, "setStyleSheet", lambda *args: (set_sheets.append(args[1]), set_sheet(*args)))
    double_click(row("text"))
    opened = len(set_sheets)
    QTest.keyClicks(canvas.state.editor.box, "a red fox")
    assert len(set_sheets) == opened
    canvas.zoom(1.5)
    assert len(set_sheets) == opened + 1  # the letters are larger now


def test_an_inspector_beside_the_editor_takes_over_what_is_typed_and_no_more(canvas, row, double_click, qtbot, params):
    canvas.document.edit("A long prompt", set_param, "settings", "text", "a red fox in the snow, " * 100)
    inspector = Inspector(canvas.scope)
    qtbot.addWidget(inspector)
    inspector.show()
    inspector.show_nodes(("settings",))
    qtbot.waitUntil(lambda: inspector.complete)
    changes: list[tuple[int, int, int]] = []
    box = inspector.rows["text"].editor.box
    box.document().contentsChange.connect(lambda *change: changes.append(change))
    double_click(row("text"))
    QTest.keyClicks(canvas.state.editor.box, "ab")
    assert box.toPlainText() == params()["text"]
    assert changes == [(2300, 0, 1), (2301, 0, 1)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.text("ab\n😀é", max_size=12), min_size=2, max_size=5))
@example(["aaa", "aa"])
@example(["😀", "é😀😀"])
def test_whatever_was_there_the_text_that_is_written_is_shown(paragraph: Paragraph, texts: list[str]):
    for text in texts:
        paragraph.write(text)
        assert paragraph.toPlainText() == text
    assert not paragraph.document().isUndoAvailable()


def test_the_place_where_one_types_stays_when_the_text_changes_elsewhere(paragraph: Paragraph):
    paragraph.write("a red fox")
    cursor = paragraph.textCursor()
    cursor.setPosition(5)
    paragraph.setTextCursor(cursor)
    paragraph.write("one red fox")
    assert paragraph.toPlainText()[: paragraph.textCursor().position()] == "one red"


def test_a_word_without_end_may_break_anywhere_and_other_texts_between_words(paragraph: Paragraph, qapp):
    paste(paragraph, qapp, "x" * (LONG_WORD + 1))
    assert paragraph.wordWrapMode() == ANYWHERE
    paragraph.moveCursor(QTextCursor.MoveOperation.Left)
    QTest.keyClicks(paragraph, " ")
    QTest.keyClick(paragraph, Qt.Key.Key_Delete)
    assert paragraph.wordWrapMode() == WORDS
    QTest.keyClicks(paragraph, "fox")
    paragraph.write("word " * LONG_WORD)
    assert paragraph.wordWrapMode() == WORDS


def test_a_word_is_not_wrapped_before_it_may_break_anywhere(paragraph: Paragraph, qapp, monkeypatch):
    modes: list[QTextOption.WrapMode] = []
    paragraph.document().contentsChange.connect(lambda *_: modes.append(paragraph.wordWrapMode()))
    paste(paragraph, qapp, "x" * (LONG_WORD + 1))
    assert modes[-1] == ANYWHERE
    modes.clear()
    paragraph.write("y" * (2 * LONG_WORD))
    assert set(modes) == {ANYWHERE}


def test_what_is_too_long_is_not_pasted_and_a_sentence_says_so(paragraph: Paragraph, qapp):
    paste(paragraph, qapp, "x" * (MAX_TEXT - 1))
    paste(paragraph, qapp, "yy")
    assert paragraph.toPlainText() == "x" * (MAX_TEXT - 1)
    assert QToolTip.text() == "The text would have 100,001 characters: 100,000 at most can be edited here"
    paragraph.selectAll()
    paste(paragraph, qapp, "yy")
    assert paragraph.toPlainText() == "yy"


def test_a_text_of_a_file_that_is_too_long_to_edit_stays_as_it_is(canvas, row, double_click, params):
    text = "fox " * MAX_TEXT
    canvas.document.edit("As in a file", set_param, "settings", "text", text)
    double_click(row("text"))
    assert canvas.state.editor.box.toPlainText() == "A text of 400,000 characters: too long to be edited here"
    QTest.keyClicks(canvas.state.editor.box, "a")
    QTest.keyClick(canvas.state.editor.box, Qt.Key.Key_Tab)
    assert params()["text"] == text


@pytest.mark.parametrize("fit", [partial(wrapped, width=200.0, count=3), partial(elided, width=200.0)])
def test_what_does_not_fit_into_a_row_is_not_remembered(qapp, fit):
    tracemalloc.start()
    try:
        for number in range(40):
            fit(f"{number}" + "word " * 20_000)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1 << 20  # of four megabytes of text


def test_what_does_not_fit_goes_on_with_one_space():
    (line,) = wrapped("a red " + "beach" * 10, 90, 1)
    assert line.endswith("…")
    assert "  " not in line

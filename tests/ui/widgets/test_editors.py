"""Each kind of parameter has an editor that reads keys and the mouse."""

from collections.abc import Callable

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtTest import QTest

from nodegraph.graph import Port, connect
from nodegraph.node import Choice, File, Input
from ui.panels.inspector import Inspector
from ui.widgets.editors import make_editor
from ui.widgets.offers import Offered
from ui.widgets.path_fields import PathField


@pytest.fixture
def inspector(qtbot, document) -> Inspector:
    made = Inspector(document)
    qtbot.addWidget(made)
    made.resize(360, 900)
    made.show()
    made.show_nodes(("settings",))
    qtbot.waitUntil(lambda: made.complete)
    return made


@pytest.fixture
def params(document):
    return lambda: document.graph.nodes["settings"].params


def type_into(box, text: str) -> None:
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, text)
    QTest.keyClick(box, Qt.Key.Key_Tab)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "7", 7),
        ("ratio", "1.25", 1.25),
        ("ratio", "1", 1.0),
        ("ratio", "3/4", 0.75),
        ("count", "2 * (5 - 1)", 8),
        ("seed", "12345678901234567890", 12345678901234567890),
        ("values", "3, 2, 0.5", (3.0, 2.0, 0.5)),
        ("path", "notes.txt", "notes.txt"),
        ("text", "a dog", "a dog"),
    ],
)
def test_what_is_typed_is_the_value(inspector, params, name, text, value):
    type_into(inspector.rows[name].editor.box, text)
    assert params()[name] == value
    assert type(params()[name]) is type(value)


def test_typing_a_number_is_one_undo_step(inspector, document):
    type_into(inspector.rows["seed"].editor.box, "4711")
    assert document.undo_stack.count() == 1


def test_a_number_on_the_way_to_another_is_no_edit(inspector, params):
    box = inspector.rows["count"].editor.box
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, "1")
    assert "count" not in params()
    QTest.keyClicks(box, "0")
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert params()["count"] == 10


def test_a_number_longer_than_it_is_shown_stays_as_it_is(inspector, document, params):
    document.set_param("settings", "ratio", 0.123456789)
    inspector.rows["ratio"].editor.box.setFocus()
    inspector.rows["text"].editor.box.setFocus()
    assert params()["ratio"] == 0.123456789


def test_what_is_typed_stays_while_the_document_changes_elsewhere(inspector, document, params):
    box = inspector.rows["count"].editor.box
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, "9")
    document.set_param("settings", "text", "a fox")
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert params()["count"] == 9


def test_an_arrow_key_goes_on_from_what_was_typed(inspector, params):
    box = inspector.rows["count"].editor.box
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, "7")
    QTest.keyClick(box, Qt.Key.Key_Up)
    assert params()["count"] == 8


@pytest.mark.parametrize("name", ["text", "path", "count", "values"])
def test_undo_in_a_field_that_has_nothing_to_undo_is_the_document_s(inspector, document, params, name):
    undo = QAction(inspector, shortcut=QKeySequence.StandardKey.Undo)
    undo.triggered.connect(document.undo_stack.undo)
    inspector.addAction(undo)
    before, after = {"count": (5, 6), "values": ((1.0,), (2.0,))}.get(name, ("before", "after"))
    document.set_param("settings", name, before)
    document.set_param("settings", name, after)
    box = inspector.rows[name].editor.box
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert params()[name] == before


def test_two_visits_to_a_field_are_two_undo_steps(inspector, document):
    type_into(inspector.rows["count"].editor.box, "7")
    type_into(inspector.rows["count"].editor.box, "8")
    assert document.undo_stack.count() == 2


def test_a_slide_is_one_undo_step(inspector, document, params):
    slider = inspector.rows["ratio"].editor.slider
    slider.setSliderDown(True)
    for position in (10, 20, slider.maximum()):
        slider.setValue(position)
    slider.setSliderDown(False)
    assert params()["ratio"] == 2.0
    assert document.undo_stack.count() == 1
    document.undo_stack.undo()
    assert inspector.rows["ratio"].editor.box.value == 0.5


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("count", "99", "between 1 and 10"),
        ("count", "3x", "not '3x'"),
        ("count", "7/2", "not '7/2'"),
        ("ratio", "10**2", "not '10**2'"),
        ("values", "1, x", "takes List"),
    ],
)
def test_a_wrong_value_gives_a_sentence_and_leaves_the_document(inspector, document, name, text, sentence):
    box = inspector.rows[name].editor.box
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, text)
    assert sentence in inspector.rows[name].error.text()
    assert inspector.rows[name].error.isVisible()
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert sentence in inspector.rows[name].error.text()
    assert name not in document.graph.nodes["settings"].params


def test_leaving_a_field_with_a_wrong_value_shows_the_value_that_holds(inspector):
    type_into(inspector.rows["count"].editor.box, "99")
    assert inspector.rows["count"].editor.box.text() == "3"
    assert not inspector.rows["count"].error.isVisible()


def test_a_wrong_value_in_the_file_is_complained_about(inspector, document):
    document.set_param("settings", "count", 50)
    assert inspector.rows["count"].error.text() == "count must be between 1 and 10, got 50"


def test_a_switch_is_clicked(inspector, params):
    box = inspector.rows["flag"].editor.box
    QTest.mouseClick(box, Qt.MouseButton.LeftButton, pos=box.rect().center())
    assert params()["flag"] is True


def test_a_choice_is_made_with_the_keys(inspector, params):
    box = inspector.rows["kind"].editor.box
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_Down)
    assert params()["kind"] == "cosine"


def test_a_choice_of_long_words_makes_the_panel_no_wider(qtbot):
    editors = [make_editor(Input("kind", str, "", (Choice((word,)),))) for word in ("short", "long " * 40)]
    for editor in editors:
        qtbot.addWidget(editor)
    assert editors[0].minimumSizeHint() == editors[1].minimumSizeHint()


@pytest.mark.parametrize("typed", ["", "words"])
def test_what_is_found_for_a_field_that_is_gone_meanwhile_is_shown_nowhere(qapp, typed):
    asked: list[Callable[[list[Offered]], object]] = []
    field = PathField(Input("path", str, "", (File((".txt",)),)))
    field.offer(lambda _, then: asked.append(then))
    field.show()
    if typed:
        QTest.keyClicks(field.box, typed)
    else:
        QTest.keyClick(field.box, Qt.Key.Key_Down)
    shiboken6.delete(field)
    asked[-1]([])


def test_rolling_gives_another_seed_each_time(inspector, params):
    roll = inspector.rows["seed"].editor.roll
    seeds = set()
    for _ in range(3):
        QTest.mouseClick(roll, Qt.MouseButton.LeftButton)
        seeds.add(params()["seed"])
    assert len(seeds) == 3


def test_a_rolled_seed_takes_the_place_of_what_is_being_typed(inspector, params):
    editor = inspector.rows["seed"].editor
    editor.roll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # as buttons are on some platforms
    editor.box.setFocus()
    editor.box.selectAll()
    QTest.keyClicks(editor.box, "12")
    QTest.mouseClick(editor.roll, Qt.MouseButton.LeftButton)
    assert editor.box.text() == str(params()["seed"]) != "12"


def test_undo_is_shown(inspector, document):
    document.set_param("settings", "text", "a dog")
    document.undo_stack.undo()
    assert inspector.rows["text"].editor.box.toPlainText() == "a cat"


def test_reset_goes_back_to_the_default(inspector, document, params):
    document.set_param("settings", "ratio", 1.5)
    QTest.mouseClick(inspector.rows["ratio"].action, Qt.MouseButton.LeftButton)
    assert "ratio" not in params()


def test_a_linked_parameter_says_where_its_value_comes_from(inspector, document):
    document.edit("Connect", connect, Port("left", "box"), Port("settings", "ratio"))
    row = inspector.rows["ratio"]
    assert row.about.text() == "from Box"
    assert not row.editor.isVisible()
    QTest.mouseClick(row.action, Qt.MouseButton.LeftButton)
    assert Port("settings", "ratio") not in document.graph.links
    assert row.editor.isVisible()


def test_the_inspector_lets_go_of_a_deleted_node(inspector, document):
    from nodegraph.graph import remove_nodes

    document.edit("Delete", remove_nodes, {"settings"})
    assert inspector.node is None
    assert not inspector.rows


@pytest.mark.parametrize("name", ["count", "ratio"])
@pytest.mark.parametrize("text", ["1,000", "2.000"])
def test_an_ambiguous_number_is_no_edit_and_both_readings_are_shown(inspector, document, name, text):
    row = inspector.rows[name]
    row.editor.box.setFocus()
    row.editor.box.selectAll()
    QTest.keyClicks(row.editor.box, text)
    QTest.keyClick(row.editor.box, Qt.Key.Key_Return)
    assert name not in document.graph.nodes["settings"].params
    thousand, one = text.replace(",", "").replace(".", ""), f"{text[0]}.0"
    assert f"which may be {thousand} or {one}" in row.error.text()


def test_half_a_thousand_in_a_list_is_no_zero(inspector, document):
    type_into(inspector.rows["values"].editor.box, "1,000")
    assert "values" not in document.graph.nodes["settings"].params

"""The app view: a form and pictures instead of the graph."""

import pytest
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialogButtonBox

from nodegraph.formats.app_rows import App, set_app
from nodegraph.graph import Port
from nodegraph.types import Picture
from ui.app_view.chooser import SHOWN, ChooseDialog
from ui.app_view.form import AppView
from ui.documents.document import Document
from ui.runs.run_state import RunState


@pytest.fixture
def view(qtbot, document: Document, runs: RunState) -> AppView:
    document.edit("", set_app, App((Port("left", "value"), Port("settings", "count")), ("sum",)))
    made = AppView(document, runs)
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show()
    return made


def test_the_form_has_the_chosen_parameters_in_their_order(view: AppView):
    assert list(view.rows) == [Port("left", "value"), Port("settings", "count")]


def test_parameters_of_one_name_say_whose_they_are(view: AppView, document: Document):
    left, right = Port("left", "value"), Port("right", "value")
    document.edit("", set_app, App((left, right), ("sum",)))
    assert [row.name.text() for row in view.rows.values()] == ["Box (a): Value", "Box (b): Value"]


def test_typing_into_the_form_edits_the_document(view: AppView, document: Document):
    editor = view.rows[Port("left", "value")].editor
    assert editor is not None
    box = editor.focusProxy()
    assert box is not None
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(box, "7.5")
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert document.graph.nodes["left"].params["value"] == 7.5


def test_the_form_follows_undo(view: AppView, document: Document):
    document.undo_stack.undo()
    assert Port("settings", "count") not in view.rows


def test_the_buttons_ask_for_a_run_and_its_end(qtbot, view: AppView, runs: RunState):
    with qtbot.waitSignal(view.run_wanted):
        QTest.mouseClick(view.run_button, Qt.MouseButton.LeftButton)
    assert not view.stop_button.isEnabled()
    runs.begin()
    with qtbot.waitSignal(view.stop_wanted):
        QTest.mouseClick(view.stop_button, Qt.MouseButton.LeftButton)


def test_the_picture_of_a_chosen_result_is_painted(view: AppView, runs: RunState):
    runs._show("sum", Picture(2, 2, b"\xff\x00\x00" * 4), "key")
    middle = view.pictures.grab().toImage().pixelColor(view.pictures.width() // 2, view.pictures.height() // 2 - 13)
    assert (middle.red(), middle.green(), middle.blue()) == (255, 0, 0)


def test_a_click_on_one_picture_of_a_batch_shows_it_alone_and_another_click_all_of_them(view: AppView, runs: RunState):
    red, blue = b"\xff\x00\x00", b"\x00\x00\xff"
    runs._show("sum", Picture(4, 2, (red * 2 + blue * 2) * 2, 2, (2, 2)), "key")
    width, height = view.pictures.width(), view.pictures.height()

    def colours() -> set[str]:
        seen = view.pictures.grab().toImage()
        return {seen.pixelColor(round(seen.width() * x), seen.height() // 2).name() for x in (0.35, 0.65)}

    assert colours() == {"#ff0000", "#0000ff"}
    for _ in range(2):
        QTest.mouseClick(view.pictures, Qt.MouseButton.LeftButton, pos=QPoint(round(width * 0.65), height // 2))
        assert runs.picked.of("sum", runs.of("sum").picture) == 1
        assert colours() == {"#0000ff"}
        QTest.mouseClick(view.pictures, Qt.MouseButton.LeftButton, pos=QPoint(round(width * 0.5), height // 2))
        assert colours() == {"#ff0000", "#0000ff"}


def choosing(qtbot, document: Document, app: App) -> ChooseDialog:
    dialog = ChooseDialog(document, app)
    qtbot.addWidget(dialog)
    dialog.tree.expandAll()
    dialog.show()
    return dialog


def tick(dialog: ChooseDialog, shown: Port | str) -> None:
    items = dialog.tree.findItems("", Qt.MatchFlag.MatchContains | Qt.MatchFlag.MatchRecursive)
    item = next(item for item in items if item.data(0, SHOWN) == shown)
    QTest.mouseClick(dialog.tree.viewport(), Qt.MouseButton.LeftButton, pos=dialog.tree.visualItemRect(item).center())
    QTest.keyClick(dialog.tree, Qt.Key.Key_Space)


def test_the_picture_is_seen_while_its_steps_run(view: AppView, runs: RunState):
    runs._show("sum", Picture(2, 2, b"\xff\x00\x00" * 4), "key")
    runs.begin()
    runs._set("left", state="running", calls=4, picture=Picture(2, 2, b"\x00\x00\xff" * 4))
    assert view.pictures.grab().toImage().pixelColor(view.pictures.rect().center()).blue() == 255


def test_what_is_ticked_is_shown_after_what_was_there(qtbot, document: Document):
    dialog = choosing(qtbot, document, App((Port("settings", "count"),)))
    tick(dialog, Port("left", "value"))
    assert dialog.app().inputs == (Port("settings", "count"), Port("left", "value"))
    tick(dialog, Port("settings", "count"))
    assert dialog.app().inputs == (Port("left", "value"),)


def test_the_order_of_the_form_is_changed_with_keys(qtbot, document: Document):
    count, left = Port("settings", "count"), Port("left", "value")
    dialog = choosing(qtbot, document, App((count, left), ("sum",)))
    dialog.order.setCurrentRow(1)
    for _ in range(2):  # there is no place before the first
        QTest.keyClick(dialog.order, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert dialog.app() == App((left, count), ("sum",))


@pytest.mark.parametrize(("leave", "kept"), [("Escape", True), ("Close", True), ("Cancel", False)])
def test_a_choice_is_kept_however_the_dialog_is_left_but_by_cancel(qtbot, view: AppView, document, leave, kept):
    before, flag = view.app, Port("settings", "flag")

    def act() -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, ChooseDialog)
        dialog.tree.expandAll()
        tick(dialog, flag)
        if leave == "Escape":
            QTest.keyClick(dialog, Qt.Key.Key_Escape)
        elif leave == "Close":
            dialog.close()
        else:
            button = dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Cancel)
            QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    QTimer.singleShot(0, act)
    QTest.mouseClick(view.choose_button, Qt.MouseButton.LeftButton)
    assert (flag in view.app.inputs) == kept
    if kept:
        document.undo_stack.undo()
    assert view.app == before

"""The name and the sockets of a group, changed by hand."""

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QLineEdit, QPushButton

from nodegraph.editing.group_body import is_wall
from nodegraph.graph import Port
from ui.canvas.commands import selection
from ui.canvas.overlays.group_dialog import GroupDialog, SocketList

RETURN = Qt.Key.Key_Return


@pytest.fixture
def group(canvas) -> str:
    """The sum as a group with two inputs and one output; its node's id, selected."""
    canvas.state.select({"sum"})
    selection.group(canvas.state)
    (id,) = canvas.state.selection
    return id


def answering(act: Callable[[GroupDialog], None], button: str = "Ok") -> None:
    """Do something in the dialog that comes next, and press a button, or else Escape."""

    def answer() -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, GroupDialog)
        act(dialog)
        if button:
            made = dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton[button])
            QTest.mouseClick(made, Qt.MouseButton.LeftButton)
        else:
            QTest.keyClick(dialog, Qt.Key.Key_Escape)

    QTimer.singleShot(0, answer)


def type_over(sockets: SocketList, row: int, text: str, end: Qt.Key = RETURN) -> None:
    sockets.setCurrentRow(row)
    sockets.setFocus()
    QTest.keyClick(sockets, Qt.Key.Key_F2)
    box = sockets.findChildren(QLineEdit)[-1]  # the one before may not be gone yet
    box.selectAll()
    QTest.keyClicks(box, text)
    QTest.keyClick(box, end)
    QApplication.processEvents()


def press(side: SocketList, text: str) -> None:
    buttons = side.parentWidget().findChildren(QPushButton)
    QTest.mouseClick(next(b for b in buttons if b.text() == text), Qt.MouseButton.LeftButton)


def definition(canvas):
    (found,) = canvas.document.graph.groups.values()
    return found


def test_a_group_gets_another_name_from_outside(canvas, group):
    answering(lambda dialog: dialog.name.setText("Sum of two"))
    selection.edit_group(canvas.state)
    assert canvas.document.graph.nodes[group].type == "group:Sum of two"
    assert canvas.scene.nodes[group].title == "Sum of two"
    canvas.document.undo_stack.undo()
    assert canvas.scene.nodes[group].title == "Group"


def test_f2_on_a_wall_renames_a_socket_and_the_wires_stay(canvas, group, shows_document):
    wires = len(canvas.document.graph.links)
    canvas.scope.enter(group)
    wall = next(id for id, node in canvas.scope.graph.nodes.items() if is_wall(node))
    canvas.state.select({wall})
    answering(lambda dialog: type_over(dialog.inputs, 0, "First box"))
    selection.rename_selected(canvas.state)
    assert [*definition(canvas).inputs] == ["First_box", "b"]
    assert len(canvas.document.graph.links) == wires
    assert any(src.socket == "First_box" for src in canvas.scope.graph.links.values())
    canvas.scope.leave()
    assert shows_document()
    assert Port(group, "First_box") in canvas.scene.links


def test_a_double_click_on_a_wall_leads_to_its_sockets(canvas, group, hand):
    canvas.scope.enter(group)
    canvas.grab()
    wall = next(item for item in canvas.scene.nodes.values() if is_wall(item.node))
    answering(lambda dialog: press(dialog.inputs, "Down"))
    QTest.mouseDClick(canvas, Qt.MouseButton.LeftButton, pos=hand.at(wall.rect.center()))
    assert [*definition(canvas).inputs] == ["b", "a"]


def test_a_socket_is_taken_away_with_its_wire(canvas, group):
    def remove_the_second(dialog: GroupDialog) -> None:
        dialog.inputs.setFocus()
        QTest.keyClick(dialog.inputs, Qt.Key.Key_Down)
        QTest.keyClick(dialog.inputs, Qt.Key.Key_Delete)

    canvas.scope.enter(group)
    answering(remove_the_second)
    QTest.mouseClick(canvas.breadcrumbs.buttons[-1], Qt.MouseButton.LeftButton)
    assert [*definition(canvas).inputs] == ["a"]
    assert canvas.breadcrumbs.width() > sum(button.width() for button in canvas.breadcrumbs.buttons)
    assert not any(dst.node == group and dst.socket == "b" for dst in canvas.document.graph.links)


def test_the_keyboard_moves_a_socket(canvas, group):
    def move_up(dialog: GroupDialog) -> None:
        dialog.inputs.setFocus()
        QTest.keyClick(dialog.inputs, Qt.Key.Key_Down)
        QTest.keyClick(dialog.inputs, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)

    answering(move_up)
    selection.edit_group(canvas.state)
    assert [*definition(canvas).inputs] == ["b", "a"]


def test_what_cannot_be_called_so_is_said_and_can_be_mended(canvas, group):
    before = canvas.document.graph

    def mend(dialog: GroupDialog) -> None:
        type_over(dialog.inputs, 0, "b")
        dialog.accept()
        assert "two sockets 'b' on one side" in dialog.error.text()
        assert dialog.isVisible()
        assert canvas.document.graph == before
        type_over(dialog.inputs, 0, "c")

    answering(mend)
    selection.edit_group(canvas.state)
    assert [*definition(canvas).inputs] == ["c", "b"]


def test_without_a_group_it_is_said(canvas):
    said = []
    canvas.state.refused.connect(said.append)
    selection.edit_group(canvas.state)
    assert "no group" in said[0]


def test_escape_keeps_what_was_typed_as_a_step_that_can_be_undone(canvas, group):
    def rename_both(dialog: GroupDialog) -> None:
        dialog.name.selectAll()
        QTest.keyClicks(dialog.name, "Sum of two")
        type_over(dialog.inputs, 0, "First box", Qt.Key.Key_Escape)

    answering(rename_both, button="")
    selection.edit_group(canvas.state)
    assert canvas.document.graph.nodes[group].type == "group:Sum of two"
    assert [*definition(canvas).inputs] == ["First_box", "b"]
    canvas.document.undo_stack.undo()
    assert [*definition(canvas).inputs] == ["a", "b"]


def test_cancel_throws_it_away(canvas, group):
    before = canvas.document.graph
    answering(lambda dialog: dialog.name.setText("Sum of two"), button="Cancel")
    selection.edit_group(canvas.state)
    assert canvas.document.graph == before


def test_escape_without_a_change_is_no_step(canvas, group):
    count = canvas.document.undo_stack.count()
    answering(lambda dialog: None, button="")
    selection.edit_group(canvas.state)
    assert canvas.document.undo_stack.count() == count

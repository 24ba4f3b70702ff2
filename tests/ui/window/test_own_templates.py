"""A workflow is kept to start from, is offered with its picture, and can be thrown away again."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialogButtonBox, QInputDialog, QLineEdit, QMessageBox

from nodegraph.graph import Graph, Node
from tests.ui.kept_window import KeptWindow
from ui.window import templates as module
from ui.window.main_window import MainWindow
from ui.window.own_templates import keep, name_complaint, own_folder, throw_away
from ui.window.templates import TemplatePicker, templates

LEFT, RETURN = Qt.MouseButton.LeftButton, Qt.Key.Key_Return
BOXES = Graph({"box": Node("toy.box", {"value": 7.0})})


@pytest.fixture
def window(kept_window: KeptWindow, tmp_path, monkeypatch) -> MainWindow:
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))
    return kept_window.open(BOXES)


def name_it(window: MainWindow, name: str) -> None:
    """By the menu's action, and by typing."""
    window.actions_by_id["file.save_template"].trigger()
    (asked,) = (dialog for dialog in window.findChildren(QInputDialog) if dialog.isVisible())
    (line,) = asked.findChildren(QLineEdit)
    assert QTest.qWaitForWindowActive(asked)
    QTest.qWait(1)
    assert line.hasFocus()  # the keys are no longer the canvas's
    line.selectAll()
    QTest.keyClicks(line, name)
    QTest.keyClick(line, RETURN)


def test_a_workflow_is_kept_and_is_the_first_that_is_offered(window, monkeypatch):
    name_it(window, "My boxes")
    window.document.undo_stack.setClean()
    offered: list[str] = []

    def choose(picker: TemplatePicker) -> None:
        picker.show()
        offered.extend(picker.grid.item(row).text() for row in range(picker.grid.count()))
        QTest.keyClicks(picker.search, "my boxes")
        QTest.keyClick(picker.search, RETURN)

    monkeypatch.setattr(TemplatePicker, "exec", choose)
    window.actions_by_id["file.template"].trigger()
    assert offered[0] == "My boxes"
    assert len(offered) > 10  # the program's own come behind
    assert window.document.graph.nodes == BOXES.nodes
    assert (window.document.name, window.document.path) == ("My boxes", None)


def test_the_picture_goes_with_it(window, monkeypatch):
    picture = QImage(1000, 500, QImage.Format.Format_RGB32)
    picture.fill(0xFF0000FF)
    keep("boxes", BOXES, picture)
    (kept,) = templates([own_folder()])
    assert kept.picture().pixelColor(3, 3).blue() == 255
    assert kept.picture().width() == 2 * module.PICTURE.width()
    keep("boxes", BOXES, None)
    assert not kept.path.with_suffix(".png").exists()


@pytest.mark.parametrize("name", ["", "a/b", ".hidden", "x" * 101])
def test_a_name_that_is_none_is_refused_with_a_sentence(window, monkeypatch, name):
    said: list[str] = []
    monkeypatch.setattr(QMessageBox, "warning", lambda parent, title, text: said.append(text))
    name_it(window, name) if name else window.tabs._save_template(window.workspace, name)
    assert said == [name_complaint(name)]
    assert not own_folder().exists()


@pytest.mark.parametrize("answer", [QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No])
def test_one_of_the_same_name_is_replaced_when_that_is_wanted(window, monkeypatch, answer):
    keep("boxes", Graph(), None)
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answer)
    name_it(window, "boxes")
    (kept,) = templates([own_folder()])
    assert bool(kept.graph.nodes) == (answer == QMessageBox.StandardButton.Yes)


def test_ones_own_can_be_deleted_and_those_of_the_program_cannot(qtbot, window, tmp_path, monkeypatch):
    keep("boxes", BOXES, None)
    keep("more", BOXES, None)
    gone: list[str] = []
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    own = {template.path for template in templates([own_folder()]) if template.title == "Boxes"}
    picker = TemplatePicker(
        templates([own_folder()]), None, own.__contains__, lambda path: gone.append(path.name) or path.unlink() or ""
    )
    qtbot.addWidget(picker)
    picker.show()
    QTest.keyClicks(picker.search, "more")
    assert not picker.delete.isVisible()
    picker.search.clear()
    QTest.keyClicks(picker.search, "boxes")
    QTest.mouseClick(picker.delete, LEFT)
    assert gone == ["boxes.json"]
    assert [picker.grid.item(row).text() for row in range(picker.grid.count())] == ["More"]
    assert picker.buttons.standardButton(picker.take) == QDialogButtonBox.StandardButton.Open


def test_a_template_that_is_not_there_any_more_is_gone(tmp_path):
    assert throw_away(tmp_path / "never.json") == ""

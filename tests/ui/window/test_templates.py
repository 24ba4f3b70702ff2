"""Choosing a workflow to start from."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest

from nodegraph.formats import workflow
from nodegraph.graph import Graph, Node
from ui.base import theme
from ui.canvas.paint.thumbnail import drawing
from ui.window.templates import FOLDERS, PICTURE, TemplatePicker, templates

ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(graph: Graph, tmp_path: Path) -> Path:
    """Three templates, one with a picture and a note, and a file that is none."""
    noted = Graph({**graph.nodes, "note": Node("canvas.note", {"text": "# Sums\nAdds **two** boxes."})}, graph.links)
    workflow.save(noted, tmp_path / "01_add_boxes.json")
    picture = QImage(64, 64, QImage.Format.Format_RGB32)
    picture.fill(QColor("#ff0000"))
    picture.save(str(tmp_path / "01_add_boxes.png"))
    workflow.save(replace(graph, extra={"about": "The same twice."}), tmp_path / "02_two.json")
    workflow.save(Graph(), tmp_path / "empty.json")
    (tmp_path / "broken.json").write_text("{")
    return tmp_path


@pytest.fixture
def picker(qtbot, folder: Path) -> TemplatePicker:
    made = TemplatePicker(templates([folder]))
    qtbot.addWidget(made)
    made.resize(1100, 700)  # three columns
    made.show()
    qtbot.waitExposed(made)
    return made


def shown(picker: TemplatePicker) -> list[str]:
    items = [picker.grid.item(row) for row in range(picker.grid.count())]
    return [item.text() for item in items if not item.isHidden()]


def test_templates_come_in_the_order_of_their_names_with_what_they_say_of_themselves(folder: Path):
    found = templates([folder])
    assert [template.title for template in found] == ["Add boxes", "Two", "Empty"]
    assert [template.doc for template in found] == ["# Sums\nAdds **two** boxes.", "The same twice.", ""]


def test_return_takes_the_template_of_that_name_before_one_that_only_speaks_of_it(picker: TemplatePicker):
    QTest.keyClicks(picker.search, "tw")  # in the words about the first, and in the name of the second
    QTest.keyClick(picker.search, Qt.Key.Key_Return)
    assert picker.chosen is not None
    assert picker.chosen.title == "Two"


def test_a_template_shows_the_picture_beside_it_or_its_nodes(folder: Path):
    beside, drawn, empty = (template.picture() for template in templates([folder]))
    assert beside.pixelColor(3, 3) == QColor("#ff0000")
    canvas = QColor(theme.colors().canvas)
    assert any(drawn.pixelColor(x, PICTURE.height() // 2) != canvas for x in range(PICTURE.width()))
    assert empty.pixelColor(3, 3) == canvas


def test_a_drawing_of_one_node_lies_within_the_picture(themed):
    picture = drawing(Graph({"a": Node("x.y", pos=(5000, -5000))}), QSize(100, 100))
    canvas = QColor(theme.colors().canvas)
    assert picture.pixelColor(50, 50) != canvas
    assert picture.pixelColor(0, 0) == canvas


def test_typing_searches_titles_and_notes(picker: TemplatePicker):
    QTest.keyClicks(picker.search, "two boxes")
    assert shown(picker) == ["Add boxes"]
    QTest.keyClicks(picker.search, "zzz")
    assert shown(picker) == []
    QTest.keyClick(picker.search, Qt.Key.Key_Return)
    assert picker.isVisible()
    assert picker.chosen is None


def test_arrows_go_from_the_search_into_the_grid(picker: TemplatePicker):
    QTest.keyClick(picker.search, Qt.Key.Key_Down)
    QTest.keyClick(picker.grid, Qt.Key.Key_Right)
    QTest.keyClick(picker.grid, Qt.Key.Key_Return)
    assert picker.chosen
    assert picker.chosen.title == "Two"


def test_a_double_click_takes_a_template_and_escape_takes_none(picker: TemplatePicker):
    QTest.keyClick(picker, Qt.Key.Key_Escape)
    assert picker.chosen is None
    picker.show()
    place = picker.grid.visualItemRect(picker.grid.item(2)).center()
    QTest.mouseClick(picker.grid.viewport(), Qt.MouseButton.LeftButton, pos=place)
    QTest.mouseDClick(picker.grid.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert picker.chosen
    assert picker.chosen.title == "Empty"


def test_the_words_about_a_template_are_shown(picker: TemplatePicker):
    assert picker.doc.toPlainText() == "Sums\nAdds two boxes."


LARGE = {"what": "A large file", "parameter": ["load", "path"], "from": "https://example.org/large", "size": 7 * 10**9}


@pytest.fixture
def needy(qtbot, tmp_path: Path) -> TemplatePicker:
    """Of a file that is here, of one that is not, and of more memory than the machine has."""
    (tmp_path / "here.bin").write_bytes(b"1")
    for name, path, memory in (("file", "here.bin", 1), ("lacks", "gone.bin", 10**9), ("much", "here.bin", 9 * 10**9)):
        graph = Graph({"load": Node("x.load", {"path": str(tmp_path / path)})})
        data = workflow.to_data(graph) | {"needs": [{**LARGE, "memory": memory}]}
        (tmp_path / f"{name}.json").write_text(json.dumps(data))
    made = TemplatePicker(templates([tmp_path], memory=8 * 10**9))
    qtbot.addWidget(made)
    made.resize(1100, 700)
    made.show()
    qtbot.waitExposed(made)
    return made


def test_each_template_says_whether_it_runs_here(needy: TemplatePicker):
    said = [needy.grid.item(row).data(Qt.ItemDataRole.AccessibleTextRole) for row in range(needy.grid.count())]
    assert said == ["File. Runs here", "Lacks. Needs A large file, 7.0 GB", "Much. Takes 9.0 GB of memory"]


def test_what_runs_here_is_chosen_by_key_and_the_rest_left_out(needy: TemplatePicker):
    QTest.keyClick(needy.search, Qt.Key.Key_Tab)
    QTest.keyClick(needy.focusWidget(), Qt.Key.Key_Space)
    assert shown(needy) == ["File"]
    QTest.keyClicks(needy.search, "much")
    assert shown(needy) == []
    QTest.keyClick(needy.only_here, Qt.Key.Key_Space)
    assert shown(needy) == ["Much"]


def test_the_page_lists_what_is_needed_where_it_comes_from_and_what_is_not_here(needy: TemplatePicker):
    needy.grid.setCurrentRow(1)
    text = needy.doc.toPlainText()
    assert "A large file: 7.0 GB, 1.0 GB of memory, not here. From example.org/large" in text
    assert 'href="https://example.org/large"' in needy.doc.toHtml()
    needy.grid.setCurrentRow(2)
    assert "Takes 9.0 GB of memory; this machine has 8.0 GB." in needy.doc.toPlainText()


def test_where_the_memory_is_not_known_it_is_not_in_the_way(tmp_path: Path, needy: TemplatePicker):
    assert [template.here.verdict for template in templates([tmp_path])] == ["runs", "lacks", "runs"]


def test_the_starter_workflow_runs_on_any_machine_that_runs_the_program():
    (starter,) = (t for t in templates([ROOT / "workflows"], memory=4 * 10**9) if t.path.stem == "text_to_image")
    assert starter.needs
    assert starter.here.verdict == "runs"


def test_every_workflow_that_ships_can_be_chosen():
    shipped = [path for folder in FOLDERS for path in (ROOT / folder).glob("*.json")]
    assert {template.path for template in templates(ROOT / folder for folder in FOLDERS)} == set(shipped)


def test_an_exact_title_wins_whatever_else_has_its_words(qtbot, tmp_path: Path):
    for name in ("a_two_boxes_more", "about_two_boxes", "two_boxes", "two_boxes_again"):
        workflow.save(Graph({"a": Node("toy.box")}), tmp_path / f"{name}.json")
    made = TemplatePicker(templates([tmp_path]))
    qtbot.addWidget(made)
    made.show()
    QTest.keyClicks(made.search, "two BOXES")
    QTest.keyClick(made.search, Qt.Key.Key_Return)
    assert made.chosen is not None
    assert made.chosen.title == "Two boxes"

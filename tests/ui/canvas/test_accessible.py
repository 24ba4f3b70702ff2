"""What a screen reader is told: through Qt's accessibility interfaces, and in the outline."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QAccessibleInterface
from PySide6.QtTest import QTest

from nodegraph.graph import Node, Port, add_node, connect, disconnect, remove_nodes
from ui.canvas import accessible
from ui.canvas.canvas import Canvas
from ui.documents.document import Document
from ui.panels.outline import Outline
from ui.runs.run_state import RunState


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    accessible.install()


def name(part: QAccessibleInterface) -> str:
    return part.text(QAccessible.Text.Name)


def parts(part: QAccessibleInterface) -> list[QAccessibleInterface]:
    return [part.child(index) for index in range(part.childCount())]


def node_part(canvas: Canvas, wanted: str) -> QAccessibleInterface:
    root = QAccessible.queryAccessibleInterface(canvas)
    return next(part for part in parts(root) if part.id == wanted)


def test_every_node_is_found_by_its_title(canvas: Canvas):
    found = [name(part) for part in parts(QAccessible.queryAccessibleInterface(canvas))]
    assert found == ["Box", "Box", "Add", "Show", "Settings"]


def test_sockets_say_where_their_links_lead(canvas: Canvas):
    assert [name(part) for part in parts(node_part(canvas, "sum"))] == [
        "Input A: from Box, box",
        "Input B: from Box, box",
        "Output Box: to Show, box",
    ]


def test_parameters_say_their_values(canvas: Canvas):
    assert "Input Count: 3" in [name(part) for part in parts(node_part(canvas, "settings"))]


def test_the_selection_is_told(canvas: Canvas):
    canvas.state.select({"sum"})
    assert node_part(canvas, "sum").state().selected
    assert not node_part(canvas, "left").state().selected


def test_a_node_is_found_at_its_place(canvas: Canvas):
    place = node_part(canvas, "sum").rect()
    at = QAccessible.queryAccessibleInterface(canvas).childAt(place.center().x(), place.center().y())
    assert at is not None
    assert at.id == "sum"


def test_a_removed_node_is_not_told_any_more(canvas: Canvas):
    gone = node_part(canvas, "show")
    canvas.document.edit("Delete", remove_nodes, {"show"})
    assert not gone.isValid()
    assert QAccessible.queryAccessibleInterface(canvas).childCount() == 4


@pytest.fixture
def outline(qtbot, canvas: Canvas, runs: RunState) -> Outline:
    made = Outline(canvas.scope, runs)
    qtbot.addWidget(made)
    made.show()
    return made


def lines(outline: Outline, id: str) -> list[str]:
    item = outline.items[id]
    item.setExpanded(True)
    return [item.child(index).text(0) for index in range(item.childCount())]


def seen(outline: Outline) -> list[str]:
    return [id for id, item in outline.items.items() if not item.isHidden()]


def test_the_outline_follows_the_document(outline: Outline, document: Document):
    assert "Out · Box: to Show, box" in lines(outline, "sum")
    document.edit("Unlink", disconnect, Port("show", "box"))
    assert "Out · Box: to nothing" in lines(outline, "sum")
    document.edit("Link", connect, Port("left", "box"), Port("show", "box"))
    assert "In · Box: from Box, box" in lines(outline, "show")
    document.edit("Delete", remove_nodes, {"sum"})
    assert "sum" not in outline.items
    assert outline.tree.topLevelItemCount() == 4


def test_a_row_that_goes_chooses_no_other_node(qtbot, outline: Outline, document: Document):
    outline.tree.setCurrentItem(outline.items["sum"])
    with qtbot.assertNotEmitted(outline.chosen):
        document.edit("Delete", remove_nodes, {"sum"})


def test_arrow_keys_walk_through_the_nodes(qtbot, outline: Outline):
    outline.tree.setCurrentItem(outline.items["left"])
    with qtbot.waitSignal(outline.chosen) as chosen:
        QTest.keyClick(outline.tree, Qt.Key.Key_Down)
    assert chosen.args == ["right"]


def test_the_search_hides_what_does_not_match(outline: Outline, document: Document):
    QTest.keyClicks(outline.search, "add")
    assert seen(outline) == ["sum"]
    document.edit("Add", add_node, "more", Node("toy.add"))
    assert seen(outline) == ["sum", "more"]
    outline.search.clear()
    assert seen(outline) == list(document.graph.nodes)

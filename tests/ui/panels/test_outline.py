"""The outline of a graph of very many nodes: the window goes on while it is listed and searched."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from nodegraph.graph import Graph, Node, remove_nodes
from ui.base import slices
from ui.documents.document import Document
from ui.documents.scope import Scope
from ui.panels.outline import MANY, SOME, Outline
from ui.runs.run_state import RunState

COUNT = 8 * SOME


@pytest.fixture
def document(registry) -> Document:
    return Document(registry, Graph({f"n{i}": Node("toy.box", title=f"Number {i}") for i in range(COUNT)}))


@pytest.fixture
def outline(qtbot, document: Document, runs: RunState, monkeypatch: pytest.MonkeyPatch) -> Outline:
    """The window answers after each piece."""
    monkeypatch.setattr(slices, "SLICE", 0.0)
    made = Outline(Scope(document), runs)
    qtbot.addWidget(made)
    made.resize(300, 400)
    return made


def seen(outline: Outline) -> list[str]:
    return [id for id, item in outline.items.items() if not item.isHidden()]


def test_the_first_nodes_are_there_at_once_and_the_others_soon(qtbot, outline: Outline):
    assert SOME <= len(outline.items) < COUNT
    qtbot.waitUntil(lambda: len(outline.items) == COUNT)
    assert outline.tree.topLevelItemCount() == COUNT


def test_a_person_finds_a_node_and_goes_to_it(qtbot, outline: Outline):
    outline.show()
    qtbot.waitExposed(outline)
    QTest.keyClicks(outline.search, "577")  # before all of them are listed
    qtbot.waitUntil(lambda: seen(outline) == ["n577"])
    place = outline.tree.visualItemRect(outline.items["n577"]).center()
    with qtbot.waitSignal(outline.chosen) as chosen:
        QTest.mouseClick(outline.tree.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert chosen.args == ["n577"]
    outline.search.clear()
    qtbot.waitUntil(lambda: len(seen(outline)) == COUNT)


def test_what_is_selected_on_the_canvas_is_shown_when_it_is_listed(qtbot, outline: Outline):
    outline.select(("n577",))
    with qtbot.assertNotEmitted(outline.chosen):  # nobody chose it here
        qtbot.waitUntil(lambda: outline.tree.currentItem() is outline.items.get("n577", 0))


def test_of_very_many_that_go_the_rest_stay(qtbot, outline: Outline, document: Document):
    qtbot.waitUntil(lambda: len(outline.items) == COUNT)
    gone = {f"n{i}" for i in range(MANY + 1)}
    document.edit("Delete", remove_nodes, gone)
    left = list(document.graph.nodes)
    qtbot.waitUntil(lambda: list(outline.items) == left)
    assert [outline.tree.topLevelItem(row).id for row in range(len(left))] == left

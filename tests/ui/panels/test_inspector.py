"""The inspector, as a person uses it: one node, several nodes, links, seeds and the help."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from nodegraph.graph import Node, add_node, change_node
from nodegraph.node import NodeType
from nodegraph.pieces import PIECE
from ui.base import theme
from ui.base.slices import Slices
from ui.base.text import help_markdown
from ui.documents.scope import Scope
from ui.panels.inspector import AT_ONCE, Inspector
from ui.runs.kinds import Kinds


@pytest.fixture
def inspector(qtbot, document) -> Inspector:
    made = Inspector(Scope(document))
    qtbot.addWidget(made)
    made.resize(380, 700)
    made.show()
    qtbot.waitExposed(made)
    return made


def texts(inspector: Inspector) -> str:
    return "\n".join(shown.text() for shown in inspector.findChildren(QLabel))


def test_limits_and_help_are_shown(inspector, qtbot):
    inspector.show_nodes(("settings",))
    qtbot.waitUntil(lambda: inspector.complete)
    assert "to" in inspector.rows["count"].about.text()
    assert inspector.document.type_of("settings").doc.split("\n")[0][:20] in texts(inspector)


def test_a_paper_becomes_a_link_and_formulas_stay():
    text = help_markdown("x0 + a_1 < b (Karras et al. 2022, arXiv:2206.00364, eq. 5) \\sigma")
    assert "[arXiv:2206.00364](https://arxiv.org/abs/2206.00364)" in text
    assert "&lt;" in text
    assert "\\\\sigma" in text


def test_an_edit_holds_for_every_selected_node_and_is_one_step(inspector, document):
    inspector.show_nodes(("left", "right"))
    assert list(inspector.rows) == ["value"]
    row = inspector.rows["value"]
    assert row.about.text() == "several values"
    row.editor.box.setFocus()
    row.editor.box.selectAll()
    QTest.keyClicks(row.editor.box, "7.5")
    QTest.keyClick(row.editor.box, Qt.Key.Key_Return)
    assert [document.graph.nodes[id].params["value"] for id in ("left", "right")] == [7.5, 7.5]
    assert row.about.text() != "several values"
    document.undo_stack.undo()
    assert [document.graph.nodes[id].params["value"] for id in ("left", "right")] == [2.0, 3.0]


def test_nodes_with_nothing_in_common_say_so(inspector):
    inspector.show_nodes(("sum", "settings"))
    assert inspector.rows == {}
    assert "no parameter in common" in texts(inspector)


def test_reset_sets_all_of_them_back(inspector, document):
    inspector.show_nodes(("left", "right"))
    QTest.mouseClick(inspector.rows["value"].action, Qt.MouseButton.LeftButton)
    assert [document.graph.nodes[id].params for id in ("left", "right")] == [{}, {}]


def test_a_removed_node_is_no_longer_shown(inspector, document):
    document.edit("Add", add_node, "third", Node("toy.box"))
    inspector.show_nodes(("left", "third"))
    document.undo_stack.undo()
    assert inspector.node == "left"


def test_a_large_node_is_shown_bit_by_bit_so_that_the_window_goes_on(inspector, qtbot):
    inspector.show_nodes(("settings",))
    names = [spec.name for spec in inspector.document.type_of("settings").inputs]
    assert list(inspector.rows) == names[:AT_ONCE]
    inspector.show_nodes(("left",))
    assert inspector.complete
    inspector.show_nodes(("settings",))
    qtbot.waitUntil(lambda: inspector.complete)
    assert list(inspector.rows) == names
    assert all(row.isVisible() for row in inspector.rows.values())


def test_another_node_of_the_type_is_shown_in_the_same_page(inspector, document, qtbot):
    inspector.show_nodes(("left",))
    qtbot.waitUntil(lambda: inspector.complete)
    row = inspector.rows["value"]
    inspector.setFocus()
    inspector.show_nodes(("right",))
    assert inspector.rows["value"] is row
    assert "right" in texts(inspector)
    row.editor.box.setFocus()
    row.editor.box.selectAll()
    QTest.keyClicks(row.editor.box, "7.5")
    QTest.keyClick(row.editor.box, Qt.Key.Key_Return)
    assert [document.graph.nodes[id].params["value"] for id in ("left", "right")] == [2.0, 7.5]


def test_what_is_being_typed_is_not_carried_to_another_node(inspector, document, qtbot):
    inspector.show_nodes(("left",))
    qtbot.waitUntil(lambda: inspector.complete)
    box = inspector.rows["value"].editor.box
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, "99")
    inspector.show_nodes(("right",))
    assert document.graph.nodes["right"].params["value"] == 3.0
    assert inspector.rows["value"].editor.read() == 3.0


def test_what_becomes_of_the_seed_is_chosen_beside_it(inspector, document, qtbot):
    inspector.show_nodes(("settings",))
    qtbot.waitUntil(lambda: inspector.complete)
    modes = inspector.rows["seed"].seed_mode
    modes.setFocus()
    QTest.keyClick(modes, Qt.Key.Key_Down)
    assert document.graph.nodes["settings"].seed_mode == "increment"
    document.undo_stack.undo()
    assert modes.currentText() == "Keep for the next run"


def test_a_held_slider_is_told_of_until_it_is_let_go(inspector):
    inspector.show_nodes(("settings",))
    said: list[bool] = []
    inspector.held.connect(said.append)
    slider = inspector.rows["count"].editor.slider
    handle = QPoint(round(slider.width() * (slider.value() - slider.minimum()) / slider.maximum()), 8)
    QTest.mousePress(slider, Qt.MouseButton.LeftButton, pos=handle)
    QTest.mouseMove(slider, handle + QPoint(20, 0))
    assert said == [True]
    QTest.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=handle + QPoint(20, 0))
    assert said == [True, False]


def test_an_inspector_that_nobody_sees_makes_no_rows_and_catches_up(inspector, document, qtbot, monkeypatch):
    inspector.show_nodes(("left",))
    made = []
    monkeypatch.setattr(
        inspector, "_show_node", lambda *args: made.append(args) or Inspector._show_node(inspector, *args)
    )
    inspector.hide()
    inspector.show_nodes(("settings",))
    inspector.show_nodes(("right",))
    document.set_param("right", "value", 9.0)
    document.edit("Add", add_node, "third", Node("toy.box"))
    assert not made
    inspector.show()
    assert len(made) == 1
    assert inspector.rows["value"].editor.box.text() == "9"


def test_a_node_that_goes_while_nobody_sees_the_inspector_is_no_longer_shown(inspector, document):
    document.edit("Add", add_node, "third", Node("toy.box"))
    inspector.show_nodes(("third",))
    inspector.hide()
    document.undo_stack.undo()
    assert inspector.nodes == ()
    inspector.show()
    assert inspector.rows == {}


@pytest.mark.parametrize("name", ["path", "text"])
def test_a_text_in_the_inspector_stays_when_another_node_is_shown(inspector, document, qtbot, name):
    inspector.show_nodes(("settings",))
    qtbot.waitUntil(lambda: inspector.complete)
    box = inspector.rows[name].editor.box
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, "notes.txt")
    QTest.keyClick(box, Qt.Key.Key_Escape)
    inspector.show_nodes(("right",))
    assert document.graph.nodes["settings"].params[name] == "notes.txt"
    document.undo_stack.undo()
    assert name not in document.graph.nodes["settings"].params


@pytest.mark.parametrize("text", [1.0, 1.7])
def test_no_row_is_wider_than_the_panel_in_large_text(inspector, document, qapp, qtbot, text):
    document.edit("Name", lambda graph: change_node(graph, "left", title="A box of a name that goes on for long"))
    document.set_param("settings", "count", 7)
    inspector.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)  # as beside every long page
    theme.apply(qapp, theme.DARK, text)
    try:
        for id in document.graph.nodes:
            inspector.show_nodes((id,))
            qtbot.waitUntil(lambda: inspector.complete)
            fits = lambda: inspector.widget().minimumSizeHint().width() <= inspector.viewport().width()  # noqa: E731
            qtbot.waitUntil(fits)  # texts that grow are laid out a moment later
        inspector.show_nodes(("sum",))
        row = inspector.rows["a"]
        qtbot.waitUntil(lambda: row.about.shown.endswith("…") == (text > 1.0))
        assert row.name.shown == row.name.text()
        assert row.action.geometry().right() <= row.width()
    finally:
        theme.apply(qapp, theme.DARK)


@pytest.fixture
def many(document) -> dict[str, Node]:
    """Two thousand nodes in the document."""
    nodes = {f"box{i}": Node("toy.box", {"value": 2.0}) for i in range(2000)}
    document.edit("Many", lambda graph: replace(graph, nodes={**graph.nodes, **nodes}))
    return nodes


@pytest.fixture
def turns(monkeypatch) -> list[str]:
    """One for each time that the window answered, with one piece of work before each."""
    monkeypatch.setattr("ui.base.slices.SLICE", 0.0)
    taken: list[str] = []
    again = Slices._again
    monkeypatch.setattr(Slices, "_again", lambda self: taken.append("turn") or again(self))
    return taken


def test_very_many_nodes_are_shown_in_pieces(inspector, many, turns, qtbot):
    inspector.show_nodes(("left",))
    inspector.show_nodes(tuple(many))
    assert not inspector.complete  # and nothing was done yet: to select them has taken its time
    qtbot.waitUntil(lambda: inspector.complete)
    assert "2,000 nodes" in texts(inspector)
    assert inspector.rows["value"].nodes == tuple(many)
    assert len(turns) > len(many) / PIECE


def test_an_edit_of_very_many_nodes_is_shown_in_pieces(inspector, document, many, turns, qtbot):
    inspector.show_nodes(tuple(many))
    qtbot.waitUntil(lambda: inspector.complete)
    row = inspector.rows["value"]
    turns.clear()
    document.set_param("box7", "value", 3.0)
    assert row.about.text() != "several values"
    qtbot.waitUntil(lambda: inspector.complete)
    assert inspector.rows["value"] is row  # the page is not made anew for it
    assert row.about.text() == "several values"
    assert len(turns) > len(many) / PIECE


def test_the_pages_of_very_many_nodes_and_of_one_take_each_others_place(inspector, document, many, turns, qtbot):
    inspector.show_nodes(tuple(many))
    inspector.show_nodes(("left",))
    assert inspector.complete
    assert inspector.rows["value"].nodes == ("left",)
    inspector.show_nodes(tuple(many))
    document.undo_stack.undo()  # which takes them away, before they were shown
    qtbot.waitUntil(lambda: inspector.complete)
    assert inspector.rows == {}


def test_of_very_many_nodes_each_type_is_looked_at_once(inspector, many, monkeypatch, qtbot):
    """All of ten thousand nodes are chosen: what a row has to say of them is not asked of every node."""
    looked: list[str] = []
    idle, input = Kinds.idle, NodeType.input
    monkeypatch.setattr(Kinds, "idle", lambda self, *of: looked.append("idle") or idle(self, *of))
    monkeypatch.setattr(NodeType, "input", lambda self, name: looked.append("input") or input(self, name))
    inspector.show_nodes(tuple(many))
    qtbot.waitUntil(lambda: list(inspector.rows) == ["value"])
    assert len(looked) < 50

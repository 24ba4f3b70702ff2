"""Room for the graph: the side bar, the words of the toolbar, the side panel of a narrow window, cut notes, the map."""

from __future__ import annotations

from functools import partial

import pytest
from PySide6.QtCore import SIGNAL, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMainWindow, QToolBar, QToolButton

from nodegraph.builtin import NOTE
from nodegraph.editing.tint import tint
from nodegraph.graph import Graph, Node, add_node, change_node
from nodegraph.registry import Registry
from nodegraph.running.engine import Settings as EngineSettings
from ui.base.settings import Settings
from ui.canvas.scene.view import View
from ui.window.main_window import MainWindow

LEFT = Qt.MouseButton.LeftButton


def made(qtbot, registry: Registry, graph: Graph, tmp_path, size=(1440, 900)) -> MainWindow:
    """As it starts with the settings that are kept in a file."""
    window = MainWindow(
        registry, EngineSettings("tests.toy_nodes", cache=None), settings=Settings(tmp_path / "settings.json")
    )
    qtbot.addWidget(window, before_close_func=lambda w: [d.undo_stack.setClean() for d in w.session.documents])
    window.tabs.show_document(window.session.new(graph))
    window.resize(*size)
    window.show()
    qtbot.waitExposed(window)
    settle()
    return window


def settle() -> None:
    for _ in range(6):
        QApplication.processEvents()


@pytest.fixture
def window(qtbot, registry, graph, tmp_path) -> MainWindow:
    return made(qtbot, registry, graph, tmp_path)


def button(window: MainWindow, name: str) -> QToolButton:
    return next(one for one in window.side_bar.findChildren(QToolButton) if one.accessibleName() == name)


def test_the_side_bar_shows_and_hides_panels_and_says_their_keys(window: MainWindow):
    for name, key in (("Trajectory", "Alt+4"), ("Queue", "Alt+7"), ("Gallery", "Alt+8"), ("Models", "Alt+M")):
        one = button(window, name)
        assert f"({key})" in one.toolTip()
        QTest.mouseClick(one, LEFT)
        settle()
        assert window.docks[name].isVisible()
        assert one.isChecked()
        QTest.mouseClick(one, LEFT)
        assert not window.docks[name].isVisible()


def test_no_button_is_told_of_a_change_more_often_than_the_day_before(window: MainWindow):
    actions = [*window.toolbar.actions(), *window.side_bar.actions()]

    def told() -> list[int]:
        return [action.receivers(SIGNAL("changed()")) for action in actions]

    before = told()
    for number in range(5):
        window.document.edit(f"Edit {number}", add_node, f"note{number}", Node(NOTE))  # what is undone has another name
        window.document.undo_stack.undo()
    assert told() == before


def test_the_side_bar_is_there_by_choice(window: MainWindow, qtbot, registry, graph, tmp_path):
    window.actions_by_id["view.side_bar"].trigger()
    assert not window.side_bar.isVisible()
    window._keep_layout()
    again = made(qtbot, registry, graph, tmp_path)
    assert not again.side_bar.isVisible()
    again.actions_by_id["view.side_bar"].trigger()
    assert again.side_bar.isVisible()


def words(window: MainWindow) -> set[str]:
    """What is written in the toolbar."""
    style = Qt.ToolButtonStyle.ToolButtonIconOnly
    buttons = window.toolbar.findChildren(QToolButton)
    return {one.text() for one in buttons if one.defaultAction() and one.toolButtonStyle() != style}


def test_the_toolbar_has_words_by_choice(window: MainWindow):
    assert {"Run", "Stop", "Live"} < words(window)
    assert "Save" not in words(window)
    window.settings.change(toolbar_words="none")
    assert words(window) == set()
    window.settings.change(toolbar_words="all")
    assert {"Run", "Undo", "Redo"} < words(window)
    settle()
    bar = window.toolbar
    assert all(bar.rect().contains(one.geometry()) for one in bar.findChildren(QToolButton) if one.defaultAction())


@pytest.mark.parametrize("scale", [1.0, 1.7])
def test_what_lies_at_the_right_leaves_most_of_a_narrow_window_to_the_graph(window: MainWindow, scale: float):
    """And has its width again when the window is large again."""
    window.settings.change(text_scale=scale)
    settle()
    try:
        wide = window.docks["Preview"].width()
        window.resize(1000, 700)
        settle()
        side = window.docks["Preview"].width()
        assert window.size().toTuple() == (1000, 700)
        assert side <= 0.32 * 1000 or side == window.docks["Preview"].minimumSizeHint().width()
        assert side < 0.45 * 1000
        window.resize(1440, 900)
        settle()
        assert window.docks["Preview"].width() == wide
    finally:
        window.settings.change(text_scale=1.0)
        settle()


def ink_in_corner(window: MainWindow, id: str) -> int:
    """How many colours there are where a note that goes on says so."""
    canvas = window.canvas
    item = canvas.scene.nodes[id]
    corner = canvas.state.view.to_screen(item.rect.bottomRight())
    picture = canvas.grab().toImage()
    at = picture.devicePixelRatio()
    found = {
        picture.pixel(round((corner.x() - x) * at), round((corner.y() - y) * at))
        for x in range(8, 26)
        for y in range(6, 14)
    }
    return len(found)


def test_a_note_that_is_cut_says_that_it_goes_on(window: MainWindow, qtbot):
    text = "\n\n".join(f"Line {number}" for number in range(30))
    note = Node(NOTE, {"text": text}, (0, 400), size=(260.0, 120.0))
    window.document.edit("Add note", add_node, "note", note)
    window.canvas.state.show_view(View(1.0, 60, -300))
    qtbot.waitUntil(lambda: ink_in_corner(window, "note") > 2)
    window.document.edit("Larger", partial(change_node, id="note", size=(260.0, 1200.0)))
    window.canvas.state.show_view(View(1.0, 60, -1200))
    qtbot.waitUntil(lambda: ink_in_corner(window, "note") == 1)


def test_the_map_shows_the_colour_that_a_node_was_given(window: MainWindow):
    window.document.edit("Colour", tint, {"sum"}, "#ff0000")
    minimap = window.canvas.minimap
    reds = [minimap._color(window.canvas.scene.nodes[id]).red() for id in ("sum", "left")]
    assert reds[0] > reds[1] + 40


@pytest.mark.parametrize(("size", "lines"), [((1366, 768), 1), ((600, 700), 2)])
def test_menus_and_tools_are_one_line_where_they_have_room(window: MainWindow, qtbot, size, lines):
    window.resize(*size)
    menus, tools = window.menus, window.toolbar

    def settled() -> bool:
        below = tools.geometry().top() >= menus.geometry().bottom()
        return below == (lines == 2) and tools.parentWidget().height() < lines * 50

    qtbot.waitUntil(settled)
    assert menus.geometry().intersected(tools.geometry()).isEmpty()
    assert window.run_button.isVisible()


def test_a_layout_that_was_kept_when_the_tools_had_a_line_of_their_own_leaves_them_beside_the_menus(window, qtbot):
    before = QMainWindow()
    qtbot.addWidget(before)
    tools = QToolBar("Main", objectName="Main")
    before.addToolBar(tools)
    window.restoreState(before.saveState())
    settle()
    assert window.toolbar.isVisible()
    assert window.toolbar.parentWidget() is window.menus.parentWidget()
    assert window.toolbar.geometry().left() >= window.menus.geometry().right()

"""The table of panels is what the window has: docks, their places, their keys."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu

from nodegraph.graph import Node, Port, add_node
from nodegraph.running.engine import Settings as EngineSettings
from tests.ui.kept_window import KeptWindow
from ui.panels.sweep import SweepPanel
from ui.window.docks import RIGHT
from ui.window.main_window import MainWindow
from ui.window.panels import PANELS
from ui.window.tour import Tour, take_tour


@pytest.fixture
def window(kept_window: KeptWindow) -> MainWindow:
    return kept_window.open()


def test_a_row_is_all_that_the_window_asks_for(window: MainWindow):
    assert window.docks.titles == tuple(panel.title for panel in PANELS)
    for panel in PANELS:
        dock = window.docks[panel.title]
        assert window.dockWidgetArea(dock) == panel.area
        assert dock.isVisible() == (panel.area == RIGHT)


def test_the_key_of_a_panel_shows_and_hides_it(window: MainWindow):
    for panel in PANELS:
        dock = window.docks[panel.title]
        shown = dock.isVisible()
        QTest.keySequence(window, QKeySequence(panel.key))
        assert dock.isVisible() is not shown, panel.title
        QTest.keySequence(window, QKeySequence(panel.key))
        assert dock.isVisible() is shown, panel.title


def test_the_tour_ends_when_the_app_view_takes_the_place_of_what_it_speaks_of(window: MainWindow, qtbot):
    take_tour(window)
    assert window.findChild(Tour).card.isVisible()
    window.actions_by_id["view.app"].trigger()
    qtbot.waitUntil(lambda: window.findChild(Tour) is None)
    assert window.settings.now.toured


def shown(window: MainWindow) -> set[str]:
    return {title for title in window.docks.titles if not window.docks[title].isHidden()}


def test_one_key_hides_all_panels_and_brings_back_those_that_were_shown(window: MainWindow):
    window.docks.show("Log")
    window.docks.show("Gallery")
    before = shown(window)
    QTest.keySequence(window, QKeySequence("Shift+F11"))
    assert shown(window) == set()
    QTest.keySequence(window, QKeySequence("Shift+F11"))
    assert shown(window) == before
    assert window.docks["Gallery"] not in window.docks.behind  # it is in front again, and not the log


def test_the_key_of_one_panel_still_shows_it_while_all_are_hidden(window: MainWindow):
    QTest.keySequence(window, QKeySequence("Shift+F11"))
    QTest.keySequence(window, QKeySequence("Alt+1"))
    assert shown(window) == {"Preview"}


def test_f11_fills_the_screen_and_gives_it_back(window: MainWindow, qtbot):
    action = window.actions_by_id["view.full_screen"]
    QTest.keySequence(window, QKeySequence("F11"))
    qtbot.waitUntil(window.isFullScreen)
    assert action.isChecked()
    window.showNormal()  # as a desktop does it
    qtbot.waitUntil(lambda: not action.isChecked())
    assert not window.isFullScreen()


def test_a_panel_becomes_a_window_and_is_one_after_a_restart(window: MainWindow, registry, qtbot):
    dock = window.docks["Preview"]
    QTest.mouseClick(dock.titleBarWidget().float, Qt.MouseButton.LeftButton)
    assert dock.isFloating()
    dock.move(40, 60)
    kept = window.saveState()
    other = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None))
    qtbot.addWidget(other)
    other.restoreState(kept)
    assert other.docks["Preview"].isFloating()
    assert not other.docks["Inspector"].isFloating()
    QTest.mouseClick(dock.titleBarWidget().float, Qt.MouseButton.LeftButton)
    assert not dock.isFloating()


def test_the_right_button_on_a_parameter_lets_it_vary_and_the_keys_go_to_its_values(window: MainWindow, qtbot):
    window.document.edit("Add", lambda graph: add_node(graph, "box", Node("toy.box", {"value": 5.0})))
    canvas = window.canvas
    item = canvas.scene.nodes["box"]
    row = next(row for row in item.shape.rows if row.input and row.input.name == "value")
    at = canvas.state.view.to_screen(item.pos + row.rect.center()).toPoint()
    QTest.mouseClick(canvas, Qt.MouseButton.RightButton, pos=at)
    menu = canvas.findChild(QMenu)
    vary = next(action for action in menu.actions() if action.text() == "Vary Value…")
    vary.trigger()
    menu.close()
    panel = window.docks.panel("Sweep")
    assert isinstance(panel, SweepPanel)
    assert panel.isVisible()
    assert panel.form.rows[0].axis.port == Port("box", "value")
    assert window.focusWidget() is panel.form.rows[0].field
    QTest.keyClicks(panel.form.rows[0].field, "1:4")
    QTest.keyClick(panel.form.rows[0].field, Qt.Key.Key_Return)
    assert window.document.graph.extra["sweep"]["axes"] == (("box", "value", (1.0, 2.0, 3.0, 4.0)),)
    window.document.undo_stack.setClean()

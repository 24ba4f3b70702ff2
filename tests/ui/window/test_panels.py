"""The table of panels is what the window has: docks, their places, their keys."""

import pytest
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest

from nodegraph.running.engine import Settings as EngineSettings
from ui.window.docks import RIGHT
from ui.window.main_window import MainWindow
from ui.window.panels import PANELS
from ui.window.tour import Tour, take_tour


@pytest.fixture
def window(qtbot, registry) -> MainWindow:
    made = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None))
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    made.activateWindow()
    return made


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

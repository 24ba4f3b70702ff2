"""As the program ends, Python may have emptied what watches a widget before Qt lets go of both: it is quiet then."""

import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QHideEvent, QResizeEvent
from PySide6.QtWidgets import QApplication, QLineEdit

from nodegraph.running.engine import Settings as EngineSettings
from ui.window.docks import Docks
from ui.window.main_window import MainWindow
from ui.window.templates import TemplatePicker
from ui.window.tour import take_tour


@pytest.fixture
def window(qtbot, registry, tmp_path) -> MainWindow:
    made = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None, out_dir=str(tmp_path)))
    qtbot.addWidget(made, before_close_func=lambda w: [d.undo_stack.setClean() for d in w.session.documents])
    return made


def watcher(window: MainWindow, of: str) -> QObject:
    match of:
        case "docks":
            return Docks(window)
        case "tour":
            return take_tour(window)
        case _:
            return TemplatePicker([], window)


@pytest.mark.parametrize("of", ["docks", "tour", "templates"])
def test_a_filter_that_python_has_emptied_is_quiet_while_its_widget_goes(qtbot, window, of: str):
    made, field = watcher(window, of), QLineEdit(window)
    field.installEventFilter(made)
    kept = dict(vars(made))
    vars(made).clear()
    size = field.size()
    with qtbot.captureExceptions() as raised:
        for event in (QHideEvent(), QResizeEvent(size, size), QEvent(QEvent.Type.LayoutRequest)):
            QApplication.sendEvent(field, event)
    vars(made).update(kept)
    assert not raised

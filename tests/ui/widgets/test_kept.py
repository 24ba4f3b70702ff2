"""What Qt or Python would keep for good, each time that something is made or changed, is not kept."""

from PySide6.QtCore import SIGNAL
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel, QToolBar, QToolButton, QWidget
from shiboken6 import Shiboken

from ui.widgets.flow import FlowLayout
from ui.widgets.tool_bar import ToolBar


def listeners(action: QAction) -> int:
    return action.receivers(SIGNAL("changed()"))


def test_a_button_listens_to_its_action_once_however_often_that_changes(qtbot):
    qtbot.addWidget(bar := ToolBar())
    bar.addAction(action := QAction("Undo", checkable=True))
    before = listeners(action)
    for number in range(20):
        action.setText(f"Undo {number}")
        action.setEnabled(number % 2 == 0)
        action.setChecked(number % 2 == 0)
    assert listeners(action) == before
    button = bar.widgetForAction(action)
    assert isinstance(button, QToolButton)
    assert (button.text(), button.isEnabled(), button.isChecked()) == ("Undo 19", False, False)


def test_the_mend_of_tool_bars_is_still_needed(qtbot):
    """When this fails Qt has mended it, and ToolBar can go."""
    qtbot.addWidget(bar := QToolBar())
    bar.addAction(action := QAction("Undo"))
    before = listeners(action)
    action.setText("Undo it")
    assert listeners(action) == before + 1


def test_what_a_line_of_widgets_is_made_of_is_gone_with_it(qtbot):
    row = QWidget()
    row.setLayout(flow := FlowLayout(QLabel("one"), QLabel("two"), three := QLabel("three")))
    row.show()
    qtbot.waitExposed(row)
    Shiboken.delete(three)
    assert flow.count() == 2
    items = [flow.itemAt(number) for number in range(flow.count())]
    Shiboken.delete(row)
    assert not any(map(Shiboken.isValid, items))

"""What a widget does once it is seen."""

from PySide6.QtWidgets import QApplication, QWidget

from ui.widgets.seen import WhenSeen


def test_what_is_due_happens_once_when_it_comes_into_view(qtbot):
    widget, done = QWidget(), []
    qtbot.addWidget(widget)
    when = WhenSeen(widget, lambda: done.append(1))
    when.ask()
    when.ask()
    assert not done
    widget.show()
    assert done == [1]


def test_a_filter_that_python_has_emptied_is_quiet_while_its_widget_goes(qtbot):
    """As the collector leaves it when a widget and what watches it are found together."""
    widget = QWidget()
    qtbot.addWidget(widget)
    when = WhenSeen(widget, lambda: None)
    vars(when).clear()
    with qtbot.captureExceptions() as raised:
        widget.show()
        QApplication.processEvents()
    assert not raised

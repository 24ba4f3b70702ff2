"""What takes time begins when the window is there to be seen."""

from PySide6.QtWidgets import QWidget

from ui.base.painted import WhenPainted


class Painted(QWidget):
    def __init__(self, told):
        super().__init__()
        self._told = told

    def paintEvent(self, event):
        self._told.append("painted")


def test_what_takes_time_is_begun_after_the_first_picture_and_once(qtbot):
    told = []
    widget = Painted(told)
    qtbot.addWidget(widget)
    WhenPainted(widget, lambda: told.append("begun"), latest=60_000)
    widget.show()
    qtbot.waitUntil(lambda: "begun" in told)
    assert told[-2:] == ["painted", "begun"]
    widget.update()
    qtbot.waitUntil(lambda: told[-1] == "painted")
    qtbot.wait(1)
    assert told.count("begun") == 1


def test_it_is_begun_too_when_the_window_is_on_no_screen(qtbot):
    told = []
    widget = QWidget()
    qtbot.addWidget(widget)
    WhenPainted(widget, lambda: told.append("begun"), latest=1)
    qtbot.waitUntil(lambda: told == ["begun"])

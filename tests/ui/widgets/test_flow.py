"""Widgets in lines: what is shown, hidden or written anew finds its place."""

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QApplication, QPushButton, QWidget

from ui.widgets.flow import GAP, FlowLayout


@pytest.fixture
def around(qtbot) -> QWidget:
    made = QWidget()
    qtbot.addWidget(made)
    return made


@pytest.fixture
def buttons(qtbot, around: QWidget) -> list[QPushButton]:
    """Three in a line, with no room for a fourth of their size."""
    made = [QPushButton(text) for text in ("one", "two", "three", "four")]
    for button in made:
        button.setFixedSize(60, 20)
    around.setLayout(FlowLayout(*made))
    around.resize(3 * 60 + 2 * GAP, 100)
    made[3].hide()
    around.show()
    qtbot.waitExposed(around)
    return made


def places(buttons: list[QPushButton]) -> list[tuple[int, int]]:
    QApplication.processEvents()
    return [button.mapTo(button.parentWidget(), QPoint(0, 0)).toTuple() for button in buttons if button.isVisible()]


def test_what_has_no_room_in_a_line_begins_the_next(buttons: list[QPushButton]):
    assert places(buttons) == [(0, 0), (64, 0), (128, 0)]
    buttons[3].show()
    assert places(buttons) == [(0, 0), (64, 0), (128, 0), (0, 24)]


def test_what_is_hidden_gives_up_its_place(buttons: list[QPushButton]):
    assert places(buttons) == [(0, 0), (64, 0), (128, 0)]
    buttons[0].hide()
    assert places(buttons) == [(0, 0), (64, 0)]


def test_what_has_another_size_is_placed_anew(buttons: list[QPushButton]):
    assert places(buttons) == [(0, 0), (64, 0), (128, 0)]
    buttons[0].setFixedSize(100, 30)
    assert places(buttons) == [(0, 0), (104, 5), (0, 34)]

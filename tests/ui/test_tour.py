"""The tour of the first start."""

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from ui.document import Document
from ui.run_state import RunState
from ui.tour import STEPS, Tour, beside

SPOTS = {"canvas": None, "run": QRect(700, 10, 60, 30), "prompt": QRect(500, 100, 250, 80)}


@pytest.fixture
def tour(qtbot, document: Document, runs: RunState) -> Tour:
    host = QWidget()
    qtbot.addWidget(host)
    host.resize(1000, 700)
    host.show()
    made = Tour(host, document, runs, {name: lambda spot=spot: spot for name, spot in SPOTS.items()})
    made.start()
    return made


def go_to(tour: Tour, waits: str) -> None:
    while tour.step.waits != waits:
        tour.advance()


def press_next(tour: Tour) -> None:
    assert tour.card.next.isVisible()
    QTest.mouseClick(tour.card.next, Qt.MouseButton.LeftButton)


def test_a_run_leads_on(tour: Tour, runs: RunState):
    press_next(tour)
    assert tour.step.waits == "run"
    assert not tour.card.next.isVisible()
    runs.begin()
    assert tour.step.waits == "run"
    runs.running = False
    runs.progressed.emit()
    assert tour.step.waits == "prompt"


def test_only_an_edit_of_a_prompt_lets_one_go_on_from_the_prompt(tour: Tour, document: Document):
    go_to(tour, "prompt")
    document.set_param("settings", "count", 5)
    assert not tour.card.next.isVisible()
    document.set_param("settings", "text", "a fox")
    press_next(tour)
    assert tour.step.waits == "number"
    document.set_param("settings", "count", 6)
    press_next(tour)


def test_the_tour_can_be_left_at_once(qtbot, tour: Tour):
    with qtbot.waitSignal(tour.ended):
        QTest.keyClick(tour.card, Qt.Key.Key_Escape)


def test_the_tour_ends_after_its_last_step(qtbot, tour: Tour):
    while tour.index + 1 < len(STEPS):
        tour.advance()
    with qtbot.waitSignal(tour.ended):
        press_next(tour)


@pytest.mark.parametrize("spot", [QRect(0, 0, 400, 700), QRect(500, 300, 20, 20), QRect(900, 0, 90, 30), None])
def test_the_card_is_inside_the_window_and_beside_what_it_speaks_of(spot: QRect | None):
    area = QRect(0, 0, 1000, 700)
    card = QRect(beside(spot, 340, 180, area), QRect(0, 0, 340, 180).size())
    assert area.contains(card)
    assert spot is None or not card.intersects(spot)

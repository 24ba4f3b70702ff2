"""The tour of the first start."""

import pytest
import shiboken6
from PySide6.QtCore import QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QWidget

from nodegraph.running.messages import Idle
from ui.documents.document import Document
from ui.runs.run_state import RunState
from ui.window.tour import Tour, beside

SPOTS = {"canvas": None, "run": QRect(700, 10, 60, 30), "text": QRect(500, 100, 250, 80)}


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


def run(runs: RunState) -> None:
    """To its end."""
    runs.begin()
    runs.take(Idle(1, 0, 1.0))


def test_a_run_that_was_asked_for_leads_on(tour: Tour, runs: RunState):
    go_to(tour, "run")
    assert not tour.card.next.isVisible()
    run(runs)  # a live one
    assert tour.step.waits == "run"
    tour.run_pressed()
    run(runs)
    assert tour.step.waits == "number"


def test_a_run_right_after_the_prompt_counts(tour: Tour, document: Document, runs: RunState):
    go_to(tour, "text")
    document.set_param("settings", "text", "a fox")
    tour.run_pressed()
    run(runs)
    assert tour.step.waits == "number"


def test_live_mode_begins_when_the_tour_speaks_of_it(qtbot, document: Document, runs: RunState):
    host, said = QWidget(), []
    qtbot.addWidget(host)
    tour = Tour(host, document, runs, {})
    tour.live.connect(said.append)
    tour.start()
    go_to(tour, "run")
    assert said == [False]
    go_to(tour, "number")
    assert said == [False, True]


def test_without_the_tour_all_is_live(qtbot, tour: Tour):
    with qtbot.waitSignal(tour.live, check_params_cb=lambda on: on):
        tour.end()


def test_only_an_edit_of_a_prompt_lets_one_go_on_from_the_prompt(tour: Tour, document: Document):
    go_to(tour, "text")
    document.set_param("settings", "count", 5)
    assert not tour.card.next.isVisible()
    document.set_param("settings", "text", "a fox")
    go_to(tour, "number")
    document.set_param("settings", "count", 6)
    press_next(tour)


def test_next_hands_the_keyboard_to_no_field_of_the_window(qtbot, tour: Tour):
    field = QLineEdit(tour.host)
    field.show()
    tour.host.activateWindow()
    qtbot.waitUntil(tour.host.isActiveWindow)
    press_next(tour)
    assert tour.card.hasFocus()


def test_letting_go_on_leaves_the_keyboard_where_one_types(qtbot, tour: Tour, document: Document):
    go_to(tour, "text")
    field = QLineEdit(tour.host)
    field.show()
    tour.host.activateWindow()
    qtbot.waitUntil(tour.host.isActiveWindow)
    field.setFocus()
    document.set_param("settings", "text", "a fox")
    assert field.hasFocus()
    assert not tour.ring.isVisible()  # it would run through what is typed


def test_no_step_is_cut(tour: Tour):
    while tour.index + 1 < len(tour.steps):
        tour.advance()
        assert tour.card.text.height() >= tour.card.text.heightForWidth(tour.card.text.width())


def test_the_tour_can_be_left_at_once(qtbot, tour: Tour):
    with qtbot.waitSignal(tour.ended):
        QTest.keyClick(tour.card, Qt.Key.Key_Escape)


def test_escape_anywhere_in_the_window_leaves_the_tour(qtbot, tour: Tour):
    elsewhere = QWidget(tour.host)
    elsewhere.show()
    with qtbot.waitSignal(tour.ended):
        QTest.keyClick(elsewhere, Qt.Key.Key_Escape)


def test_the_tour_can_be_left_when_its_document_is_closed(qtbot, tour: Tour, document: Document, runs: RunState):
    shiboken6.delete(document)
    shiboken6.delete(runs)
    with qtbot.waitSignal(tour.ended):
        QTest.mouseClick(tour.card.skip, Qt.MouseButton.LeftButton)


def test_the_tour_ends_after_its_last_step(qtbot, tour: Tour):
    while tour.index + 1 < len(tour.steps):
        tour.advance()
    with qtbot.waitSignal(tour.ended):
        press_next(tour)


@pytest.mark.parametrize("spot", [QRect(0, 0, 400, 700), QRect(500, 300, 20, 20), QRect(900, 0, 90, 30), None])
def test_the_card_is_inside_the_window_and_beside_what_it_speaks_of(spot: QRect | None):
    area = QRect(0, 0, 1000, 700)
    card = QRect(beside(spot, 340, 180, area), QRect(0, 0, 340, 180).size())
    assert area.contains(card)
    assert spot is None or not card.intersects(spot)

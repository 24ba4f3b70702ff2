"""The tour of the first start."""

from dataclasses import replace

import pytest
import shiboken6
from PySide6.QtCore import QPoint, QPointF, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QWidget

from nodegraph.graph import Port
from nodegraph.running.engine import Settings as EngineSettings
from nodegraph.running.messages import Idle
from tests.ui.engines import LONG
from ui.canvas.commands.one_node import open_row
from ui.canvas.scene.view import View
from ui.documents.document import Document
from ui.runs.run_state import RunState
from ui.window.main_window import MainWindow
from ui.window.tour import Tour, beside, take_tour

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


def test_the_run_of_the_tour_is_in_the_strip(qtbot, registry, graph):
    """The tour switches live on as the run ends: what was made is listed all the same, and then what the hand makes."""
    window = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None))
    qtbot.addWidget(window, before_close_func=lambda w: [d.undo_stack.setClean() for d in w.session.documents])
    links = {**graph.links, Port("sum", "b"): Port("settings", "box")}
    window.tabs.show_document(window.session.new(replace(graph, links=links)))
    window.resize(1400, 900)
    window.show()
    window.start()
    qtbot.waitUntil(lambda: window.engine.ready and window.plan.ready, timeout=LONG)
    made = take_tour(window)
    window.canvas.state.show_view(View(0.2, 0, 0))  # too far to read what the next step speaks of
    QTest.mouseClick(made.card.next, Qt.MouseButton.LeftButton)
    assert window.canvas.state.view.scale >= 0.6
    assert window.canvas.rect().contains(
        made.ring.geometry().translated(-window.canvas.mapTo(window, QPoint())).center()
    )
    open_row(window.canvas.state, "settings", "text")
    QTest.keyClicks(window.canvas.state.editor.box, " and a dog")
    QTest.mouseClick(window.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: made.step.waits == "number" and not window.runs.running, timeout=LONG)
    assert window.runner.live
    results = window.workspace.results
    assert [result.graph.nodes["settings"].params["text"] for result in results.kept] == ["a cat and a dog"]
    item, canvas = window.canvas.scene.nodes["settings"], window.canvas
    row = next(row for row in item.shape.rows if row.input is not None and row.input.name == "ratio")
    canvas.state.show_view(View(1.0, 40, 40))
    at = canvas.state.view.to_screen(item.pos + QPointF(row.width / 2, row.y + 12)).toPoint()
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=at)
    for away in (10, 30, 50):
        QTest.mouseMove(canvas, at + QPoint(away, 0))
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=at + QPoint(50, 0))
    qtbot.waitUntil(lambda: len(results.kept) == 2, timeout=LONG)
    assert window.preview.strip.count() == 2
    made.end()

"""The queue as a person uses it: with the mouse and the keyboard."""

from functools import partial

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QTextDocument
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QTabWidget, QWidget

from nodegraph.running.messages import Failed, Finished, Idle, Planned
from nodegraph.types import Picture
from tests.ui.counting import calls
from tests.ui.engines import LONG, Desk, slow
from tests.ui.runs.test_night import Dark
from ui.base.theme import colors
from ui.panels.queue import QueuePanel
from ui.runs.hand import Hand
from ui.runs.queue import KEPT_SIDE, Queue
from ui.widgets.picture_rows import DETAIL, FRACTION, PICTURE


@pytest.fixture
def panel(desk: Desk, qtbot) -> QueuePanel:
    """Four jobs, none of which runs."""
    desk.queue.pause()
    for title in "abcd":
        desk.queue.add(slow(1, tag=title), ("save",), title)
    made = QueuePanel(desk.queue)
    qtbot.addWidget(made)
    made.resize(700, 400)
    made.show()
    qtbot.waitExposed(made)
    return made


def titles(panel: QueuePanel) -> list[str]:
    rows = panel.list.model()
    shown = [rows.index(row, 0).data() for row in range(rows.rowCount())]
    assert shown == [job.title for job in panel.queue.jobs]
    return shown


def middle(panel: QueuePanel, row: int) -> QPoint:
    return panel.list.visualRect(panel.list.model().index(row, 0)).center()


def click(panel: QueuePanel, row: int, keys=Qt.KeyboardModifier.NoModifier) -> None:
    QTest.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, keys, middle(panel, row))


def test_a_row_is_dragged_to_another_place(panel: QueuePanel):
    view = panel.list.viewport()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=middle(panel, 0))
    for row in (1, 2):
        QTest.mouseMove(view, middle(panel, row))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=middle(panel, 2))
    assert titles(panel) == ["b", "c", "a", "d"]
    QTest.mouseMove(view, middle(panel, 0))
    assert titles(panel) == ["b", "c", "a", "d"]


def test_alt_and_the_arrows_move_a_job_and_keep_it_chosen(panel: QueuePanel):
    click(panel, 2)
    QTest.keyClick(panel.list, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    QTest.keyClick(panel.list, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    QTest.keyClick(panel.list, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)  # it is the first already
    assert titles(panel) == ["c", "a", "b", "d"]
    QTest.keyClick(panel.list, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert titles(panel) == ["a", "c", "b", "d"]
    assert panel.list.selected() == (3,)


def test_plus_and_minus_change_the_priority_which_a_row_says_and_the_order_follows(panel: QueuePanel):
    click(panel, 2)
    QTest.keyClicks(panel.list, "+")
    assert titles(panel) == ["c", "a", "b", "d"]
    assert panel.list.model().index(0, 0).data(DETAIL) == "High priority · Waiting"
    assert not panel.up.isEnabled()
    QTest.mouseClick(panel.down, Qt.MouseButton.LeftButton)
    QTest.mouseClick(panel.down, Qt.MouseButton.LeftButton)
    assert titles(panel) == ["a", "b", "d", "c"]
    assert panel.list.model().index(3, 0).data(DETAIL) == "Low priority · Waiting"
    assert panel.list.selected() == (3,)


def test_alt_and_home_have_a_job_run_first(panel: QueuePanel):
    click(panel, 3)
    QTest.keyClick(panel.list, Qt.Key.Key_Home, Qt.KeyboardModifier.AltModifier)
    assert titles(panel) == ["d", "a", "b", "c"]


def test_a_job_that_is_dragged_among_others_has_their_priority(panel: QueuePanel):
    panel.queue.prioritise(1, 2, by=1)
    view = panel.list.viewport()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=middle(panel, 3))
    QTest.mouseMove(view, middle(panel, 1))
    QTest.mouseMove(view, middle(panel, 0))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=middle(panel, 0))
    assert titles(panel) == ["d", "a", "b", "c"]
    assert [job.priority for job in panel.queue.jobs] == [1, 1, 1, 0]


def test_the_cells_of_a_sweep_are_one_row_that_is_moved_raised_and_removed_as_one(panel: QueuePanel):
    queue, rows = panel.queue, panel.list.model()
    for number in range(3):
        queue.add(slow(1), ("save",), f"fox: {number}", document="fox", block="sweep")
    queue.expect("sweep", 7)
    panel.list.follow()
    assert rows.index(4, 0).data() == "fox: sweep"
    assert rows.index(4, 0).data(DETAIL) == "Waiting, 0 of 10 made"
    click(panel, 4)
    QTest.keyClick(panel.list, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert [job.title for job in queue.jobs] == ["a", "b", "c", "fox: 0", "fox: 1", "fox: 2", "d"]
    QTest.keyClicks(panel.list, "+")
    assert [job.title for job in queue.jobs][:4] == ["fox: 0", "fox: 1", "fox: 2", "a"]
    given_up: list[str] = []
    queue.given_up.connect(given_up.append)
    QTest.keyClick(panel.list, Qt.Key.Key_Delete)
    assert titles(panel) == ["a", "b", "c", "d"]
    assert given_up == ["sweep"]


def test_cancel_retry_and_remove_act_on_what_is_selected(panel: QueuePanel):
    click(panel, 0)
    click(panel, 1, Qt.KeyboardModifier.ControlModifier)
    QTest.mouseClick(panel.cancel, Qt.MouseButton.LeftButton)
    assert [job.state for job in panel.queue.jobs] == ["cancelled", "cancelled", "pending", "pending"]
    assert not panel.cancel.isEnabled()
    QTest.mouseClick(panel.retry, Qt.MouseButton.LeftButton)
    assert titles(panel) == ["c", "d", "a", "b"]
    assert panel.queue.waiting == 4
    QTest.keyClick(panel.list, Qt.Key.Key_Delete)
    assert titles(panel) == ["c", "d"]


def test_resume_runs_the_jobs_and_each_row_says_how_it_went(panel: QueuePanel, qtbot):
    assert panel.summary.text() == "4 waiting · paused"
    QTest.mouseClick(panel.pause, Qt.MouseButton.LeftButton)
    assert panel.list.model().index(0, 0).data(FRACTION) == 0.0
    qtbot.waitUntil(lambda: all(job.state == "done" for job in panel.queue.jobs), timeout=LONG)
    item = panel.list.model().index(3, 0)
    assert item.data(DETAIL).startswith("Done in ")
    assert item.data(DETAIL).endswith("box1d.txt")
    assert item.data(PICTURE) is not None
    assert item.data(FRACTION) is None
    QTest.mouseClick(panel.clear, Qt.MouseButton.LeftButton)
    assert titles(panel) == []
    assert panel.hint.isVisible()


def test_enter_opens_the_graph_of_a_job(panel: QueuePanel):
    opened: list[object] = []
    panel.opened.connect(opened.append)
    click(panel, 1)
    QTest.keyClick(panel.list, Qt.Key.Key_Return)
    assert opened == [panel.queue.jobs[1].graph]


def result(key: str, side: int = 8) -> Finished:
    return Finished("box", key, (), 0.01, False, Picture(side, side, key[:1].encode() * (3 * side * side)))


def hand(queue: Queue) -> Hand:
    """What works on the engine of the documents."""
    return queue._hands[0]


def test_the_row_of_a_sweep_says_how_much_of_it_is_made_and_what_failed(desk: Desk, qtbot):
    queue = desk.queue
    queue.pause()
    panel = QueuePanel(queue)
    qtbot.addWidget(panel)
    cells = [queue.add(slow(1), ("save",), str(number), document="fox", block="b") for number in range(4)]
    for number, cell in enumerate(cells):
        hand(queue).begin(cell.id)
        queue._set(cell.id, state="running")
        hand(queue).take(Failed("slow", "no room") if number == 2 else result("a"))
        hand(queue).take(Idle(1, 0, 2.0))
        if number == 2:
            panel.list.follow()
            assert panel.list.model().index(0, 0).data(DETAIL) == "Waiting, 2 of 4 made · 1 failed"
    panel.list.follow()
    assert panel.list.model().rowCount() == 1
    assert panel.list.model().index(0, 0).data(DETAIL) == "3 made in 30 ms · 1 failed: slow: no room"
    assert [job.cells for job in queue.jobs] == [1, 3]  # what is done is listed once


def over(queue: Queue, count: int) -> QueuePanel:
    """A panel of jobs that are over, and one that runs."""
    queue.pause()
    queue.cancel(*[queue.add(slow(1), ("save",), str(number)).id for number in range(count)])
    running = queue.add(slow(1), ("save",), "runs")
    panel = QueuePanel(queue)
    hand(queue).begin(running.id)
    queue._set(running.id, state="running")
    hand(queue).take(Planned(9, 0))
    hand(queue).take(result("a"))
    return panel


@pytest.mark.parametrize("shown", [True, False])
def test_a_result_is_the_same_work_over_two_hundred_jobs_as_over_two(desk: Desk, qtbot, shown: bool):
    work: list[int] = []
    for count in (2, 200):
        desk.queue.remove(*[job.id for job in desk.queue.jobs])
        panel = over(desk.queue, count)
        qtbot.addWidget(panel)
        if shown:
            panel.show()
            qtbot.waitExposed(panel)
        QTest.qWait(1)
        work.append(calls(lambda: hand(desk.queue).take(result("b"))))
        panel.setParent(None)
        panel.deleteLater()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert abs(work[0] - work[1]) < 10  # a call more where a moment is over; one for each job would be two hundred


def test_a_panel_that_nobody_sees_does_nothing_and_catches_up_when_it_comes_into_view(desk: Desk, qtbot):
    panel = over(desk.queue, 3)
    qtbot.addWidget(panel)
    rows = panel.list.model()
    desk.queue.add(slow(1), ("save",), "late")
    assert rows.rowCount() == 4
    panel.show()
    qtbot.waitExposed(panel)
    assert titles(panel)[-1] == "late"


def test_selecting_cancelling_and_removing_many_jobs_takes_time_in_proportion(desk: Desk, qtbot):
    work: list[int] = []
    for count in (20, 200):
        panel = over(desk.queue, 0)
        qtbot.addWidget(panel)
        for number in range(count):
            desk.queue.add(slow(1), ("save",), str(number))
        panel.show()
        qtbot.waitExposed(panel)
        panel.list.setFocus()
        QTest.keyClick(panel.list, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        work.append(calls(partial(QTest.mouseClick, panel.cancel, Qt.MouseButton.LeftButton)))
        work.append(calls(partial(QTest.keyClick, panel.list, Qt.Key.Key_Delete)))
        assert titles(panel) == []
        panel.deleteLater()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert work[2] < 12 * work[0]
    assert work[3] < 12 * work[1]


def test_pictures_of_jobs_are_small_once_they_are_over_and_go_with_their_rows(desk: Desk, qtbot):
    panel = over(desk.queue, 0)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitExposed(panel)
    hand(desk.queue).take(result("c", side=512))
    hand(desk.queue).take(Idle(1, 0, 1.0))
    job = desk.queue.jobs[0]
    assert job.picture is not None
    assert (job.picture.width, job.picture.height) == (KEPT_SIDE, KEPT_SIDE)
    assert panel.list.model().index(0, 0).data(PICTURE) is not None
    assert len(panel.list.rows._pictures) == 1
    QTest.mouseClick(panel.clear, Qt.MouseButton.LeftButton)
    assert not panel.list.rows._pictures


def test_chosen_jobs_that_lie_apart_are_removed_together(panel: QueuePanel):
    click(panel, 0)
    for row in (2, 3):
        click(panel, row, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(panel.list, Qt.Key.Key_Delete)
    assert titles(panel) == ["b"]


def test_a_list_that_was_behind_another_tab_is_painted_though_jobs_are_gone(panel: QueuePanel, qtbot):
    tabs = QTabWidget()
    qtbot.addWidget(tabs)
    for page in (panel, QWidget()):
        tabs.addTab(page, "")
    tabs.setCurrentIndex(1)
    tabs.show()
    qtbot.waitExposed(tabs)
    panel.queue.remove(*(job.id for job in panel.queue.jobs[1:3]))
    rows = panel.list.rows
    assert [rows.index(row, 0).data() for row in range(4)] == ["a", "", "", "d"]
    panel.list.grab()
    tabs.setCurrentIndex(0)
    qtbot.waitUntil(lambda: rows.rowCount() == 2)
    panel.setParent(None)


def test_the_row_of_a_job_is_painted_once_for_all_that_it_says_in_a_moment(panel: QueuePanel, qtbot):
    told: list[int] = []
    panel.list.rows.dataChanged.connect(lambda first, _: told.append(first.row()))
    (id, *_) = (job.id for job in panel.queue.jobs)
    for _ in range(200):
        panel.queue.changed.emit(id)
    assert not told
    qtbot.waitUntil(lambda: told == [0])


class Told:
    """A panel in the morning: a sweep of which two cells failed for one reason."""

    def __init__(self, qtbot) -> None:
        self.dark = Dark()
        self.panel = QueuePanel(self.dark.queue, night=self.dark.night)  # type: ignore[arg-type]
        qtbot.addWidget(self.panel)
        self.panel.resize(700, 500)
        self.panel.show()
        self.dark.run("no <room>", "no <room>", "", document="fox")
        QApplication.processEvents()  # the text has its place


def click_link(label: QLabel, href: str) -> None:
    """Where the text has it, laid out as the label does."""
    text = QTextDocument(documentMargin=0)
    text.setDefaultFont(label.font())
    text.setHtml(label.text())
    text.setTextWidth(label.width())
    places = (QPoint(x, y) for y in range(4, label.height(), 4) for x in range(0, label.width(), 4))
    at = next(place for place in places if text.documentLayout().anchorAt(QPointF(place)) == href)
    QTest.mouseMove(label, at)
    QTest.mouseClick(label, Qt.MouseButton.LeftButton, pos=at + QPoint(2, 0))


def test_the_morning_says_what_became_of_the_queue_and_leads_to_the_pictures_and_the_failures(qtbot):
    told = Told(qtbot)
    view = told.panel.night
    assert view is not None
    assert view.isVisible()
    assert view.title.text().startswith("The queue is done: 1 made, 2 failed (")
    assert "2 × " in view.text.text()
    assert "slow: no &lt;room&gt;" in view.text.text()
    with qtbot.waitSignal(told.panel.pictures_wanted) as wanted:
        click_link(view.text, "pictures:0")
    assert wanted.args[0] == ("/pictures/fox2.png",)
    QApplication.sendEvent(view, QEvent(QEvent.Type.StyleChange))
    assert colors().accent in view.text.text()
    click_link(view.text, "failed:0:0")
    assert [job.state for job in told.panel.list.jobs()] == ["failed", "failed"]
    assert told.panel.retry.isEnabled()
    QTest.mouseClick(view.dismiss, Qt.MouseButton.LeftButton)
    assert not view.isVisible()
    assert told.dark.night.reports == []

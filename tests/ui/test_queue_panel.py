"""The queue as a person uses it: with the mouse and the keyboard."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from tests.ui.engines import LONG, Desk, slow
from ui.panels.picture_rows import DETAIL, FRACTION, PICTURE
from ui.panels.queue import QueuePanel


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
    shown = [panel.list.item(row).text() for row in range(panel.list.count())]
    assert shown == [job.title for job in panel.queue.jobs]
    return shown


def middle(panel: QueuePanel, row: int) -> QPoint:
    return panel.list.visualItemRect(panel.list.item(row)).center()


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
    assert panel.list.item(0).data(FRACTION) == 0.0
    qtbot.waitUntil(lambda: all(job.state == "done" for job in panel.queue.jobs), timeout=LONG)
    item = panel.list.item(3)
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

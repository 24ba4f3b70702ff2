"""Work on the window's thread is done in slices, between which the window answers."""

import pytest
from PySide6.QtCore import QObject

from nodegraph.pieces import Pieces
from ui.base.slices import Slices


@pytest.fixture
def slices(qapp, monkeypatch) -> Slices:
    """One piece in each slice."""
    monkeypatch.setattr("ui.base.slices.SLICE", 0.0)
    made = Slices(QObject(qapp))
    yield made
    made.drop()


def counting(done: list[int], count: int) -> Pieces[str]:
    for number in range(count):
        done.append(number)
        yield
    return "all"


def test_the_first_slice_is_done_at_once_and_the_rest_when_the_window_has_answered(slices: Slices, qtbot):
    done: list[int] = []
    told: list[str] = []
    slices.begin(counting(done, 3), told.append)
    assert (done, told, slices.busy) == ([0], [], True)
    qtbot.waitUntil(lambda: told == ["all"])
    assert (done, slices.busy) == ([0, 1, 2], False)


def test_what_is_put_off_begins_when_the_window_has_answered(slices: Slices, qtbot):
    done: list[int] = []
    told: list[str] = []
    slices.put_off(counting(done, 3), told.append)
    assert (done, told, slices.busy) == ([], [], True)
    qtbot.waitUntil(lambda: told == ["all"])
    assert done == [0, 1, 2]


def test_what_is_left_can_be_done_at_once(slices: Slices):
    done: list[int] = []
    told: list[str] = []
    slices.begin(counting(done, 3), told.append)
    slices.finish()
    slices.finish()
    assert (done, told) == ([0, 1, 2], ["all"])


def test_other_work_takes_the_place_of_what_was_not_done(slices: Slices, qtbot):
    first: list[int] = []
    second: list[int] = []
    told: list[str] = []
    slices.begin(counting(first, 5), lambda _: told.append("first"))
    slices.begin(counting(second, 2), lambda _: told.append("second"))
    qtbot.waitUntil(lambda: not slices.busy)
    qtbot.wait(20)
    assert (first, second, told) == ([0], [0, 1], ["second"])


def test_what_is_not_wanted_any_more_is_dropped_between_two_slices(slices: Slices, qtbot):
    done: list[int] = []
    slices.begin(counting(done, 5), wanted=lambda: len(done) < 2)
    qtbot.waitUntil(lambda: not slices.busy)
    assert done == [0, 1]


def test_the_end_of_one_piece_of_work_may_begin_another(slices: Slices, qtbot):
    done: list[int] = []
    slices.begin(counting(done, 1), lambda _: slices.begin(counting(done, 2)))
    qtbot.waitUntil(lambda: not slices.busy)
    assert done == [0, 0, 1]

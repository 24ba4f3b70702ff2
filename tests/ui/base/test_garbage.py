"""Qt objects are destroyed on the thread they live on."""

import gc
import sys
import threading
import weakref
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QGuiApplication

from tests.examples import some_slow
from ui.base import garbage
from ui.base.garbage import GarbageCollector


class Knot(QObject):
    """In a cycle with itself, as widgets are with their callbacks."""

    def __init__(self) -> None:
        super().__init__()
        self.me = self


def test_no_other_thread_collects_cycles():
    dead = weakref.ref(Knot())
    busy = threading.Thread(target=lambda: [[n] for n in range(50_000)])
    busy.start()
    busy.join()
    assert dead() is not None


def test_cycles_are_collected_on_the_gui_thread(qtbot):
    dead = weakref.ref(Knot())
    kept = [[n] for n in range(2 * gc.get_threshold()[0])]
    qtbot.waitUntil(lambda: dead() is None)
    assert kept


@pytest.fixture
def collector(monkeypatch) -> Iterator[GarbageCollector]:
    """It works only when it is told to, and Python's own collection stays off."""
    monkeypatch.setattr(gc, "get_threshold", lambda: (700, 10, 10))
    made = GarbageCollector()
    made.children()[0].stop()
    gc.collect()
    yield made
    made.deleteLater()


@pytest.fixture
def generations(monkeypatch) -> list[int]:
    """The generations that were."""
    found: list[int] = []
    monkeypatch.setattr(gc, "collect", lambda generation=2: found.append(generation))
    return found


def counted(monkeypatch, *counts: int) -> None:
    monkeypatch.setattr(gc, "get_count", lambda: counts)


def test_the_oldest_generation_that_is_full_is_collected(collector, generations, monkeypatch):
    for counts in ((0, 0, 0), (701, 3, 0), (701, 11, 10), (701, 11, garbage.FULL + 1)):
        counted(monkeypatch, *counts)
        collector.collect()
    assert generations == [0, 1, 2]


def test_of_what_is_made_quickly_the_middle_generation_does_not_grow_large(collector, generations, monkeypatch):
    counted(monkeypatch, garbage.MANY // 2, 0, 0)
    for _ in range(6):
        collector.collect()
    assert generations == [0, 0, 1, 0, 0, 1]


def test_many_objects_that_stay_are_not_looked_through_while_somebody_uses_the_window(collector, monkeypatch):
    monkeypatch.setattr(GarbageCollector, "_may_take_long", lambda self: False)
    kept = [[n] for n in range(2 * garbage.MANY_OLD)]
    counted(monkeypatch, len(kept), 0, 0)
    collector.collect()
    assert len(gc.get_objects()) < len(kept), "they were set aside"
    counted(monkeypatch, 701, 11, garbage.FULL + 1)
    collector.collect()
    assert len(gc.get_objects()) < len(kept)


@pytest.mark.parametrize("aside", some_slow([False, True], (False,)))  # True: all that the tests before left
def test_what_is_closed_is_collected_soon_whether_or_not_it_was_set_aside(collector, monkeypatch, qtbot, aside):
    monkeypatch.setattr(garbage, "LATER" if aside else "SOON", 0)
    collector._aside = aside
    for _ in range(2):
        knot = Knot()
        dead = weakref.ref(knot)
        gc.collect()
        if aside:
            gc.freeze()
        del knot
        collector.look_again()
        qtbot.waitUntil(lambda dead=dead: dead() is None)


def test_who_closes_one_after_the_other_does_not_put_it_off(collector):
    collector.look_again()
    first = collector._soon.timerId()
    collector.look_again()
    assert collector._soon.timerId() == first


def test_what_was_set_aside_is_looked_through_when_nobody_minds(collector, monkeypatch):
    done: list[str] = []
    for name in ("unfreeze", "collect", "freeze"):
        monkeypatch.setattr(gc, name, lambda *_, name=name: done.append(name))
    answers = iter([False, True])
    monkeypatch.setattr(GarbageCollector, "_may_take_long", lambda self: next(answers))
    collector._aside = True
    counted(monkeypatch, 701, 11, garbage.FULL + 1)
    collector.collect()
    collector.collect()
    assert done == ["collect", "unfreeze", "collect", "freeze"]


@pytest.mark.slow  # it looks through all that the tests before left
def test_what_was_set_aside_is_collected_when_nobody_minds(collector, monkeypatch):
    monkeypatch.setattr(GarbageCollector, "_may_take_long", lambda self: True)
    dead = weakref.ref(Knot())
    kept = [[n] for n in range(garbage.MANY_OLD + 1)]
    gc.freeze()
    collector._aside = True
    counted(monkeypatch, 701, 11, garbage.FULL + 1)
    collector.collect()
    assert dead() is None
    assert kept


def test_objects_are_counted_while_another_thread_makes_a_tuple():
    wrong: list[SystemError] = []
    over = threading.Event()

    def make() -> None:
        try:
            while not over.is_set():
                tuple(n for n in range(40))
        except SystemError as error:
            wrong.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    busy = threading.Thread(target=make)
    busy.start()
    for _ in range(15_000):
        garbage.tracked(0)
    over.set()
    busy.join()
    sys.setswitchinterval(before)
    assert not wrong


def test_it_is_passed_over_a_few_times_at_most(collector, monkeypatch):
    monkeypatch.setattr(QGuiApplication, "applicationState", lambda: Qt.ApplicationState.ApplicationActive)
    answers = [collector._may_take_long() for _ in range(2 * garbage.PATIENCE + 2)]
    assert answers == 2 * [*garbage.PATIENCE * [False], True]
    monkeypatch.setattr(QGuiApplication, "applicationState", lambda: Qt.ApplicationState.ApplicationInactive)
    assert collector._may_take_long()

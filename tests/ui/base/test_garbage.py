"""Qt objects are destroyed on the thread they live on."""

import gc
import threading
import weakref

from PySide6.QtCore import QObject

from ui.base import garbage


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


def test_the_oldest_generation_that_is_full_is_collected(monkeypatch):
    collected: list[int] = []
    monkeypatch.setattr(gc, "collect", collected.append)
    for counts in ((0, 0, 0), (701, 3, 0), (701, 11, 10), (701, 11, garbage.FULL + 1)):
        monkeypatch.setattr(gc, "get_count", lambda counts=counts: counts)
        monkeypatch.setattr(gc, "get_threshold", lambda: (700, 10, 10))
        garbage.collect()
    assert collected == [0, 1, 2]

"""Who is elsewhere is told when it is done: by a desktop that is none."""

import pytest
from PySide6.QtWidgets import QWidget

from nodegraph.running.messages import Idle
from tests.ui.engines import slow
from tests.ui.runs.test_night import Dark
from ui.base import desktop
from ui.base.settings import Settings
from ui.window.attention import LONG_RUN, Attention


class Elsewhere:
    def __init__(self, window: QWidget) -> None:
        self.dark, self.settings = Dark(), Settings()
        self.told: list[tuple[str, str]] = []
        dark = self.dark
        self.attention = Attention(
            window, self.settings, dark.engine, dark.queue, dark.night,  # type: ignore[arg-type]
            lambda _, title, text: self.told.append((title, text)),
        )  # fmt: skip


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What was asked of the desktop about sleep."""
    asked: list[bool] = []
    monkeypatch.setattr("ui.base.desktop._inhibit", lambda: asked.append(True))
    monkeypatch.setattr("ui.base.desktop.QDBusConnection.disconnectFromBus", lambda name: asked.append(False))
    return asked


@pytest.fixture
def elsewhere(qtbot, held) -> Elsewhere:
    window = QWidget()
    qtbot.addWidget(window)
    return Elsewhere(window)


def test_the_end_of_the_queue_is_told_while_the_window_is_not_the_active_one(elsewhere: Elsewhere):
    elsewhere.dark.run("", "no room", seconds=100.0)
    assert elsewhere.told == [("The queue is done", "1 made, 1 failed, in 3:20 min")]


def test_a_long_run_is_told_and_a_short_one_is_not(elsewhere: Elsewhere):
    happened = elsewhere.dark.engine.happened
    happened.emit(Idle(3, 0, LONG_RUN - 1))
    happened.emit(Idle(3, 0, LONG_RUN + 15, stopped=True))
    assert elsewhere.told == []
    happened.emit(Idle(3, 0, LONG_RUN + 15))
    assert elsewhere.told == [("The run is done", "In 1:15 min")]


def test_a_sweep_that_others_made_is_told_with_what_was_in_its_way(elsewhere: Elsewhere):
    elsewhere.attention.sweep_ended("")
    elsewhere.attention.sweep_ended("no worker is left")
    assert [title for title, _ in elsewhere.told] == ["The sweep is done", "The sweep has ended"]
    assert elsewhere.told[1][1] == "no worker is left"


def test_nothing_is_told_when_it_is_switched_off_or_the_window_is_looked_at(elsewhere: Elsewhere, monkeypatch):
    elsewhere.settings.change(notify=False)
    elsewhere.dark.run("")
    elsewhere.settings.change(notify=True)
    monkeypatch.setattr(elsewhere.attention._window, "isActiveWindow", lambda: True)
    elsewhere.dark.run("")
    assert elsewhere.told == []


def test_the_computer_stays_awake_while_the_queue_works_and_no_longer(elsewhere: Elsewhere, held: list[bool]):
    elsewhere.dark.queue.add(slow(1), ("save",), "a")
    assert held == [True]
    elsewhere.dark.engine.tell(Idle(1, 0, 1.0))
    assert held == [True, False]
    elsewhere.settings.change(awake=False)
    elsewhere.dark.queue.add(slow(1), ("save",), "a")
    assert held == [True, False]


def test_the_first_that_can_tells_it_and_nobody_else(qtbot):
    window, asked = QWidget(), list[str]()
    qtbot.addWidget(window)

    def sink(name: str, can: bool):
        return lambda title, text: bool(asked.append(f"{name}: {title}, {text}")) or can

    desktop.tell(window, "Done", "9 made", (sink("a", False), sink("b", True), sink("c", True)))
    assert asked == ["a: Done, 9 made", "b: Done, 9 made"]

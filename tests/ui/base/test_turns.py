"""Of those who have work to do in pieces one works at a time, between two answers of the window."""

from PySide6.QtCore import QObject, QTimer
from shiboken6 import delete

from ui.base.turns import Turn


def waiting(owner: QObject, name: str, done: list[str]) -> Turn:
    turn = Turn(owner)
    turn.came.connect(lambda: done.append(name))
    return turn


def test_one_works_and_then_the_window_answers(qapp, qtbot):
    done: list[str] = []
    turns = [waiting(QObject(qapp), name, done) for name in "abc"]
    answers = QTimer(qapp, interval=0)
    answers.timeout.connect(lambda: done.append("."))
    answers.start()
    for turn in turns:
        turn.ask()
    qtbot.waitUntil(lambda: "c" in done)
    answers.stop()
    text = "".join(done)
    assert [text.count(name) for name in "abc"] == [1, 1, 1]
    assert all(between for between in text[text.index("a") + 1 : text.index("c")].split("b"))


def test_who_asks_again_waits_for_the_others(qapp, qtbot):
    done: list[str] = []
    first, second = waiting(QObject(qapp), "a", done), waiting(QObject(qapp), "b", done)
    first.came.connect(lambda: first.ask() if len(done) < 4 else None)
    first.ask()
    first.ask()
    second.ask()
    qtbot.waitUntil(lambda: len(done) == 4)
    assert done == ["a", "b", "a", "a"]


def test_who_is_gone_or_gave_up_holds_up_nobody(qapp, qtbot):
    done: list[str] = []
    owners = [QObject(qapp) for _ in range(3)]
    gone, gave_up, last = (waiting(owner, name, done) for owner, name in zip(owners, "abc", strict=True))
    for turn in (gone, gave_up, last):
        turn.ask()
    delete(owners[0])
    gave_up.withdraw()
    assert (gave_up.asked, last.asked) == (False, True)
    qtbot.waitUntil(lambda: bool(done))
    assert done == ["c"]

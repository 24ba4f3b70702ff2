"""An errand in a process of its own: heard of, stopped, and over however it ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from nodegraph.running.errand import Done, Errand, Refused, Told, Went

PATIENCE = 60.0


def count(to: str | None, told: Told) -> str:
    for step in range(int(to or 0)):
        told(step + 1, int(to or 0))
    return f"counted to {to}"


def refuse(why: str | None, told: Told) -> str:
    raise ValueError(f"that is {why}")


def leave(code: str | None, told: Told) -> str:
    os._exit(int(code or 0))


def dawdle(place: str | None, told: Told) -> str:
    """Takes its file away when it is stopped."""
    path = Path(place or "")
    path.touch()
    try:
        while True:
            told(0, 0)
            time.sleep(0.01)
    finally:
        path.unlink()


def heard(errand: Errand, enough: Callable[[list[object]], bool] = lambda events: False) -> list[object]:
    end, events = time.monotonic() + PATIENCE, list[object]()
    while not errand.over and not enough(events) and time.monotonic() < end:
        events += errand.news()
        time.sleep(0.01)
    return events


def test_how_far_it_is_and_what_came_of_it_are_heard():
    assert heard(Errand(count, "3")) == [Went(1, 3), Went(2, 3), Went(3, 3), Done("counted to 3")]


def test_what_cannot_be_done_is_a_sentence():
    assert heard(Errand(refuse, "too much")) == [Refused("that is too much")]


def test_a_process_that_ends_without_a_word_is_heard_of():
    assert heard(Errand(leave, "3")) == [Refused("it ended without a word (exit code 3)")]


def test_one_that_is_stopped_takes_away_what_it_had_begun_and_is_not_heard_of_again(tmp_path: Path):
    errand = Errand(dawdle, str(tmp_path / "part"))
    assert heard(errand, bool)[0] == Went(0, 0)
    assert (tmp_path / "part").exists()
    errand.stop()
    errand._process.join(PATIENCE)
    assert not (tmp_path / "part").exists()
    assert list(errand.news()) == []
    errand.close()
    errand.close()  # which may come twice

"""Going back to settings that there are results of: they are shown, with their time and memory."""

from __future__ import annotations

from typing import Any

import pytest

from nodegraph.planning.calls import Call
from nodegraph.running.messages import Failed, Finished, Gone, Idle, Planned, Started
from nodegraph.types import Picture
from tests.toy_nodes.boxes import box
from ui.runs.run_state import RunState

BOX = box.node_type  # type: ignore[attr-defined]


def call(key: str, node: str, iteration: tuple[int, ...] = (), **args: Any) -> dict[str, Call]:
    return {key: Call(key, node, iteration, BOX, args)}


def rounds(count: int, settings: str) -> dict[str, Call]:
    """A group that counts, which is the same for all settings, and goes round."""
    made = call("count", "loop/count")
    for i in range(count):
        made |= call(f"{settings} {i}", "loop/step", (i,))
    return made


def keys(calls: dict[str, Call]) -> dict[str, str]:
    """As a plan has them: of a node that is called several times, the last."""
    return {made.node: key for key, made in calls.items()}


def compare(runs: RunState, calls: dict[str, Call]) -> None:
    runs.compare(keys(calls), calls)


def run(runs: RunState, calls: dict[str, Call], seconds: float, size: int, picture: Picture | None = None) -> None:
    """As the engine tells of it: what is there already comes from the cache, where it takes 100 bytes."""
    compare(runs, calls)
    runs.begin()
    runs.expect(calls)
    runs.take(Planned(len(calls), 0))
    for key, made in calls.items():
        if runs.knows(made.node, key):
            runs.take(Finished(made.node, key, made.iteration, 0.0, True, picture, 100))
        else:
            runs.take(Started(made.node, key, made.iteration))
            runs.take(Finished(made.node, key, made.iteration, seconds, False, picture, size))
    runs.take(Idle(len(calls), 0, seconds))


def badges(runs: RunState, node: str) -> tuple[str, bool, float, int]:
    shown = runs.of(node)
    return shown.state, shown.stale, shown.seconds, shown.memory


def test_what_cannot_show_itself_is_cached_again_with_its_time_and_memory(runs: RunState):
    first, second = call("old", "prompt"), call("new", "prompt")
    run(runs, first, 0.5, 100)
    run(runs, second, 2.0, 700)
    compare(runs, first)
    assert badges(runs, "prompt") == ("cached", False, 0.5, 100)
    compare(runs, second)
    assert badges(runs, "prompt") == ("cached", False, 2.0, 700)
    compare(runs, call("never made", "prompt"))
    assert badges(runs, "prompt") == ("cached", True, 2.0, 700)  # of the result that is shown


@pytest.mark.parametrize("shown", [None, Picture(1, 1, bytes(3))])
def test_a_group_has_the_time_and_memory_of_all_that_was_made_in_it(runs: RunState, shown: Picture | None):
    first, second = rounds(4, "old"), rounds(2, "new")
    run(runs, first, 0.5, 100, shown)
    assert badges(runs, "loop") == ("done", False, 2.5, 500)
    run(runs, second, 2.0, 700, shown)
    compare(runs, first)
    assert badges(runs, "loop") == ("cached", False, 2.5, 500)
    assert badges(runs, "loop/step") == ("cached", False, 2.0, 400)
    assert badges(runs, "loop/count") == ("cached", False, 0.5, 100)


def test_a_group_in_which_something_is_to_be_made_anew_is_outdated(runs: RunState):
    shown = Picture(1, 1, bytes(3))
    run(runs, rounds(2, "old"), 0.5, 100, shown)
    compare(runs, rounds(2, "other"))
    assert runs.of("loop").stale  # though what counts in it is as it was, and has a picture
    assert not runs.of("loop/count").stale


def test_the_time_of_a_result_is_there_also_when_the_next_run_takes_it_from_the_cache(runs: RunState):
    first, second = call("old", "prompt"), call("new", "prompt")
    run(runs, first, 0.5, 100)
    run(runs, second, 2.0, 700)
    run(runs, first, 9.0, 100)
    assert badges(runs, "prompt") == ("cached", False, 0.5, 100)


def test_what_failed_or_was_stopped_since_is_cached_again(runs: RunState):
    first, second = rounds(3, "old"), rounds(3, "new")
    run(runs, first, 0.5, 100)
    for end in (Failed("loop/step", "it is too large"), Idle(0, 0, 0.0, stopped=True)):
        compare(runs, second)
        runs.begin()
        runs.expect(second)
        runs.take(Started("loop/step", "new 0", (0,)))
        runs.take(end)
        runs.take(Idle(0, 0, 0.0, stopped=True))
        compare(runs, first)
        assert badges(runs, "loop/step") == ("cached", False, 1.5, 300)
        assert runs.of("loop").state == "cached"
        assert runs.of("loop").message == ""


@pytest.mark.parametrize("end", [Failed("prompt", "memory ran out"), Gone(-9, "prompt", "memory ran out")])
def test_what_fails_when_it_is_made_a_second_time_stays_failed(runs: RunState, end: Failed | Gone):
    made = call("k", "prompt")
    run(runs, made, 0.5, 100)
    runs.begin()
    runs.expect(made)
    runs.take(Started("prompt", "k"))  # the cache has lost it meanwhile
    runs.take(end)
    compare(runs, made)
    assert (runs.of("prompt").state, runs.of("prompt").message) == ("failed", "memory ran out")


def test_a_problem_that_a_run_met_is_over_when_it_is_undone(runs: RunState):
    made = call("k", "prompt")
    run(runs, made, 0.5, 100)
    runs.compare({})
    runs.begin()
    runs.take(Failed("prompt", "the model has no such part"))  # found in planning: it was not begun
    runs.take(Idle(0, 0, 0.0))
    compare(runs, made)
    assert badges(runs, "prompt") == ("cached", False, 0.5, 100)


def test_what_runs_is_not_said_to_be_cached(runs: RunState):
    first, second = call("old", "prompt"), call("new", "prompt")
    run(runs, first, 0.5, 100)
    compare(runs, second)
    runs.begin()
    runs.expect(second)
    runs.take(Started("prompt", "new"))
    compare(runs, first)
    assert runs.of("prompt").state == "running"


def test_many_pictures_make_no_result_forgotten(runs: RunState, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ui.runs.call_records.PICTURE_BYTES", 10)
    first = call("old", "prompt")
    run(runs, first, 0.5, 100, Picture(1, 1, bytes(3)))
    for i in range(9):
        run(runs, call(f"new {i}", "prompt"), 2.0, 700, Picture(1, 1, bytes(3)))
    compare(runs, first)
    assert badges(runs, "prompt") == ("cached", False, 0.5, 100)

"""Engine events, added up by node."""

import pytest

from nodegraph.messages import Failed, Finished, Gone, Idle, Planned, Progress, Started
from nodegraph.types import Picture
from ui.run_state import RunState


def picture(shade: int) -> Picture:
    return Picture(1, 1, bytes([shade] * 3))


def begin(runs: RunState, calls: dict[str, str]) -> None:
    runs.begin()
    runs.expect(calls)


def steps(count: int) -> dict[str, str]:
    return {f"step {i}": "denoise/step" for i in range(count)}


def test_nodes_in_a_group_count_for_the_node_of_the_group(runs: RunState):
    begin(runs, steps(4))
    runs.take(Started("denoise/step", "step 1", (1,)))
    runs.take(Progress("denoise/step", 1, 2))
    run = runs.of("denoise")
    assert (run.state, run.done, run.calls) == ("running", 1, 4)
    assert run.fraction == pytest.approx(1.5 / 4)


def test_a_node_is_done_after_its_last_call(runs: RunState):
    begin(runs, steps(2))
    runs.take(Started("denoise/step", "step 0"))
    runs.take(Finished("denoise/step", "step 0", (0,), 0.5, cached=False))
    assert runs.of("denoise").state == "running"
    runs.take(Finished("denoise/step", "step 1", (1,), 0.5, cached=False))
    assert runs.of("denoise").state == "done"
    assert runs.of("denoise").seconds == 1.0


def test_a_result_from_the_cache_is_told_apart(runs: RunState):
    begin(runs, {"k": "sum"})
    runs.take(Finished("sum", "k", (), 0.0, cached=True))
    assert runs.of("sum").state == "cached"


def test_other_settings_make_a_result_stale_and_the_old_ones_do_not(runs: RunState):
    begin(runs, {"k": "sum"})
    runs.take(Finished("sum", "k", (), 1.0, cached=False))
    runs.compare({"sum": "other"})
    assert runs.of("sum").stale
    runs.compare({"sum": "k"})
    assert not runs.of("sum").stale


def test_what_cannot_be_planned_any_more_is_stale(runs: RunState):
    begin(runs, {"k": "sum"})
    runs.take(Finished("sum", "k", (), 1.0, cached=False))
    runs.compare({})
    assert runs.of("sum").stale


def test_going_back_to_earlier_settings_shows_their_picture_again(runs: RunState):
    for key, shade in (("old", 10), ("new", 20)):
        begin(runs, {key: "sum"})
        runs.take(Finished("sum", key, (), 1.0, cached=False, picture=picture(shade)))
    assert runs.of("sum").picture == picture(20)
    runs.compare({"sum": "old"})
    assert runs.of("sum").picture == picture(10)
    assert not runs.of("sum").stale


def test_a_failure_has_its_sentence(runs: RunState):
    begin(runs, {"k": "sum"})
    runs.take(Started("sum", "k"))
    runs.take(Failed("sum", "the box must be red"))
    assert (runs.of("sum").state, runs.of("sum").message) == ("failed", "the box must be red")


def test_when_the_engine_goes_the_node_at_work_says_so_and_the_run_is_over(runs: RunState):
    begin(runs, {"k": "sum", "l": "show"})
    runs.take(Started("sum", "k"))
    runs.take(Gone(-9, "sum", "memory ran out"))
    assert runs.of("sum").message == "memory ran out"
    assert not runs.running


def test_stop_leaves_no_node_running(runs: RunState):
    begin(runs, {"k": "sum"})
    runs.take(Started("sum", "k"))
    runs.stop()
    runs.take(Planned(0, 0))  # what the engine makes of a run without targets
    runs.take(Idle(0, 0, 0.0))
    assert runs.of("sum").state == "idle"
    assert runs.outcome.startswith("Stopped")


def test_the_time_left_is_what_the_remaining_calls_took_last_time(runs: RunState):
    begin(runs, {**steps(4), "save": "save"})
    runs.take(Planned(5, 0))
    runs.take(Finished("save", "save", (), 3.0, cached=False))  # known from an earlier run
    begin(runs, {**steps(4), "save": "save"})
    runs.take(Started("denoise/step", "step 0"))
    runs.take(Finished("denoise/step", "step 0", (0,), 2.0, cached=False))
    assert runs.seconds_left() == pytest.approx(3 * 2.0 + 3.0)

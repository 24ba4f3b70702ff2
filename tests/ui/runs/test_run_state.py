"""Engine events, added up by node."""

from typing import Any

import pytest

from nodegraph.planning.calls import Call
from nodegraph.planning.keys import Ref
from nodegraph.running.messages import Failed, Finished, Gone, Idle, Planned, Progress, Started
from nodegraph.types import Picture
from tests.toy_nodes.boxes import box
from ui.runs.run_state import RunState

BOX = box.node_type  # type: ignore[attr-defined]


def picture(shade: int) -> Picture:
    return Picture(1, 1, bytes([shade] * 3))


def begin(runs: RunState, calls: dict[str, Call]) -> None:
    runs.begin()
    runs.expect(calls)


def call(key: str, node: str, iteration: tuple[int, ...] = (), **args: Any) -> dict[str, Call]:
    return {key: Call(key, node, iteration, BOX, args)}


def steps(count: int, node: str = "denoise/step") -> dict[str, Call]:
    calls: dict[str, Call] = {}
    for i in range(count):
        calls |= call(f"step {i}", node, (i,), sigma=float(count - i), box=Ref(f"step {i - 1}", "box"))
    return calls


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


def test_what_waits_for_a_run_that_is_asked_for_is_said(runs: RunState):
    begin(runs, call("k", "sum"))
    runs.take(Idle(1, 0, 1.0, waiting=1))
    assert runs.outcome.endswith("the rest waits for Run")


def test_a_result_from_the_cache_is_told_apart(runs: RunState):
    begin(runs, call("k", "sum"))
    runs.take(Finished("sum", "k", (), 0.0, cached=True))
    assert runs.of("sum").state == "cached"


def test_other_settings_make_a_result_stale_and_the_old_ones_do_not(runs: RunState):
    begin(runs, call("k", "sum"))
    runs.take(Finished("sum", "k", (), 1.0, cached=False))
    runs.compare({"sum": "other"})
    assert runs.of("sum").stale
    runs.compare({"sum": "k"})
    assert not runs.of("sum").stale


def test_what_cannot_be_planned_any_more_is_stale(runs: RunState):
    begin(runs, call("k", "sum"))
    runs.take(Finished("sum", "k", (), 1.0, cached=False))
    runs.compare({})
    assert runs.of("sum").stale


def test_going_back_to_earlier_settings_shows_their_picture_again(runs: RunState):
    for key, shade in (("old", 10), ("new", 20)):
        begin(runs, call(key, "sum"))
        runs.take(Finished("sum", key, (), 1.0, cached=False, picture=picture(shade)))
    assert runs.of("sum").picture == picture(20)
    runs.compare({"sum": "old"})
    assert runs.of("sum").picture == picture(10)
    assert not runs.of("sum").stale


def test_a_failure_has_its_sentence(runs: RunState):
    begin(runs, call("k", "sum"))
    runs.take(Started("sum", "k"))
    runs.take(Failed("sum", "the box must be red"))
    assert (runs.of("sum").state, runs.of("sum").message) == ("failed", "the box must be red")


def test_when_the_engine_goes_the_node_at_work_says_so_and_the_run_is_over(runs: RunState):
    begin(runs, call("k", "sum") | call("l", "show"))
    runs.take(Started("sum", "k"))
    runs.take(Gone(-9, "sum", "memory ran out"))
    assert runs.of("sum").message == "memory ran out"
    assert not runs.running


def test_stop_leaves_no_node_running(runs: RunState):
    begin(runs, call("k", "sum"))
    runs.take(Started("sum", "k"))
    runs.stop()
    runs.take(Planned(0, 0))  # what the engine makes of a run without targets
    runs.take(Idle(0, 0, 0.0))
    assert runs.of("sum").state == "idle"
    assert runs.outcome.startswith("Stopped")


def test_a_run_that_is_paused_says_what_it_computed(runs: RunState):
    begin(runs, steps(3))
    runs.take(Planned(3, 0))
    runs.take(Finished("denoise/step", "step 0", (0,), 0.5, cached=False))
    runs.take(Planned(0, 0))
    runs.take(Idle(0, 0, 0.0, stopped=True))
    assert runs.outcome == "Stopped · 1 computed, kept for the next run"


def test_the_time_left_is_what_the_remaining_calls_took_last_time(runs: RunState):
    begin(runs, steps(4) | call("save", "save"))
    runs.take(Planned(5, 0))
    runs.take(Finished("save", "save", (), 3.0, cached=False))  # known from an earlier run
    begin(runs, steps(4) | call("save", "save"))
    runs.take(Started("denoise/step", "step 0"))
    runs.take(Finished("denoise/step", "step 0", (0,), 2.0, cached=False))
    assert runs.seconds_left() == pytest.approx(3 * 2.0 + 3.0)


def test_the_time_left_of_one_node_counts_its_own_calls(runs: RunState):
    begin(runs, steps(4) | call("save", "save"))
    runs.take(Finished("save", "saved before", (), 3.0, cached=False))
    runs.take(Finished("denoise/step", "step 0", (0,), 2.0, cached=False))
    assert runs.seconds_left("denoise") == pytest.approx(3 * 2.0)
    assert runs.seconds_left("save") == pytest.approx(3.0)


def test_every_step_can_be_looked_at_after_the_run(runs: RunState):
    begin(runs, steps(3))
    for i in range(3):
        runs.take(Finished("denoise/step", f"step {i}", (i,), 0.5, False, picture(i), bytes=100))
    steps_made = runs.steps("denoise/step")
    assert [step.picture for step in steps_made] == [picture(0), picture(1), picture(2)]
    assert [step.values for step in steps_made] == [{"sigma": 3.0}, {"sigma": 2.0}, {"sigma": 1.0}]
    assert [step.seconds for step in steps_made] == [0.5, 0.5, 0.5]
    assert runs.loops == ("denoise/step",)


def test_steps_of_an_earlier_run_that_the_cache_answers_are_still_there(runs: RunState):
    begin(runs, steps(2))
    for i in range(2):
        runs.take(Finished("denoise/step", f"step {i}", (i,), 0.5, False, picture(i)))
    begin(runs, steps(2))
    runs.take(Finished("denoise/step", "step 1", (1,), 0.0, True, picture(1)))
    assert [(step.picture, step.seconds) for step in runs.steps("denoise/step")] == [
        (picture(0), 0.5),
        (picture(1), 0.5),
    ]


def test_a_step_without_a_picture_of_its_own_keeps_its_preview(runs: RunState):
    begin(runs, steps(1))
    runs.take(Started("denoise/step", "step 0", (0,)))
    runs.take(Progress("denoise/step", 1, 1, picture(9)))
    runs.take(Finished("denoise/step", "step 0", (0,), 0.5, cached=False))
    assert runs.steps("denoise/step")[0].picture == picture(9)


def test_a_node_shows_the_newest_round(runs: RunState):
    begin(runs, steps(2))
    for i in range(2):
        runs.take(Finished("denoise/step", f"step {i}", (i,), 0.5, False, picture(i)))
        assert runs.of("denoise").picture == picture(i)


def test_memory_is_what_the_results_of_a_node_hold(runs: RunState):
    for _ in range(2):  # the second time nothing new is held
        begin(runs, steps(2))
        for i in range(2):
            runs.take(Finished("denoise/step", f"step {i}", (i,), 0.5, False, bytes=100))
    assert runs.of("denoise").memory == runs.of("denoise/step").memory == 200


def test_a_node_in_a_group_has_a_state_of_its_own(runs: RunState):
    begin(runs, call("count", "denoise/count") | steps(2))
    runs.take(Finished("denoise/count", "count", (), 0.1, cached=False))
    assert runs.of("denoise/count").state == "done"
    assert runs.of("denoise").state == "idle"


def test_pictures_of_steps_are_bounded(runs: RunState, monkeypatch):
    monkeypatch.setattr("ui.runs.call_records.PICTURE_BYTES", 10)
    begin(runs, steps(10))
    for i in range(10):
        runs.take(Finished("denoise/step", f"step {i}", (i,), 0.5, False, picture(i)))
    assert [step.picture is not None for step in runs.steps("denoise/step")] == [False] * 7 + [True] * 3


def test_a_kept_result_that_cannot_show_itself_counts_as_cached(runs: RunState):
    runs.compare({"prompt": "k"})
    runs.see("prompt", "k", None)
    assert (runs.of("prompt").state, runs.of("prompt").picture) == ("cached", None)

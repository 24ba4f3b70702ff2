"""What running a plan promises: what runs, what is said about it, and what goes on after a failure or a stop."""

import itertools
import weakref
from dataclasses import dataclass
from typing import Any

import pytest

from nodegraph.graph import Graph, Group, set_param
from nodegraph.node import REQUIRED, Context, node
from nodegraph.planning.plan import plan
from nodegraph.running.cache import Cache, DiskCache
from nodegraph.running.executor import EVENT_SECONDS, execute
from nodegraph.running.messages import Failed, Finished, Idle, Planned, Progress, Saved, Started
from nodegraph.types import Picture, socket_type
from tests.nodegraph.toys import REGISTRY, Bag, Box, Halves, JsonCodec, build, extend, preview, run, schedule, zone


def started(events):
    return [(event.node, event.iteration) for event in events if isinstance(event, Started)]


def failures(events):
    return [event for event in events if isinstance(event, Failed)]


def local(*functions):
    """The registry with node functions of one test."""
    return REGISTRY | {fn.node_type.id: fn.node_type for fn in functions}


# --- reuse ---


def test_the_same_run_again_computes_nothing():
    cache = Cache(1 << 20)
    first, _ = run(zone(20), "show", cache=cache)
    again, events = run(zone(20), "show", cache=cache)
    assert (first.run, again.run, again.cached) == (21, 0, 21)
    assert started(events) == [("show", ())]  # a sink runs for its effect, every time


def test_a_change_half_way_runs_the_second_half():
    cache = Cache(1 << 20)
    graph = set_param(schedule(20), "levels", "count", 19)
    run(graph, "end", cache=cache)
    _, events = run(set_param(graph, "levels", "last", 0.5), "end", cache=cache)
    assert started(events) == [("step", (19,))]


def test_going_back_to_an_earlier_setting_computes_nothing():
    cache = Cache(1 << 20)
    for count in (3, 5):
        run(zone(count), "end", cache=cache)
    assert run(zone(3), "end", cache=cache)[0].run == 0


def test_what_a_problem_keeps_from_running_does_not_count_as_cached():
    graph = build({"box": "toy.box", "sum": "toy.add", "show": "toy.show"}, "box.box > sum.a", "sum.box > show.box")
    idle, events = run(graph, "show", cache=Cache(1 << 20))
    assert (idle.run, idle.cached) == (0, 0)
    assert events[0] == Planned(0, 0)


def test_a_stopped_run_goes_on_where_it_stopped():
    cache = Cache(1 << 20)
    calls = itertools.count()
    stopped, _ = run(zone(20), "end", cache=cache, stop=lambda: next(calls) == 14)  # the box and 13 steps
    resumed, events = run(zone(20), "end", cache=cache)
    assert stopped.stopped
    assert stopped.run == 14
    assert started(events) == [("step", (i,)) for i in range(13, 20)]
    assert resumed.cached == 14


def test_after_a_restart_results_come_from_disk(tmp_path):
    def cache():
        return Cache(1 << 20, DiskCache(tmp_path, 1 << 20, JsonCodec(), worth_seconds=0))

    first = cache()
    run(zone(20), "end", cache=first)
    first.close()
    assert run(zone(20), "end", cache=cache())[0].run == 0


def test_only_what_the_targets_need_is_run():
    graph = extend(zone(3), {"other": "toy.show"}, "box.box > other.box")
    _, events = run(graph, "other")
    assert started(events) == [("box", ()), ("other", ())]


@pytest.mark.parametrize("put", [(), (1.0,), ("text",), (Box(1.0), Box(1.0)), (Bag(),)])
def test_a_result_of_another_type_than_the_node_makes_is_computed_again(tmp_path, put):
    graph = build({"box": "toy.box"})
    key = plan(graph, REGISTRY, ["box"]).keys["box"]
    cache = Cache(1 << 20, DiskCache(tmp_path, 1 << 20, JsonCodec()))
    cache.put(key, put, 0.0)
    assert run(graph, "box", cache=cache)[0].run == 1
    assert cache.get(key) == (Box(1.0),)


def test_a_result_lost_from_the_cache_is_computed_again():
    cache = Cache(0)
    assert run(zone(3), "end", cache=cache)[0].run == 4
    assert run(zone(3), "end", cache=cache)[0].run == 4


def test_each_target_is_finished_before_the_next_begins():
    graph = build(
        {"a": "toy.box", "b": ("toy.box", {"value": 2}), "x": "toy.step", "y": "toy.step"},
        *("a.box > x.box", "b.box > y.box"),
    )
    _, events = run(graph, "x", "y")
    assert [id for id, _ in started(events)] == ["a", "x", "b", "y"]


def test_lists_of_results_reach_the_function_as_values():
    graph = build(
        {"b": "foreach.begin", "box": "toy.box", "e": "foreach.end", "list": "plain.countdown", "total": "toy.total"},
        *(
            "list.value > b.items",
            "b.item > box.value",
            "b.zone > e.zone",
            "box.box > e.result",
            "e.results > total.boxes",
        ),
    )
    cache = Cache(1 << 20)
    planned = plan(graph, REGISTRY, ["total"])
    execute(planned, ["total"], cache, lambda event: None)
    assert cache.get(planned.keys["total"]) == (Box(6.0),)


def test_several_outputs_go_to_their_takers():
    graph = build({"box": ("toy.box", {"value": 6}), "h": "toy.halves", "sum": "toy.add"}, "box.box > h.box")
    graph = extend(graph, {}, "h.left > sum.a", "h.right > sum.b")
    cache = Cache(1 << 20)
    planned = plan(graph, REGISTRY, ["sum"])
    execute(planned, ["sum"], cache, lambda event: None)
    assert cache.get(planned.keys["sum"]) == (Box(6.0),)


@socket_type(color="#333333")
@dataclass(frozen=True)
class Heavy:
    number: int


def test_a_result_nobody_needs_any_more_is_let_go():
    alive = weakref.WeakSet()
    counts = []

    @node("local.heavy")
    def heavy(before: Heavy | None = None) -> Heavy:
        made = Heavy(before.number + 1 if before else 0)
        alive.add(made)
        counts.append(len(alive))
        return made

    graph = build({f"n{i}": "local.heavy" for i in range(10)}, *(f"n{i}.heavy > n{i + 1}.before" for i in range(9)))
    execute(plan(graph, local(heavy), ["n9"]), ["n9"], Cache(0), lambda event: None)
    assert max(counts) <= 3  # the argument, the result, and the one before until its name is bound anew


# --- only on request ---


@node("toy.train", on_request=True)
def train(box: Box) -> Box:
    return Box(box.value + 100)


def trained() -> Graph:
    """A box that is shown as it is, and after training."""
    nodes = {"box": "toy.box", "train": "toy.train", "after": "toy.step", "show": "toy.show", "plain": "toy.show"}
    return build(nodes, "box.box > train.box", "train.box > after.box", "after.box > show.box", "box.box > plain.box")


def test_a_run_that_nobody_asked_for_leaves_out_what_runs_on_request_and_what_needs_it():
    events = []
    planned = plan(trained(), local(train))
    idle = execute(planned, ["show", "plain"], Cache(1 << 20), events.append, effects=False)
    assert idle.waiting == 1
    assert started(events) == [("box", ()), ("plain", ())]
    assert failures(events) == []


def test_what_ran_on_request_is_used_afterwards():
    cache, events = Cache(1 << 20), []
    planned = plan(trained(), local(train))
    execute(planned, ["train"], cache, events.append)
    execute(planned, ["show"], cache, events.append, effects=False)
    assert started(events) == [("box", ()), ("train", ()), ("after", ()), ("show", ())]


# --- failures ---


def test_a_failed_call_fails_only_what_depends_on_it():
    graph = build(
        {"box": "toy.box", "bad": "toy.refuse", "after": "toy.step", "good": "toy.step"},
        *("box.box > bad.box", "bad.box > after.box", "box.box > good.box"),
    )
    idle, events = run(graph, "after", "good")
    assert failures(events) == [Failed("bad", "the box must be red")]
    assert [id for id, _ in started(events)] == ["box", "bad", "good"]
    assert idle.run == 2


@node("local.bug")
def bug(box: Box) -> Box:
    return {}["lid"]


@node("local.missing")
def missing(box: Box) -> Box:
    raise FileNotFoundError(2, "No such file or directory", "weights.safetensors")


@node("local.full")
def full(box: Box) -> Box:
    raise MemoryError


@node("local.torch_full")
def torch_full(box: Box) -> Box:
    raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")


MEMORY = "there is not enough memory; try a smaller size or batch, or close other programs"


@pytest.mark.parametrize(
    ("fn", "message"),
    [(missing, "No such file or directory: weights.safetensors"), (full, MEMORY), (torch_full, MEMORY)],
)
def test_errors_meant_for_people_come_without_a_traceback(fn, message):
    graph = build({"box": "toy.box", "n": fn.node_type.id}, "box.box > n.box")
    events = []
    execute(plan(graph, local(fn), ["n"]), ["n"], Cache(0), events.append)
    assert failures(events) == [Failed("n", message)]


def test_a_bug_comes_with_its_traceback():
    graph = build({"box": "toy.box", "n": "local.bug"}, "box.box > n.box")
    events = []
    execute(plan(graph, local(bug), ["n"]), ["n"], Cache(0), events.append)
    [failed] = failures(events)
    assert failed.message == "KeyError: 'lid'"
    assert 'return {}["lid"]' in failed.traceback


def test_a_result_that_holds_itself_is_a_failure_of_its_node_and_is_not_counted_for_ever():
    @socket_type(color="#444444")
    class Ring(list[Any]):
        pass

    @node("local.ring")
    def ring() -> Ring:
        made = Ring()
        made.append(made)
        return made

    events = []
    execute(plan(build({"n": "local.ring"}), local(ring), ["n"]), ["n"], Cache(1 << 20), events.append)
    [failed] = failures(events)
    assert failed.message.startswith("RecursionError")


def test_a_failure_inside_a_group_names_the_inner_node():
    body = build({"in": "group.input", "bad": "toy.refuse", "out": "group.output"}, "in.x > bad.box", "bad.box > out.y")
    group = Group("Bad", body, {"x": REQUIRED}, ("y",))
    graph = build({"box": "toy.box", "bad": "group:Bad"}, "box.box > bad.x", groups=(group,))
    assert [event.node for event in failures(run(graph, "bad")[1])] == ["bad/bad"]


def test_a_preview_that_cannot_be_made_does_not_fail_the_result():
    @socket_type(color="#444444", pictured=True)
    @dataclass(frozen=True)
    class Shy:
        pass

    def fail(value: Shy, max_side: int, item: int | None) -> Picture:
        raise KeyError("no colours")

    @node("local.shy")
    def shy() -> Shy:
        return Shy()

    events = []
    idle = execute(plan(build({"n": "local.shy"}), local(shy), ["n"]), ["n"], Cache(0), events.append, preview=fail)
    assert idle.run == 1
    assert failures(events)[0].message == "the result cannot be shown: KeyError: 'no colours'"


# --- events ---


def test_events_tell_the_whole_story_in_order():
    graph = build({"box": "toy.box", "show": "toy.show"}, "box.box > show.box")
    idle, events = run(graph, "show")
    kinds = [type(event) for event in events]
    assert kinds == [Planned, Started, Finished, Started, Finished]
    assert events[0] == Planned(1, 0)
    assert isinstance(idle, Idle)
    assert not idle.stopped


def test_finished_shows_the_result_of_every_round_and_what_a_sink_was_given():
    _, events = run(zone(3), "show")
    pictures = {(e.node, e.iteration): e.picture for e in events if isinstance(e, Finished)}
    assert pictures["show", ()] == Picture(1, 1, bytes([15] * 3))
    assert pictures["step", (0,)] == Picture(1, 1, bytes([3] * 3))


def test_what_a_node_shows_at_its_end_is_what_is_shown_of_its_result():
    def reports(ctx: Context, box: Box) -> Box:
        ctx.progress(1, 2, lambda: preview(box))
        ctx.progress(2, 2, lambda: preview(Box(9)))
        return Box(3)

    declared = node("local.reports")(reports)
    events = []
    graph = build({"box": "toy.box", "n": "local.reports"}, "box.box > n.box")
    execute(plan(graph, local(declared), ["n"]), ["n"], Cache(0), events.append)
    assert next(e for e in events if isinstance(e, Finished) and e.node == "n").picture == preview(Box(9))


def test_a_node_says_which_of_its_outputs_is_shown_also_when_it_comes_from_the_cache():
    @node("local.parts", shows="right")
    def parts(box: Box) -> Halves:
        return Halves(Box(1), Box(box.value))

    cache = Cache(1 << 20)
    planned = plan(build({"box": ("toy.box", {"value": 9.0}), "n": "local.parts"}, "box.box > n.box"), local(parts))
    for cached in (False, True):
        events = []
        execute(planned, ["n"], cache, events.append, preview=preview)
        found = next(e for e in events if isinstance(e, Finished) and e.node == "n")
        assert (found.cached, found.picture) == (cached, preview(Box(9)))


def test_a_run_of_milliseconds_shows_every_node_its_picture():
    _, events = run(
        build({"a": "toy.box", "sum": "toy.add", "show": "toy.show"}, "a.box > sum.a", "sum.box > show.box"), "show"
    )
    assert all(event.picture for event in events if isinstance(event, Finished))


def test_nodes_that_share_a_result_all_hear_of_it():
    graph = build({"a": "toy.box", "b": "toy.box", "sum": "toy.add"}, "a.box > sum.a", "b.box > sum.b")
    _, events = run(graph, "sum")
    assert len(started(events)) == 2
    assert {event.node for event in events if isinstance(event, Finished)} == {"a", "b", "sum"}


def test_a_cached_result_is_shown_again():
    cache = Cache(1 << 20)
    run(zone(3), "end", cache=cache)
    _, events = run(zone(3), "end", cache=cache)
    assert [(e.cached, e.picture) for e in events if isinstance(e, Finished)] == [
        (True, Picture(1, 1, bytes([15] * 3)))
    ]


def test_of_many_progress_reports_the_first_and_the_last_are_sent():
    graph = build({"box": "toy.box", "report": ("toy.report", {"parts": 100_000})}, "box.box > report.box")
    idle, events = run(graph, "report")
    reports = [event for event in events if isinstance(event, Progress)]
    assert (reports[0].done, reports[-1].done) == (1, 100_000)
    assert len(reports) <= 2 + idle.seconds / EVENT_SECONDS


def test_previews_are_made_only_for_reports_that_are_sent():
    made = []

    @node("local.reports")
    def reports(ctx: Context) -> Box:
        for i in range(1000):
            ctx.progress(i + 1, 1000, lambda: made.append(1))
        return Box(0)

    events = []
    execute(plan(build({"n": "local.reports"}), local(reports), ["n"]), ["n"], Cache(0), events.append)
    assert len(made) <= sum(isinstance(event, Progress) for event in events)


def test_a_call_that_is_no_longer_wanted_is_given_up_at_its_next_report():
    graph = build({"box": "toy.box", "report": "toy.report"}, "box.box > report.box")
    asked = []

    def wanted(key):
        asked.append(key)
        return len(asked) < 4

    cache = Cache(1 << 20)
    idle, events = run(graph, "report", cache=cache, wanted=wanted)
    assert idle.stopped
    assert len(asked) == 4
    assert not any(isinstance(event, Failed) for event in events)
    assert run(graph, "report", cache=cache)[0].run == 1  # nothing half-done was kept


def test_a_sink_knows_the_workflow_and_the_folder_and_says_what_it_wrote():
    graph = build({"box": ("toy.box", {"value": 5}), "save": "toy.save"}, "box.box > save.box")
    _, events = run(graph, "save", workflow="{}", out_dir="pictures")
    (saved,) = [event for event in events if isinstance(event, Saved)]
    assert (saved.node, saved.path) == ("save", "pictures/5 {}")

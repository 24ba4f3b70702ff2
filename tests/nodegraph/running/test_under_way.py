"""Results that are still being computed elsewhere: the next call gets them at once, and nobody notices a difference."""

from collections.abc import Iterator
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodegraph.graph import Graph, set_param
from nodegraph.node import Cancelled
from nodegraph.running import executor, pictures
from nodegraph.running.cache import Cache
from nodegraph.running.messages import Event, Failed, Finished, Saved, Started
from tests.nodegraph.toys import build, extend, run, zone

PATTERNS = st.lists(st.booleans(), max_size=40)
"""What is answered when it is asked whether results are under way, one after the other; then no more."""


@pytest.fixture(autouse=True, scope="module")
def told_whatever_it_takes() -> Iterator[None]:
    """Reports and pictures are left out where they come too soon or take too long: here the clock decides nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executor, "EVENT_SECONDS", 0.0)
        patch.setattr(pictures, "ADVANCE", inf)
        yield


class Elsewhere:
    """A device: says of results whether they are under way, as it was told to."""

    def __init__(self, answers: list[bool]) -> None:
        self.answers = list(answers)

    def __call__(self, values: tuple[Any, ...]) -> bool:
        return self.answers.pop(0) if self.answers else False


def reporting() -> Graph:
    """A zone whose rounds end in a node that reports on its way, and a sink."""
    return extend(zone(4), {"tell": "toy.report", "save": "toy.save"}, "end.value > tell.box", "tell.box > save.box")


def branched() -> Graph:
    return build(
        {
            "box": "toy.box",
            "left": "toy.step",
            "refuse": "toy.refuse",
            "lost": "toy.step",
            "show": "toy.show",
            "other": "toy.show",
            "sum": "toy.add",
        },
        *("box.box > left.box", "left.box > refuse.box", "refuse.box > lost.box", "lost.box > show.box"),
        *("box.box > sum.a", "left.box > sum.b", "sum.box > other.box"),
    )


def story(events: list[Event]) -> list[Event]:
    return [event._replace(seconds=0.0) if isinstance(event, Finished) else event for event in events]


@pytest.mark.parametrize("graph", [zone(5), reporting(), branched()], ids=["zone", "reporting", "branched"])
def test_whatever_is_under_way_when_the_same_is_told_in_the_same_order(graph: Graph):
    targets = [node for node, found in graph.nodes.items() if found.type in ("toy.show", "toy.save")]
    usual, expected = run(graph, *targets)

    @given(PATTERNS)
    def any_pattern(answers: list[bool]) -> None:
        idle, events = run(graph, *targets, is_under_way=Elsewhere(answers))
        assert story(events) == story(expected)
        assert (idle.run, idle.cached, idle.stopped) == (usual.run, usual.cached, usual.stopped)

    any_pattern()


@given(PATTERNS, st.sampled_from([3.0, 7.0, 15.0, 31.0]))
def test_a_result_that_turns_out_unsound_fails_alone_and_nothing_acts_on_it(answers: list[bool], bad: float):
    def complaint(outputs: Any, given: Any) -> str | None:
        return f"{bad} is unsound" if any(getattr(value, "value", None) == bad for value in outputs.values()) else None

    graph = extend(zone(4), {"save": "toy.save"}, "end.value > save.box")  # 1, 3, 7, 15, 31
    _, expected = run(graph, "save", complaint=complaint)
    cache = Cache(1 << 20)
    _, events = run(graph, "save", complaint=complaint, is_under_way=Elsewhere(answers), cache=cache)
    assert story(events) == story(expected)
    assert [event.message for event in events if isinstance(event, Failed)] == [f"{bad} is unsound"]
    assert not any(isinstance(event, Saved) for event in events)
    assert all(value.value < bad for key in cache.sizes() for value in cache.get(key) or ())


def test_a_call_begins_while_the_one_before_is_under_way_and_no_third_one():
    under_way: list[int] = []  # how many results, when a call begins
    begun = settled = 0

    def complaint(outputs: Any, given: Any) -> None:
        nonlocal settled
        settled += 1

    def stop() -> bool:
        nonlocal begun
        under_way.append(begun - settled)
        begun += 1
        return False

    run(zone(4), "end", is_under_way=lambda values: True, complaint=complaint, stop=stop)
    assert under_way == [0, 1, 1, 1, 1]
    assert settled == 5  # the box and four rounds


def test_what_is_under_way_when_a_run_is_stopped_is_left_out_and_made_again():
    cache = Cache(1 << 20)
    calls = iter(range(100))
    stopped, _ = run(zone(6), "end", cache=cache, is_under_way=lambda values: True, stop=lambda: next(calls) == 4)
    assert stopped.stopped
    assert stopped.run == 3  # of the four that were begun
    resumed, events = run(zone(6), "end", cache=cache)
    assert (resumed.run, resumed.cached) == (4, 3)
    assert [event.iteration for event in events if isinstance(event, Started)] == [(2,), (3,), (4,), (5,)]


def test_a_call_that_stops_leaves_what_has_arrived():
    def wanted(_: str) -> bool:
        raise Cancelled

    graph = build({"box": "toy.box", "tell": "toy.report"}, "box.box > tell.box")
    cache = Cache(1 << 20)
    answers = Elsewhere([True, True])  # asked when it is made and before the next, and there at the first report
    idle, events = run(set_param(graph, "box", "value", 2.0), "tell", cache=cache, is_under_way=answers, wanted=wanted)
    assert (idle.run, idle.stopped) == (1, True)
    assert [type(event).__name__ for event in events[-3:]] == ["Started", "Finished", "Started"]


def test_the_seconds_of_what_was_waited_for_are_those_until_it_was_there():
    _, events = run(zone(3), "end", is_under_way=lambda values: True)
    seconds = [event.seconds for event in events if isinstance(event, Finished)]
    assert all(second > 0 for second in seconds)

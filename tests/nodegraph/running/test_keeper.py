"""Memory runs out: the call is tried again as long as whoever looks after memory has something that may help."""

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from nodegraph.failure import OUT_OF_MEMORY
from nodegraph.graph import Graph
from nodegraph.node import node
from nodegraph.planning.plan import plan
from nodegraph.running.cache import Cache
from nodegraph.running.executor import execute
from nodegraph.running.keeper import networks
from nodegraph.running.messages import Failed, Finished
from nodegraph.types import NetworkId
from tests.nodegraph.toys import REGISTRY, Box, build


@dataclass
class Helper:
    """helps: how often there is something that may help."""

    helps: int = 0
    sentence: str = "there is too little"
    drops: int = 0
    log: list[str] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    seen: list[tuple[int, set[NetworkId]]] = field(default_factory=list)

    def begin(self, number: Callable[[], int], later: Callable[[], Iterable[NetworkId]]) -> None:
        self.log.append("begin")
        self.number, self.needs = number, later

    def ran_out(self, error: Exception) -> None:
        self.log.append("ran out")
        self.errors.append(error)
        self.seen.append((self.number(), set(self.needs())))

    def relieve(self, results: Any) -> bool:
        self.log.append("relieve")
        self.drops += results.drop(lambda value: 1)
        self.helps -= 1
        return self.helps >= 0

    def shortage(self) -> str:
        return self.sentence

    def peak(self) -> int:
        return 1234

    def end(self) -> None:
        self.log.append("end")

    def idle(self) -> float | None:
        return None


class Held:
    pass


tries: list[Any] = []


@node("keeper.greedy")
def greedy(box: Box, fails: int = 0, message: str = "CUDA error: out of memory") -> Box:
    """Fail so often."""
    held = Held()
    assert all(earlier() is None for earlier in tries), "what a failed try held is still there"
    tries.append(weakref.ref(held))
    if len(tries) <= fails:
        raise RuntimeError(message)
    return Box(len(tries))


def run(helper: Helper, graph: Graph, cache: Cache | None = None) -> list[Any]:
    tries.clear()
    events: list[Any] = []
    registry = REGISTRY | {"keeper.greedy": greedy.node_type}
    planned = plan(graph, registry, ["greedy"])
    execute(planned, ["greedy"], cache or Cache(1 << 20), events.append, keeper=helper)
    return events


def graph_of(fails: int, **params: Any) -> Graph:
    return build({"box": "toy.box", "greedy": ("keeper.greedy", {"fails": fails, **params})}, "box.box > greedy.box")


@pytest.mark.parametrize("fails", [0, 1, 3])
def test_a_call_is_tried_again_as_long_as_something_may_help(fails: int):
    helper = Helper(helps=3)
    events = run(helper, graph_of(fails))
    assert not [event for event in events if isinstance(event, Failed)]
    assert len(tries) == fails + 1
    assert helper.log == ["begin", *["ran out", "relieve"] * fails, "end"]


def test_when_nothing_helps_any_more_the_sentence_is_the_keepers():
    helper = Helper(helps=2)
    events = run(helper, graph_of(9))
    (failed,) = (event for event in events if isinstance(event, Failed))
    assert (failed.message, failed.traceback) == ("there is too little", "")
    assert len(tries) == 3
    assert helper.seen == [(1, set())] * 3  # the second call, after which none needs a network


def test_what_was_not_for_want_of_memory_keeps_its_message():
    helper = Helper(helps=1, sentence="")
    events = run(helper, graph_of(9, message="CUDNN_STATUS_NOT_INITIALIZED"))
    (failed,) = (event for event in events if isinstance(event, Failed))
    assert "CUDNN_STATUS_NOT_INITIALIZED" in failed.message
    assert "greedy" in failed.traceback


def test_another_failure_is_not_tried_again():
    helper = Helper(helps=1)
    events = run(helper, graph_of(9, message="shapes cannot be multiplied"))
    assert [event.message for event in events if isinstance(event, Failed)] == [
        "RuntimeError: shapes cannot be multiplied"
    ]
    assert helper.log == ["begin", "end"]


def test_without_a_keeper_the_sentence_is_the_usual_one():
    events: list[Any] = []
    planned = plan(graph_of(9), REGISTRY | {"keeper.greedy": greedy.node_type}, ["greedy"])
    tries.clear()
    execute(planned, ["greedy"], Cache(1 << 20), events.append)
    assert [event.message for event in events if isinstance(event, Failed)] == [OUT_OF_MEMORY]


def test_kept_results_can_be_let_go_of_and_the_run_goes_on_with_what_it_holds():
    cache = Cache(1 << 20)
    helper = Helper(helps=1)
    events = run(helper, graph_of(1), cache)
    assert helper.drops == 1  # the box
    assert [event.node for event in events if isinstance(event, Finished)] == ["box", "greedy"]
    assert len(cache.sizes()) == 1


def test_the_peak_of_a_call_is_told_with_its_result():
    events = run(Helper(), graph_of(0))
    assert {event.peak for event in events if isinstance(event, Finished)} == {1234}


@dataclass(frozen=True)
class Description:
    name: str

    @property
    def networks(self) -> tuple[NetworkId, ...]:
        return (NetworkId("part", self.name, ""),)


def test_descriptions_are_found_in_lists_and_nothing_else_is_taken_for_one():
    a, b = Description("a"), Description("b")
    assert [found.path for found in networks((a, (b, 1.0), "text", Box(1.0)))] == ["a", "b"]

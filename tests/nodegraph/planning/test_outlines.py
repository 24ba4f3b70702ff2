"""What planning can tell of results before anything is computed."""

from dataclasses import replace
from typing import Annotated, Any, cast

import pytest

from nodegraph.graph import Graph, set_param
from nodegraph.node import Outline, Outlined, node
from nodegraph.planning import outlines
from nodegraph.planning.calls import Call, Problem, Record
from nodegraph.planning.keys import Ref
from nodegraph.planning.outlines import Outlines
from nodegraph.planning.plan import Planner, plan
from tests.examples import each
from tests.nodegraph.toys import REGISTRY, Box, build, extend

Asked = list[dict[str, Any]]


def outlined(outline: Outline | None, type: str = "toy.box"):
    return replace(REGISTRY[type], outline=outline)


def taking(asked: Asked) -> Outline:
    """Needs a size, and can do without a mask; says nothing of its own result."""

    def outline(size: Any, mask: int | None = None, **more: Any) -> tuple[None]:
        asked.append({"size": size, "mask": mask, **more})
        return (None,)

    return outline


def known() -> Outlines:
    """Of a call of one output, and of one that knows only one of its two."""
    found = Outlines()
    found.add("one", outlined(lambda: (64,)), {})
    found.add("two", outlined(lambda: (None, 32), "toy.halves"), {})
    return found


@each(
    ("size", "told"),
    [
        (Ref("one", "box"), 64),
        (Ref("two", "right"), 32),
        ((Ref("one", "box"), 7, Ref("two", "left")), (64, 7, None)),
        ((1, 2), (1, 2)),
        ("a text", "a text"),
    ],
)
def test_a_call_is_told_what_is_known_of_what_it_takes(size: Any, told: Any):
    asked: Asked = []
    known().add("next", outlined(taking(asked)), {"size": size, "mask": Ref("one", "box"), "extra": 1})
    assert asked == [{"size": told, "mask": 64, "extra": 1}]


@pytest.mark.parametrize("size", [Ref("two", "left"), Ref("two", "lost"), Ref("lost", "value")])
def test_a_call_of_which_something_needed_is_not_known_is_not_asked(size: Ref):
    asked: Asked = []
    known().add("next", outlined(taking(asked)), {"size": size})
    assert asked == []


@pytest.mark.parametrize("mask", [Ref("lost", "value"), None])
def test_what_a_call_can_do_without_may_be_unknown(mask: Any):
    asked: Asked = []
    known().add("next", outlined(taking(asked)), {"size": 1, "mask": mask, "extra": None})
    assert asked == [{"size": 1, "mask": None}]


def test_what_is_not_given_is_as_the_outline_has_it():
    asked: list[int] = []

    def outline(size: int, times: int = 3) -> tuple[int]:
        asked.append(size * times)
        return (size,)

    Outlines().add("one", outlined(outline), {"size": 2, "times": None})
    assert asked == [6]


def test_a_call_without_an_outline_is_passed_over():
    found = known()
    found.add("next", outlined(None), {"size": 1})
    asked: Asked = []
    found.add("last", outlined(taking(asked)), {"size": Ref("next", "box")})
    assert asked == []


def test_a_call_is_asked_once():
    asked: list[int] = []
    found = Outlines()
    for _ in range(2):
        found.add("one", outlined(lambda: (asked.append(1) or 64,)), {})
    assert asked == [1]


def test_an_outline_speaks_of_every_output():
    with pytest.raises(ValueError, match="shorter"):
        Outlines().add("one", outlined(lambda: (1,), "toy.halves"), {})


def square(side: int = 1) -> tuple[int]:
    return (side,)


@node("toy.tile", outline=square)
def tile(side: int = 1) -> Box:
    return Box(side)


@node("plain.area")
def area(box: Annotated[Box | None, Outlined()] = None) -> float:
    return cast("int", box) ** 2 if box else 1


def fitting(a: int, b: int) -> tuple[int]:
    if a != b:
        raise ValueError(f"a is {a} and b is {b}")
    return (a,)


TYPES = REGISTRY | {
    "toy.tile": tile.node_type,
    "plain.area": area.node_type,
    "toy.add": replace(REGISTRY["toy.add"], outline=fitting),
}


def measured(**links: str) -> Graph:
    """A tile of side 8, and the area of it or of something else as the value of a box."""
    nodes = {"tile": ("toy.tile", {"side": 8}), "area": "plain.area", "box": "toy.box", "odd": "toy.box"}
    more = [f"{source} > {input.replace('_', '.')}" for input, source in links.items()]
    return build(nodes, "area.value > box.value", *more)


def test_what_needs_but_the_outline_of_a_result_is_evaluated_before_the_result_is_made():
    planned = plan(measured(area_box="tile.box"), TYPES)
    assert planned.problems == ()
    assert planned.calls[planned.keys["box"]].args == {"value": 64.0}


def test_what_may_be_left_open_needs_no_outline():
    planned = plan(measured(), TYPES)
    assert planned.problems == ()
    assert planned.calls[planned.keys["box"]].args == {"value": 1.0}


def test_a_result_without_an_outline_is_a_problem_for_what_needs_one():
    problem = Problem("area", "box", "the size of box must be known before the run")
    assert plan(measured(area_box="odd.box"), TYPES).problems == (problem,)


def test_arguments_that_cannot_go_together_are_a_problem_of_their_node():
    graph = measured(area_box="sum.box", sum_a="tile.box", sum_b="other.box")
    graph = extend(graph, {"sum": "toy.add", "other": "toy.tile"})
    assert plan(graph, TYPES).problems == (Problem("sum", None, "a is 8 and b is 1"),)
    assert plan(set_param(graph, "other", "side", 8), TYPES).problems == ()


def test_a_planner_forgets_the_outlines_of_edits_long_ago(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(outlines, "FEW", 4)
    planner, graph = Planner(TYPES), measured(area_box="tile.box")
    for side in range(20):
        planner.plan(set_param(graph, "tile", "side", side))
    assert len(planner._evaluator._outlines._known) <= 6  # pyright: ignore[reportPrivateUsage]


def test_calls_that_no_record_has_are_forgotten_once_they_are_many(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(outlines, "FEW", 4)
    found, asked = Outlines(), []

    def noting(key: str) -> Outline:
        return lambda: (asked.append(key) or 64,)

    def add(*keys: str) -> list[str]:
        """Which of them were not known."""
        asked.clear()
        for key in keys:
            found.add(key, outlined(noting(key)), {})
        return [*asked]

    def record(*keys: str) -> Record:
        made = Record()
        made.calls = {key: Call(key, "node", (), REGISTRY["toy.box"], {}) for key in keys}
        return made

    add(*"abcd")
    found.prune({"node": record("a")})
    assert add(*"abcd") == []  # four are few
    add("e")
    found.prune({"node": record("a", "c"), "other": record("e")})
    assert add(*"ace") == []
    assert add(*"bd") == ["b", "d"]
    add("f")
    found.prune({})  # six, which is twice as many as were kept
    assert add(*"abcdef") == []
    add("g")
    found.prune({})
    assert add(*"abcdefg") == [*"abcdefg"]

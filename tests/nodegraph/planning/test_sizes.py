"""How large a value is, what of it is too much, and what it costs to plan with."""

from dataclasses import dataclass
from math import inf, nan
from typing import Any

import pytest

from nodegraph.limits import MAX_CHARACTERS, MAX_ITEMS, MAX_NESTING
from nodegraph.planning.keys import Ref
from nodegraph.planning.sizes import CHARACTERS_A_STEP, ITEMS_A_STEP, Size, cost, excess, infinite, size
from tests.examples import each


@dataclass(frozen=True)
class Model:
    path: str
    scales: tuple[float, ...] = ()


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = (value,)
    return value


@each(
    ("value", "found"),
    [
        (1.5, Size(0, 0, 0)),
        ("text", Size(0, 4, 0)),
        ((), Size(0, 0, 0)),
        (("ab", "c"), Size(2, 3, 1)),
        (((1, "ab"), 2, ()), Size(5, 2, 2)),
        ({"ab": ("c", 1)}, Size(4, 3, 2)),
        (Model("ab", (1.0, 2.0)), Size(4, 2, 2)),
        (Model, Size(0, 0, 0)),
        ((Ref("key", "output"), "a"), Size(2, 1, 1)),
        (("ab",) * MAX_ITEMS, Size(MAX_ITEMS, 2 * MAX_ITEMS, 1)),
    ],
)
def test_items_characters_and_depth_are_counted_wherever_they_are(value: Any, found: Size):
    assert size(value) == found


def test_counting_ends_where_a_limit_is_passed():
    value: Any = 1
    for _ in range(1000):
        value = (value, value)  # 2 ** 1000 of them
    assert MAX_ITEMS < size(value).items <= 2 * MAX_ITEMS
    assert size(nested(1000)).depth == MAX_NESTING + 1


@each(
    ("value", "much"),
    [
        ((1,) * MAX_ITEMS, None),
        ((1,) * (MAX_ITEMS + 1), "has more than 20,000 items, which is the limit"),
        ("x" * MAX_CHARACTERS, None),
        (("x" * MAX_CHARACTERS, "yz"), "has 1,000,002 characters; the limit is 1,000,000"),
        (nested(MAX_NESTING), None),
        (nested(MAX_NESTING + 1), "has lists in lists, more than 64 deep"),
        (10**308, None),
        (-(10**309), "must be a finite number, and this one has about 310 digits"),
        (inf, None),
        (True, None),
    ],
)
def test_what_is_too_much_is_said_and_what_is_just_enough_is_not(value: Any, much: str | None):
    assert excess(value) == much


@pytest.mark.parametrize("number", [inf, -inf, nan])
def test_a_number_without_bounds_is_found_wherever_it_is(number: float):
    for value in (number, (1.0, (number,)), Model("a", (number,)), {"a": number}):
        assert infinite(value) == "is no finite number: what it is computed from is too large"
    for value in (1.0, 10**400, "inf", (1.0, (2.0,)), Model("a", (1.0,)), {"a": 1.0}):
        assert infinite(value) is None


@each(
    ("value", "steps"),
    [
        ("x" * (3 * CHARACTERS_A_STEP - 1), 2),
        (("x" * 2 * CHARACTERS_A_STEP,), 2),
        ((1,) * (3 * ITEMS_A_STEP), 3),
        (("x" * CHARACTERS_A_STEP, *(1,) * (ITEMS_A_STEP - 1)), 2),
        (("x" * (CHARACTERS_A_STEP - 1),), 0),
        (10**400, 0),
        (Ref("k" * 2 * CHARACTERS_A_STEP, "o"), 0),
    ],
)
def test_large_arguments_cost_steps(value: Any, steps: int):
    assert cost(value) == steps

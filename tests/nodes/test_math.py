"""Numbers, texts and lists."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes import lists
from nodes.math import compare, evaluate, expression
from tests.examples import each


@each(
    ("formula", "value"),
    [
        ("a + b * c", 2 + 3 * 4),
        ("(a + b) * c", 20),
        ("-a ** 2", -4),
        ("7 // b + 7 % b", 3),
        ("max(a, b, c) / min(a, b)", 2),
        ("round(c / b)", 1),
        ("sqrt(c) + floor(1.5) + ceil(1.5) + abs(-1)", 6),
        ("cos(2 * pi) + log(exp(1))", 2),
    ],
)
def test_a_formula_has_its_value(formula: str, value: float):
    assert expression(formula, 2, 3, 4).number == pytest.approx(value)


def test_the_rounded_result_is_a_whole_number():
    assert expression("a / 3", 10).integer == 3


@each("formula", ["__import__('os')", "a.real", "[1]", "x", "'a' * 9", "lambda: 1", "a if b else c", "True"])
def test_nothing_but_arithmetic_can_be_expressed(formula: str):
    with pytest.raises(ValueError, match="formula cannot use"):
        expression(formula)


@pytest.mark.parametrize("formula", ["", "a +", "(a", "1 2"])
def test_an_incomplete_formula_is_refused(formula: str):
    with pytest.raises(ValueError, match="is not complete"):
        expression(formula)


@each("formula", ["1 / 0", "9.0 ** 9 ** 9 ** 9", "log(-1)", "min()", "sqrt(1, 2)", "1e308 * 10", "(-8) ** 0.5"])
def test_a_formula_without_a_value_is_refused(formula: str):
    with pytest.raises(ValueError, match=r"has no (finite )?value"):
        expression(formula)


def test_a_very_long_formula_is_refused():
    with pytest.raises(ValueError, match="at most 300 characters"):
        expression("(" * 5000)


@given(st.text(max_size=40))
def test_any_text_has_a_value_or_a_sentence(formula: str):
    try:
        assert math.isfinite(evaluate(formula, {"a": 1.0}))
    except ValueError as error:
        assert str(error)  # noqa: PT017  either way is right


def test_comparisons():
    assert [compare(1, r, 2) for r in ("<", "<=", "=", "!=", ">=", ">")] == [True, True, False, True, False, False]


def test_a_range_includes_both_ends():
    assert lists.range_(1, 2, 5) == (1, 1.25, 1.5, 1.75, 2)
    assert lists.range_(3, 9, 1) == (3,)


def test_seeds_count_up():
    assert lists.integers(5, 10, 3) == (5, 15, 25)


def test_texts_are_the_lines_that_say_something():
    assert lists.texts(" a cat\n\n a dog ") == ("a cat", "a dog")


def test_a_separator_stands_between_two_texts_only():
    assert lists.join("a", "b") == "a, b"
    assert lists.join("a", "") == "a"


def test_an_item_outside_a_list_is_refused():
    assert lists.number_at((1.0, 2.0), -1) == 2
    with pytest.raises(ValueError, match="index must be between -2 and 1, got 2"):
        lists.number_at((1.0, 2.0), 2)


def test_numbers_become_labels():
    assert lists.labels((7.5, 8.0), "guidance ") == ("guidance 7.5", "guidance 8")


def test_pictures_are_collected_in_order():
    from nodes.image import grey

    first, second = grey(8, 8, 0.0), grey(8, 8, 1.0)
    assert lists.images(first, second) == (first, second)


def test_a_curve_is_drawn_in_the_colour_of_its_label():
    one, two = (lists.plot((0.0, 1.0, 0.5), more, "a", "b").pixels for more in ((), (1.0, 0.0)))
    assert one.shape == two.shape
    orange = (two[0] - two.new_tensor([1.0, 0.718, 0.302])[:, None, None]).abs().amax(0) < 0.1
    assert orange.sum() > 500


@pytest.mark.parametrize(
    ("numbers", "more", "sentence"),
    [
        ((1.0,), (), "a plot needs at least two numbers"),
        ((1.0, 2.0), (3.0,), "a plot needs at least two numbers"),
        ((1.0, -2.0), (), "this plot begins at 0 and cannot show -2"),
    ],
)
def test_what_cannot_be_plotted_is_said(numbers: tuple[float, ...], more: tuple[float, ...], sentence: str):
    with pytest.raises(ValueError, match=sentence):
        lists.plot(numbers, more)


def test_an_axis_runs_from_left_to_right():
    with pytest.raises(ValueError, match="x_first must be below x_last, got 1 and 1"):
        lists.plot((1.0, 2.0), x_first=1.0)

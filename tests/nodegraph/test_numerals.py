"""What is typed as a number is that number to the last digit, or is refused with both readings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodegraph.editing.assign import parse
from nodegraph.node import Input
from nodegraph.numerals import Ambiguous, ambiguity, read_number
from tests.examples import each


@each(
    ("text", "kind", "readings"),
    [
        ("1,000", int, ("1000", "1.0")),
        ("1,000", float, ("1000", "1.0")),
        ("2.000", int, ("2000", "2.0")),
        ("2.000", float, ("2000", "2.0")),
        ("1.125", int, ("1125", "1.125")),
        ("12,500", float, ("12500", "12.5")),
        ("-1,000", float, ("1000", "1.0")),
        ("3 * 1,000", int, ("1000", "1.0")),
        ("1,250e3", float, ("1250", "1.25")),
    ],
)
def test_an_ambiguous_number_is_refused_with_both_readings(text: str, kind: type, readings: tuple[str, str]):
    with pytest.raises(Ambiguous) as caught:
        read_number(text, kind)
    assert caught.value.readings == readings
    assert [read_number(reading, float) for reading in readings] == [float(reading) for reading in readings]


@each(
    ("text", "value"),
    [
        ("1.5", 1.5),
        ("1,5", 1.5),
        ("0,125", 0.125),
        ("0.125", 0.125),
        ("1.125", 1.125),  # as the program shows it
        ("1000,000", 1000.0),
        ("1,000,000", 1e6),
        ("1.000.000", 1e6),
        ("1,234.5", 1234.5),
        ("1.234,5", 1234.5),
        ("1 000", 1000.0),
        ("1\u202f000,5", 1000.5),
        ("1'000", 1000.0),
        ("1_000", 1000.0),
        ("007", 7.0),
        (".5", 0.5),
        ("1e-5", 1e-5),
        ("0.1 + 0.2", 0.3),
        ("\uff11\uff12", 12.0),
    ],
)
def test_what_can_be_read_in_one_way_is_read(text: str, value: float):
    assert read_number(text, float) == value


NO_NUMBERS = ["", "abc", "nan", "inf", "1,2,3", "12,34,567", "1.2.3", "1e999", "1e9999999999", "2**9", "(2", "1/0"]
NO_NUMBERS += ["True", "0x10", "1_", "9" * 5000, "(" * 300, "1\x00", "1if 2else 3"]


@each("text", NO_NUMBERS)
def test_what_is_no_number_is_none(text: str):
    assert read_number(text, float) is None


def test_a_whole_number_is_exact_however_it_is_written():
    assert read_number("9007199254740993.0", int) == 9007199254740993
    assert read_number("18446744073709551615 * 3 / 3", int) == 18446744073709551615
    assert read_number("1.5", int) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_written_out_is_read_back(value: float):
    assert read_number(str(value), float) == value


@given(st.integers(-(10**30), 10**30))
def test_a_whole_number_written_out_is_read_back(value: int):
    assert read_number(str(value), int) == value


@given(st.text(alphabet="0123456789.,'_ eE+-*/()", max_size=30))
def test_whatever_is_typed_is_a_number_or_none_or_ambiguous(text: str):
    for kind in (int, float):
        value, readings = None, ()
        try:
            value = read_number(text, kind)
        except Ambiguous as error:
            readings = error.readings
        assert value is None or type(value) is kind
        assert all(read_number(reading, float) is not None for reading in readings)


def test_a_refusal_names_both_readings_wherever_the_text_came_from():
    steps = Input("steps", int, 20)
    assert (steps.complaint("1,000") or "").endswith("not '1,000', which may be 1000 or 1.0")
    with pytest.raises(ValueError, match=r"not '1,000', which may be 1000 or 1\.0"):
        parse(steps, "1,000")
    assert ambiguity("many", int) == ""


@each(
    ("text", "kind", "point", "comma"),
    [
        ("1,500", float, 1500.0, 1.5),
        ("1.500", float, 1.5, 1500.0),
        ("1,500", int, 1500, None),
        ("1.024", int, None, 1024),
        ("1.125", float, 1.125, 1.125),  # which is how the program itself shows a fraction
        ("2 * 1,500", float, 3000.0, 3.0),
    ],
)
def test_who_says_which_sign_stands_before_fractions_is_not_asked(text, kind, point, comma):
    assert (read_number(text, kind, "."), read_number(text, kind, ",")) == (point, comma)

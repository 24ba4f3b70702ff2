import inspect
from datetime import datetime
from pathlib import Path

import pytest

from nodegraph.node import Input, Range
from ui.base.text import amount, clock, duration, label, learn, parameter_help, show_decimal, value_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0001, "<1 ms"),
        (0.042, "42 ms"),
        (0.9999, "1.0 s"),
        (3.21, "3.2 s"),
        (59.97, "1:00 min"),
        (75, "1:15 min"),
        (4000, "1:06 h"),
    ],
)
def test_a_duration_is_written_in_the_unit_that_suits_it(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(("sign", "text"), [(".", "10,000"), (",", "10\N{NARROW NO-BREAK SPACE}000")])
def test_a_count_is_never_read_as_a_fraction(sign, text):
    show_decimal(sign)
    try:
        assert (amount(10_000), amount(999)) == (text, "999")
    finally:
        show_decimal(".")


def test_no_sentence_of_the_window_groups_digits_by_itself():
    ui = Path(__file__).parents[3] / "ui"
    assert [path.name for path in ui.rglob("*.py") if ":,}" in path.read_text() and path.name != "text.py"] == []


def test_the_help_of_a_parameter_is_found_in_the_text_about_its_node():
    doc = """Make boxes. Lid et al. 2022 (arXiv:2206.00364).

    width, height: in pixels,
    which is little. batch: how many: at least one. lid: whether it opens
    """
    doc = inspect.cleandoc(doc)
    assert [parameter_help(doc, name) for name in ("height", "batch", "lid", "seed")] == [
        "In pixels, which is little",
        "How many: at least one",
        "Whether it opens",
        "",
    ]


def test_a_zero_that_stands_for_something_else_says_so():
    width = Input("width", int, 0, (Range(0, 100, unit="px", zero="as trained"),))
    assert [value_text(width, value) for value in (0, 64)] == ["as trained", "64"]


def test_a_name_is_written_for_people():
    assert [label(n) for n in ("light_scale", "rgb", "state_2")] == ["Light scale", "RGB", "State 2"]


def test_what_people_write_in_capitals_is_learned_from_the_nodes():
    assert label("zzz_box") == "Zzz box"
    learn({"zzz": "ZzZ"})
    assert label("zzz_box") == "ZzZ box"


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (0.01, "within a minute"),
        (0.1, "about 21:06"),
        (1.03, "about 22:00"),
        (6.7, "about 03:40, tomorrow"),
        (54.9, "about 03:50, Tuesday"),
        (240, "about 21:00, 11 July"),
    ],
)
def test_when_something_will_be_done_is_said_no_more_exactly_than_it_is_known(hours: float, said: str):
    now = datetime(2023, 7, 1, 21, 0).timestamp()
    assert clock(now + hours * 3600, now) == said

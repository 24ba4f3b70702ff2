"""JSON is read in pieces as Python's own reader reads it at once, whatever is wrong with it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodegraph.formats import json_pieces
from nodegraph.formats.json_pieces import parsing
from nodegraph.pieces import PIECE, Work, finish
from tests.examples import each, examples

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)
DAMAGE = st.sampled_from(["", ",", ":", '"', "{", "}", "[", "]", " ", "\n", "x", "1", "\ufeff", "\\", "NaN"])


@pytest.fixture(autouse=True)
def _nothing_is_short(monkeypatch):
    monkeypatch.setattr(json_pieces, "SHORT", 0)


def told(read: Any) -> Any:
    """What came of it: a value, as text since no number equals NaN, or what was wrong."""
    try:
        return repr(read())
    except ValueError as error:
        return str(error)


@examples(150)
@given(VALUES, st.sampled_from([None, 1]), DAMAGE, st.integers(0, 400), st.integers(0, 3))
def test_all_is_read_as_by_python(value: Any, indent: int | None, put: str, at: int, cut: int):
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    at = min(at, len(text))
    for given_text in (text, f" {text}\n", text[:at] + put + text[at + cut :]):
        once = told(lambda text=given_text: json.loads(text, object_pairs_hook=tuple))
        assert told(lambda text=given_text: finish(parsing(text, tuple))) == once


@each("text", ["", "{", '{"a"', '{"a":', '{"a": 1,', '{"a": 1,}', "{a: 1}", "[1,]", "[1 2]", "[] []", "1x"])
def test_what_is_wrong_is_said_in_the_same_words(text: str):
    with pytest.raises(json.JSONDecodeError) as wrong:
        finish(parsing(text, dict))
    assert str(wrong.value) == told(lambda: json.loads(text))


def test_what_is_said_of_an_object_is_not_hidden():
    def refuse(pairs: list[tuple[str, Any]]) -> Any:
        raise ValueError("twice")

    with pytest.raises(ValueError, match="twice"):
        finish(parsing('{"a": {"b": {"c": 1}}, ', refuse))


def test_ten_thousand_items_are_read_in_pieces():
    text = json.dumps(
        {"nodes": {str(n): {"value": n} for n in range(10_000)}, "links": [[n, n] for n in range(10_000)]}
    )
    work = Work(parsing(text, dict))
    pieces = 1
    while not work.go_on(0.0):
        pieces += 1
    assert work.result == json.loads(text)
    assert pieces >= 20_000 // PIECE

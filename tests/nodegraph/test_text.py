"""No character loses a picture, a file or an exit code."""

import json

from hypothesis import given
from hypothesis import strategies as st

from nodegraph.formats import workflow
from nodegraph.graph import Graph, Node
from nodegraph.text import whole
from tests.examples import each

NASTY = [
    "half an emoji: \ud83c",
    "\udf08 the other half",
    "a pair in two halves: \ud83c\udf08",
    "halves the wrong way round: \udf08\ud83c",
    "a byte of a file name: \udcff",
    "\0",
    "\ufeff\ufffe\uffff",
    "\x1b[2J\x07\r\x85\u2028",
    "\u202eright to left",
    "🌈 猫 é ﷽",
]
"""Texts that some place cannot hold, or not as they are."""


@each("text", NASTY)
def test_what_is_whole_can_be_written_anywhere(text: str):
    assert whole(text).encode("utf-8").decode("utf-8") == whole(text)
    assert whole(text).encode("utf-16").decode("utf-16") == whole(text)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_without_halves_stays_as_it_is(text: str):
    assert whole(text) == text


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(categories=["Cs"]), min_size=1))
def test_halves_cost_nothing_but_themselves(text: str, halves: str):
    kept = whole(f"{text}|{halves}|{text}")
    assert kept.startswith(f"{text}|")
    assert kept.endswith(f"|{text}")


def joined(text: str) -> str:
    """JSON makes no difference between a character and its two halves side by side."""
    return text.replace("\ud83c\udf08", "🌈")


@each("text", NASTY)
def test_a_workflow_holds_every_text(text: str):
    graph = Graph({joined(text): Node("canvas.note", {"text": joined(text)}, title=joined(text))})
    assert workflow.loads(workflow.dumps(graph).encode()) == graph


@each("text", NASTY)
def test_json_for_scripts_is_plain_ascii(text: str):
    assert json.loads(json.dumps(text).encode("ascii")) == joined(text)

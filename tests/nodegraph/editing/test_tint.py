"""A node's own colour is kept in the document and nowhere in what is computed."""

import pytest

from nodegraph.editing.tint import tint, tint_of
from nodegraph.formats import workflow
from nodegraph.graph import Graph, Node
from tests.examples import each

GRAPH = Graph({"a": Node("toy.box", extra={"suited": {"value": 1}}), "b": Node("toy.box")}, {})


def test_a_colour_is_written_to_the_file_and_read_again():
    colored = tint(GRAPH, {"a"}, "#336699")
    read = workflow.loads(workflow.dumps(colored))
    assert [tint_of(node) for node in read.nodes.values()] == ["#336699", ""]
    assert read.nodes["a"].extra["suited"] == {"value": 1}


def test_a_colour_can_be_taken_off():
    assert tint(tint(GRAPH, {"a", "b"}, "#336699"), {"a", "b"}, "") == GRAPH


@each("wrong", ["red", "#12345", 7, None, "#gggggg", "#112233; x"])
def test_what_is_no_colour_in_a_file_is_none(wrong):
    assert tint_of(Node("toy.box", extra={"color": wrong})) == ""


def test_what_is_no_colour_is_not_set():
    with pytest.raises(ValueError, match="#rrggbb"):
        tint(GRAPH, {"a"}, "red")

"""What a workflow says of the files it needs."""

import pytest

from nodegraph.formats import workflow
from nodegraph.formats.needs import Need, needs
from nodegraph.graph import Graph, Node, Port
from tests.examples import each

GRAPH = Graph({"load": Node("x.load", {"path": "a.bin", "count": 3})})
ENTRY = {"what": "A large file", "parameter": ["load", "path"], "from": "https://example.org", "size": 5, "memory": 7}


def with_needs(*entries) -> Graph:
    return workflow.from_data({**workflow.to_data(GRAPH), "needs": [*entries]})


def test_needs_are_read_in_order_and_written_back():
    graph = with_needs(ENTRY, {"what": "Another", "parameter": ["load", "path"]})
    first = Need("A large file", Port("load", "path"), "a.bin", "https://example.org", 5, 7)
    assert needs(graph) == (first, Need("Another", Port("load", "path"), "a.bin"))
    assert needs(workflow.loads(workflow.dumps(graph))) == needs(graph)


def test_a_workflow_that_says_nothing_needs_nothing():
    assert needs(GRAPH) == ()


@each(
    ("entry", "sentence"),
    [
        ("a.bin", "needs[0] must be an object"),
        ({**ENTRY, "what": ""}, "needs[0]: 'what' must be text"),
        ({**ENTRY, "from": 3}, "needs[0]: 'from' must be text"),
        ({**ENTRY, "parameter": "load"}, "needs[0]: 'parameter' must be [node, parameter]"),
        ({**ENTRY, "parameter": ["save", "path"]}, "needs[0]: the workflow has no text 'path' of a node 'save'"),
        ({**ENTRY, "parameter": ["load", "count"]}, "needs[0]: the workflow has no text 'count' of a node 'load'"),
        ({**ENTRY, "size": -1}, "needs[0]: 'size' must be a number of bytes, got -1"),
        ({**ENTRY, "sha256": "abc"}, "needs[0]: 'sha256' must be 64 hexadecimal digits, got 'abc'"),
        ({**ENTRY, "memory": True}, "needs[0]: 'memory' must be a number of bytes, got True"),
    ],
)
def test_a_wrong_entry_is_named(entry, sentence):
    with pytest.raises(ValueError, match=r"needs\[0\]") as error:
        needs(with_needs(entry))
    assert str(error.value).replace('"', "'") == sentence


def test_needs_that_are_no_list_are_refused():
    with pytest.raises(ValueError, match="must be a list"):
        needs(Graph(extra={"needs": {"what": "x"}}))

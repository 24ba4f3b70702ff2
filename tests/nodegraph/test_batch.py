"""One picture of a batch, by the graph that makes it alone."""

from __future__ import annotations

from nodegraph.batch import alone
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Group, Node, Port
from nodegraph.group_type import document_types

REGISTRY = discover("tests.toy_nodes")


def graph(**params: float) -> Graph:
    return Graph(
        {"tray": Node("toy.tray", {"value": 1.0, **params}), "show": Node("toy.show"), "other": Node("toy.tray")},
        {Port("show", "box"): Port("tray", "tray")},
    )


def test_the_batch_is_one_and_begins_at_the_picture():
    found = alone(graph(batch=3), "show", 2, 3, REGISTRY.get)
    assert found is not None
    assert found.nodes["tray"].params == {"value": 1.0, "batch": 1, "batch_index": 2}
    assert found.nodes["other"] == graph().nodes["other"]  # it does not lead to the picture


def test_a_batch_that_began_later_goes_on_from_there():
    found = alone(graph(batch=3, batch_index=5), "show", 1, 3, REGISTRY.get)
    assert found is not None
    assert found.nodes["tray"].params["batch_index"] == 6


def test_nothing_is_told_where_the_pictures_are_not_those_of_the_batch():
    assert alone(graph(batch=3), "show", 1, 6, REGISTRY.get) is None
    assert alone(graph(batch=1), "show", 1, 3, REGISTRY.get) is None


def test_nothing_is_told_where_a_link_decides():
    linked = graph(batch=3)
    linked = Graph(linked.nodes, {**linked.links, Port("tray", "batch"): Port("other", "tray")})
    assert alone(linked, "show", 1, 3, REGISTRY.get) is None


def test_a_parameter_of_a_group_says_it_as_that_inside():
    body = Graph(
        {"in": Node("group.input"), "tray": Node("toy.tray"), "out": Node("group.output")},
        {
            Port("tray", "batch"): Port("in", "batch"),
            Port("tray", "batch_index"): Port("in", "batch_index"),
            Port("out", "tray"): Port("tray", "tray"),
        },
    )
    group = Group("Trays", body, {"batch": 4, "batch_index": 0}, ("tray",))
    nodes = {"trays": Node("group:Trays", {"batch": 2}), "show": Node("toy.show")}
    whole = Graph(nodes, {Port("show", "box"): Port("trays", "tray")}, {"Trays": group})
    found = alone(whole, "show", 1, 2, document_types(whole.groups, REGISTRY).get)
    assert found is not None
    assert found.nodes["trays"].params == {"batch": 1, "batch_index": 1}

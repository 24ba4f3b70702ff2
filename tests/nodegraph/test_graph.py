"""The pure edits of a graph, and the differences a view is given."""

from dataclasses import replace

import pytest

from nodegraph.graph import (
    Diff,
    Graph,
    Group,
    Node,
    Port,
    add_node,
    change_node,
    connect,
    diff,
    disconnect,
    fresh_id,
    move_nodes,
    remove_nodes,
    reset_param,
    set_param,
)
from tests.nodegraph.toys import zone


def test_an_edit_leaves_the_graph_before_as_it_was():
    graph = zone()
    before = (dict(graph.nodes), dict(graph.links))
    edited = set_param(remove_nodes(move_nodes(graph, {"box": (1, 1)}), ["show"]), "begin", "count", 9)
    assert edited != graph
    assert (graph.nodes, graph.links) == before


def test_an_edit_shares_what_it_does_not_touch():
    graph = zone()
    edited = set_param(graph, "begin", "count", 9)
    assert edited.links is graph.links
    assert all(edited.nodes[id] is node for id, node in graph.nodes.items() if id != "begin")


def test_removing_nodes_removes_their_links():
    links = remove_nodes(zone(), ["step"]).links
    assert not any("step" in (dst.node, src.node) for dst, src in links.items())


def test_an_input_has_one_source():
    graph = connect(zone(), Port("box", "box"), Port("show", "box"))
    assert graph.links[Port("show", "box")] == Port("box", "box")


def test_disconnecting_undoes_connecting():
    graph = Graph({"a": Node("toy.box"), "b": Node("toy.show")})
    assert disconnect(connect(graph, Port("a", "box"), Port("b", "box")), Port("b", "box")) == graph


def test_resetting_a_parameter_goes_back_to_the_default():
    graph = zone()
    assert reset_param(set_param(graph, "box", "value", 5), "box", "value") == graph


def test_a_taken_id_is_refused_and_a_fresh_one_offered():
    graph = zone()
    with pytest.raises(ValueError, match="there is already a node 'box'"):
        add_node(graph, "box", Node("toy.box"))
    assert (fresh_id(graph, "box"), fresh_id(graph, "other")) == ("box_2", "other")


def test_a_diff_names_what_a_view_must_do():
    before = zone()
    after = add_node(remove_nodes(before, ["show"]), "new", Node("toy.show"))
    after = connect(change_node(after, "box", title="Mine"), Port("end", "value"), Port("new", "box"))
    assert diff(before, after) == Diff(
        added=("new",),
        removed=("show",),
        changed=("box",),
        linked=(Port("new", "box"),),
        unlinked=(Port("show", "box"),),
    )


def test_equal_graphs_differ_in_nothing():
    graph = zone()
    assert diff(graph, graph) == Diff()


def test_a_group_with_its_inputs_in_another_order_is_another_group():
    group = Group("G", Graph(), {"a": 1, "b": 2}, ("out",))
    assert group == replace(group)
    assert group != replace(group, inputs={"b": 2, "a": 1})

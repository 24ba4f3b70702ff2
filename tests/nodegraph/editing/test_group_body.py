"""A group's body seen and edited as a graph."""

from nodegraph.editing.group_body import NEW_SOCKET, inside, wall_type, with_inside
from nodegraph.editing.grouping import make_group, ungroup
from nodegraph.graph import GROUP, Node, Port, add_node, connect, remove_nodes, set_param
from nodegraph.group_type import group_type
from nodegraph.node import REQUIRED
from tests.nodegraph.planning.test_expand import TWICE, instance
from tests.nodegraph.toys import REGISTRY, build


def unknown(_: Port) -> object:
    return REQUIRED


def test_what_is_not_changed_leaves_the_document_as_it_is():
    graph = instance()
    assert with_inside(graph, TWICE, inside(graph, TWICE), unknown) is graph


def test_an_edit_inside_changes_the_definition():
    graph = instance()
    body = set_param(inside(graph, TWICE), "one", "amount", 7.0)
    after = with_inside(graph, TWICE, body, unknown)
    assert after.groups["Twice"].graph.nodes["one"].params["amount"] == 7.0
    assert after.nodes == graph.nodes


def test_the_first_edit_of_a_group_that_ships_makes_it_the_documents_own():
    graph = build({"twice": "group:Twice"})
    after = with_inside(graph, TWICE, set_param(inside(graph, TWICE), "one", "amount", 7.0), unknown)
    assert after.groups["Twice"].graph.nodes["one"].params["amount"] == 7.0


def test_a_group_made_inside_is_defined_for_the_whole_document():
    graph = instance()
    after = with_inside(graph, TWICE, make_group(inside(graph, TWICE), ["one"], "New"), unknown)
    assert set(after.groups) == {"Twice", "New"}
    assert not after.groups["Twice"].graph.groups


def test_a_definition_that_something_uses_outlives_its_last_instance_inside():
    graph = instance()
    two = make_group(add_node(graph, "other", Node("toy.box")), ["other"], "Used")
    body = add_node(inside(two, TWICE), "again", Node(GROUP + "Used"))
    nested = with_inside(two, two.groups["Twice"], body, unknown)
    outer = nested.groups["Twice"]
    opened = ungroup(inside(nested, outer), "again")
    assert "Used" in with_inside(nested, outer, opened, unknown).groups


def test_the_walls_have_the_sockets_of_the_group_and_one_more():
    outside = group_type(TWICE, REGISTRY.get)
    entry = wall_type(REGISTRY["group.input"], outside)
    assert [o.name for o in entry.outputs] == [*TWICE.inputs, NEW_SOCKET]
    assert [o.type for o in entry.outputs][:-1] == [i.type for i in outside.inputs]
    exit = wall_type(REGISTRY["group.output"], outside)
    assert [i.name for i in exit.inputs] == [*TWICE.outputs, NEW_SOCKET]


def test_a_link_to_a_new_socket_makes_it():
    graph = instance()
    walls = {node.type: id for id, node in TWICE.graph.nodes.items()}
    body = connect(inside(graph, TWICE), Port(walls["group.input"], NEW_SOCKET), Port("two", "index"))
    after = with_inside(graph, TWICE, body, lambda _: 4).groups["Twice"]
    assert after.inputs["index"] == 4
    assert after.graph.links[Port("two", "index")] == Port(walls["group.input"], "index")
    body = connect(inside(graph, TWICE), Port("one", "box"), Port(walls["group.output"], NEW_SOCKET))
    after = with_inside(graph, TWICE, body, unknown).groups["Twice"]
    assert len(after.outputs) == len(TWICE.outputs) + 1
    assert after.graph.links[Port(walls["group.output"], after.outputs[-1])] == Port("one", "box")


def test_a_node_inside_can_go():
    graph = instance()
    after = with_inside(graph, TWICE, remove_nodes(inside(graph, TWICE), {"two"}), unknown)
    assert "two" not in after.groups["Twice"].graph.nodes

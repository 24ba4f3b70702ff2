"""Parameters that follow what a node is linked to, and those that a person has set."""

from dataclasses import replace
from typing import Any

from nodegraph.builtin import GROUP_INPUT
from nodegraph.editing.grouping import make_group
from nodegraph.editing.suit import differing, differing_inside, suit
from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port, set_param
from nodegraph.group_type import document_types

TYPES = discover("tests.toy_nodes")
BARE = Graph({"pot": Node("toy.pot")})
CLAY = {Port("pot", "clay"): Port("clay", "clay")}
HOT = {"pot": {"heat": 1200, "hours": 12}}


def suited(graph: Graph, wanted=HOT) -> Graph:
    return suit(graph, wanted, TYPES.get)


def test_what_nobody_has_set_is_set():
    assert suited(BARE).nodes["pot"].params == {"heat": 1200, "hours": 12}


def test_what_a_person_has_set_stays_even_where_it_is_the_default():
    assert suited(set_param(BARE, "pot", "heat", 900)).nodes["pot"].params == {"heat": 900, "hours": 12}


def test_what_was_set_for_the_node_follows_again_until_a_person_changes_it():
    graph = set_param(suited(BARE), "pot", "hours", 3)
    assert suited(graph, {"pot": {"heat": 1000, "hours": 10}}).nodes["pot"].params == {"heat": 1000, "hours": 3}


def test_going_back_to_the_default_leaves_nothing_behind():
    assert suited(suited(BARE), {"pot": {"heat": 900, "hours": 8}}) == BARE


def test_what_a_link_gives_is_not_set():
    linked = Graph({**BARE.nodes, "n": Node("toy.number")}, {Port("pot", "heat"): Port("n", "value")})
    assert suited(linked).nodes["pot"].params == {"hours": 12}


def test_what_the_type_does_not_take_is_not_set():
    assert suited(BARE, {"pot": {"colour": 1, "heat": 99_999}, "gone": {"heat": 1}}) == BARE


def test_whose_a_value_is_is_still_known_after_the_file_was_opened_again():
    opened = workflow.loads(workflow.dumps(suited(BARE)))
    assert suited(opened, {"pot": {"heat": 900, "hours": 8}}) == BARE


def test_a_damaged_note_of_what_was_set_counts_as_none():
    graph = Graph({"pot": Node("toy.pot", {"heat": 1200}, extra={"suited": ("heat",)})})
    assert suited(graph).nodes["pot"].params == {"heat": 1200, "hours": 12}


def test_the_parameters_that_differ_are_named_by_what_they_come_to():
    assert differing(BARE, set_param(BARE, "pot", "heat", 900), TYPES.get) == ()
    assert differing(BARE, suited(BARE), TYPES.get) == ("heat", "hours")


KILN = make_group(Graph({"clay": Node("toy.clay"), "pot": Node("toy.pot")}, CLAY), {"pot"}, "Kiln")
WITHIN = {"kiln/pot": {"heat": 1200, "hours": 12}}


def inside(graph: Graph, group: str = "Kiln", id: str = "pot") -> dict[str, Any]:
    return dict(graph.groups[group].graph.nodes[id].params)


def exposed(graph: Graph, name: str, socket: str) -> Graph:
    """With an input of the group that feeds a parameter of the pot."""
    group = graph.groups["Kiln"]
    entry = next(id for id, node in group.graph.nodes.items() if node.type == GROUP_INPUT)
    body = replace(group.graph, links={**group.graph.links, Port("pot", name): Port(entry, socket)})
    return replace(graph, groups={"Kiln": replace(group, graph=body, inputs={**group.inputs, socket: 900})})


def test_inside_a_group_the_rule_is_the_same():
    assert inside(suited(KILN, WITHIN)) == {"heat": 1200, "hours": 12}
    assert suited(suited(KILN, WITHIN), {"kiln/pot": {"heat": 900, "hours": 8}}) == KILN


def test_a_group_that_ships_is_not_made_the_documents_own():
    shipped = replace(KILN, groups={})
    assert suited(shipped, WITHIN) == shipped


def test_a_body_that_instances_share_is_set_only_to_what_suits_all_of_them():
    both = replace(KILN, nodes={**KILN.nodes, "other": Node("group:Kiln")})
    apart = {"kiln/pot": {"heat": 1200, "hours": 12}, "other/pot": {"heat": 1000, "hours": 12}}
    assert inside(suited(both, apart)) == {"hours": 12}
    kept = {"other/pot": {"heat": 1000, "hours": 12}}
    assert inside(suit(both, WITHIN, TYPES.get, kept)) == {"hours": 12}
    assert suit(both, {}, TYPES.get, kept) == both  # they are what they were


def test_what_the_group_takes_from_outside_is_set_there_for_each_instance():
    both = exposed(replace(KILN, nodes={**KILN.nodes, "other": Node("group:Kiln")}), "heat", "degrees")
    made = suit(both, WITHIN, document_types(both.groups, TYPES).get, {"other/pot": {"heat": 1000}})
    assert made.nodes["kiln"].params == {"degrees": 1200}
    assert made.nodes["other"].params == {}
    assert inside(made) == {"hours": 12}


def test_what_a_person_had_set_before_it_became_an_input_of_the_group_stays():
    group = KILN.groups["Kiln"]
    own = replace(KILN, groups={"Kiln": replace(group, graph=set_param(group.graph, "pot", "heat", 1000))})
    graph = exposed(own, "heat", "degrees")
    made = suit(graph, WITHIN, document_types(graph.groups, TYPES).get)
    assert made.nodes["kiln"].params == {}


def test_through_two_walls_it_comes_to_the_outermost():
    outer = make_group(exposed(KILN, "heat", "degrees"), {"kiln"}, "Shed")
    shed = outer.groups["Shed"]
    entry = next(id for id, node in shed.graph.nodes.items() if node.type == GROUP_INPUT)
    body = replace(shed.graph, links={**shed.graph.links, Port("kiln", "degrees"): Port(entry, "warm")})
    shed = replace(shed, graph=body, inputs={**shed.inputs, "warm": 900})
    graph = replace(outer, groups={**outer.groups, "Shed": shed})
    made = suit(graph, {"shed/kiln/pot": {"heat": 1200}}, document_types(graph.groups, TYPES).get)
    assert made.nodes["shed"].params == {"warm": 1200}
    assert made.groups == graph.groups


def test_what_differs_inside_groups_is_named_with_the_group():
    made = suited(KILN, WITHIN)
    assert differing(KILN, made, TYPES.get) == ()
    assert differing_inside(KILN, made, TYPES.get) == {"Kiln": ("heat", "hours")}

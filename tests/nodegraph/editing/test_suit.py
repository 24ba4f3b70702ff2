"""Parameters that follow what a node is linked to, and those that a person has set."""

from nodegraph.editing.suit import differing, suit
from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port, set_param

TYPES = discover("tests.toy_nodes")
BARE = Graph({"pot": Node("toy.pot")})
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

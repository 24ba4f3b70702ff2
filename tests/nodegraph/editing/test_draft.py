"""The cheaper graph for the time a slider is held."""

from typing import Annotated, Literal

import pytest

from nodegraph.editing.draft import draft
from nodegraph.graph import Graph, Group, Node, Port
from nodegraph.node import Draft, NodeType, node


@node("local.schedule")
def schedule(steps: Annotated[int, Draft(8)] = 20, rho: float = 7.0) -> int:
    return steps


def type_of(id: str) -> NodeType | None:
    return schedule.node_type if id == "local.schedule" else None  # type: ignore[attr-defined]


def steps(graph: Graph) -> object:
    return draft(graph, type_of).nodes["s"].params.get("steps")


def test_more_than_the_limit_is_lowered_also_when_it_is_the_default():
    assert steps(Graph({"s": Node("local.schedule", {"steps": 50})})) == 8
    assert steps(Graph({"s": Node("local.schedule")})) == 8


def test_less_than_the_limit_stays():
    graph = Graph({"s": Node("local.schedule", {"steps": 4, "rho": 20.0})})
    assert draft(graph, type_of) == graph


def test_what_is_no_number_is_left_for_planning_to_complain_about():
    graph = Graph({"s": Node("local.schedule", {"steps": "many"})})
    assert draft(graph, type_of) == graph


def test_what_a_link_decides_is_left_alone():
    graph = Graph({"s": Node("local.schedule", {"steps": 50})}, {Port("s", "steps"): Port("other", "value")})
    assert draft(graph, type_of) == graph


def test_the_groups_of_the_document_are_lowered_as_well():
    body = Graph({"s": Node("local.schedule", {"steps": 50})})
    lowered = draft(Graph(groups={"Twice": Group("Twice", body, {}, ())}), type_of)
    assert lowered.groups["Twice"].graph.nodes["s"].params == {"steps": 8}


QUICKER = Draft(instead=(("exact", 3.0, "quick"), ("exact", 1.0, "careful")), by="strength")


@node("local.solve")
def solve(solver: Annotated[Literal["quick", "careful", "exact"], QUICKER] = "exact", strength: float = 4.0) -> int:
    return 0


def both(id: str) -> NodeType | None:
    return solve.node_type if id == "local.solve" else type_of(id)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("count", "solver"), [(20, "quick"), (8, "exact")])
def test_a_choice_gives_way_only_where_there_is_less_of_something(count: int, solver: str):
    graph = Graph({"s": Node("local.schedule", {"steps": count}), "d": Node("local.solve")})
    assert draft(graph, both).nodes["d"].params.get("solver", "exact") == solver


def test_a_choice_that_nothing_takes_the_place_of_stays():
    graph = Graph({"s": Node("local.schedule"), "d": Node("local.solve", {"solver": "quick"})})
    assert draft(graph, both).nodes["d"] == graph.nodes["d"]


def test_a_choice_inside_a_group_gives_way_to_fewer_steps_outside():
    body = Graph({"d": Node("local.solve")})
    graph = Graph({"s": Node("local.schedule")}, groups={"Denoise": Group("Denoise", body, {}, ())})
    assert draft(graph, both).groups["Denoise"].graph.nodes["d"].params == {"solver": "quick"}


@pytest.mark.parametrize(("strength", "solver"), [(0.5, "exact"), (1.0, "careful"), (2.9, "careful"), (3.0, "quick")])
def test_what_takes_the_place_of_a_choice_goes_by_another_parameter(strength: float, solver: str):
    graph = Graph({"s": Node("local.schedule"), "d": Node("local.solve", {"strength": strength})})
    assert draft(graph, both).nodes["d"].params.get("solver", "exact") == solver


def test_where_the_other_parameter_comes_by_a_link_the_first_choice_counts():
    nodes = {"s": Node("local.schedule"), "d": Node("local.solve", {"strength": 0.0})}
    graph = Graph(nodes, {Port("d", "strength"): Port("s", "value")})
    assert draft(graph, both).nodes["d"].params["solver"] == "quick"

"""What becomes of seeds before a run."""

from dataclasses import replace
from typing import Annotated, Any

import pytest

from nodegraph.editing.seeds import with_new_seeds, with_seeds_of
from nodegraph.graph import Graph, Group, Node, Port
from nodegraph.node import NodeType, Range, Seed, node


@node("local.dice")
def dice(seed: Annotated[int, Range(0, 9), Seed()] = 0, sides: int = 6) -> int:
    return seed % sides


def type_of(id: str) -> NodeType | None:
    return dice.node_type if id == "local.dice" else None  # type: ignore[attr-defined]


def rolled(node: Node, **links: Port) -> Node:
    graph = Graph({"dice": node}, {Port("dice", name): src for name, src in links.items()})
    return with_new_seeds(graph, type_of, lambda limit: 5).nodes["dice"]


@pytest.mark.parametrize(("mode", "seed"), [("fixed", 3), ("increment", 4), ("random", 5)])
def test_the_mode_of_a_node_decides_its_next_seed(mode: Any, seed: int):
    assert rolled(Node("local.dice", {"seed": 3}, seed_mode=mode)).params == {"seed": seed}


def test_a_seed_that_was_never_set_counts_up_from_its_default():
    assert rolled(Node("local.dice", seed_mode="increment")).params == {"seed": 1}


def test_counting_up_begins_again_after_the_largest_seed():
    assert rolled(Node("local.dice", {"seed": 9}, seed_mode="increment")).params == {"seed": 0}


def test_a_seed_that_is_no_number_is_left_for_planning_to_complain_about():
    node = Node("local.dice", {"seed": "seven"}, seed_mode="increment")
    assert rolled(node) == node


def test_a_linked_seed_is_left_alone():
    node = Node("local.dice", {"seed": 3}, seed_mode="random")
    assert rolled(node, seed=Port("other", "value")) == node


def test_seeds_in_the_groups_of_a_document_are_new_as_well():
    body = Graph({"dice": Node("local.dice", {"seed": 3}, seed_mode="increment")})
    graph = Graph(groups={"Dice": Group("Dice", body, {}, ())})
    after = with_new_seeds(graph, type_of, lambda limit: 5)
    assert after.groups["Dice"].graph.nodes["dice"].params == {"seed": 4}


def test_a_graph_without_changing_seeds_stays_as_it_is():
    graph = Graph({"dice": Node("local.dice", {"seed": 3}), "gone": Node("not.installed", seed_mode="random")})
    assert with_new_seeds(graph, type_of, lambda limit: 5) == graph


def test_the_seeds_of_an_earlier_graph_are_put_back_and_kept():
    earlier = Graph({"dice": Node("local.dice", {"seed": 3, "sides": 6}, seed_mode="random")})
    now = Graph(
        {
            "dice": replace(earlier.nodes["dice"], params={"seed": 8, "sides": 20}),
            "new": Node("local.dice", {"seed": 1}, seed_mode="random"),
        }
    )
    after = with_seeds_of(now, earlier, type_of)
    assert after.nodes["dice"] == Node("local.dice", {"seed": 3, "sides": 20})
    assert after.nodes["new"] == now.nodes["new"]

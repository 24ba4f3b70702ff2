"""Edits that people make by hand on wires and nodes."""

import pytest

from nodegraph.editing import wires
from nodegraph.graph import Graph, Port
from nodegraph.planning.plan import plan
from tests.nodegraph.toys import REGISTRY, build, result

CHAIN = build(
    {"box": "toy.box", "one": "toy.step", "two": "toy.step", "show": "toy.show"},
    "box.box > one.box",
    "one.box > two.box",
    "two.box > show.box",
)
TYPES = {id: REGISTRY[node.type] for id, node in CHAIN.nodes.items()}


def test_deleting_and_healing_links_what_came_before_to_what_came_after():
    assert wires.remove_and_heal(CHAIN, {"one"}, TYPES).links[Port("two", "box")] == Port("box", "box")
    assert wires.remove_and_heal(CHAIN, {"one", "two"}, TYPES).links == {Port("show", "box"): Port("box", "box")}


def test_nothing_is_healed_where_nothing_fits():
    assert wires.remove_and_heal(CHAIN, {"box"}, TYPES).links == {
        Port("two", "box"): Port("one", "box"),
        Port("show", "box"): Port("two", "box"),
    }


def test_the_walls_of_a_group_are_not_deleted():
    body = build({"in": "group.input", "step": "toy.step", "out": "group.output"}, "in.box > step.box")
    assert set(wires.remove(body, body.nodes).nodes) == {"in", "out"}
    assert set(wires.remove_and_heal(body, body.nodes, {"step": REGISTRY["toy.step"]}).nodes) == {"in", "out"}


def test_a_mode_is_given_to_all_and_then_taken_from_all():
    once = wires.set_mode(CHAIN, {"one"}, "muted")
    both = wires.set_mode(once, {"one", "two"}, "muted")
    assert {both.nodes[id].mode for id in ("one", "two")} == {"muted"}
    assert wires.set_mode(both, {"one", "two"}, "muted") == CHAIN


def test_a_node_goes_into_a_wire():
    graph = build({**{id: n.type for id, n in CHAIN.nodes.items()}, "new": "toy.step"})
    graph = Graph(graph.nodes, CHAIN.links)
    after = wires.insert_on_link(graph, "new", Port("two", "box"), "box", "box")
    assert after.links[Port("two", "box")] == Port("new", "box")
    assert after.links[Port("new", "box")] == Port("one", "box")


def test_a_reroute_changes_no_result():
    bent = wires.add_reroute(CHAIN, Port("two", "box"), (50, 60))
    assert bent.nodes["reroute"].pos == (50, 60)
    assert set(plan(bent, REGISTRY).calls) == set(plan(CHAIN, REGISTRY).calls)


def test_inputs_swap_their_wires_also_when_one_is_open():
    graph = build({"a": "toy.box", "b": "toy.box", "sum": "toy.add"}, "a.box > sum.a", "b.box > sum.b")
    a, b = Port("sum", "a"), Port("sum", "b")
    assert wires.swap_inputs(graph, a, b).links == {a: Port("b", "box"), b: Port("a", "box")}
    half = build({"a": "toy.box", "sum": "toy.add"}, "a.box > sum.a")
    assert wires.swap_inputs(half, a, b).links == {b: Port("a", "box")}


def test_a_variable_changes_no_result():
    named = wires.make_variable(CHAIN, Port("one", "box"), "base", (0, 0), {Port("two", "box"): (9, 9)})
    assert wires.variables(named) == ("base",)
    assert named.links[Port("two", "box")] == Port("get_variable", "value")
    assert result(named, "two") == result(CHAIN, "two")


@pytest.mark.parametrize(("name", "message"), [("", "a variable needs a name"), ("base", "already a variable 'base'")])
def test_a_variable_without_a_name_of_its_own_is_refused(name: str, message: str):
    graph = wires.make_variable(CHAIN, Port("one", "box"), "base", (0, 0), {})
    with pytest.raises(ValueError, match=message):
        wires.make_variable(graph, Port("two", "box"), name, (0, 0), {})

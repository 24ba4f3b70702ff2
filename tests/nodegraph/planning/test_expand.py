"""Groups, mute and bypass, as planning sees them."""

from typing import Any

import pytest

from nodegraph.graph import Graph, Group, Node, Port, add_node, change_node, connect, disconnect, set_param
from nodegraph.group_type import document_types, group_type
from nodegraph.node import REQUIRED, Range
from nodegraph.planning.expand import expand
from nodegraph.planning.plan import Planner, plan
from tests.nodegraph.toys import REGISTRY, Box, build, extend, result, sentences, zone

TWICE = Group(
    "Twice",
    build(
        {"in": "group.input", "one": "toy.step", "two": "toy.step", "out": "group.output"},
        *("in.box > one.box", "in.amount > one.amount", "in.amount > two.amount"),
        *("one.box > two.box", "two.box > out.box", "one.box > out.halfway"),
    ),
    {"box": REQUIRED, "amount": 1.0},
    ("box", "halfway"),
    "Two steps.",
)


def instance(**params: Any) -> Graph:
    return build(
        {"box": "toy.box", "twice": ("group:Twice", params), "show": "toy.show"},
        "box.box > twice.box",
        "twice.box > show.box",
        groups=(TWICE,),
    )


def test_a_group_computes_what_its_body_does():
    assert result(instance(amount=3), "twice").value == (1 * 2 + 3) * 2 + 3


def test_inner_nodes_are_named_after_the_instance():
    assert [call.node for call in plan(instance(), REGISTRY, ["show"]).calls.values()] == [
        "box",
        "twice/one",
        "twice/two",
        "show",
    ]


def test_an_input_of_a_group_without_link_or_value_has_the_default_of_the_group():
    assert result(instance(), "twice").value == (1 * 2 + 1) * 2 + 1


def test_a_group_and_its_body_in_the_open_have_the_same_keys():
    graph = build({"box": "toy.box", "a": "toy.step", "b": "toy.step"}, "box.box > a.box", "a.box > b.box")
    assert set(plan(graph, REGISTRY).calls) == set(plan(instance(), REGISTRY, ["twice"]).calls)


def test_an_instance_leads_to_what_its_outputs_are_made_of():
    planned = plan(instance(), REGISTRY, ["twice"])
    assert planned.roots("twice") == (planned.keys["twice/two"], planned.keys["twice/one"])


def test_an_edit_of_an_instance_plans_its_body_again():
    planner = Planner(REGISTRY)
    planner.plan(instance(), ["show"])
    edited = planner.plan(set_param(instance(), "twice", "amount", 3), ["show"])
    assert edited == plan(instance(amount=3), REGISTRY, ["show"])


def test_incremental_edit_of_the_same_document_reaches_into_the_group():
    planner = Planner(REGISTRY)
    graph = instance()
    planner.plan(graph, ["show"])
    edited = set_param(graph, "twice", "amount", 3)
    assert planner.plan(edited, ["show"]).calls == plan(edited, REGISTRY, ["show"]).calls


def outer_group() -> Group:
    body = build(
        {"in": "group.input", "a": "group:Twice", "b": "group:Twice", "out": "group.output"},
        *("in.box > a.box", "a.box > b.box", "b.box > out.box", "in.amount > b.amount"),
    )
    return Group("Four", body, {"box": REQUIRED, "amount": 0.0}, ("box",))


def test_groups_nest():
    graph = build({"box": "toy.box", "four": "group:Four"}, "box.box > four.box", groups=(TWICE, outer_group()))
    assert result(graph, "four").value == ((1 * 2 + 1) * 2 + 1) * 4
    assert "four/b/two" in plan(graph, REGISTRY).keys


def test_problems_of_an_input_that_comes_from_outside_are_shown_outside():
    graph = build({"four": ("group:Four", {"amount": "much"})}, groups=(TWICE, outer_group()))
    assert set(sentences(plan(graph, REGISTRY, ["four"]))) == {
        ("four", "box", "box is not connected"),
        ("four", "amount", "amount takes Number, not 'much'"),
    }


def test_a_wrong_value_on_a_link_into_a_group_is_shown_at_the_group():
    graph = connect(add_node(instance(), "text", Node("plain.choose")), Port("text", "value"), Port("twice", "amount"))
    assert sentences(plan(graph, REGISTRY, ["show"])) == [("twice", "amount", "amount takes Number, not Text")]


def test_a_wrong_value_of_an_instance_is_told_by_the_name_of_the_group_s_socket():
    body = build({"in": "group.input", "step": "toy.step"}, "in.strength > step.amount", "in.box > step.box")
    group = Group("Strong", body, {"box": REQUIRED, "strength": 1.0}, ())
    graph = build({"strong": ("group:Strong", {"strength": "much"})}, groups=(group,))
    assert set(sentences(plan(graph, REGISTRY))) == {
        ("strong", "box", "box is not connected"),
        ("strong", "strength", "strength takes Number, not 'much'"),
    }
    text = extend(graph, {"box": "toy.box", "text": "plain.choose", "any": "logic.switch"}, "box.box > strong.box")
    linked = extend(text, {}, "text.value > strong.strength")
    assert sentences(plan(linked, REGISTRY)) == [("strong", "strength", "strength takes Number, not Text")]
    passed = extend(text, {}, "text.value > any.if_true", "any.value > strong.strength")
    assert sentences(plan(passed, REGISTRY)) == [("strong", "strength", "strength takes Number, not 'linear'")]


def test_a_body_that_takes_what_its_group_has_not_is_a_problem():
    body = build({"in": "group.input", "step": "toy.step"}, "in.lost > step.box")
    graph = build({"odd": "group:Odd"}, groups=(Group("Odd", body, {}, ()),))
    assert sentences(plan(graph, REGISTRY)) == [("odd", "lost", "lost is not connected")]


@pytest.mark.parametrize("links", [[], ["box.lid > out.box"]], ids=["none", "of a socket that is not there"])
def test_an_output_of_a_group_that_comes_from_nowhere_is_a_problem_for_who_takes_it(links: list[str]):
    group = Group("Odd", build({"box": "toy.box", "out": "group.output"}, *links), {}, ("box",))
    graph = build({"odd": "group:Odd", "show": "toy.show"}, "odd.box > show.box", groups=(group,))
    lid = ("show", "box", "box: 'odd/box' has no output 'lid'")
    assert sentences(plan(graph, REGISTRY, ["show"])) == [lid if links else ("odd/out", "box", "box is not connected")]
    planned = plan(graph, REGISTRY, ["odd"])
    assert (planned.problems, planned.roots("odd")) == ((), ())


def test_a_group_without_an_output_node_makes_nothing():
    group = Group("Odd", build({"box": "toy.box"}), {}, ("box",))
    graph = build({"odd": "group:Odd", "show": "toy.show"}, "odd.box > show.box", groups=(group,))
    assert sentences(plan(graph, REGISTRY, ["show", "odd"])) == [("show", "box", NOT_CONNECTED)]


def test_a_plain_value_that_goes_straight_through_a_group_comes_from_no_node_of_it():
    group = Group("Through", build({"in": "group.input", "out": "group.output"}, "in.x > out.y"), {"x": 2.0}, ("y",))
    graph = build({"through": "group:Through", "box": "toy.box"}, "through.y > box.value", groups=(group,))
    assert expand(graph, document_types(graph.groups, REGISTRY).get).exits == {"through": ()}
    assert result(graph, "box").value == 2.0


def test_what_is_wrong_behind_a_reroute_is_said_where_the_value_is_taken():
    nodes = {"text": "plain.choose", "dot": "canvas.reroute", "more": "canvas.reroute", "show": "toy.show"}
    graph = build(nodes, "text.value > dot.value", "dot.value > more.value", "more.value > show.box")
    assert sentences(plan(graph, REGISTRY, ["show"])) == [("show", "box", "box takes Box, not Text")]
    loose = disconnect(graph, Port("dot", "value"))
    assert sentences(plan(loose, REGISTRY, ["show"])) == [("show", "box", NOT_CONNECTED)]


def test_a_group_that_contains_itself_is_a_problem():
    body = build({"in": "group.input", "me": "group:Me", "out": "group.output"}, "in.box > me.box", "me.box > out.box")
    graph = build(
        {"box": "toy.box", "me": "group:Me", "show": "toy.show"},
        "box.box > me.box",
        "me.box > show.box",
        groups=(Group("Me", body, {"box": REQUIRED}, ("box",)),),
    )
    assert sentences(plan(graph, REGISTRY, ["show"])) == [("me", None, "the group 'Me' contains itself")]


def test_a_group_may_hold_a_zone():
    body = build(
        {"in": "group.input", "begin": "repeat.begin", "step": "toy.step", "end": "repeat.end", "out": "group.output"},
        *("in.box > begin.initial", "in.count > begin.count", "begin.state > step.box", "begin.zone > end.zone"),
        *("step.box > end.next", "end.value > out.box"),
    )
    group = Group("Loop", body, {"box": REQUIRED, "count": 2}, ("box",))
    graph = build({"box": "toy.box", "loop": ("group:Loop", {"count": 3})}, "box.box > loop.box", groups=(group,))
    assert result(graph, "loop") == result(zone(3), "end")
    shown = group_type(group, REGISTRY.get)
    assert [(i.name, i.type, i.default) for i in shown.inputs] == [("box", Box, REQUIRED), ("count", int, 2)]
    assert shown.inputs[1].get(Range) == Range(0, 10_000)
    assert [(o.name, o.type) for o in shown.outputs] == [("box", Box)]


def test_a_group_that_ships_is_in_the_registry():
    shipped = {**REGISTRY, "group:Twice": group_type(TWICE, REGISTRY.get)}
    graph = Graph(instance().nodes, instance().links)
    assert plan(graph, shipped, ["show"]) == plan(instance(), REGISTRY, ["show"])


def test_an_unused_input_and_an_unfed_output_take_anything():
    group = Group("Odd", build({"in": "group.input", "out": "group.output"}), {"x": REQUIRED}, ("y",))
    shown = group_type(group, REGISTRY.get)
    assert (shown.inputs[0].type, shown.outputs[0].type) == (Any, Any)


def test_a_muted_node_is_as_good_as_not_there():
    graph = change_node(instance(), "box", mode="muted")
    assert sentences(plan(graph, REGISTRY, ["show"])) == [("twice", "box", NOT_CONNECTED)]


NOT_CONNECTED = "box is not connected: what it is linked to is muted, bypassed or linked to nothing"


def test_a_muted_reroute_passes_nothing_on():
    graph = build(
        {"box": "toy.box", "dot": "canvas.reroute", "step": "toy.step"}, "box.box > dot.value", "dot.value > step.box"
    )
    assert sentences(plan(graph, REGISTRY, ["step"])) == []
    muted = change_node(graph, "dot", mode="muted")
    assert sentences(plan(muted, REGISTRY, ["step"])) == [("step", "box", NOT_CONNECTED)]


@pytest.mark.parametrize("node", ["set", "get"])
def test_a_muted_variable_passes_nothing_on(node: str):
    graph = build(
        {"box": "toy.box", "set": ("variable.set", {"name": "b"}), "get": ("variable.get", {"name": "b"})}
        | {"step": "toy.step"},
        *("box.box > set.value", "get.value > step.box"),
    )
    assert sentences(plan(graph, REGISTRY, ["step"])) == []
    muted = change_node(graph, node, mode="muted")
    assert sentences(plan(muted, REGISTRY, ["step"])) == [("step", "box", NOT_CONNECTED)]


def test_a_graph_in_which_every_node_is_muted_computes_nothing():
    graph = change_node(build({"box": "toy.box"}), "box", mode="muted")
    assert plan(graph, REGISTRY).calls == {}


@pytest.mark.parametrize("mode", ["muted", "bypassed"])
def test_nothing_inside_a_group_that_is_not_on_is_planned(mode: str):
    planned = plan(change_node(instance(amount="much"), "twice", mode=mode), REGISTRY)
    assert {call.node for call in planned.calls.values()} <= {"box", "show"}
    assert {problem.node for problem in planned.problems} <= {"show"}


def test_a_muted_sink_is_no_target():
    graph = change_node(instance(), "show", mode="muted")
    assert plan(graph, REGISTRY, ["show"]).calls == {}


def test_a_bypassed_node_passes_its_first_input_that_fits():
    graph = build(
        {"box": "toy.box", "bag": "toy.remember", "show": "toy.show", "step": "toy.step"},
        *("box.box > step.box", "step.box > show.box", "box.box > bag.box"),
    )
    graph = change_node(graph, "step", mode="bypassed")
    planned = plan(graph, REGISTRY, ["show"])
    assert [call.node for call in planned.calls.values()] == ["box", "show"]


def test_a_bypassed_switch_passes_a_branch_and_not_its_condition():
    graph = build(
        {"box": "toy.box", "switch": "logic.switch", "show": "toy.show"},
        *("box.box > switch.if_true", "switch.value > show.box"),
    )
    graph = change_node(graph, "switch", mode="bypassed")
    assert sentences(plan(graph, REGISTRY, ["show"])) == []


def test_a_bypassed_node_passes_its_own_plain_value_too():
    graph = build({"half": ("plain.divide", {"a": 5}), "box": "toy.box"}, "half.value > box.value")
    assert result(change_node(graph, "half", mode="bypassed"), "box").value == 5


def test_a_chain_of_bypassed_nodes_of_any_length():
    nodes = {f"s{i}": Node("toy.step", mode="bypassed") for i in range(2000)}
    links = {Port(f"s{i + 1}", "box"): Port(f"s{i}", "box") for i in range(1999)}
    graph = Graph({"box": Node("toy.box"), **nodes}, {Port("s0", "box"): Port("box", "box"), **links})
    graph = connect(add_node(graph, "show", Node("toy.show")), Port("s1999", "box"), Port("show", "box"))
    assert len(plan(graph, REGISTRY, ["show"]).calls) == 2


def test_a_bypassed_group_passes_its_input():
    assert len(plan(change_node(instance(), "twice", mode="bypassed"), REGISTRY, ["show"]).calls) == 2


def test_a_node_that_is_bypassed_and_not_installed_passes_nothing():
    graph = build({"x": "acme.mystery", "show": "toy.show", "box": "toy.box"}, "box.box > x.box", "x.box > show.box")
    graph = change_node(graph, "x", mode="bypassed")
    message = "box is not connected: what it is linked to is muted, bypassed or linked to nothing"
    assert sentences(plan(graph, REGISTRY, ["show"])) == [("show", "box", message)]


def test_unlinking_inside_a_group_is_a_problem_inside_it():
    body = disconnect(TWICE.graph, Port("two", "box"))
    group = Group("Twice", body, TWICE.inputs, TWICE.outputs)
    graph = build({"box": "toy.box", "twice": "group:Twice"}, "box.box > twice.box", groups=(group,))
    assert sentences(plan(graph, REGISTRY, ["twice"])) == [("twice/two", "box", "box is not connected")]


def test_reroutes_and_variables_change_no_key():
    plain = build({"box": "toy.box", "step": "toy.step"}, "box.box > step.box")
    bent = build(
        {"box": "toy.box", "dot": "canvas.reroute", "set": ("variable.set", {"name": "b"})}
        | {"get": ("variable.get", {"name": "b"}), "step": "toy.step"},
        *("box.box > dot.value", "dot.value > set.value", "get.value > step.box"),
    )
    assert set(plan(bent, REGISTRY, ["step"]).calls) == set(plan(plain, REGISTRY, ["step"]).calls)


def test_a_variable_without_a_name_is_the_one_whose_name_is_empty():
    graph = build(
        {"box": "toy.box", "set": ("variable.set", {"name": ""}), "get": "variable.get", "step": "toy.step"},
        *("box.box > set.value", "get.value > step.box"),
    )
    assert plan(graph, REGISTRY, ["step"]).problems == ()


def test_a_variable_that_is_not_set_or_set_twice_is_a_problem():
    graph = build({"get": ("variable.get", {"name": "b"}), "step": "toy.step"}, "get.value > step.box")
    assert sentences(plan(graph, REGISTRY, ["step"])) == [("get", None, "no variable 'b' is set in this graph")]
    setters = build(
        {"box": "toy.box", "one": ("variable.set", {"name": "b"}), "two": ("variable.set", {"name": "b"})}
        | {"get": ("variable.get", {"name": "b"}), "step": "toy.step"},
        *("box.box > one.value", "box.box > two.value", "get.value > step.box"),
    )
    assert sentences(plan(setters, REGISTRY, ["step"])) == [("get", None, "the variable 'b' is set more than once")]


def test_an_edit_of_a_variable_s_name_is_planned():
    planner = Planner(REGISTRY)
    graph = build(
        {"box": "toy.box", "set": ("variable.set", {"name": "b"}), "get": ("variable.get", {"name": "c"})}
        | {"step": "toy.step"},
        *("box.box > set.value", "get.value > step.box"),
    )
    assert planner.plan(graph, ["step"]).problems
    graph = set_param(graph, "get", "name", "b")
    assert not planner.plan(graph, ["step"]).problems


def test_reroutes_in_a_circle_lead_to_nothing():
    graph = build(
        {"one": "canvas.reroute", "two": "canvas.reroute", "step": "toy.step"},
        *("one.value > two.value", "two.value > one.value", "two.value > step.box"),
    )
    assert plan(graph, REGISTRY, ["step"]).problems


def test_annotations_are_never_planned():
    planner = Planner(REGISTRY)
    graph = build({"box": "toy.box", "note": ("canvas.note", {"text": "a"}), "frame": "canvas.frame"})
    assert set(planner.plan(graph).keys) == {"box"}
    assert set(planner.plan(set_param(graph, "note", "text", "b")).keys) == {"box"}
    alone = plan(build({"note": ("canvas.note", {"text": "a"})}), REGISTRY)
    assert (alone.calls, alone.keys, alone.problems) == ({}, {}, ())

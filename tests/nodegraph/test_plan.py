"""What the planner promises: keys, folding, zones, switches, problems, and as little work as the edit asks for."""

import os
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodegraph.graph import Node, Port, add_node, change_node, disconnect, move_nodes, remove_nodes, set_param
from nodegraph.keys import call_key, fingerprint, refs
from nodegraph.plan import Planner, Ref, plan
from tests.nodegraph.test_expand import TWICE
from tests.nodegraph.toys import REGISTRY, build, extend, result, run, schedule, sentences, zone


def key(graph, id, **options):
    planned = plan(graph, REGISTRY, [id], **options)
    assert not planned.problems
    return planned.keys[id]


BOX = build({"box": ("toy.box", {"value": 7})})


# --- keys ---


def test_a_key_does_not_mention_id_title_or_position():
    other = build({"another": ("toy.box", {"value": 7})})
    other = change_node(other, "another", title="Mine", pos=(5.0, 5.0), extra={"note": 1})
    assert key(BOX, "box") == key(other, "another")


def test_an_integer_in_a_number_socket_is_the_same_number():
    assert key(BOX, "box") == key(set_param(BOX, "box", "value", 7.0), "box")


def test_a_key_depends_on_the_value_and_on_the_environment():
    assert key(BOX, "box") != key(set_param(BOX, "box", "value", 8), "box")
    assert key(BOX, "box") != key(BOX, "box", environment="cuda")


def test_a_key_depends_on_the_version_of_the_node():
    newer = {**REGISTRY, "toy.box": replace(REGISTRY["toy.box"], version=2)}
    assert plan(BOX, newer).keys["box"] != key(BOX, "box")


def test_two_nodes_that_compute_the_same_are_one_call():
    graph = build({"a": "toy.box", "b": "toy.box", "sum": "toy.add"}, "a.box > sum.a", "b.box > sum.b")
    planned = plan(graph, REGISTRY)
    assert planned.keys["a"] == planned.keys["b"]
    assert len(planned.calls) == 2


def test_a_text_cannot_imitate_another_argument():
    type = REGISTRY["plain.choose"]
    assert call_key(type, {"kind": "a\ntext='b'"}, "", {}) != call_key(type, {"kind": "a", "text": "b"}, "", {})
    assert call_key(type, {"text": "@k.box"}, "", {}) != call_key(type, {"text": Ref("k", "box")}, "", {})


def test_a_file_that_changes_changes_the_key(tmp_path):
    path = tmp_path / "number.txt"
    path.write_text("1")
    graph = build({"read": ("toy.read", {"path": str(path)})})
    planner = Planner(REGISTRY)
    before = planner.plan(graph).keys["read"]
    assert planner.plan(graph).keys["read"] == before
    path.write_text("22")
    assert planner.plan(graph).keys["read"] != before


def test_a_file_that_changes_is_folded_again(tmp_path):
    path = tmp_path / "text.txt"
    graph = build({"read": ("plain.first_line", {"path": str(path)})})
    planner = Planner(REGISTRY)
    assert planner.plan(graph).problems[0].message == f"No such file or directory: {path}"
    path.write_text("here")
    assert planner.plan(graph).problems == ()


def test_a_folder_is_known_by_its_files_two_levels_deep(tmp_path):
    (tmp_path / "unet").mkdir()
    weights = tmp_path / "unet" / "weights.bin"
    weights.write_bytes(b"1")
    graph = build({"read": ("toy.read", {"path": str(tmp_path)})})
    planner = Planner(REGISTRY)
    before = planner.plan(graph).keys["read"]
    os.utime(weights, (1, 1))
    assert planner.plan(graph).keys["read"] != before


def test_a_relative_path_is_looked_up_in_the_program_too(tmp_path, monkeypatch):
    here = fingerprint("pyproject.toml")
    monkeypatch.chdir(tmp_path)
    assert fingerprint("pyproject.toml") == here != ()
    (tmp_path / "pyproject.toml").write_text("")
    assert fingerprint("pyproject.toml")[0] == 0


# --- folding ---


def test_plain_nodes_are_no_calls_and_their_values_enter_the_keys():
    graph = build({"half": ("plain.divide", {"a": 14, "b": 2}), "box": "toy.box"}, "half.value > box.value")
    planned = plan(graph, REGISTRY, ["box"])
    assert [call.node for call in planned.calls.values()] == ["box"]
    assert planned.keys["box"] == key(BOX, "box")


def test_a_sentence_from_a_plain_node_is_a_problem_of_that_node():
    graph = build({"half": ("plain.divide", {"b": 0}), "box": "toy.box"}, "half.value > box.value")
    assert sentences(plan(graph, REGISTRY, ["box"])) == [("half", None, "cannot divide by 0")]


def test_a_bug_in_a_plain_node_is_a_problem_too():
    graph = build({"list": "plain.countdown", "item": ("plain.item", {"index": 9})}, "list.value > item.values")
    assert sentences(plan(graph, REGISTRY)) == [("item", None, "IndexError: tuple index out of range")]


def test_a_plain_node_fed_by_a_result_is_an_ordinary_call():
    graph = build(
        {"box": "toy.box", "weigh": "toy.weigh", "half": ("plain.divide", {"b": 2})},
        "box.box > weigh.box",
        "weigh.value > half.a",
    )
    assert result(graph, "half") == 0.5


# --- problems ---


@pytest.mark.parametrize(
    ("type", "params", "socket", "message"),
    [
        ("toy.box", {"value": 1001}, "value", "value must be between -1000 and 1000, got 1001"),
        ("toy.box", {"value": "1"}, "value", "value takes Number, not '1'"),
        ("toy.box", {"value": True}, "value", "value takes Number, not True"),
        ("toy.box", {"value": float("nan")}, "value", "value must be a finite number, got nan"),
        ("plain.double", {"x": 1.5}, "x", "x takes Integer, not 1.5"),
        ("plain.choose", {"kind": "square"}, "kind", "kind must be one of linear, cosine; got 'square'"),
        ("plain.choose", {"flag": 1}, "flag", "flag takes Boolean, not 1"),
        ("plain.item", {"values": (1.0, float("inf"))}, "values", "values must be a finite number, got inf"),
        ("toy.show", {}, "box", "box is not connected"),
        ("toy.show", {"box": 3}, "box", "box takes Box, not 3"),
        ("acme.mystery", {"a": 1}, None, "node type 'acme.mystery' is not installed"),
        ("group:Lost", {}, None, "node type 'group:Lost' is not installed"),
        ("group.input", {}, None, "this node has a meaning only inside a group"),
    ],
)
def test_a_wrong_parameter_is_a_problem_that_says_what_to_change(type, params, socket, message):
    assert sentences(plan(build({"n": (type, params)}), REGISTRY)) == [("n", socket, message)]


def test_a_number_too_large_for_a_float_is_a_problem():
    planned = plan(build({"half": ("plain.divide", {"a": 10**400})}), REGISTRY)
    assert planned.problems[0].message.startswith("a must be a finite number, got 1000")


def test_unknown_parameters_are_no_problem():
    assert plan(set_param(BOX, "box", "colour", "red"), REGISTRY).problems == ()


def test_every_wrong_input_is_named_at_once():
    planned = plan(build({"sum": "toy.add"}), REGISTRY)
    assert {problem.socket for problem in planned.problems} == {"a", "b"}


def test_a_plain_value_on_a_link_is_checked_like_a_parameter():
    graph = build({"big": ("plain.divide", {"a": 5000}), "box": "toy.box"}, "big.value > box.value")
    assert sentences(plan(graph, REGISTRY)) == [("box", "value", "value must be between -1000 and 1000, got 5000.0")]


def test_a_link_between_types_that_do_not_fit_is_a_problem():
    graph = build({"t": "plain.choose", "show": "toy.show"}, "t.value > show.box")
    assert sentences(plan(graph, REGISTRY)) == [("show", "box", "box takes Box, not Text")]


def test_types_are_checked_through_sockets_that_take_anything():
    graph = build(
        {"bag": "toy.remember", "box": "toy.box", "switch": "logic.switch", "show": "toy.show"},
        *("box.box > bag.box", "bag.bag > switch.if_true", "switch.value > show.box"),
    )
    assert sentences(plan(graph, REGISTRY)) == [("show", "box", "box takes Box, not Bag")]


def test_links_to_sockets_that_are_not_there_are_problems():
    graph = build({"a": "toy.box", "b": "toy.show"}, "a.lid > b.box", "a.box > b.colour")
    assert set(sentences(plan(graph, REGISTRY))) == {
        ("b", "box", "box: 'a' has no output 'lid'"),
        ("b", "colour", "there is no input 'colour'"),
    }


def test_a_cycle_is_a_problem_of_each_node_in_it():
    graph = build({"a": "toy.step", "b": "toy.step", "show": "toy.show"}, "a.box > b.box", "b.box > a.box")
    planned = plan(graph, REGISTRY)
    assert {problem.node for problem in planned.problems} == {"a", "b"}
    assert "cycle" in planned.problems[0].message


def test_after_a_cycle_the_planner_goes_on():
    planner = Planner(REGISTRY)
    assert planner.plan(build({"a": "toy.step"}, "a.box > a.box")).problems
    assert planner.plan(BOX).problems == ()


def test_problems_behind_a_problem_are_not_repeated():
    graph = build({"a": "toy.step", "b": "toy.step", "c": "toy.show"}, "a.box > b.box", "b.box > c.box")
    assert sentences(plan(graph, REGISTRY, ["c"])) == [("a", "box", "box is not connected")]


def test_what_no_target_needs_has_no_problems():
    graph = add_node(BOX, "lonely", Node("toy.show"))
    assert plan(graph, REGISTRY, ["box"]).problems == ()
    assert len(plan(graph, REGISTRY).problems) == 1


# --- switch ---


def switch(condition):
    return build(
        {
            "yes": "toy.box",
            "no": "toy.refuse",  # box is not connected: a problem, were it planned
            "switch": ("logic.switch", {"condition": condition}),
            "show": "toy.show",
        },
        "yes.box > switch.if_true",
        "no.box > switch.if_false",
        "switch.value > show.box",
    )


def test_the_branch_a_switch_does_not_take_is_never_planned():
    planned = plan(switch(True), REGISTRY, ["show"])
    assert planned.problems == ()
    assert {call.node for call in planned.calls.values()} == {"yes", "show"}


def test_a_switch_that_is_turned_is_planned_the_other_way():
    planner = Planner(REGISTRY)
    planner.plan(switch(True), ["show"])
    turned = planner.plan(set_param(switch(True), "switch", "condition", False), ["show"])
    assert sentences(turned) == [("no", "box", "box is not connected")]


def test_a_switch_turned_by_an_edit_elsewhere_is_planned_the_other_way():
    graph = extend(switch(True), {"not": "logic.switch"}, "not.value > switch.condition")
    graph = set_param(set_param(graph, "not", "if_true", True), "not", "if_false", False)
    planner = Planner(REGISTRY)
    assert planner.plan(graph, ["show"]).problems == ()
    turned = planner.plan(set_param(graph, "not", "condition", False), ["show"])
    assert [problem.node for problem in turned.problems] == ["no"]
    assert planner.plan(graph, ["show"]).problems == ()


def test_a_condition_must_be_known_before_the_run():
    graph = extend(switch(True), {"heavy": "toy.heavy"}, "yes.box > heavy.box", "heavy.value > switch.condition")
    message = "condition must be known before the run; this one is computed during the run"
    assert sentences(plan(graph, REGISTRY, ["show"])) == [("switch", "condition", message)]


# --- zones ---


def test_a_repeat_zone_hands_its_state_from_round_to_round():
    assert result(zone(3), "end").value == ((1 * 2 + 1) * 2 + 1) * 2 + 1


def test_rounds_are_calls_with_their_iteration():
    planned = plan(zone(3), REGISTRY, ["show"])
    assert [call.iteration for call in planned.calls.values() if call.node == "step"] == [(0,), (1,), (2,)]


def test_a_zone_of_no_rounds_passes_its_initial_state_on():
    assert result(zone(0), "end").value == 1


def test_more_rounds_reuse_the_first_ones():
    assert set(plan(zone(3), REGISTRY, ["end"]).calls) < set(plan(zone(5), REGISTRY, ["end"]).calls)


def test_what_comes_from_outside_a_zone_is_one_call():
    graph = build(
        {"one": "toy.box", "begin": ("repeat.begin", {"count": 4}), "sum": "toy.add", "end": "repeat.end"},
        "one.box > begin.initial",
        "begin.state > sum.a",
        "one.box > sum.b",
        "begin.zone > end.zone",
        "sum.box > end.next",
    )
    assert result(graph, "end").value == 5
    assert [call.node for call in plan(graph, REGISTRY).calls.values()].count("one") == 1


def several_states():
    links = ["begin.state > note.box", "begin.state_2 > note.history", "note.bag > end.next_2"]
    return extend(zone(3), {"note": "toy.remember"}, *links)


def test_a_zone_carries_several_states():
    graph = extend(several_states(), {"last": "toy.remember"}, "end.value_2 > last.history", "box.box > last.box")
    assert result(graph, "last").weight == 1 + 3 + 7 + 1


def test_a_state_without_next_stays_as_it_was():
    planned = plan(extend(zone(3), {}, "box.box > begin.initial_2", "end.value_2 > show.box"), REGISTRY, ["show"])
    assert planned.calls[planned.keys["show"]].args == {"box": Ref(planned.keys["box"], "box")}


def test_the_count_of_a_zone_may_be_computed_while_planning():
    graph = set_param(extend(zone(), {"twice": "plain.double"}, "twice.value > begin.count"), "twice", "x", 2)
    assert sum(call.node == "step" for call in plan(graph, REGISTRY).calls.values()) == 4


def test_the_count_of_a_zone_must_be_known_before_the_run():
    graph = extend(zone(), {"many": "toy.count"}, "box.box > many.box", "many.value > begin.count")
    message = "count must be known before the run; this one is computed during the run"
    assert sentences(plan(graph, REGISTRY, ["show"])) == [("begin", "count", message)]


def test_a_for_each_zone_needs_a_list():
    graph = build({"b": "foreach.begin", "e": "foreach.end", "s": "toy.box"}, "b.zone > e.zone", "b.item > e.result")
    assert sentences(plan(graph, REGISTRY)) == [("b", "items", "items is not connected")]


def test_all_that_is_wrong_in_a_zone_that_cannot_be_unrolled_is_said_at_once():
    nodes = {"b": "foreach.begin", "e": "foreach.end", "t": ("toy.step", {"amount": "x"})}
    graph = build(nodes, "b.zone > e.zone", "b.item > t.box", "t.box > e.result")
    found = {(node, socket) for node, socket, _ in sentences(plan(graph, REGISTRY))}
    assert {("b", "items"), ("t", "amount")} == found


def test_the_index_enters_the_calls_of_each_round():
    planned = plan(extend(zone(3), {}, "begin.index > step.index"), REGISTRY, ["end"])
    assert [call.args["index"] for call in planned.calls.values() if call.node == "step"] == [0, 1, 2]


def test_editing_the_tail_of_a_schedule_reuses_the_head():
    before = plan(schedule(5), REGISTRY, ["end"]).calls
    after = plan(set_param(schedule(5), "levels", "last", 0.5), REGISTRY, ["end"]).calls
    assert [call.iteration for key, call in after.items() if key not in before] == [(4,)]


def nested():
    return build(
        {
            "box": "toy.box",
            "outer": ("repeat.begin", {"count": 3}),
            "inner": ("repeat.begin", {"count": 2}),
            "step": "toy.step",
            "inner_end": "repeat.end",
            "outer_end": "repeat.end",
        },
        "box.box > outer.initial",
        "outer.state > inner.initial",
        "inner.state > step.box",
        "outer.index > step.amount",
        "step.box > inner_end.next",
        "inner.zone > inner_end.zone",
        "inner_end.value > outer_end.next",
        "outer.zone > outer_end.zone",
    )


def test_zones_nest():
    value = 1.0
    for outer in range(3):
        for _ in range(2):
            value = value * 2 + outer
    assert result(nested(), "outer_end").value == value
    steps = [call.iteration for call in plan(nested(), REGISTRY).calls.values() if call.node == "step"]
    assert steps == [(i, j) for i in range(3) for j in range(2)]


def test_a_zone_can_be_the_input_of_the_next_many_times():
    nodes, links, source = {"box": "toy.box"}, [], "box.box"
    for i in range(400):
        nodes |= {f"b{i}": "repeat.begin", f"s{i}": "toy.step", f"e{i}": "repeat.end"}
        links += [
            f"{source} > b{i}.initial",
            f"b{i}.zone > e{i}.zone",
            f"b{i}.state > s{i}.box",
            f"s{i}.box > e{i}.next",
        ]
        source = f"e{i}.value"
    assert len(plan(build(nodes, *links), REGISTRY, ["e399"]).calls) == 401


def test_taking_a_value_out_of_a_zone_past_its_end_is_a_problem():
    message = "box comes from inside the zone of 'begin'; take it from 'end'"
    graph = extend(zone(), {}, "step.box > show.box")
    assert sentences(plan(graph, REGISTRY, ["show"])) == [("show", "box", message)]
    further = extend(zone(), {"more": "toy.step"}, "step.box > more.box", "more.box > show.box")
    assert sentences(plan(further, REGISTRY, ["show"])) == [("more", "box", message)]


def test_half_a_zone_is_a_problem():
    message = "zone must be connected to the zone of the begin node"
    assert ("end", "zone", message) in sentences(plan(disconnect(zone(), Port("end", "zone")), REGISTRY))
    begin = build({"box": "toy.box", "begin": "repeat.begin"}, "box.box > begin.initial")
    assert sentences(plan(begin, REGISTRY)) == [("begin", "zone", "the zone has no end: connect zone to an end node")]


def test_a_zone_has_one_end():
    graph = extend(zone(), {"end_2": "repeat.end"}, "begin.zone > end_2.zone")
    assert ("end_2", "zone", "the zone of 'begin' already ends at 'end'") in sentences(plan(graph, REGISTRY))


def test_zones_that_overlap_without_nesting_are_a_problem():
    graph = build(
        {
            "box": "toy.box",
            "b1": "repeat.begin",
            "b2": "repeat.begin",
            "mix": "toy.add",
            "s1": "toy.step",
            "s2": "toy.step",
            "e1": "repeat.end",
            "e2": "repeat.end",
            "show": "toy.show",
        },
        *("box.box > b1.initial", "box.box > b2.initial", "b1.zone > e1.zone", "b2.zone > e2.zone"),
        *("b1.state > s1.box", "b2.state > s2.box", "s1.box > e1.next", "s2.box > e2.next"),
        *("s1.box > mix.a", "s2.box > mix.b", "mix.box > show.box"),
    )
    assert "mix" in {problem.node for problem in plan(graph, REGISTRY, ["show"]).problems}
    assert plan(graph, REGISTRY, ["e1", "e2"]).problems == ()


def test_zones_that_multiply_beyond_reason_are_a_problem():
    graph = set_param(set_param(nested(), "outer", "count", 1000), "inner", "count", 1000)
    message = "the zones unroll to 1000000 rounds; the limit is 100000"
    assert sentences(plan(graph, REGISTRY, ["outer_end"])) == [("inner", None, message)]


def for_each():
    return build(
        {
            "list": ("plain.countdown", {"count": 2}),
            "begin": "foreach.begin",
            "box": "toy.box",
            "end": "foreach.end",
            "total": "toy.total",
        },
        "list.value > begin.items",
        "begin.item > box.value",
        "begin.zone > end.zone",
        "box.box > end.result",
        "end.results > total.boxes",
    )


def test_a_for_each_zone_makes_a_list_of_its_results():
    assert result(for_each(), "total").value == 2 + 1 + 0


def test_a_for_each_zone_over_the_results_of_another():
    graph = extend(
        for_each(),
        {"begin_2": "foreach.begin", "step": "toy.step", "end_2": "foreach.end"},
        *("end.results > begin_2.items", "begin_2.item > step.box", "begin_2.zone > end_2.zone"),
        *("step.box > end_2.result", "end_2.results > total.boxes"),
    )
    assert result(graph, "total").value == (2 + 1 + 0) * 2 + 3


def test_the_results_of_a_for_each_zone_are_checked_where_they_are_taken():
    graph = extend(for_each(), {"bag": "toy.remember"}, "box.box > bag.box", "bag.bag > end.result")
    message = "boxes takes List of Box, not List of Bag"
    assert sentences(plan(graph, REGISTRY, ["total"])) == [("total", "boxes", message)]


def test_inside_a_zone_too_the_other_branch_of_a_switch_is_never_planned():
    links = ["step.box > pick.if_true", "begin.state > lost.a", "lost.box > pick.if_false", "pick.value > end.next"]
    graph = extend(zone(3), {"pick": "logic.switch", "lost": "toy.add"}, *links)
    assert plan(graph, REGISTRY, ["end"]).problems == ()
    assert result(graph, "end") == result(zone(3), "end")


def test_a_switch_inside_a_zone_may_turn_from_round_to_round():
    links = ["begin.index > first.a", "first.value > pick.condition", "pick.value > end.next"]
    graph = extend(zone(3), {"pick": "logic.switch", "first": "plain.is_zero"}, *links)
    graph = extend(graph, {}, "step.box > pick.if_true", "begin.state > pick.if_false")
    assert result(graph, "end").value == 1 * 2 + 1


# --- planning again ---


def planned_nodes(planner, graph, targets):
    """The nodes whose calls are other objects than before."""
    before = {id(call) for call in planner.plan(graph[0], targets).calls.values()}
    return {call.node for call in planner.plan(graph[1], targets).calls.values() if id(call) not in before}


def test_an_unchanged_graph_gives_the_same_plan():
    planner = Planner(REGISTRY)
    graph = zone()
    assert planner.plan(graph, ["show"]) is planner.plan(graph, ["show"])


def test_moving_and_naming_nodes_plans_nothing():
    graph = zone()
    moved = change_node(move_nodes(graph, {"box": (9.0, 9.0)}), "step", title="Mine")
    assert planned_nodes(Planner(REGISTRY), (graph, moved), ["show"]) == set()


def test_an_edit_plans_what_depends_on_it_and_no_more():
    graph = build(
        {"a": "toy.box", "b": ("toy.box", {"value": 2}), "sum": "toy.add", "show": "toy.show"},
        "a.box > sum.a",
        "b.box > sum.b",
        "sum.box > show.box",
    )
    edited = set_param(graph, "a", "value", 3)
    assert planned_nodes(Planner(REGISTRY), (graph, edited), ["show"]) == {"a", "sum", "show"}


@pytest.mark.parametrize("make", [zone, nested, for_each, several_states, schedule])
def test_planning_again_after_an_edit_is_planning_from_nothing(make):
    before = make()
    edits = [set_param(before, "box", "value", 5)]
    edits += [set_param(before, id, "count", 2) for id in ("begin", "outer", "inner", "list") if id in before.nodes]
    planner = Planner(REGISTRY)
    for graph in (before, *edits, before):
        again, fresh = planner.plan(graph), plan(graph, REGISTRY)
        assert (again.calls, again.keys, again.problems) == (fresh.calls, fresh.keys, fresh.problems)


def everything():
    """One graph with a zone, a switch, a for-each zone, a folded node, a group and two equal nodes."""
    graph = extend(
        schedule(3),
        {"twin": "toy.box", "pick": "logic.switch", "twice": "group:Twice", "sum": "toy.add", "last": "toy.add"},
        *("twin.box > sum.a", "end.value > pick.if_true", "twin.box > pick.if_false", "pick.value > sum.b"),
        *("sum.box > twice.box", "twice.box > last.a", "box.box > last.b", "last.box > show.box"),
    )
    extra = for_each()
    nodes = {f"each_{id}": node for id, node in extra.nodes.items()}
    links = {Port(f"each_{d.node}", d.socket): Port(f"each_{s.node}", s.socket) for d, s in extra.links.items()}
    return replace(graph, nodes={**graph.nodes, **nodes}, links={**graph.links, **links}, groups={"Twice": TWICE})


PARAMS = [
    *(("box", "value", value) for value in (1, 2, 5000)),
    *(("twin", "value", value) for value in (1, 2)),
    *(("begin", "count", value) for value in (0, 1, 3, 4)),
    *(("levels", "last", value) for value in (0.0, 0.5)),
    *(("pick", "condition", value) for value in (True, False)),
    *(("twice", "amount", value) for value in (1, 3, "much")),
    *(("each_list", "count", value) for value in (0, 2)),
]
EDITS = st.one_of(
    st.sampled_from(PARAMS).map(lambda edit: lambda graph: set_param(graph, *edit)),
    st.sampled_from(["box", "step", "twice", "pick", "sum"]).flatmap(
        lambda id: st.sampled_from(["on", "muted", "bypassed"]).map(lambda m: lambda g: change_node(g, id, mode=m))
    ),
    st.sampled_from(["box.box > last.a", "sum.box > last.a", "each_total.box > last.b", "step.box > last.b"]).map(
        lambda link: lambda graph: extend(graph, {}, link)
    ),
    st.sampled_from(["box", "step", "begin", "end", "twice", "sum", "each_list", "each_end", "pick"]).map(
        lambda id: lambda graph: remove_nodes(graph, {id})
    ),
    st.sampled_from(["end.zone", "end.next", "sum.a", "each_end.zone", "twice.box", "step.box"]).map(
        lambda port: lambda graph: disconnect(graph, Port(*port.split(".")))
    ),
    st.sampled_from([1, 3, "much"]).map(
        lambda amount: (
            lambda graph: replace(graph, groups={"Twice": replace(TWICE, inputs={**TWICE.inputs, "amount": amount})})
        )
    ),
)


def edited(graph, edit):
    """The graph after the edit, where that is of nodes that were not removed before."""
    try:
        after = edit(graph)
    except KeyError:
        return graph
    return after if all({dst.node, src.node} <= after.nodes.keys() for dst, src in after.links.items()) else graph


@settings(max_examples=60)
@given(edits=st.lists(EDITS, max_size=8), targets=st.sampled_from([None, ("show",), ("twice", "each_total")]))
def test_whatever_was_edited_the_plan_is_that_of_the_graph(edits, targets):
    planner, graph = Planner(REGISTRY), everything()
    planner.plan(graph, targets)
    first = graph
    for edit in edits:
        graph, before = edited(graph, edit), graph
        planner.prepare(graph, 0.0)
        assert planner.plan(before, targets).keys == plan(before, REGISTRY, targets).keys
        planner.prepare(graph, 0.0)
        again, fresh = planner.plan(graph, targets), plan(graph, REGISTRY, targets)
        assert again.calls.keys() == fresh.calls.keys()
        assert again.keys == fresh.keys
        assert set(again.problems) == set(fresh.problems)
        done = set()
        for key, call in again.calls.items():
            assert {ref.key for arg in call.args.values() for ref in refs(arg)} <= done
            done.add(key)
    assert planner.plan(first, targets).keys == plan(first, REGISTRY, targets).keys  # over all edits at once


def test_a_plan_can_be_made_in_small_pieces():
    planner, graph, pieces = Planner(REGISTRY), everything(), 1
    while not planner.prepare(graph, 0.0):
        pieces += 1
    assert pieces > 5
    assert planner.plan(graph) == plan(graph, REGISTRY)


def test_a_zone_that_gets_its_first_round_is_planned_with_all_it_takes():
    graph = extend(zone(0), {"sum": "toy.add", "other": "toy.halves"}, "box.box > other.box", "other.left > sum.b")
    graph = extend(graph, {}, "step.box > sum.a", "sum.box > end.next")
    planner = Planner(REGISTRY)
    planner.plan(graph, ["end"])
    edited = set_param(graph, "begin", "count", 2)
    assert planner.plan(edited, ["end"]) == plan(edited, REGISTRY, ["end"])


def test_going_back_over_a_setting_and_a_new_node_at_once_gives_the_keys_of_before():
    planner, graph = Planner(REGISTRY), zone(3)
    more = extend(graph, {"other": "toy.box"})
    planner.plan(more)
    planner.plan(set_param(more, "box", "value", 9.0))
    assert planner.plan(graph).keys == plan(graph, REGISTRY).keys


def test_going_back_to_an_earlier_setting_gives_its_keys():
    planner = Planner(REGISTRY)
    keys = planner.plan(zone(3), ["end"]).keys
    planner.plan(zone(4), ["end"])
    assert planner.plan(zone(3), ["end"]).keys == keys


def test_a_chain_of_five_thousand_nodes_is_planned_and_run():
    nodes = {f"n{i}": ("toy.step", {"amount": 0.0}) for i in range(5000)}
    links = [f"n{i}.box > n{i + 1}.box" for i in range(4999)]
    idle, _ = run(build({"box": ("toy.box", {"value": 0})} | nodes, "box.box > n0.box", *links), "n4999")
    assert idle.run == 5001

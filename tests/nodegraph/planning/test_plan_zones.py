"""What planning does with zones: every round is planned, and named by what it takes."""

from nodegraph.graph import Graph, Port, disconnect, set_param
from nodegraph.node import node
from nodegraph.planning.plan import Planner, Ref, plan
from tests.nodegraph.toys import (
    REGISTRY,
    Box,
    build,
    extend,
    for_each,
    nested,
    result,
    schedule,
    sentences,
    several_states,
    zone,
)


def test_a_repeat_zone_hands_its_state_from_round_to_round():
    assert result(zone(3), "end").value == ((1 * 2 + 1) * 2 + 1) * 2 + 1


def test_rounds_are_calls_with_their_iteration():
    planned = plan(zone(3), REGISTRY, ["show"])
    assert [call.iteration for call in planned.calls.values() if call.node == "step"] == [(0,), (1,), (2,)]


def test_a_node_inside_a_zone_is_computed_in_every_round():
    inside, whole = plan(zone(3), REGISTRY, ["step"]), plan(zone(3), REGISTRY)
    assert inside.keys["step"] == whole.keys["step"]
    assert [call.iteration for call in inside.calls.values() if call.node == "step"] == [(0,), (1,), (2,)]


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


def test_taking_a_value_out_of_an_inner_zone_past_its_end_is_a_problem_also_inside_the_outer():
    links = ["inner_end.value > sum.a", "step.box > sum.b", "sum.box > outer_end.next"]
    planned = plan(extend(nested(), {"sum": "toy.add"}, *links), REGISTRY, ["outer_end"])
    assert planned.problems
    assert planned.calls == {}


def test_half_a_zone_is_a_problem():
    message = "zone must be connected to the zone of the begin node"
    assert ("end", "zone", message) in sentences(plan(disconnect(zone(), Port("end", "zone")), REGISTRY))
    assert sentences(plan(build({"end": "repeat.end"}), REGISTRY)) == [("end", "zone", message)]
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
    for end in ("e1", "e2"):
        mixed = plan(extend(graph, {}, f"mix.box > {end}.next"), REGISTRY, [end])
        assert mixed.problems
        assert "mix" not in mixed.keys


def test_zones_that_multiply_beyond_reason_are_a_problem():
    graph = set_param(set_param(nested(), "outer", "count", 1000), "inner", "count", 1000)
    message = "the zones unroll to 1,000,000 rounds of 1 node; planning takes 250,000 steps at most"
    assert sentences(plan(graph, REGISTRY, ["outer_end"])) == [("inner", None, message)]


def test_what_a_zone_lacks_to_begin_or_to_end_is_said_there():
    loose = disconnect(zone(), Port("begin", "initial"))
    assert sentences(plan(loose, REGISTRY, ["show"])) == [("begin", "initial", "initial is not connected")]
    odd = extend(zone(), {}, "step.box > end.lost")
    assert sentences(plan(odd, REGISTRY, ["show"])) == [("end", "lost", "there is no input 'lost'")]


def two_steps(rounds: int) -> Graph:
    return extend(zone(rounds), {"more": "toy.step"}, "step.box > more.box", "more.box > end.next")


def steps(graph: Graph) -> int:
    planner = Planner(REGISTRY)
    planner.plan(graph)
    return planner._evaluator.steps  # pyright: ignore[reportPrivateUsage]


def test_a_node_is_a_step_in_each_round_and_so_is_the_round():
    assert steps(zone(0)) == 3  # box, zone, show
    assert [steps(zone(rounds)) for rounds in (1, 5)] == [3 + 2, 3 + 5 * 2]
    assert steps(two_steps(5)) == 3 + 5 * 3


def test_a_large_value_costs_steps_where_it_is_passed_on_and_where_it_is_taken():
    graph = build({"pick": "logic.switch", "text": "plain.choose"}, "pick.value > text.text")
    long = {size: set_param(graph, "pick", "if_true", "x" * size) for size in (1, 20_000)}
    assert steps(long[20_000]) == steps(long[1]) + 2 * 2
    lists = [build({"list": ("plain.countdown", {"count": n - 1}), "item": "plain.item"}) for n in (1, 60)]
    one, sixty = (steps(extend(graph, {}, "list.value > item.values")) for graph in lists)
    assert sixty == one + 2 * 3


def test_a_zone_may_take_all_steps_that_are_left_and_not_one_more(monkeypatch):
    before = 2  # box and zone
    monkeypatch.setattr("nodegraph.planning.evaluate.MAX_STEPS", before + 5 * 2)
    assert plan(two_steps(5), REGISTRY).problems == ()
    message = "the zones unroll to 6 rounds of 2 nodes; planning takes 12 steps at most"
    assert sentences(plan(two_steps(6), REGISTRY)) == [("begin", None, message)]


def test_zones_that_multiply_are_refused_before_the_first_round():
    graph = extend(nested(), {"more": "toy.step"}, "step.box > more.box", "more.box > inner_end.next")
    graph = set_param(set_param(graph, "outer", "count", 400), "inner", "count", 400)
    message = "the zones unroll to 160,000 rounds of 2 nodes; planning takes 250,000 steps at most"
    assert sentences(plan(graph, REGISTRY)) == [("inner", None, message)]
    assert steps(graph) < 10


def test_a_zone_for_which_no_step_is_left_is_one_problem(monkeypatch):
    for module in ("notes", "evaluate"):
        monkeypatch.setattr(f"nodegraph.planning.{module}.MAX_STEPS", 1)
    (problem,) = plan(zone(), REGISTRY, ["end"]).problems
    assert (problem.node, problem.message.endswith("; the limit is 1")) == ("end", True)


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


@node("toy.two")
def two(box: Box) -> tuple[Box, ...]:
    return (box, box)


def test_the_items_of_a_for_each_zone_must_be_known_before_the_run():
    graph = extend(for_each(), {"one": "toy.box", "two": "toy.two"}, "one.box > two.box", "two.value > begin.items")
    message = "items must be known before the run; this one is computed during the run"
    planned = plan(graph, {**REGISTRY, "toy.two": two.node_type}, ["total"])
    assert sentences(planned) == [("begin", "items", message)]


def test_a_for_each_zone_needs_a_result():
    graph = disconnect(for_each(), Port("end", "result"))
    assert sentences(plan(graph, REGISTRY, ["total"])) == [("end", "result", "result is not connected")]


def test_a_for_each_zone_that_is_too_much_is_a_problem_of_its_begin(monkeypatch):
    monkeypatch.setattr("nodegraph.planning.evaluate.MAX_STEPS", 10)
    graph = set_param(for_each(), "list", "count", 19)
    message = "the zones unroll to 20 rounds of 1 node; planning takes 10 steps at most"
    assert sentences(plan(graph, REGISTRY, ["total"])) == [("begin", None, message)]


def test_a_for_each_zone_over_nothing_makes_an_empty_list():
    nodes = {"begin": ("foreach.begin", {"items": ()}), "box": "toy.box", "end": "foreach.end", "total": "toy.total"}
    links = ["begin.item > box.value", "begin.zone > end.zone", "box.box > end.result", "end.results > total.boxes"]
    planned = plan(build(nodes, *links), REGISTRY, ["total"])
    assert [call.args for call in planned.calls.values()] == [{"boxes": ()}]


def test_what_a_for_each_zone_takes_from_a_list_is_checked_in_the_zone():
    graph = extend(
        for_each(),
        {"begin_2": "foreach.begin", "bag": "toy.remember", "end_2": "foreach.end"},
        *("end.results > begin_2.items", "begin_2.item > bag.history", "begin_2.zone > end_2.zone"),
        *("box.box > begin_2.items", "bag.bag > end_2.result"),
    )
    graph = extend(graph, {"one": "toy.box"}, "end.results > begin_2.items", "one.box > bag.box")
    assert sentences(plan(graph, REGISTRY, ["end_2"])) == [("bag", "history", "history takes Bag, not Box")]


def test_a_list_of_lists_of_several_kinds_can_be_gone_through():
    """Boxes in the first round, bags in the second."""
    graph = extend(
        for_each(),
        {"bags": "foreach.begin", "bag": "toy.remember", "one": "toy.box", "bags_end": "foreach.end"}
        | {"outer": "foreach.begin", "first": "plain.is_zero", "pick": "logic.switch", "outer_end": "foreach.end"}
        | {"lists": "foreach.begin", "inner": "foreach.begin", "inner_end": "foreach.end", "lists_end": "foreach.end"},
        *("list.value > bags.items", "one.box > bag.box", "bags.zone > bags_end.zone", "bag.bag > bags_end.result"),
        *("list.value > outer.items", "outer.index > first.a", "first.value > pick.condition"),
        *("end.results > pick.if_true", "bags_end.results > pick.if_false", "pick.value > outer_end.result"),
        *("outer.zone > outer_end.zone", "outer_end.results > lists.items", "lists.item > inner.items"),
        *("inner.item > inner_end.result", "inner.zone > inner_end.zone"),
        *("inner_end.results > lists_end.result", "lists.zone > lists_end.zone"),
    )
    planned = plan(graph, REGISTRY, ["lists_end"])
    assert planned.problems == ()
    (lists,) = planned.outputs["lists_end"]
    assert lists == (planned.outputs["end"][0], *planned.outputs["bags_end"] * 2)


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

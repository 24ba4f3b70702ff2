"""Planning after an edit: what it leaves as it was is kept, and the plan is that of a planner without a past."""

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nodegraph.planning.plan as planning
from nodegraph.graph import Port, change_node, disconnect, move_nodes, remove_nodes, set_param
from nodegraph.pieces import reaching
from nodegraph.planning import evaluate
from nodegraph.planning.compiled_node import Sites
from nodegraph.planning.keys import refs
from nodegraph.planning.plan import Planner, plan
from tests.examples import each, examples
from tests.nodegraph.planning.test_expand import TWICE
from tests.nodegraph.toys import (
    REGISTRY,
    build,
    extend,
    for_each,
    nested,
    run,
    schedule,
    sentences,
    several_states,
    zone,
)


@pytest.fixture(scope="module", autouse=True)
def small_pieces():
    """So that planning can be given up at every node of a small graph."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "SOME_NODES", 1)
        yield


def planned_nodes(planner, graph, targets):
    """The nodes whose calls are other objects than before."""
    before = {id(call) for call in planner.plan(graph[0], targets).calls.values()}
    return {call.node for call in planner.plan(graph[1], targets).calls.values() if id(call) not in before}


def test_an_unchanged_graph_gives_the_same_plan():
    planner = Planner(REGISTRY)
    graph = zone()
    assert planner.plan(graph, ["show"]) is planner.plan(graph, ["show"])


def test_a_run_and_the_document_around_it_are_planned_side_by_side(monkeypatch):
    put_together = []
    monkeypatch.setattr(planning, "reaching", lambda *args: put_together.append(1) or reaching(*args))
    planner, graph = Planner(REGISTRY), zone()
    whole, run = planner.plan(graph), planner.plan(graph, ["show"])
    assert planner.plan(graph) is whole
    assert planner.plan(graph, ["show"]) is run
    edited = set_param(graph, "box", "value", 7)
    assert planner.plan(edited, ["show"]) == plan(edited, REGISTRY, ["show"])
    assert planner.plan(edited) == plan(edited, REGISTRY)
    assert len(put_together) == 2 + 2  # the two above, and the two without a past


def test_moving_and_naming_nodes_plans_nothing():
    graph = zone()
    moved = change_node(move_nodes(graph, {"box": (9.0, 9.0)}), "step", title="Mine")
    assert planned_nodes(Planner(REGISTRY), (graph, moved), ["show"]) == set()


def test_nodes_that_move_while_another_is_edited_hide_no_edit():
    planner, graph = Planner(REGISTRY), zone()
    planner.plan(graph)
    edited = set_param(move_nodes(graph, {"box": (9.0, 9.0), "begin": (9.0, 9.0)}), "step", "amount", 7)
    assert planner.plan(edited) == plan(edited, REGISTRY) != plan(graph, REGISTRY)


def test_a_new_node_plans_itself_alone_whatever_has_equal_parameters():
    graph = zone()
    again = replace(graph, nodes={id: replace(node, params={**node.params}) for id, node in graph.nodes.items()})
    assert planned_nodes(
        Planner(REGISTRY), (graph, extend(again, {"new": "toy.halves"}, "box.box > new.box")), None
    ) == {"new"}


def test_a_node_that_becomes_one_of_another_type_is_planned_anew():
    planner, graph = Planner(REGISTRY), zone()
    planner.plan(graph)
    other = replace(graph, nodes=graph.nodes | {"step": replace(graph.nodes["step"], type="toy.refuse")})
    assert planner.plan(other) == plan(other, REGISTRY)


def test_one_of_two_equal_nodes_that_is_edited_leaves_the_result_to_the_other():
    graph = build({"a": "toy.box", "b": "toy.box", "sum": "toy.add"}, "a.box > sum.a", "b.box > sum.b")
    planner = Planner(REGISTRY)
    planner.plan(graph)
    for id in ("a", "b", "a"):
        graph = set_param(graph, id, "value", graph.nodes[id].params.get("value", 1) + 1)
        assert planner.plan(graph) == plan(graph, REGISTRY)


def test_a_problem_that_an_edit_makes_is_gone_with_the_edit_that_mends_it():
    planner, graph = Planner(REGISTRY), zone()
    whole = planner.plan(graph, ["show"])
    assert planner.plan(set_param(graph, "box", "value", 5000), ["show"]).problems
    assert planner.plan(graph, ["show"]) == whole


def test_an_edit_of_what_no_target_needs_changes_nothing():
    planner, graph = Planner(REGISTRY), extend(zone(), {"lonely": "toy.box"})
    before = planner.plan(graph, ["show"])
    assert planner.plan(set_param(graph, "lonely", "value", 7), ["show"]) == before


def test_what_is_prepared_for_targets_has_only_to_be_picked_up(monkeypatch):
    put_together = []
    monkeypatch.setattr(planning, "reaching", lambda *args: put_together.append(1) or reaching(*args))
    planner, graph = Planner(REGISTRY), zone()
    assert planner.prepare(graph, 60.0, ["show"])
    assert planner.plan(graph, ["show"]).keys.keys() == {"box", "step", "show"}
    assert put_together == [1]


def test_an_edit_plans_what_depends_on_it_and_no_more():
    graph = build(
        {"a": "toy.box", "b": ("toy.box", {"value": 2}), "sum": "toy.add", "show": "toy.show"},
        "a.box > sum.a",
        "b.box > sum.b",
        "sum.box > show.box",
    )
    edited = set_param(graph, "a", "value", 3)
    assert planned_nodes(Planner(REGISTRY), (graph, edited), ["show"]) == {"a", "sum", "show"}


@each("make", [zone, nested, for_each, several_states, schedule])
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


@examples(60)
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
        assert planner.plan(graph, ("last",)).calls.keys() == plan(graph, REGISTRY, ("last",)).calls.keys()
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


def test_a_zone_given_up_half_way_counts_for_nothing():
    """After any number of pieces, and whether it is wanted again or something else is."""
    graph = nested()
    other = set_param(graph, "box", "value", 7)
    for wanted, targets in ((other, None), (other, ["box"]), (graph, ["box"])):
        fresh, part = Planner(REGISTRY), plan(wanted, REGISTRY, targets)
        whole = fresh.plan(wanted)
        for pieces in count(1, 3):
            planner = Planner(REGISTRY)
            if any(planner.prepare(graph, 0.0) for _ in range(pieces)):
                break
            planned = planner.plan(wanted, targets)
            assert (planned.calls, planned.keys, planned.problems) == (part.calls, part.keys, part.problems)
            assert planned.outputs.items() <= whole.outputs.items()
            assert planner.plan(wanted) == whole
            assert planner._evaluator.steps == fresh._evaluator.steps
        assert pieces > 20


def test_what_is_inside_a_zone_that_is_to_be_planned_again_passes_nothing_on():
    planner, graph = Planner(REGISTRY), nested()
    planner.plan(graph)
    assert planner.plan(set_param(graph, "box", "value", 7), ["box"]).outputs == {}


def test_a_zone_given_up_half_way_after_an_edit_is_planned_when_it_is_wanted_again():
    graph = nested()
    edits = [set_param(graph, "box", "value", value) for value in (7, 8)]
    for pieces in range(1, 10):
        planner = Planner(REGISTRY)
        planner.plan(graph)
        assert not any(planner.prepare(edits[0], 0.0) for _ in range(pieces))
        assert planner.plan(edits[1], ["box"]) == plan(edits[1], REGISTRY, ["box"])
        assert planner.plan(edits[1]) == plan(edits[1], REGISTRY)


@pytest.mark.parametrize("most", [14, 18], ids=["for the second zone", "for its rounds"])
def test_who_is_refused_when_the_steps_do_not_suffice_depends_on_the_graph_alone(monkeypatch, most):
    for module in ("notes", "evaluate"):
        monkeypatch.setattr(f"nodegraph.planning.{module}.MAX_STEPS", most)
    graph = zone(5)  # 13 steps
    links = {Port(f"{d.node}_2", d.socket): Port(f"{s.node}_2", s.socket) for d, s in graph.links.items()}
    nodes = {f"{id}_2": node for id, node in graph.nodes.items()}
    graph = replace(graph, nodes=graph.nodes | nodes, links=graph.links | links)
    for first in ("show", "show_2"):
        planner = Planner(REGISTRY)
        assert planner.plan(graph, [first]).problems == ()
        whole = planner.plan(graph)
        assert len(whole.problems) == 1
        assert whole == plan(graph, REGISTRY)
        assert planner.plan(graph, [first]).problems == ()


def test_a_chain_that_takes_too_many_steps_is_one_problem(monkeypatch):
    monkeypatch.setattr("nodegraph.planning.notes.MAX_STEPS", 2)
    graph = build(dict.fromkeys("abcd", "toy.step") | {"box": "toy.box"}, "box.box > a.box", "a.box > b.box")
    graph = extend(graph, {}, "b.box > c.box", "c.box > d.box")
    message = "the graph takes too many steps to plan: fewer rounds, shorter lists or fewer nodes take less"
    assert sentences(plan(graph, REGISTRY)) == [("b", None, f"{message}; the limit is 2")]


def test_another_default_of_a_group_reaches_the_instances_that_have_no_value_of_their_own():
    graph = build({"box": "toy.box", "twice": "group:Twice"}, "box.box > twice.box", groups=(TWICE,))
    planner = Planner(REGISTRY)
    planner.plan(graph)
    other = replace(graph, groups={"Twice": replace(TWICE, inputs={**TWICE.inputs, "amount": 3.0})})
    assert planner.plan(other) == plan(other, REGISTRY) != plan(graph, REGISTRY)


def test_what_a_node_takes_is_looked_up_once_however_many_rounds_there_are(monkeypatch):
    looked_up: list[str] = []
    look = Sites.site
    monkeypatch.setattr(Sites, "site", lambda self, id: looked_up.append(id) or look(self, id))
    planner, graph = Planner(REGISTRY), nested()
    planner.plan(graph)
    assert sorted(looked_up) == sorted(graph.nodes)


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


def test_what_planning_notes_is_of_nodes_of_the_graph_and_counts_as_from_nothing():
    """With texts so long that they cost steps wherever they are passed on."""
    graph = extend(
        set_param(everything(), "pick", "if_true", "x" * 20_000),
        {"text": "plain.choose", "texts": "logic.switch", "each": "foreach.begin", "each_last": "foreach.end"},
        *("pick.value > texts.if_true", "texts.value > text.text", "texts.value > begin.initial_2"),
        *("each_list.value > each.items", "texts.value > each_last.result", "each.zone > each_last.zone"),
        *("texts.value > begin.initial_3", "begin.state_3 > end.next_3"),
    )
    graph = disconnect(graph, Port("pick", "if_true"))
    planner, fresh = Planner(REGISTRY), Planner(REGISTRY)
    for condition in (True, False, True):
        edited = set_param(graph, "pick", "condition", condition)
        planner.plan(edited)
    fresh.plan(edited)
    ours, theirs = planner._evaluator, fresh._evaluator
    assert ours.records == theirs.records
    assert ours.records.keys() <= planner._flat.nodes.keys()
    assert ours.steps == theirs.steps == sum(record.steps for record in ours.records.values())

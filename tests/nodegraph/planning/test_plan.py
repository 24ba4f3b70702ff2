"""What the planner promises: keys, folding, zones, switches, problems, and as little work as the edit asks for."""

import os
from dataclasses import dataclass, replace
from hashlib import blake2b

import pytest

import nodegraph.planning.plan as planning
from nodegraph.graph import Graph, Node, Port, add_node, change_node, set_param
from nodegraph.node import node
from nodegraph.planning.fingerprints import fingerprint
from nodegraph.planning.keys import call_key, canonical, refs
from nodegraph.planning.plan import Planner, Ref, plan
from nodegraph.types import ListOf, socket_type
from tests.examples import each
from tests.nodegraph.toys import REGISTRY, Box, build, extend, for_each, result, sentences


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


def test_an_integer_on_a_link_to_a_number_socket_is_the_same_number_too():
    graph = build({"twice": ("plain.double", {"x": 7}), "box": "toy.box"}, "twice.value > box.value")
    assert key(graph, "box") == key(set_param(BOX, "box", "value", 14.0), "box")


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


def test_a_key_is_a_digest_of_lines_that_every_version_writes_alike():
    """Or else what was kept before would be computed again."""
    args = {"boxes": (Ref("k1", "box"), Ref("k2", "left")), "amount": 1.0, "path": "a"}
    lines = ["toy.total 1 'cuda'", "amount=1.0", "boxes=(@k1.box, @k2.left,)", "path='a'", "path:(1, 2)"]
    digest = blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()
    assert call_key(REGISTRY["toy.total"], args, "cuda", {"path": (1, 2)}) == digest


def test_a_call_names_the_arguments_that_other_calls_make():
    made = plan(for_each(), REGISTRY).calls.values()
    assert all(call.takes == tuple(name for name, arg in call.args.items() if refs(arg)) for call in made)
    assert ("boxes",) in {call.takes for call in made}  # of a list of results
    assert () in {call.takes for call in made}


def test_integers_in_a_list_of_numbers_are_numbers():
    assert repr(canonical(ListOf(ListOf(float)), ((1, 2.5), ()))) == "((1.0, 2.5), ())"


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
    passed = extend(graph, {"pick": "logic.switch"}, "read.value > pick.if_true")
    assert planner.plan(passed).outputs["pick"] == ("here",)
    path.write_text("there")
    assert planner.plan(passed).outputs["pick"] == ("there",)


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


def test_a_plain_number_without_bounds_is_a_problem_of_the_node_that_makes_it():
    graph = build({"half": ("plain.divide", {"a": 1e300, "b": 1e-300}), "box": "toy.box"}, "half.value > box.value")
    message = "value is no finite number: what it is computed from is too large"
    assert sentences(plan(graph, REGISTRY, ["box"])) == [("half", None, message)]


def test_a_plain_node_is_computed_again_only_when_what_it_takes_is_other():
    calls = []

    @node("plain.noted")
    def noted(flag: bool = False) -> bool:
        calls.append(flag)
        return flag

    planner = Planner({**REGISTRY, "plain.noted": noted.node_type})
    graph = build({"zero": ("plain.is_zero", {"a": 1.0}), "noted": "plain.noted"}, "zero.value > noted.flag")
    for number in (1.0, 2.0, 3.0, 0.0):
        planner.plan(set_param(graph, "zero", "a", number))
    assert calls == [False, True]
    planner.plan(graph)
    planner.plan(set_param(extend(graph, {"other": "plain.is_zero"}), "zero", "a", 2.0))
    assert calls == [False, True, False]


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


# --- descriptions ---


@socket_type(color="#333333", plain=True)
@dataclass(frozen=True, slots=True)
class Recipe:
    name: str


@node("plain.recipe")
def recipe(name: str = "bread") -> Recipe:
    return Recipe(name)


@node("toy.bake")
def bake(recipe: Recipe) -> Box:
    return Box(len(recipe.name))


KITCHEN = REGISTRY | {fn.node_type.id: fn.node_type for fn in (recipe, bake)}


def kitchen() -> Graph:
    """A recipe goes through a switch to one oven, and straight to another."""
    nodes = {"recipe": "plain.recipe", "pick": "logic.switch", "one": "toy.bake", "two": "toy.bake", "show": "toy.show"}
    links = ["recipe.recipe > pick.if_true", "pick.value > one.recipe", "recipe.recipe > two.recipe"]
    return build(nodes, *links, "one.box > show.box")


def test_what_describes_something_is_told_where_it_is_made_and_where_it_is_taken(monkeypatch):
    monkeypatch.setattr(planning, "LARGE", 1)  # as in a graph of thousands of links
    planned = plan(kitchen(), KITCHEN)
    assert planned.outputs == {"recipe": (Recipe("bread"),), "pick": (Recipe("bread"),)}
    ports = (Port("pick", "if_true"), Port("one", "recipe"), Port("two", "recipe"))
    assert planned.taken == dict.fromkeys(ports, Recipe("bread"))


def test_of_what_has_a_problem_nothing_is_told():
    planned = plan(set_param(kitchen(), "pick", "condition", "yes"), KITCHEN)
    assert planned.outputs == {"recipe": (Recipe("bread"),)}
    assert planned.taken.keys() == {Port("pick", "if_true"), Port("two", "recipe")}


def test_where_nothing_is_described_nothing_is_told():
    graph = extend(BOX, {"pick": "logic.switch", "show": "toy.show"}, "box.box > pick.if_true", "pick.value > show.box")
    assert plan(graph, KITCHEN).taken == {}


# --- problems ---


@each(
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
    assert planned.problems[0].message == "a must be a finite number, and this one has about 401 digits"


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


@pytest.mark.parametrize("forms", [{}, {"pick": "logic.switch"}], ids=["alone", "beside a form"])
def test_a_link_from_or_to_a_node_that_is_not_there_is_as_good_as_none(forms):
    graph = build({"box": "toy.box", "show": "toy.show", **forms}, "lost.box > show.box", "box.box > gone.box")
    planned = plan(graph, REGISTRY)
    assert sentences(planned) == [("show", "box", "box is not connected")]
    assert planned.keys.keys() == {"box"}


def test_a_cycle_is_a_problem_of_each_node_in_it():
    graph = build({"a": "toy.step", "b": "toy.step", "show": "toy.show"}, "a.box > b.box", "b.box > a.box")
    planned = plan(graph, REGISTRY)
    assert {problem.node for problem in planned.problems} == {"a", "b"}
    assert "cycle" in planned.problems[0].message
    assert (planned.calls, planned.keys, planned.outputs, planned.taken) == ({}, {}, {}, {})


def test_a_graph_that_is_refused_is_not_looked_at_again():
    planner, graph = Planner(REGISTRY), build({"a": "toy.step"}, "a.box > a.box")
    assert planner.plan(graph) is planner.plan(graph)


def test_what_leads_into_a_cycle_is_no_part_of_it():
    types = {"a": "toy.box", "b": "toy.add", "c": "toy.step", "show": "toy.show"}
    graph = build(types, "a.box > b.a", "c.box > b.b", "b.box > c.box", "c.box > show.box")
    assert {problem.node for problem in plan(graph, REGISTRY).problems} == {"b", "c"}


def test_after_a_cycle_the_planner_goes_on():
    planner = Planner(REGISTRY)
    assert planner.plan(build({"a": "toy.step"}, "a.box > a.box")).problems
    assert planner.plan(BOX).problems == ()


def test_problems_behind_a_problem_are_not_repeated():
    graph = build({"a": "toy.step", "b": "toy.step", "c": "toy.show"}, "a.box > b.box", "b.box > c.box")
    planned = plan(graph, REGISTRY, ["c"])
    assert sentences(planned) == [("a", "box", "box is not connected")]
    assert planned.calls == {}


def test_behind_a_node_that_is_not_installed_that_alone_is_said():
    nodes = {"x": "acme.mystery", "step": "toy.step", "show": "toy.show"}
    graph = build(nodes, "x.box > step.box", "step.box > show.box")
    assert sentences(plan(graph, REGISTRY, ["show"])) == [("x", None, "node type 'acme.mystery' is not installed")]


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
    graph = extend(graph, {"lost": "toy.step"}, "lost.box > switch.if_true")  # neither branch is looked at
    message = "condition must be known before the run; this one is computed during the run"
    assert sentences(plan(graph, REGISTRY, ["show"])) == [("switch", "condition", message)]


def test_a_condition_that_is_none_is_a_problem_of_the_switch():
    graph = extend(switch(True), {"pick": "logic.switch", "text": "plain.choose"}, "text.value > pick.if_true")
    message = "condition takes Boolean, not 'linear'"
    planned = plan(extend(graph, {}, "pick.value > switch.condition"), REGISTRY, ["show"])
    assert sentences(planned) == [("switch", "condition", message)]

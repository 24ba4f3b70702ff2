"""Whatever a graph says, planning it ends soon and in little memory, with a sentence."""

import json
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from nodegraph import limits
from nodegraph.formats import workflow
from nodegraph.formats.workflow import WorkflowError
from nodegraph.graph import Graph, Group, Node, set_param
from nodegraph.group_type import document_types
from nodegraph.node import REQUIRED, Input, node
from nodegraph.pieces import finish
from nodegraph.planning import evaluate
from nodegraph.planning.plan import Planner, plan
from nodegraph.planning.sizes import Size, size
from nodegraph.types import ListOf
from tests.nodegraph.toys import REGISTRY, build, extend, nested, sentences, zone
from tests.ui.counting import calls


@node("plain.twice")
def twice(text: str = "") -> str:
    return text + text


@node("plain.many")
def many(count: int = 1) -> tuple[int, ...]:
    return tuple(range(count))


@node("plain.length")
def length(values: tuple[int, ...]) -> int:
    return len(values)


@node("plain.square")
def square(x: int = 10) -> int:
    return x * x


TYPES = REGISTRY | {fn.node_type.id: fn.node_type for fn in (twice, many, length, square)}  # pyright: ignore


def tower(levels: int, copies: int) -> Graph:
    """A group that holds the one before several times, and so on."""
    groups = [Group("G0", build({"in": "group.input", "step": "toy.step"}, "in.box > step.box"), {"box": REQUIRED}, ())]
    for level in range(1, levels):
        body = build({f"i{copy}": f"group:G{level - 1}" for copy in range(copies)})
        groups.append(Group(f"G{level}", body, {}, ()))
    return build({"top": f"group:G{levels - 1}", "box": "toy.box"}, groups=tuple(groups))


def test_groups_that_double_thirty_times_are_counted_and_not_opened():
    asked: Counter[str] = Counter()
    graph = tower(30, 2)
    types = document_types(graph.groups, TYPES)

    def type_of(id: str):
        asked[id] += 1
        return types.get(id)

    found = limits.extents({"group:G29"}, type_of)["group:G29"]
    assert found is not None
    assert found.nodes == 2**29 * 4 - 2  # two nodes and two links' worth of instances at each level
    assert max(asked.values()) <= 2


def test_an_instance_that_is_too_much_is_a_problem_and_the_rest_is_planned():
    planned = plan(tower(30, 2), TYPES)
    message = "the group 'G29' has 2,147,483,646 nodes when its groups are opened; the limit is 50,000"
    assert sentences(planned) == [("top", None, message)]
    assert "box" in planned.keys


def test_a_graph_that_is_too_much_is_a_problem_of_its_first_node(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "MAX_NODES", 3)
    planned = plan(build(dict.fromkeys("abcd", "toy.box")), TYPES)
    message = "the graph has 4 nodes when its groups are opened; the limit is 3"
    assert (sentences(planned), planned.calls) == ([("a", None, message)], {})


def test_of_groups_that_are_too_much_together_the_last_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "MAX_NODES", 9)
    graph = tower(1, 1)  # a group of two nodes and one link
    instances = dict.fromkeys("abcd", "group:G0")
    planned = plan(build({"box": "toy.box", **instances}, groups=tuple(graph.groups.values())), TYPES)
    message = "with the group 'G0' the graph has 11 nodes when its groups are opened; the limit is 9"
    assert [problem for problem in sentences(planned) if problem[1] is None] == [
        ("c", None, message),
        ("d", None, message),
    ]
    assert {problem.node for problem in planned.problems} == {"a", "b", "c", "d"}


def test_a_muted_instance_of_a_group_that_is_too_much_is_no_problem():
    graph = tower(30, 2)
    muted = Graph({**graph.nodes, "top": Node("group:G29", mode="muted")}, graph.links, graph.groups)
    assert sentences(plan(muted, TYPES)) == []


def test_groups_in_groups_without_end_are_a_sentence():
    planned = plan(tower(2000, 1), TYPES)
    assert sentences(planned) == [("top", None, "the group 'G1999' has groups in groups, 2,000 deep; the limit is 64")]


def test_groups_nested_as_deeply_as_they_may_be_are_planned():
    (problem,) = plan(tower(limits.MAX_NESTING, 1), TYPES).problems
    assert problem.message == "box is not connected"
    assert problem.node.count("/") == limits.MAX_NESTING - 1


def test_groups_that_hold_each_other_are_named_and_end():
    bodies = {name: build({f"{other}{i}": f"group:{other}" for other in "ABC" for i in range(3)}) for name in "ABC"}
    groups = tuple(Group(name, body, {}, ()) for name, body in bodies.items())
    planned = plan(build({"a": "group:A"}, groups=groups), TYPES)
    assert sentences(planned) == [("a", None, "the group 'A' contains itself")]


def test_zones_in_zones_without_end_are_a_sentence():
    depth = 200
    nodes = {f"b{i}": "repeat.begin" for i in range(depth)} | {f"e{i}": "repeat.end" for i in range(depth)}
    links = [f"b{i}.state > b{i + 1}.initial" for i in range(depth - 1)]
    links += [f"b{i}.zone > e{i}.zone" for i in range(depth)] + [f"b{depth - 1}.state > e{depth - 1}.next"]
    links += [f"e{i + 1}.value > e{i}.next" for i in range(depth - 1)]
    planned = plan(build({"box": "toy.box", **nodes}, "box.box > b0.initial", *links), TYPES)
    assert [problem.message for problem in planned.problems] == [
        "this node is inside more than 64 zones, which is the limit"
    ]


@pytest.mark.parametrize(("outer", "inner"), [(10_000, 1000), (501, 500)], ids=["known before", "found on the way"])
def test_zones_that_multiply_end_with_a_sentence(outer: int, inner: int):
    graph = set_param(set_param(nested(), "outer", "count", outer), "inner", "count", inner)
    planner = Planner(TYPES)
    (problem,) = planner.plan(graph, ["outer_end"]).problems
    assert problem.node == "inner"
    assert "planning takes 250,000 steps at most" in problem.message


def test_zones_side_by_side_have_one_limit_together(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("nodegraph.planning.notes.MAX_STEPS", 60)
    monkeypatch.setattr("nodegraph.planning.evaluate.MAX_STEPS", 60)
    parts = [(f"b{i}", f"s{i}", f"e{i}") for i in range(3)]
    nodes = {"box": "toy.box"}
    links: list[str] = []
    for begin, step, end in parts:
        nodes |= {begin: ("repeat.begin", {"count": 10}), step: "toy.step", end: "repeat.end"}
        links += [f"box.box > {begin}.initial", f"{begin}.zone > {end}.zone", f"{begin}.state > {step}.box"]
        links += [f"{step}.box > {end}.next"]
    graph = build(nodes, *links)
    planner = Planner(TYPES)
    refused = planner.plan(graph).problems
    assert len(refused) == 1
    fewer = set_param(graph, "b0", "count", 1)
    assert planner.plan(fewer).problems == ()  # and what was refused before is planned after all
    assert planner.plan(graph).problems == refused == plan(graph, TYPES).problems


def chained(type: str, count: int, input: str, output: str) -> Graph:
    nodes = {f"n{i}": type for i in range(count)}
    return build(nodes, *(f"n{i}.{output} > n{i + 1}.{input}" for i in range(count - 1)))


def test_a_text_that_doubles_is_a_problem_before_it_is_large():
    graph = set_param(chained("plain.twice", 100, "text", "value"), "n0", "text", "a" * 1000)
    assert sentences(plan(graph, TYPES)) == [("n9", None, "value has 1,024,000 characters; the limit is 1,000,000")]


def test_a_number_that_grows_is_a_problem_before_it_is_large():
    ((node, socket, message),) = sentences(plan(chained("plain.square", 100, "x", "value"), TYPES))
    assert (node, socket) == ("n8", None)
    assert message == "value must be a finite number, and this one has about 513 digits"


def test_a_list_beyond_the_limit_is_a_problem():
    planned = plan(build({"many": ("plain.many", {"count": 20_001})}), TYPES)
    assert sentences(planned) == [("many", None, "value has more than 20,000 items, which is the limit")]


def test_a_parameter_beyond_the_limit_is_a_problem():
    planned = plan(build({"read": ("toy.read", {"path": "x" * 1_000_001})}), TYPES)
    assert sentences(planned) == [("read", "path", "path has 1,000,001 characters; the limit is 1,000,000")]


def lists_of_lists(rounds: int, items: int) -> Graph:
    """Each round makes a list that holds what the round before made, several times."""
    graph = build(
        {
            "list": ("plain.many", {"count": items}),
            "begin": ("repeat.begin", {"count": rounds}),
            "each": "foreach.begin",
            "last": "foreach.end",
            "end": "repeat.end",
        },
        *("list.value > begin.initial", "list.value > each.items", "begin.state > last.result"),
        *("each.zone > last.zone", "last.results > end.next", "begin.zone > end.zone"),
    )
    return graph


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (2, "results has more than 20,000 items, which is the limit"),
        (1, "results has lists in lists, more than 64 deep"),
    ],
)
def test_a_list_of_lists_of_lists_ends(items: int, message: str):
    assert sentences(plan(lists_of_lists(5000, items), TYPES)) == [("last", None, message)]


def test_long_lists_that_many_nodes_take_end_with_a_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("nodegraph.planning.notes.MAX_STEPS", 3000)
    nodes = {"many": ("plain.many", {"count": 20_000})} | {f"n{i}": "plain.length" for i in range(50)}
    planned = plan(build(nodes, *(f"many.value > n{i}.values" for i in range(50))), TYPES)
    (problem,) = planned.problems  # the first that is refused; it is of no use to hear it of all
    assert problem.message.endswith("the limit is 3,000")


def test_a_long_chain_of_reroutes_is_walked_once_however_many_read_it():
    from nodegraph.planning.expand import _Expansion  # pyright: ignore[reportPrivateUsage]

    class Counting(_Expansion):
        steps = 0

        def _next(self, dst):
            Counting.steps += 1
            return super()._next(dst)

    nodes = (
        {"box": "toy.box"} | {f"r{i}": "canvas.reroute" for i in range(300)} | {f"s{i}": "toy.step" for i in range(300)}
    )
    links = ["box.box > r0.value", *(f"r{i}.value > r{i + 1}.value" for i in range(299))]
    graph = build(nodes, *links, *(f"r299.value > s{i}.box" for i in range(300)))
    expansion = Counting(TYPES.get)
    finish(expansion.open(graph))
    flat = finish(expansion.flat())
    assert len(flat.links) == 300
    assert Counting.steps <= len(graph.links)


def test_a_chain_of_reroutes_in_a_group_may_be_of_any_length():
    nodes = {"in": "group.input", "out": "group.output", "box": "toy.step"}
    nodes |= {f"r{i}": "canvas.reroute" for i in range(3000)}
    links = ["in.x > r0.value", *(f"r{i}.value > r{i + 1}.value" for i in range(2999)), "r2999.value > box.box"]
    links.append("r2999.value > out.y")
    shown = document_types({"G": Group("G", build(nodes, *links), {"x": REQUIRED}, ("y",))}, TYPES)["group:G"]
    assert (shown.inputs[0].type, shown.outputs[0].type) == (TYPES["toy.box"].outputs[0].type,) * 2


def work(planner: Planner, graph: Graph) -> Iterator[int]:
    """How many nodes each piece evaluates."""
    before = 0
    done = False
    while not done:
        done = planner.prepare(graph, 0.0)
        steps = planner._evaluator.steps  # pyright: ignore[reportPrivateUsage]
        yield steps - before
        before = steps


@pytest.mark.parametrize("graph", [zone(2000), lists_of_lists(30, 1), tower(8, 2)], ids=["zone", "lists", "groups"])
def test_no_piece_of_planning_is_more_than_a_few_nodes(graph: Graph):
    assert max(work(Planner(TYPES), graph)) <= 2 * evaluate.SOME_NODES  # in a zone, a node takes two steps


def test_a_node_that_is_worked_out_while_planning_ends_a_piece():
    graph = build({f"n{i}": ("plain.double", {"x": i}) for i in range(50)})
    assert max(work(Planner(TYPES), graph)) == 1


def test_a_plan_given_up_half_way_leaves_nothing_behind():
    planner = Planner(TYPES)
    whole = zone(50)
    for pieces in (1, 7, 40, 90):
        for _ in range(pieces):
            planner.prepare(whole, 0.0)
        other = set_param(whole, "begin", "count", 3)
        assert planner.plan(other) == plan(other, TYPES)
    assert planner.plan(whole) == plan(whole, TYPES)


def test_a_parameter_edited_while_a_plan_is_made_does_not_begin_it_anew():
    planner = Planner(TYPES)
    nodes = {f"n{i}": ("toy.box", {"value": float(i % 500)}) for i in range(3000)}
    graph = build(nodes)
    fresh = sum(1 for _ in work(Planner(TYPES), graph))
    for edit in range(40):
        graph = set_param(graph, "n7", "value", float(edit))
        planner.prepare(graph, 0.0)
    assert sum(1 for _ in work(planner, graph)) <= fresh - 15


def file(**fields) -> str:
    return json.dumps({"version": 1, **fields})


def nested_definitions(levels: int) -> dict:
    inner: dict = {}
    for _ in range(levels):
        inner = {"groups": {"G": inner}}
    return inner


# Written when their test runs: every process that collects the tests would write all of them.
TOO_MUCH = [
    (lambda: file(nodes={f"n{i}": {"type": "x"} for i in range(50_001)}), "it has 50,001 nodes; the limit is 50,000"),
    (lambda: file(groups={f"g{i}": {} for i in range(2001)}), "it has 2,001 groups; the limit is 2,000"),
    (
        lambda: file(groups={"G": {"nodes": {f"n{i}": {"type": "x"} for i in range(50_001)}}}),
        "it has 50,001 nodes; the limit is 50,000",
    ),
    (lambda: file(links=[[["a", "b"], ["c", "d"]]] * 200_001), "it has 200,001 links; the limit is 200,000"),
    (
        lambda: file(groups={"G": {"outputs": [f"o{i}" for i in range(1001)]}}),
        "group 'G': it has 1,001 outputs; the limit is 1,000",
    ),
    (lambda: file(nodes={"n" * 1001: {"type": "x"}}), "a node's id has 1,001 characters; the limit is 1,000"),
    (lambda: file(nodes={"n": {"type": "x" * 1001}}), "node 'n': 'type' has 1,001 characters; the limit is 1,000"),
    (lambda: file(groups={"g" * 1001: {}}), "a group's name has 1,001 characters; the limit is 1,000"),
    (lambda: file(**nested_definitions(17)), "it is nested too deeply: groups may define groups 16 deep"),
    (lambda: file(**nested_definitions(400)), "it is nested too deeply: groups may define groups 16 deep"),
]


@pytest.mark.parametrize(("text", "message"), TOO_MUCH, ids=[message for _, message in TOO_MUCH])
def test_a_file_that_is_too_much_is_refused_with_what_and_how_much(text: Callable[[], str], message: str):
    with pytest.raises(WorkflowError) as error:
        workflow.loads(text(), "big.json")
    assert str(error.value) == f"big.json: {message}"


def test_what_is_parsed_already_has_the_same_limits():
    with pytest.raises(ValueError, match="nested too deeply"):
        workflow.from_data({"version": 1, **nested_definitions(5000)})


def test_a_name_that_stands_twice_is_found_in_one_pass():
    names = ",".join(f'"n{i}":1' for i in range(100_000))
    with pytest.raises(WorkflowError, match="'n99999' stands twice"):
        workflow.loads(f'{{"version":1,{names},"n99999":1}}')


def test_a_switch_for_everything_is_planned():
    """Each switch takes what the one before passes, twice: ways through them double, the work does not."""
    nodes = {"box": "toy.box"} | {f"w{i}": "logic.switch" for i in range(2000)}
    links = ["box.box > w0.if_true", "box.box > w0.if_false"]
    links += [f"w{i}.value > w{i + 1}.{side}" for i in range(1999) for side in ("if_true", "if_false")]
    graph = extend(build(nodes), {}, *links)
    assert plan(graph, TYPES).problems == ()


def test_a_long_list_of_numbers_is_measured_and_checked_without_a_look_into_each():
    """A function or two for each is what finiteness takes; its kind, and what it holds, are told of all at once."""
    numbers = tuple(map(float, range(5000)))
    assert calls(lambda: size(numbers)) < 2 * len(numbers)
    assert size((numbers, (1, "two", True))) == Size(5005, 3, 2)
    spec = Input("values", ListOf(float), REQUIRED)
    assert calls(lambda: spec.complaint(numbers)) < 5 * len(numbers)
    assert spec.complaint(numbers) is None
    assert spec.complaint((*numbers, 3)) is None
    assert spec.complaint((*numbers, True)) is not None
    assert spec.complaint((*numbers, "three")) is not None

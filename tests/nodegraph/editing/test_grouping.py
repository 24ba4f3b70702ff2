"""Making a group and taking it apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodegraph.editing.grouping import make_group, ungroup
from nodegraph.graph import Graph, Group, Node, Port, connect, set_param
from nodegraph.node import REQUIRED
from nodegraph.planning.plan import plan
from tests.nodegraph.planning.test_expand import TWICE, instance
from tests.nodegraph.toys import REGISTRY, build, result, zone


def test_a_group_computes_what_its_nodes_did():
    grouped = make_group(zone(3), ["begin", "step", "end"], "Loop")
    assert set(grouped.nodes) == {"box", "loop", "show"}
    assert grouped.groups["Loop"].inputs == {"initial": REQUIRED}
    assert result(grouped, "loop") == result(zone(3), "end")


def test_ungrouping_undoes_grouping():
    assert ungroup(make_group(zone(3), ["begin", "step", "end"], "Loop"), "loop") == zone(3)


@given(chosen=st.sets(st.integers(0, 5), min_size=1), spread=st.lists(st.integers(0, 5), min_size=5, max_size=5))
def test_grouping_any_nodes_changes_no_key(chosen: set[int], spread: list[int]):
    # node i takes one or two of the nodes before it: any graph without cycles
    graph = build({f"n{i}": ("toy.step" if i else "toy.box", {"amount": i} if i else {}) for i in range(6)})
    for i, source in enumerate(spread, 1):
        graph = connect(graph, Port(f"n{source % i}", "box"), Port(f"n{i}", "box"))
    try:
        grouped = make_group(graph, {f"n{i}" for i in chosen}, "G")
    except ValueError:
        return  # a node outside lies between them
    assert set(plan(grouped, REGISTRY).calls) == set(plan(graph, REGISTRY).calls)
    back = ungroup(grouped, "g")
    assert back.links == graph.links
    assert {id: (node.type, node.params) for id, node in back.nodes.items()} == {
        id: (node.type, node.params) for id, node in graph.nodes.items()
    }
    assert back.groups == {}


def test_sources_become_one_input_each():
    graph = build({"box": "toy.box", "sum": "toy.add"}, "box.box > sum.a", "box.box > sum.b")
    assert make_group(graph, ["sum"], "Sum").groups["Sum"].inputs == {"a": REQUIRED}


def test_sockets_of_one_name_are_told_apart():
    graph = build({"box": "toy.box", "a": "toy.step", "b": "toy.step", "x": "toy.show", "y": "toy.show"})
    for src, dst in [("box.box", "a.box"), ("a.box", "b.box"), ("a.box", "x.box"), ("b.box", "y.box")]:
        graph = connect(graph, Port(*src.split(".")), Port(*dst.split(".")))
    assert make_group(graph, ["a", "b"], "Both").groups["Both"].outputs == ("box", "box_2")


def test_the_values_of_an_instance_stay_with_its_nodes():
    opened = ungroup(set_param(instance(), "twice", "amount", 3), "twice")
    assert {opened.nodes[id].params["amount"] for id in ("one", "two")} == {3}
    assert set(plan(opened, REGISTRY, ["show"]).calls) == set(plan(instance(amount=3), REGISTRY, ["show"]).calls)


def test_the_definition_stays_while_another_instance_uses_it():
    two = Graph({**instance().nodes, "other": Node("group:Twice")}, instance().links, instance().groups)
    assert "Twice" in ungroup(two, "twice").groups
    assert "Twice" not in ungroup(instance(), "twice").groups


def test_a_group_that_ships_can_be_opened():
    graph = Graph(instance().nodes, instance().links)
    assert {"one", "two"} <= set(ungroup(graph, "twice", TWICE).nodes)
    with pytest.raises(ValueError, match="'twice' is not a group that can be opened"):
        ungroup(graph, "twice")


def test_opened_nodes_keep_clear_of_the_others():
    graph = Graph({**instance().nodes, "one": Node("toy.box")}, instance().links, instance().groups)
    assert {"one", "one_2", "two"} <= set(ungroup(graph, "twice").nodes)


def test_a_wire_straight_through_a_group_survives_opening_it():
    body = build({"in": "group.input", "out": "group.output"}, "in.x > out.y")
    graph = build(
        {"box": "toy.box", "wire": "group:Wire", "show": "toy.show"},
        "box.box > wire.x",
        "wire.y > show.box",
        groups=(Group("Wire", body, {"x": REQUIRED}, ("y",)),),
    )
    assert ungroup(graph, "wire").links == {Port("show", "box"): Port("box", "box")}


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("in.x > add.a; add.box > out.y", {Port("add", "a"): Port("add", "box")}),
        ("in.x > add.a", {}),
        ("in.x > add.a; in.x > out.y", {}),
    ],
)
def test_no_link_of_an_opened_group_names_it_where_it_was_linked_to_itself(body: str, left: dict[Port, Port]):
    inside = build({"in": "group.input", "out": "group.output", "add": "toy.add"}, *body.split("; "))
    group = Group("Round", inside, {"x": REQUIRED}, ("y",))
    graph = build({"round": "group:Round"}, "round.y > round.x", groups=(group,))
    assert ungroup(graph, "round").links == left


@pytest.mark.parametrize(
    ("ids", "name", "message"),
    [
        ([], "New", "choose the nodes to group"),
        (["show"], "Twice", "there is already a group 'Twice'"),
        (["show"], "", "a group needs a name"),
        (["box", "show"], "New", "'twice' lies between the chosen nodes: choose it as well"),
    ],
)
def test_what_cannot_be_grouped_is_refused_with_a_sentence(ids, name, message):
    with pytest.raises(ValueError, match=message):
        make_group(instance(), ids, name)


def test_outputs_of_one_name_are_called_after_what_they_are_for():
    graph = build(
        {"one": "toy.box", "two": "toy.box", "sum": "toy.add"},
        *("one.box > sum.a", "two.box > sum.b"),
    )
    assert make_group(graph, ["one", "two"], "Boxes").groups["Boxes"].outputs == ("a", "b")
    assert make_group(graph, ["one"], "Box").groups["Box"].outputs == ("box",)

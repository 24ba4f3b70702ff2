"""Copying nodes as text and pasting them."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodegraph.editing import clipboard
from nodegraph.editing.grouping import make_group
from nodegraph.graph import Graph, Node, Port, connect, remove_nodes
from tests.examples import examples
from tests.nodegraph.planning.test_expand import instance
from tests.nodegraph.toys import build, zone


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Up to six nodes, each taking one of those before it: any tree of wires, with titles, sizes and parameters."""
    count = draw(st.integers(1, 6))
    graph = Graph()
    for i in range(count):
        node = Node(
            "toy.step" if i else "toy.box",
            {"amount": draw(st.floats(-9, 9))} if draw(st.booleans()) else {},
            (draw(st.integers(-500, 500)), draw(st.integers(-500, 500))),
            draw(st.sampled_from([None, "a", "é"])),
            size=draw(st.sampled_from([None, (200.0, 100.0)])),
            collapsed=draw(st.booleans()),
        )
        graph = replace(graph, nodes={**graph.nodes, f"n{i}": node})
        if i and draw(st.booleans()):
            graph = connect(graph, Port(f"n{draw(st.integers(0, i - 1))}", "box"), Port(f"n{i}", "box"))
    return graph


def corner(graph: Graph) -> tuple[float, float]:
    return min(n.pos[0] for n in graph.nodes.values()), min(n.pos[1] for n in graph.nodes.values())


@examples(40)
@given(graphs())
def test_what_is_pasted_into_nothing_is_what_was_copied(graph: Graph):
    pasted, ids = clipboard.paste(Graph(), clipboard.copy(graph, graph.nodes), corner(graph))
    assert pasted == graph
    assert ids == tuple(graph.nodes)


@examples(40)
@given(graphs())
def test_pasting_beside_the_original_changes_nothing_of_it_and_makes_its_equal(graph: Graph):
    pasted, ids = clipboard.paste(graph, clipboard.copy(graph, graph.nodes), corner(graph))
    assert remove_nodes(pasted, set(ids)) == graph
    names = dict(zip(ids, graph.nodes, strict=True))
    copies = {names[id]: pasted.nodes[id] for id in ids}
    links = {
        Port(names[d.node], d.socket): Port(names[s.node], s.socket) for d, s in pasted.links.items() if d.node in names
    }
    assert (copies, links) == (graph.nodes, graph.links)


@examples(40)
@given(graphs(), st.sets(st.integers(0, 5)))
def test_duplicates_are_linked_to_each_other_and_on_request_to_what_the_originals_take(graph: Graph, chosen: set[int]):
    ids = {f"n{i}" for i in chosen} & graph.nodes.keys()
    doubled, copies = clipboard.duplicate(graph, ids, (10, 0))
    assert remove_nodes(doubled, set(copies.values())) == graph
    linked = clipboard.link_like(doubled, copies)
    for id, copy in copies.items():
        for dst, src in graph.links.items():
            if dst.node == id:
                expected = Port(copies.get(src.node, src.node), src.socket)
                assert linked.links[Port(copy, dst.socket)] == expected
                assert (Port(copy, dst.socket) in doubled.links) == (src.node in copies)


def test_links_from_outside_are_not_copied():
    graph = build({"box": "toy.box", "a": "toy.step", "b": "toy.step"}, "box.box > a.box", "a.box > b.box")
    pasted, ids = clipboard.paste(Graph(), clipboard.copy(graph, ["a", "b"]), (0, 0))
    assert ids == ("a", "b")
    assert pasted.links == {Port("b", "box"): Port("a", "box")}


def test_a_zone_is_copied_whole():
    graph = zone(3)
    pasted, ids = clipboard.paste(graph, clipboard.copy(graph, ["begin", "step", "end"]), (0, 900))
    begin = ids[0]
    assert pasted.links[Port("end_2", "zone")] == Port(begin, "zone")


def test_an_instance_brings_its_definition_along():
    pasted, _ = clipboard.paste(Graph(), clipboard.copy(instance(), ["twice"]), (0, 0))
    assert pasted.groups == instance().groups


def test_a_group_that_means_something_else_here_gets_another_name():
    own = instance()
    other = make_group(build({"box": "toy.box"}), ["box"], "Twice")
    pasted, ids = clipboard.paste(other, clipboard.copy(own, ["twice"]), (0, 0))
    assert pasted.groups["Twice"] == other.groups["Twice"]
    assert pasted.nodes[ids[0]].type == "group:Twice_2"
    assert pasted.groups["Twice_2"].graph == own.groups["Twice"].graph


def test_the_text_is_a_workflow_file():
    assert json.loads(clipboard.copy(zone(2), ["step"]))["nodes"].keys() == {"step"}


def test_the_walls_of_a_group_stay_where_they_are():
    body = build({"in": "group.input", "step": "toy.step"}, "in.box > step.box")
    pasted, ids = clipboard.paste(body, clipboard.copy(body, ["in", "step"]), (0, 0))
    assert ids == ("step_2",)
    assert [n.type for n in pasted.nodes.values()].count("group.input") == 1


@pytest.mark.parametrize(("text", "message"), [("a cat", "the clipboard: not JSON"), ("{}", "no version number")])
def test_text_that_is_no_workflow_is_refused_with_a_sentence(text: str, message: str):
    with pytest.raises(ValueError, match=message):
        clipboard.paste(Graph(), text, (0, 0))


def test_copying_nothing_is_refused():
    with pytest.raises(ValueError, match="choose the nodes to copy"):
        clipboard.copy(zone(2), [])

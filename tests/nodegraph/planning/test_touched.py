"""What an edit of nodes and links leaves as it was, and need not be planned again."""

from collections.abc import Callable

from nodegraph.graph import Graph, Port, change_node, disconnect, move_nodes, remove_nodes, set_param
from nodegraph.group_type import document_types
from nodegraph.pieces import finish
from nodegraph.planning.expand import expand
from nodegraph.planning.structure import structure
from nodegraph.planning.touched import touched
from tests.examples import each
from tests.nodegraph.planning.test_expand import TWICE
from tests.nodegraph.toys import REGISTRY, build, extend, zone

Edit = Callable[[Graph], Graph]


def found(before: Graph, after: Graph) -> set[str]:
    flats = [expand(graph, document_types(graph.groups, REGISTRY).get) for graph in (before, after)]
    return finish(touched(*flats, *map(structure, flats)))


def document() -> Graph:
    """Parts that have nothing to do with each other: a zone, a group, two chains, a variable."""
    nodes = {
        "far": "toy.box",
        "far_step": "toy.step",
        "near": "toy.box",
        "near_step": "toy.step",
        "spare": "toy.box",
        "half": "plain.divide",
        "fed": "toy.box",
        "twice": "group:Twice",
        "set": ("variable.set", {"name": "a"}),
        "get": ("variable.get", {"name": "b"}),
        "taker": "toy.step",
    }
    links = ["far.box > far_step.box", "near.box > near_step.box", "fed.box > twice.box", "near.box > set.value"]
    graph = build(nodes, *links, "get.value > taker.box", groups=(TWICE,))
    around = zone()
    return Graph(graph.nodes | around.nodes, graph.links | around.links, graph.groups)


EDITS: dict[str, tuple[Edit, set[str]]] = {
    "parameter": (lambda g: set_param(g, "spare", "value", 7), {"spare"}),
    "another type": (
        lambda g: Graph({**g.nodes, "half": build({"half": "plain.is_zero"}).nodes["half"]}, g.links, g.groups),
        {"half"},
    ),
    "a node more": (lambda g: extend(g, {"more": "toy.box"}), {"more"}),
    "another source": (lambda g: extend(g, {}, "spare.box > near_step.box"), {"near_step"}),
    "muted": (lambda g: change_node(g, "far", mode="muted"), {"far", "far_step"}),
    "a value of a group linked": (lambda g: extend(g, {}, "half.value > twice.amount"), {"twice/one", "twice/two"}),
    "what a group takes unlinked": (lambda g: disconnect(g, Port("twice", "box")), {"twice/one"}),
    "a variable that is found": (lambda g: set_param(g, "get", "name", "a"), {"get", "taker"}),
    "a zone without a way through": (lambda g: disconnect(g, Port("end", "next")), {"step", "end"}),
}


@each("edit", EDITS)
def test_an_edit_touches_what_it_is_of_and_nothing_else(edit: str):
    before = document()
    after, expected = EDITS[edit][0](before), EDITS[edit][1]
    assert found(before, after) == found(after, before) == expected


def test_an_input_that_is_cut_off_and_one_that_is_loose_are_told_apart():
    cut = change_node(document(), "far", mode="muted")
    loose = disconnect(cut, Port("far_step", "box"))
    assert found(cut, loose) == found(loose, cut) == {"far_step"}


def test_what_is_wrong_with_a_node_may_change_with_another():
    """With which end a zone has already."""
    graph = extend(zone(), {"late": "repeat.end"}, "begin.zone > late.zone")
    renamed = {"early" if id == "end" else id: node for id, node in graph.nodes.items()}
    links = {dst._replace(node="early") if dst.node == "end" else dst: src for dst, src in graph.links.items()}
    other = disconnect(Graph(renamed, links), Port("show", "box"))
    assert found(graph, other) == {"begin", "step", "end", "early", "late", "show"}


def test_many_edits_touch_what_each_of_them_touches():
    before = after = document()
    expected: set[str] = set()
    for edit, of in EDITS.values():
        after = edit(after)
        expected |= of
    assert found(before, after) == expected


def test_nodes_that_move_are_renamed_or_have_equal_parameters_are_as_they_were():
    before = document()
    after = change_node(move_nodes(before, {"far": (9.0, 9.0)}), "near", title="Mine", params={})
    assert found(before, after) == set()


def test_a_zone_that_is_gone_touches_what_was_in_it():
    before = document()
    assert found(before, remove_nodes(before, {"end"})) == {"begin", "step", "end", "show"}

"""The name and the sockets of a group changed for all its instances."""

import pytest

from nodegraph.editing.grouping import make_group
from nodegraph.editing.redefine import redefine
from nodegraph.formats.app_rows import App, app_of, set_app
from nodegraph.formats.workflow import dumps, loads
from nodegraph.graph import GROUP, Graph, Node, Port, add_node
from nodegraph.planning.plan import plan
from tests.nodegraph.planning.test_expand import TWICE, instance
from tests.nodegraph.toys import REGISTRY

INPUTS, OUTPUTS = {name: name for name in TWICE.inputs}, {name: name for name in TWICE.outputs}


def keys(graph: Graph) -> set[str]:
    """What is computed, whatever it is called."""
    made = plan(graph, REGISTRY)
    assert not made.problems
    return set(made.calls)


def test_another_name_changes_nothing_that_is_computed():
    before = instance()
    after = redefine(before, TWICE, "Double", INPUTS, OUTPUTS)
    assert set(after.groups) == {"Double"}
    assert after.groups["Double"].name == "Double"
    assert keys(after) == keys(before)
    assert loads(dumps(after)) == after


def test_other_names_and_another_order_of_sockets_change_nothing_that_is_computed():
    before = instance()
    inputs = {name: f"{name}_in" for name in reversed(TWICE.inputs)}
    outputs = {name: f"{name}_out" for name in reversed(TWICE.outputs)}
    after = redefine(before, TWICE, "Twice", inputs, outputs)
    assert [*after.groups["Twice"].inputs] == [*inputs.values()]
    assert after.groups["Twice"].outputs == (*outputs.values(),)
    assert keys(after) == keys(before)


def test_two_sockets_can_exchange_their_names():
    before = instance()
    a, b = TWICE.outputs
    after = redefine(before, TWICE, "Twice", INPUTS, {a: b, b: a})
    assert keys(after) == keys(before)


def test_a_socket_that_goes_takes_its_wires_and_values_along():
    after = redefine(instance(amount=3), TWICE, "Twice", {}, OUTPUTS)
    assert not after.groups["Twice"].inputs
    assert not any(src.node == "in" for src in after.groups["Twice"].graph.links.values())
    assert not any(dst.node == "twice" for dst in after.links)
    assert not after.nodes["twice"].params


def test_the_app_view_shows_a_renamed_socket_and_leaves_out_one_that_goes():
    _, *rest = TWICE.inputs
    shown = App(tuple(Port("twice", name) for name in TWICE.inputs), ("twice",))
    names = {name: f"{name}_in" for name in rest}
    after = redefine(set_app(instance(), shown), TWICE, "Twice", names, OUTPUTS)
    assert app_of(after) == App(tuple(Port("twice", name) for name in names.values()), ("twice",))
    assert "app" not in redefine(instance(), TWICE, "Twice", names, OUTPUTS).extra


def test_instances_in_other_groups_change_too():
    before = instance()
    (id,) = [id for id, node in before.nodes.items() if node.type == GROUP + "Twice"]
    nested = make_group(before, [id], "Around")
    after = redefine(nested, nested.groups["Twice"], "Double", {n: f"{n}_in" for n in INPUTS}, OUTPUTS)
    assert keys(after) == keys(nested)


def test_the_name_of_a_shipped_group_that_is_used_is_taken():
    both = add_node(instance(), "shipped", Node(GROUP + "Denoise"))
    with pytest.raises(ValueError, match="already a group 'Denoise'"):
        redefine(both, TWICE, "Denoise", INPUTS, OUTPUTS)


def test_a_group_that_ships_becomes_the_documents_own():
    shipped = Graph({"twice": Node(GROUP + "Twice")})
    after = redefine(shipped, TWICE, "Double", INPUTS, OUTPUTS)
    assert after.nodes["twice"].type == GROUP + "Double"
    assert set(after.groups) == {"Double"}


@pytest.mark.parametrize(
    ("name", "outputs", "why"),
    [
        ("", OUTPUTS, "a group needs a name"),
        ("Used", OUTPUTS, "there is already a group 'Used'"),
        ("Twice", dict.fromkeys(OUTPUTS, ""), "a socket needs a name"),
        ("Twice", dict.fromkeys(OUTPUTS, "same"), "two sockets 'same'"),
    ],
)
def test_names_that_cannot_be_are_refused(name, outputs, why):
    graph = make_group(add_node(instance(), "other", Node("toy.box")), ["other"], "Used")
    with pytest.raises(ValueError, match=why):
        redefine(graph, TWICE, name, INPUTS, outputs)

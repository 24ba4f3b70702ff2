"""In what two graphs differ, for people who compare two results."""

from dataclasses import replace

from nodegraph.editing.compare import Difference, counterparts, differences, with_names
from nodegraph.graph import Graph, Group, Node, Port, change_node, connect, disconnect, move_nodes, set_param
from nodegraph.group_type import group_type
from nodegraph.node import node
from nodegraph.reach import leading_to


@node("load")
def load(path: str = "") -> int:
    return 0


@node("steps")
def run_steps(steps: int = 20, seed: int = 0, x: float = 0.0) -> int:
    return 0


BODY = Graph({"step": Node("steps", {"steps": 4})})
SHIPPED = Group("Denoise", BODY, {}, ())
REGISTRY = {t.id: t for t in (load.node_type, run_steps.node_type)}
REGISTRY["group:Denoise"] = group_type(SHIPPED, REGISTRY.get)


def graph() -> Graph:
    """Two branches from one model, the first into a picture."""
    nodes = {
        "model": Node("load", {"path": "a"}),
        "steps": Node("steps", {"steps": 20, "seed": 7}),
        "picture": Node("picture"),
        "other": Node("other", {"steps": 5}),
    }
    links = {
        Port("steps", "model"): Port("model", "model"),
        Port("picture", "latent"): Port("steps", "latent"),
        Port("other", "model"): Port("model", "model"),
    }
    return Graph(nodes, links)


def test_a_graph_does_not_differ_from_itself():
    assert differences(graph(), graph(), REGISTRY) == ()


def test_a_changed_parameter_is_named_with_both_values():
    after = set_param(graph(), "steps", "seed", 8)
    assert differences(graph(), after, REGISTRY) == (Difference("steps", "seed", 7, 8),)


def test_a_value_that_is_written_out_equals_the_default():
    before = Graph({"steps": Node("steps")})
    assert differences(before, set_param(before, "steps", "steps", 20), REGISTRY) == ()
    assert differences(before, set_param(before, "steps", "steps", 30), REGISTRY) == (
        Difference("steps", "steps", 20, 30),
    )


def test_what_cannot_show_in_a_result_is_no_difference():
    after = change_node(move_nodes(graph(), {"model": (9.0, 9.0)}), "steps", title="Renamed")
    assert differences(graph(), after, REGISTRY) == ()


def test_only_what_the_target_depends_on_counts():
    after = set_param(set_param(graph(), "other", "steps", 9), "model", "path", "b")
    found = differences(leading_to(graph(), "picture"), leading_to(after, "picture"), REGISTRY)
    assert found == (Difference("model", "path", "a", "b"),)


def test_what_comes_by_the_name_of_a_variable_counts():
    nodes = {"a": Node("steps"), "set": Node("variable.set", {"name": "n"}), "get": Node("variable.get", {"name": "n"})}
    links = {Port("set", "value"): Port("a", "value"), Port("picture", "latent"): Port("get", "value")}
    whole = Graph({**nodes, "picture": Node("picture"), "other": Node("steps")}, links)
    assert set(leading_to(whole, "picture").nodes) == {"a", "set", "get", "picture"}


def test_what_is_set_in_an_added_node_is_named():
    before = Graph({"picture": Node("picture")})
    after = replace(before, nodes={**before.nodes, "steps": Node("steps", {"seed": 5})})
    assert differences(before, after, REGISTRY) == (
        Difference("steps", None, None, Node("steps", {"seed": 5})),
        Difference("steps", "seed", None, 5),
    )


def test_links_nodes_and_modes_are_compared():
    before = graph()
    after = connect(before, Port("other", "latent"), Port("picture", "latent"))
    assert differences(before, after, REGISTRY) == (
        Difference("picture", "latent", Port("steps", "latent"), Port("other", "latent")),
    )
    cut = disconnect(before, Port("picture", "latent"))
    assert differences(before, cut, REGISTRY) == (Difference("picture", "latent", Port("steps", "latent"), None),)
    less = replace(before, nodes={id: node for id, node in before.nodes.items() if id != "other"})
    assert differences(before, less, REGISTRY) == (
        Difference("other", None, Node("other", {"steps": 5}), None),
        Difference("other", "steps", 5, None),
    )
    muted = change_node(before, "steps", mode="muted")
    assert differences(before, muted, REGISTRY) == (Difference("steps", None, "on", "muted"),)


def test_differences_inside_a_group_are_named_after_it():
    def with_steps(steps: int) -> Graph:
        body = Graph({"step": Node("steps", {"steps": steps})})
        return Graph({"denoise": Node("group:Denoise")}, {}, {"Denoise": Group("Denoise", body, {}, ())})

    assert differences(with_steps(4), with_steps(8), REGISTRY) == (Difference("Denoise/step", "steps", 4, 8),)


def test_nodes_that_stand_in_for_each_other_are_compared():
    before = Graph({"a": Node("steps", {"seed": 1}, title="One"), "b": Node("steps", {"seed": 2}, title="Two")})
    after = Graph({"c": Node("steps", {"seed": 3}, title="Two"), "d": Node("load"), "e": Node("steps", {"seed": 1})})
    names = counterparts(before, after)
    assert names == {"b": "c", "a": "e"}
    assert differences(with_names(before, names), after, REGISTRY) == (
        Difference("c", "seed", 2, 3),
        Difference("d", None, None, Node("load")),
    )


def test_a_changed_copy_of_a_group_that_ships_differs_from_it():
    before = Graph({"denoise": Node("group:Denoise")})
    own = replace(SHIPPED, graph=set_param(BODY, "step", "seed", 3))
    after = replace(before, groups={"Denoise": own})
    assert differences(before, after, REGISTRY) == (Difference("Denoise/step", "seed", 0, 3),)
    unused = replace(after, nodes={"picture": Node("picture")})
    assert differences(replace(unused, groups={}), unused, REGISTRY) == ()


def test_numbers_of_another_kind_are_a_difference():
    before = Graph({"a": Node("t", {"x": 1})})
    assert len(differences(before, set_param(before, "a", "x", True), REGISTRY)) == 1

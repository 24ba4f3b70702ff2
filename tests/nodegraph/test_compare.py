"""In what two graphs differ, for people who compare two results."""

from dataclasses import replace

from nodegraph.compare import Difference, differences
from nodegraph.graph import Graph, Group, Node, Port, change_node, connect, disconnect, move_nodes, set_param

DEFAULTS = {"steps": 20, "seed": 0}


def default_of(node: Node, name: str) -> object:
    return DEFAULTS.get(name)


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
    assert differences(graph(), graph(), default_of) == ()


def test_a_changed_parameter_is_named_with_both_values():
    after = set_param(graph(), "steps", "seed", 8)
    assert differences(graph(), after, default_of) == (Difference("steps", "seed", 7, 8),)


def test_a_value_that_is_written_out_equals_the_default():
    before = Graph({"steps": Node("steps")})
    assert differences(before, set_param(before, "steps", "steps", 20), default_of) == ()
    assert differences(before, set_param(before, "steps", "steps", 30), default_of) == (
        Difference("steps", "steps", 20, 30),
    )


def test_what_cannot_show_in_a_result_is_no_difference():
    after = change_node(move_nodes(graph(), {"model": (9.0, 9.0)}), "steps", title="Renamed")
    assert differences(graph(), after, default_of) == ()


def test_only_what_the_target_depends_on_counts():
    after = set_param(set_param(graph(), "other", "steps", 9), "model", "path", "b")
    assert differences(graph(), after, default_of, "picture") == (Difference("model", "path", "a", "b"),)


def test_links_nodes_and_modes_are_compared():
    before = graph()
    after = connect(before, Port("other", "latent"), Port("picture", "latent"))
    assert differences(before, after, default_of) == (
        Difference("picture", "latent", Port("steps", "latent"), Port("other", "latent")),
    )
    cut = disconnect(before, Port("picture", "latent"))
    assert differences(before, cut, default_of) == (Difference("picture", "latent", Port("steps", "latent"), None),)
    less = replace(before, nodes={id: node for id, node in before.nodes.items() if id != "other"})
    assert differences(before, less, default_of) == (Difference("other", None, Node("other", {"steps": 5}), None),)
    muted = change_node(before, "steps", mode="muted")
    assert differences(before, muted, default_of) == (Difference("steps", None, "on", "muted"),)


def test_differences_inside_a_group_are_named_after_it():
    def with_steps(steps: int) -> Graph:
        body = Graph({"step": Node("steps", {"steps": steps})})
        return Graph({"denoise": Node("group:Denoise")}, {}, {"Denoise": Group("Denoise", body, {}, ())})

    assert differences(with_steps(4), with_steps(8), default_of) == (Difference("Denoise/step", "steps", 4, 8),)


def test_numbers_of_another_kind_are_a_difference():
    before = Graph({"a": Node("t", {"x": 1})})
    assert len(differences(before, set_param(before, "a", "x", True), default_of)) == 1

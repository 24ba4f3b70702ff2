"""Prompts taken over from another graph."""

from nodegraph.editing.texts import with_texts_of
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port

REGISTRY = discover("tests.toy_nodes")


def graph(text: str, **more: Node) -> Graph:
    return Graph({"one": Node("toy.settings", {"text": text, "count": 5}), **more})


def test_the_texts_of_the_same_nodes_are_taken_and_nothing_else():
    now = graph("a cat", two=Node("toy.settings", {"text": "a dog"}))
    earlier = graph("a fox", other=Node("toy.settings", {"text": "a cow"}))
    after = with_texts_of(now, Graph({**earlier.nodes, "two": Node("toy.box")}), REGISTRY.get)
    assert after.nodes["one"].params == {"text": "a fox", "count": 5}
    assert after.nodes["two"] == now.nodes["two"]  # it is another kind of node there
    assert set(after.nodes) == set(now.nodes)


def test_a_text_that_a_link_decides_and_a_note_stay():
    note = Node("canvas.note", {"text": "mine"})
    now = graph("a cat", note=note)
    linked = Graph(now.nodes, {Port("one", "text"): Port("note", "text")})
    earlier = graph("a fox", note=Node("canvas.note", {"text": "theirs"}))
    assert with_texts_of(linked, earlier, REGISTRY.get) == linked
    assert with_texts_of(now, earlier, REGISTRY.get).nodes["note"] == note

"""Editing, undo, and files."""

import pytest

from nodegraph.graph import Node, Port, add_node, connect, move_nodes, remove_nodes
from nodegraph.node import REQUIRED
from ui.document import Document


def test_edits_with_one_token_are_one_undo_step(document: Document):
    before = document.graph
    for x in range(10):
        document.edit("Move", move_nodes, {"left": (x, x)}, merge="drag 1")
    assert document.undo_stack.count() == 1
    document.undo_stack.undo()
    assert document.graph == before


def test_edits_with_different_tokens_are_different_steps(document: Document):
    document.set_param("left", "value", 5.0, merge="first")
    document.set_param("left", "value", 6.0, merge="second")
    document.undo_stack.undo()
    assert document.graph.nodes["left"].params["value"] == 5.0


def test_a_gesture_that_ends_where_it_began_leaves_no_step(document: Document):
    document.set_param("left", "value", 9.0, merge="slide")
    document.set_param("left", "value", 2.0, merge="slide")
    assert document.undo_stack.count() == 0
    assert not document.dirty


def test_an_edit_that_changes_nothing_is_no_step(document: Document):
    document.set_param("left", "value", 2.0)
    assert document.undo_stack.count() == 0


def test_undo_to_the_start_and_redo_to_the_end_give_the_same_graphs(document: Document):
    versions = [document.graph]
    for text, edit, args in (
        ("Delete", remove_nodes, ({"sum"},)),
        ("Add", add_node, ("new", Node("toy.box"))),
        ("Connect", connect, (Port("new", "box"), Port("show", "box"))),
    ):
        document.edit(text, edit, *args)
        versions.append(document.graph)
    for version in reversed(versions[:-1]):
        document.undo_stack.undo()
        assert document.graph == version
    for version in versions[1:]:
        document.undo_stack.redo()
        assert document.graph == version


def test_saving_and_opening_is_an_identity(document: Document, tmp_path):
    document.set_param("left", "value", 5.0)
    document.save(tmp_path / "a.json")
    assert not document.dirty
    other = Document(document.registry)
    other.open(tmp_path / "a.json")
    assert other.graph == document.graph
    assert other.name == "a"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1, 2]", b'{"version": 999, "nodes": {}, "links": []}', b"\x89PNG\r\n\x1a\n"]
)
def test_a_file_that_cannot_be_read_changes_nothing(document: Document, tmp_path, content):
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    document.set_param("left", "value", 5.0)
    before = document.graph
    with pytest.raises(ValueError, match=r"broken\.json"):
        document.open(path)
    assert document.graph is before
    assert document.dirty


def test_a_type_that_is_not_installed_shows_what_its_links_and_parameters_tell(document: Document):
    document.edit("Add", add_node, "x", Node("acme.mystery", {"power": 3}))
    document.edit("Connect", connect, Port("left", "box"), Port("x", "inlet"))
    document.edit("Connect", connect, Port("x", "outlet"), Port("show", "box"))
    assert not document.known("x")
    type = document.type_of("x")
    assert [(i.name, i.default) for i in type.inputs] == [("inlet", REQUIRED), ("power", 3)]
    assert [o.name for o in type.outputs] == ["outlet"]

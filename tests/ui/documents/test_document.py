"""Editing, undo, and files."""

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodegraph.formats import workflow
from nodegraph.graph import Graph, Node, Port, add_node, connect, move_nodes, remove_nodes
from nodegraph.node import REQUIRED
from nodegraph.registry import Registry
from tests.examples import examples
from tests.ui.random_edits import EDITS, Edit, edited
from ui.documents.document import Document, GraphEdit


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


def alive() -> int:
    """Graphs and edits that something holds on to."""
    gc.collect()
    return sum(isinstance(found, Graph | GraphEdit) for found in gc.get_objects())


def test_a_long_drag_holds_on_to_two_graphs_and_one_edit(document: Document):
    before = alive()
    for value in range(50):
        document.set_param("left", "value", 100.0 + value, merge="drag")
    assert document.undo_stack.count() == 1
    assert alive() - before == 2  # the graph before is counted already


def test_steps_that_an_edit_after_undo_cuts_off_are_let_go(document: Document):
    for value in range(50):
        document.set_param("left", "value", 100.0 + value)
    for _ in range(50):
        document.undo_stack.undo()
    before = alive()
    document.set_param("left", "value", 7.0)
    assert alive() - before == -98  # 50 graphs and 50 edits; one of each is new


def test_after_undo_an_edit_with_the_token_of_before_is_a_step_of_its_own(document: Document):
    start = document.graph
    for value in (5.0, 6.0):
        document.set_param("left", "value", value, merge="drag")
    document.set_param("right", "value", 8.0)
    document.undo_stack.undo()
    document.set_param("left", "value", 9.0, merge="drag")
    assert document.undo_stack.count() == 2
    document.undo_stack.undo()
    document.undo_stack.undo()
    assert document.graph == start


def test_a_drag_that_goes_on_after_saving_makes_unsaved_changes(document: Document, tmp_path):
    document.set_param("left", "value", 5.0, merge="drag")
    document.save(tmp_path / "saved.json")
    document.set_param("left", "value", 6.0, merge="drag")
    assert document.dirty
    document.undo_stack.undo()
    assert not document.dirty


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


def test_saving_makes_it_the_document_s_file(document: Document, tmp_path):
    document.set_param("left", "value", 5.0)
    document.save(tmp_path / "a.json")
    assert not document.dirty
    assert workflow.load(tmp_path / "a.json") == document.graph
    assert (document.path, document.name) == (tmp_path / "a.json", "a")


def test_a_save_that_fails_leaves_the_changes_unsaved(document: Document, tmp_path):
    document.set_param("left", "value", 5.0)
    with pytest.raises(ValueError, match="cannot write"):
        document.save(tmp_path / "missing" / "a.json")
    assert document.dirty
    assert document.path is None


def test_a_type_that_is_not_installed_shows_what_its_links_and_parameters_tell(document: Document):
    document.edit("Add", add_node, "x", Node("acme.mystery", {"power": 3}))
    document.edit("Connect", connect, Port("left", "box"), Port("x", "inlet"))
    document.edit("Connect", connect, Port("x", "outlet"), Port("show", "box"))
    assert not document.known("x")
    type = document.type_of("x")
    assert [(i.name, i.default) for i in type.inputs] == [("inlet", REQUIRED), ("power", 3)]
    assert [o.name for o in type.outputs] == ["outlet"]


def exactly(graph: Graph) -> tuple:
    """What equality of mappings does not see: their order."""
    return graph, list(graph.nodes), list(graph.links), list(graph.groups)


@examples(50)
@given(EDITS, st.sets(st.integers(0, 24)))
def test_undo_and_redo_of_any_edits_go_through_the_same_graphs(registry: Registry, edits: list[Edit], merged: set[int]):
    document = Document(registry)
    states = [exactly(document.graph)]
    for number, edit in enumerate(edits):
        token = "gesture" if number in merged else number
        document.edit("Edit", edited, edit, merge=token)
        del states[document.undo_stack.index() :]
        states.append(exactly(document.graph))
    for state in reversed(states[:-1]):
        document.undo_stack.undo()
        assert exactly(document.graph) == state
    assert not document.undo_stack.canUndo()
    for state in states[1:]:
        document.undo_stack.redo()
        assert exactly(document.graph) == state
    assert not document.undo_stack.canRedo()


@examples(100)
@given(EDITS)
def test_any_document_comes_back_from_its_file(edits: list[Edit]):
    graph = Graph()
    for edit in edits:
        graph = edited(graph, edit)
    found = workflow.loads(workflow.dumps(graph))
    assert exactly(found) == exactly(graph)
    assert workflow.dumps(found) == workflow.dumps(graph)

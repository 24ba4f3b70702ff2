"""No edit makes a document that could not be opened again: it is refused with the sentence that opening would say."""

import pytest

from nodegraph import limits
from nodegraph.formats import workflow
from nodegraph.graph import Graph, Node
from nodegraph.limits import MAX_NAME, check_growth
from ui.canvas.actions import canvas_actions
from ui.canvas.commands import selection
from ui.canvas.commands.adding import open_palette


@pytest.fixture
def refused(canvas, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the canvas says of its document, which has as many nodes as it may have."""
    monkeypatch.setattr(limits, "MAX_NODES", len(canvas.document.graph.nodes))
    said: list[str] = []
    canvas.state.refused.connect(said.append)
    canvas.state.select({"left", "right"})
    return said


def act(canvas, id: str) -> None:
    next(action for action in canvas_actions(canvas) if action.id == id).callback()


def limit(canvas, more: int) -> str:
    count = len(canvas.document.graph.nodes)
    return f"it would have {count + more} nodes; the limit is {count}."


@pytest.mark.parametrize("id", ["canvas.duplicate", "canvas.duplicate_linked", "canvas.paste"])
def test_more_nodes_than_a_file_may_have_are_not_added(canvas, refused, id):
    before = canvas.document.graph
    selection.copy(canvas.state)
    act(canvas, id)
    assert canvas.document.graph is before
    assert len(refused) == 1
    assert refused[0].endswith(limit(canvas, 2))


def test_a_frame_a_note_and_a_node_of_the_palette_are_refused_as_well(canvas, refused):
    before = canvas.document.graph
    act(canvas, "canvas.frame")
    act(canvas, "canvas.note")
    palette = open_palette(canvas.state, canvas.state.pointer())
    palette.chosen.emit(palette.offers[0])
    palette.close()
    assert canvas.document.graph is before
    assert len(refused) == 3


def test_a_copy_of_a_node_with_the_longest_id_is_refused(canvas):
    said: list[str] = []
    canvas.state.refused.connect(said.append)
    longest = Graph({"n" * MAX_NAME: Node("toy.box")})
    canvas.document.edit("Longest", lambda _: longest)
    canvas.state.select(longest.nodes)
    act(canvas, "canvas.duplicate")
    assert canvas.document.graph is longest
    assert said == [f"Nothing was changed: a node id has {MAX_NAME + 2:,} characters; the limit is {MAX_NAME:,}."]


def test_a_group_name_that_could_not_be_opened_again_is_refused(canvas):
    canvas.state.select({"left", "right"})
    act(canvas, "canvas.group")
    before = canvas.document.graph
    (definition,) = before.groups.values()
    with pytest.raises(ValueError, match=r"the name of a group has 1,001 characters; the limit is 1,000"):
        canvas.document.edit(
            "Change group", selection.redefine, definition, "g" * 1001, {n: n for n in definition.inputs},
            {n: n for n in definition.outputs},
        )  # fmt: skip
    assert canvas.document.graph is before


def test_what_may_be_edited_may_be_opened(canvas, monkeypatch):
    monkeypatch.setattr(limits, "MAX_NODES", 9)
    monkeypatch.setattr(workflow, "MAX_NODES", 9)
    for count in (9, 10):
        graph = Graph({f"n{i}": Node("toy.box") for i in range(count)})
        for accept in (lambda g=graph: check_growth(Graph(), g), lambda g=graph: workflow.loads(workflow.dumps(g))):
            if count == 9:
                accept()
            else:
                with pytest.raises(ValueError, match="10 nodes; the limit is 9"):
                    accept()

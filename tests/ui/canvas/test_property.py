"""The view always shows exactly the document: random edits, of every kind, at every depth."""

from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from PySide6.QtCore import QRectF

from nodegraph import graph as basic
from nodegraph.editing import clipboard, grouping, wires
from nodegraph.graph import Graph, Node, Port
from tests.examples import examples
from ui.canvas.scene.scene import Scene
from ui.documents.document import Document
from ui.documents.scope import Scope
from ui.runs.run_state import RunState

TYPES = ("toy.box", "toy.add", "toy.step", "canvas.note", "canvas.frame", "canvas.reroute", "repeat.begin")

Move = tuple[str, int, int]
KINDS = ("add", "remove", "heal", "link", "cut", "move", "mode", "copy", "group", "ungroup", "enter", "leave", "undo",
         "redo", "bend", "rename")  # fmt: skip


def step(scope: Scope, kind: str, a: int, b: int) -> None:
    """One edit, as far as there is something to edit. a, b: choose what."""
    graph, stack = scope.graph, scope.document.undo_stack
    ids, links = list(graph.nodes), list(graph.links)
    one, other = (ids[n % len(ids)] if ids else "" for n in (a, b))
    match kind:
        case "undo":
            stack.undo()
        case "redo":
            stack.redo()
        case "leave":
            scope.leave()
        case "add":
            node = Node(TYPES[a % len(TYPES)], pos=(b * 40.0, a * 30.0))
            scope.edit("Add", basic.add_node, basic.fresh_id(graph, "n"), node)
        case _ if not ids:
            return
        case "enter" if scope.can_enter(one):
            scope.enter(one)
        case "remove":
            scope.edit("Remove", wires.remove, {one, other})
        case "heal":
            scope.edit("Heal", wires.remove_and_heal, {one}, {one: scope.type_of(one)})
        case "link" if scope.type_of(one).outputs and scope.type_of(other).inputs and one != other:
            output, input = scope.type_of(one).outputs[0], scope.type_of(other).inputs[0]
            scope.edit("Link", basic.connect, Port(one, output.name), Port(other, input.name))
        case "cut" if links:
            scope.edit("Cut", basic.disconnect, links[a % len(links)])
        case "bend" if links:
            scope.edit("Bend", wires.add_reroute, links[a % len(links)], (1.0 * a, 1.0 * b))
        case "move":
            scope.edit("Move", basic.move_nodes, {one: (a * 7.0, b * 9.0)})
        case "mode":
            scope.edit("Mute", wires.set_mode, {one, other}, "muted")
        case "rename":
            scope.edit("Rename", lambda g: basic.change_node(g, one, title=f"T{a}"))
        case "copy":
            scope.edit("Copy", lambda g: clipboard.duplicate(g, {one, other}, (20, 20))[0])
        case "group":
            try:
                scope.edit("Group", grouping.make_group, {one, other}, basic.fresh_id(Graph(graph.groups), "G"))
            except ValueError:
                return  # something lies between them
        case "ungroup" if scope.can_enter(one):
            scope.edit("Ungroup", grouping.ungroup, one, scope.type_of(one).group)


def check(scope: Scope, scene: Scene) -> None:
    graph = scope.graph
    assert {id: item.node for id, item in scene.nodes.items()} == dict(graph.nodes)
    assert {dst: link.src for dst, link in scene.links.items()} == dict(graph.links)
    everywhere = QRectF(-1e6, -1e6, 2e6, 2e6)
    assert {item.id for item in scene.nodes_in(everywhere)} == set(graph.nodes)
    for id, item in scene.nodes.items():
        assert item.type == scope.type_of(id)
        assert item.linked == {dst.socket for dst in graph.links if dst.node == id}
    for dst, link in scene.links.items():
        assert link.a == scene.socket_pos(link.src, output=True)
        assert link.b == scene.socket_pos(dst, output=False)
    fresh = Scene(scope, scene.runs)
    assert [link.color for link in fresh.links.values()] == [scene.links[dst].color for dst in fresh.links]
    assert [(zone.begin, zone.rect) for zone in fresh.zones] == [(zone.begin, zone.rect) for zone in scene.zones]


@examples(40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 9), st.integers(0, 9)), max_size=25))
def test_the_view_shows_exactly_the_document_whatever_is_edited(registry, moves: list[Move]):
    document = Document(registry)
    scope = Scope(document)
    scene = Scene(scope, RunState())
    for move in (("add", 0, 0), ("add", 1, 5), ("add", 2, 9), *moves):
        step(scope, *move)
        check(scope, scene)
    stack = document.undo_stack
    stack.setIndex(stack.count())
    last = document.graph
    stack.setIndex(0)
    check(scope, scene)
    assert document.graph == Graph()
    stack.setIndex(stack.count())
    check(scope, scene)
    assert document.graph == last


@examples(30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_it_does_when_the_next_edit_comes_before_the_last_one_is_followed(registry, monkeypatch, moves: list[Move]):
    monkeypatch.setattr("ui.canvas.scene.scene.MANY", -1)
    monkeypatch.setattr("ui.base.slices.SLICE", 0.0)
    scope = Scope(Document(registry))
    scene = Scene(scope, RunState())
    for number, move in enumerate((("add", 0, 0), ("add", 1, 5), ("add", 2, 9), *moves)):
        step(scope, *move)
        if number % 4 == 3:
            check(scope, scene)
    check(scope, scene)

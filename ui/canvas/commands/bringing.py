"""What comes from elsewhere, dropped, pasted or opened: it becomes the nodes that it means, linked to what fits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QMimeData, QPointF
from PySide6.QtWidgets import QApplication

from nodegraph.domain import Brought
from nodegraph.editing.layout import NODE_GAP
from nodegraph.editing.wires import insert_on_link
from nodegraph.graph import Graph, Node, Port, add_node, connect, fresh_id, set_param
from nodegraph.node import File, NodeType
from nodegraph.reach import upstream
from ui.canvas.commands.adding import free_place, mate, stem_of, used
from ui.canvas.commands.beginning import begin
from ui.canvas.commands.brought import local_files, of_data, of_file, picture_in, remark
from ui.canvas.commands.selection import counted, finish_copying, insert_file, paste_text, tried
from ui.canvas.scene.make_room import GAP, make_room
from ui.canvas.scene.shape import HEADER, WIDTH
from ui.canvas.scene.state import CanvasState
from ui.documents.pasted import keep_picture
from ui.widgets.aside import Aside, Go

REACH = 14.0
"""Pixels from a wire within which what is dropped is put into it: a file is let go less exactly than a node."""

LOOSE = 2
"""From this fit on, a socket takes something among others (`adding.mate`)."""

FAR_OUT = 0.2
"""The scale below which wires lie too close to be meant."""


class Place(NamedTuple):
    """Where something is let go. node, wire: what lies there; a wire is named by the input it feeds."""

    world: QPointF
    node: str = ""
    wire: Port | None = None


def place_at(state: CanvasState, at: QPointF) -> Place:
    """at: in pixels."""
    world = state.view.to_world(at)
    item = state.scene.node_at(world)
    if item is not None and item.figure == "node":
        return Place(world, item.id)
    far = state.view.scale < FAR_OUT
    link = None if far else state.scene.link_at(world, REACH / max(state.view.scale, 0.5))
    return Place(world, wire=link.dst if link is not None else None)


# What becomes of it -----------------------------------------------------------------------------------


def bring(state: CanvasState, things: Sequence[Brought], at: QPointF) -> None:
    """Add the nodes for things that were let go at a place in pixels, as one undo step; they are selected.

    On a node, a thing takes the place of the file of one of its own kind, is put into a wire that leads there, or is
    linked to a free input that takes it. On a wire, it is put into the wire if it has sockets for that. On the ground,
    it is linked to the inputs that wait for such a thing. What it needs it takes from where others of its kind take it,
    or from the only node that gives it. Raises ValueError when there is no such node.
    """
    place = place_at(state, at)
    if len(things) == 1 and _replaces(state, things[0], place.node):
        return
    before, graph = state.scope.graph, state.scope.graph
    start = free_place(state, place.world)
    for count, thing in enumerate(things):
        graph = _added(state, graph, thing, place, start + QPointF(count * (WIDTH + NODE_GAP), 0))
    added = graph.nodes.keys() - before.nodes.keys()
    titles = [_type(state, thing).title for thing in things]
    state.scope.edit(f"Add {titles[0]}" if len(things) == 1 else counted("Add", len(things)), lambda _: graph)
    for thing in things:
        used(state, _type(state, thing))
    state.select(added)
    if not state.view.rect_to_world(state.area).contains(start):
        state.reveal(*added)


def _type(state: CanvasState, thing: Brought) -> NodeType:
    """Raises ValueError when no such node is installed."""
    found = state.scope.declared(thing.type)
    if found is None:
        raise ValueError(f"there is no node {thing.type} for it")
    return found


def _replaces(state: CanvasState, thing: Brought, id: str) -> bool:
    """Give a node of its own kind another file, if it lies there and chooses its file itself."""
    node, type = state.scope.graph.nodes.get(id), _type(state, thing)
    if node is None or node.type != thing.type:
        return False
    names = [name for name in thing.params if (spec := type.input(name)) is not None and spec.get(File) is not None]
    if len(names) != len(thing.params) or any(Port(id, name) in state.scope.graph.links for name in names):
        return False

    def change(graph: Graph) -> Graph:
        for name in names:
            graph = set_param(graph, id, name, thing.params[name])
        return graph

    state.scope.edit(f"Set {' and '.join(names)} of {state.scope.title_of(id)}", change)
    state.select({id})
    return True


def _added(state: CanvasState, graph: Graph, thing: Brought, place: Place, pos: QPointF) -> Graph:
    """The graph with the node for a thing. pos: where it lies unless it is put into a wire."""
    type = _type(state, thing)
    id = fresh_id(graph, stem_of(type))
    for wire, at in _wires(state, graph, place):
        if sockets := _between(state, type, wire):
            graph = add_node(graph, id, Node(type.id, thing.params, (round(at.x()), round(at.y()))))
            return _put_into(state, graph, id, wire, *sockets)
    graph = add_node(graph, id, Node(type.id, thing.params, (round(pos.x()), round(pos.y()))))
    graph = _fed(state, graph, id, type)
    for output, dst in _targets(state, graph, type, place.node):
        if dst.node not in upstream(graph, id):  # it would close a circle
            graph = connect(graph, Port(id, output), dst)
    return graph


def _wires(state: CanvasState, graph: Graph, place: Place) -> Iterator[tuple[Port, QPointF]]:
    """The wires that a place stands for, each with where a node in it goes: that which lies there, or a node's own."""
    if place.wire is not None:
        yield place.wire, place.world - QPointF(WIDTH / 2, HEADER)
    if place.node:
        for input in state.scope.type_of(place.node).inputs:
            dst = Port(place.node, input.name)
            if dst in graph.links:
                x, y = graph.nodes[place.node].pos
                yield dst, QPointF(x - WIDTH - GAP, y)


def _between(state: CanvasState, type: NodeType, wire: Port) -> tuple[str, str] | None:
    """The sockets by which a node of this type is put into a wire: both made for just what it carries."""
    src = state.scope.graph.links[wire]
    entry_fit, entry = mate(state.scope, type, src, from_output=True)
    exit_fit, exit = mate(state.scope, type, wire, from_output=False)
    return (entry, exit) if entry and exit and max(entry_fit, exit_fit) < LOOSE else None


def _put_into(state: CanvasState, graph: Graph, id: str, wire: Port, entry: str, exit: str) -> Graph:
    """With it goes whatever else the source sends to where the wire leads, as far as the node has sockets for it."""
    type, src = _type_in(state, graph, id), graph.links[wire]
    before, given = upstream(graph, wire.node), _type_in(state, graph, src.node).outputs
    graph = insert_on_link(graph, id, wire, entry, exit)
    for input in type.inputs:
        outs = [output.name for output in type.outputs if output.type == input.type and output.name != exit]
        sources = [Port(src.node, output.name) for output in given if output.type == input.type]
        if input.name == entry or input.editable or not outs or len(sources) != 1:
            continue
        readers = [dst for dst, known in graph.links.items() if known == sources[0] and dst.node in before]
        for dst in readers:
            graph = connect(graph, Port(id, outs[0]), dst)
        if readers:
            graph = connect(graph, sources[0], Port(id, input.name))
    return make_room(state.scene, graph, src.node, id, wire.node)


def _type_in(state: CanvasState, graph: Graph, id: str) -> NodeType:
    """Of a node of the graph that is shown, or of one that is about to be."""
    if id in state.scope.graph.nodes:
        return state.scope.type_of(id)
    return _type(state, Brought(graph.nodes[id].type, {}))


def _fed(state: CanvasState, graph: Graph, id: str, type: NodeType) -> Graph:
    """Link what the node cannot do without."""
    for input in type.inputs:
        if not input.required or input.editable:
            continue
        alike = {graph.links.get(Port(other, input.name)) for other, n in graph.nodes.items() if n.type == type.id}
        known = alike - {None}
        if len(known) != 1:
            known = {
                Port(other, output.name)
                for other in state.scope.graph.nodes
                for output in state.scope.type_of(other).outputs
                if output.type == input.type
            }
        if len(known) == 1 and (source := known.pop()) is not None:
            graph = connect(graph, source, Port(id, input.name))
    return graph


def _targets(state: CanvasState, graph: Graph, type: NodeType, node: str) -> Iterator[tuple[str, Port]]:
    """Output by output, what it is linked to: the first free input of the node it lies on, or else all that wait.

    Inputs wait that must be linked and are not. They are meant where there is no choice: if all are the same socket of
    the same type of node, and that has no other of their type.
    """
    for output in type.outputs:
        taking = {
            other: [input for input in state.scope.type_of(other).inputs if input.type == output.type]
            for other in ([node] if node else state.scope.graph.nodes)
        }
        free = [
            (other, input)
            for other, inputs in taking.items()
            for input in inputs
            if not input.editable and Port(other, input.name) not in graph.links
        ]
        if node:
            found = free[:1]
        else:
            waiting = [(other, input) for other, input in free if input.required]
            kinds = {(graph.nodes[other].type, input.name) for other, input in waiting}
            found = waiting if len(kinds) == 1 and all(len(taking[other]) == 1 for other, _ in waiting) else []
        yield from ((output.name, Port(other, input.name)) for other, input in found)


# Files and the clipboard ------------------------------------------------------------------------------


def bring_files(state: CanvasState, paths: Sequence[Path], at: QPointF) -> None:
    """Files that were let go at a place in pixels become what they mean; the nodes of a workflow are added.

    On an empty canvas, models begin a workflow. Raises ValueError when one cannot be read; then none is added.
    """
    found = [(path, of_file(state, path)) for path in paths]
    things = [thing for _, thing in found if thing is not None]
    if len(things) == len(found) and begin(state, things, partial(bring, state, things, at)):
        return
    if things:
        bring(state, things, at)
    for path, thing in found:
        if thing is None:
            insert_file(state, path, state.view.to_world(at))
        elif said := remark(path):
            state.refused.emit(said)


def use_file(state: CanvasState, path: Path) -> None:
    """Give the selected node this file instead of the one it has. Raises ValueError when it takes no such file."""
    if len(state.selection) != 1:
        raise ValueError("select the one node that is to have it")
    (id,) = state.selection
    thing = of_file(state, path)
    if thing is None or not _replaces(state, thing, id):
        takes = _type(state, thing).title if thing is not None else ""
        title = state.scope.title_of(id)
        raise ValueError(f"{title} takes no such file{f': {takes} takes {path.name}' if takes else f' as {path.name}'}")


def bring_as_input(state: CanvasState, path: Path) -> None:
    """A file takes the place of the one that the only node of its kind has; else it is brought to the middle."""

    def act() -> None:
        thing = of_file(state, path)
        alike = [id for id, node in state.scope.graph.nodes.items() if thing and node.type == thing.type]
        if thing is None or len(alike) != 1 or not _replaces(state, thing, alike[0]):
            bring_files(state, [path], state.middle)

    tried(state, "Nothing was added", act)


def paste(state: CanvasState) -> None:
    """Add what is on the clipboard, at the pointer, and select it: nodes, files, a picture or a text."""
    finish_copying()
    data = QApplication.clipboard().mimeData() or QMimeData()  # an empty clipboard has none, whatever the stubs say
    tried(state, "Nothing was pasted", _paste, state, data, state.pointer())


def _paste(state: CanvasState, data: QMimeData, at: QPointF) -> None:
    if data.text().lstrip().startswith("{"):
        paste_text(state, data.text(), state.view.to_world(at))
    elif files := local_files(data):
        bring_files(state, files, at)
    elif not bring_data(state, data, at, "Nothing was pasted"):
        raise ValueError("there are no nodes on the clipboard, and no file, picture or text")


def bring_data(state: CanvasState, data: QMimeData, at: QPointF, refusal: str) -> bool:
    """What another program hands over that lies in no file becomes what it means; whether it holds anything at all.

    A picture is kept in a file first, which may take a moment. refusal: what is said where that fails, before why.
    Raises ValueError for what can be told at once.
    """
    if image := picture_in(data):
        document = state.scope.document.path

        def keep(go: Go) -> list[Path]:
            path = keep_picture(image, document)
            return [path] if go(1.0) else []

        Aside[list[Path]](state.widget, "Keep the picture", "Keeping the picture in a file").start(
            keep,
            lambda kept: tried(state, refusal, bring_files, state, kept, at),
            lambda why: state.refused.emit(f"{refusal}: {why}."),
        )
        return True
    thing = of_data(state, data)
    if thing is not None:
        bring(state, [thing], at)
    return thing is not None

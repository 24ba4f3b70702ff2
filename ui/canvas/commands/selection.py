"""What the user can do with the selected nodes: each is one undo step."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from itertools import islice
from pathlib import Path

from PySide6.QtCore import QPointF, QRectF, QSizeF
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QColorDialog, QInputDialog

from nodegraph.builtin import FRAME, NOTE
from nodegraph.editing import clipboard, grouping, wires
from nodegraph.editing.group_body import is_wall
from nodegraph.editing.places import opened
from nodegraph.editing.redefine import redefine
from nodegraph.editing.tint import tint, tint_of
from nodegraph.formats import workflow
from nodegraph.graph import Graph, Mode, Node, Port, add_node, disconnect, fresh_id, set_param
from ui.base.slices import Slices
from ui.base.text import amount
from ui.canvas.commands.one_node import rename
from ui.canvas.overlays.group_dialog import GroupDialog
from ui.canvas.overlays.notes import open_note
from ui.canvas.paint.frames import frame_tint
from ui.canvas.paint.nodes import header_color
from ui.canvas.scene.figures import NATURAL
from ui.canvas.scene.items import NodeItem
from ui.canvas.scene.shape import HEADER, halfway
from ui.canvas.scene.state import CanvasState
from ui.widgets.keeping_dialog import NameDialog

FRAME_PAD = 28.0  # world units between a frame and the nodes it is put around
MANY = 1000
"""Nodes from which on copying them is noticed: the text of ten thousand takes a tenth of a second."""
BESIDE = (40.0, 40.0)  # where a duplicate lies, from its original, in world units


def counted(verb: str, count: int) -> str:
    return f"{verb} node" if count == 1 else f"{verb} {amount(count)} nodes"


def tried(state: CanvasState, title: str, act: Callable[..., object], *args: object) -> None:
    """Do it, or say in a sentence why it cannot be done."""
    try:
        act(*args)
    except ValueError as error:
        state.refused.emit(f"{title}: {error}.")


def delete(state: CanvasState) -> None:
    """The selected nodes, or the wire."""
    if state.wire is not None and state.wire in state.scope.graph.links:
        state.scope.edit("Cut wire", disconnect, state.wire)
    elif state.selection:
        state.scope.edit(counted("Delete", len(state.selection)), wires.remove, state.selection)


def delete_and_heal(state: CanvasState) -> None:
    """What came before the nodes is linked to what came after."""
    if state.selection:
        types = {id: state.scene.nodes[id].type for id in state.selection}
        text = counted("Delete and heal", len(state.selection))
        state.scope.edit(text, wires.remove_and_heal, state.selection, types)


def set_mode(state: CanvasState, mode: Mode) -> None:
    """Mute or bypass the nodes; on again when all are."""
    ids = [id for id in state.selection if not state.scene.nodes[id].type.annotation]
    if ids:
        verb = {"muted": "Mute", "bypassed": "Bypass", "on": "Switch on"}[mode]
        state.scope.edit(counted(verb, len(ids)), wires.set_mode, ids, mode)


def select_all(state: CanvasState) -> None:
    state.select(state.scene.nodes)


def invert(state: CanvasState) -> None:
    state.select(state.scene.nodes.keys() - state.selection)


# Clipboard --------------------------------------------------------------------------------------------


def copy(state: CanvasState) -> bool:
    """Put the nodes on the system's clipboard as text; whether there were any. Very many take some slices."""
    ids = state.scene.with_members(state.selection)
    try:
        if len(ids) <= MANY:
            _copying().drop()
            QApplication.clipboard().setText(clipboard.copy(state.scope.graph, ids))
        else:
            _copying().begin(clipboard.copying(state.scope.graph, ids), QApplication.clipboard().setText)
    except ValueError:
        return False  # nothing is selected
    return True


def finish_copying() -> None:
    """What was copied is on the clipboard afterwards."""
    _copying().finish()


def _copying() -> Slices:
    """The clipboard's own: what is copied on one canvas is pasted on another."""
    board = QApplication.clipboard()
    if (known := board.findChild(Slices)) is not None:
        return known
    made = Slices(board)
    board.dataChanged.connect(made.drop)  # what others put there meanwhile is newer
    return made


def cut(state: CanvasState) -> None:
    if copy(state):
        ids = state.scene.with_members(state.selection)
        state.scope.edit(counted("Cut", len(ids)), wires.remove, ids)


def paste_text(state: CanvasState, text: str, at: QPointF) -> None:
    """Add the nodes of a workflow's text; at: where their upper left corner goes, in world units. Raises ValueError."""
    graph, ids = clipboard.paste(state.scope.graph, text, (round(at.x()), round(at.y())))
    state.scope.edit(counted("Paste", len(ids)), lambda _: graph)
    state.select(ids)


def insert_file(state: CanvasState, path: Path, at: QPointF) -> None:
    """Add the nodes of a workflow file, or of a picture made by the program, as `paste_text` does."""
    found = opened(workflow.load(path), state.scope.registry, path.absolute().parent)
    graph, ids = clipboard.insert(state.scope.graph, found, (round(at.x()), round(at.y())))
    state.scope.edit(f"Insert {path.stem}", lambda _: graph)
    state.select(ids)


def duplicate(state: CanvasState, *, linked: bool = False) -> None:
    """linked: the copies take from outside what the originals take."""
    ids = state.scene.with_members(state.selection)
    if not ids:
        return
    graph, copies = clipboard.duplicate(state.scope.graph, ids, _beside(state, ids))
    after = clipboard.link_like(graph, copies) if linked else graph
    state.scope.edit(counted("Duplicate", len(ids)), lambda _: after)
    state.select(copies.values())


def _beside(state: CanvasState, ids: Collection[str]) -> tuple[float, float]:
    """How far the copies are moved: so that none lies just where another node does, which would hide one of them."""
    nodes = state.scope.graph.nodes
    taken = {node.pos for node in nodes.values()}
    steps = 1
    while any((nodes[id].pos[0] + steps * BESIDE[0], nodes[id].pos[1] + steps * BESIDE[1]) in taken for id in ids):
        steps += 1
    return steps * BESIDE[0], steps * BESIDE[1]


# Groups and frames ------------------------------------------------------------------------------------


def group(state: CanvasState) -> None:
    """Make a group of the selected nodes, and select it."""
    names = Graph(dict.fromkeys(state.scope.graph.groups, Node("")))
    name = fresh_id(names, "Group").replace("_", " ")
    ids = {id for id in state.selection if not state.scene.nodes[id].type.annotation}

    def act() -> None:
        before = set(state.scope.graph.nodes)
        state.scope.edit("Group", grouping.make_group, ids, name)
        state.select(set(state.scope.graph.nodes) - before)

    tried(state, "No group was made", act)


def ungroup(state: CanvasState) -> None:
    """Put the bodies of the selected groups in their place."""
    chosen = {id: state.scope.type_of(id).group for id in state.selection if state.scope.can_enter(id)}

    def change(graph: Graph) -> Graph:
        for id, definition in chosen.items():
            graph = grouping.ungroup(graph, id, definition)
        return graph

    if chosen:
        before = set(state.scope.graph.nodes)
        state.scope.edit("Ungroup", change)
        state.select(set(state.scope.graph.nodes) - before)


def edit_group(state: CanvasState) -> None:
    """Ask for the name and the sockets of the selected group, or else of the one that is entered."""
    chosen = (state.scope.type_of(id).group for id in state.selection)
    definition = next((found for found in chosen if found is not None), state.scope.group)
    if definition is None:
        state.refused.emit("There is no group to change: select one, or go into it.")
        return
    dialog = GroupDialog(
        definition, partial(state.scope.document.edit, "Change group", redefine, definition), state.widget
    )
    dialog.exec()
    dialog.deleteLater()


def rename_selected(state: CanvasState) -> None:
    """Type another title; a wall has none of its own, it has the names of the group."""
    if len(state.selection) != 1:
        return
    (id,) = state.selection
    if is_wall(state.scope.graph.nodes[id]):
        edit_group(state)
    else:
        rename(state, id)


def frame(state: CanvasState) -> None:
    """Put a frame around the selected nodes and their pictures to be, and ask for its title.

    An empty one at the pointer when nothing is selected.
    """
    ids = state.scene.with_members(state.selection)
    around = QRectF()
    for id in ids:
        around = around.united(state.scene.nodes[id].room)
    if ids:
        around.adjust(-FRAME_PAD, -FRAME_PAD - HEADER, FRAME_PAD, FRAME_PAD)
    else:
        around = QRectF(state.view.to_world(state.pointer()), QSizeF(*NATURAL["frame"]))
    node = Node(FRAME, pos=(round(around.x()), round(around.y())), size=(round(around.width()), round(around.height())))
    rename(state, add(state, "Frame", "frame", node))


def recolor(state: CanvasState) -> None:
    """Ask for the colour of the selected nodes and frames."""
    items = _colored(state)
    if not items:
        return
    frames = [item for item in items if item.figure == "frame"]
    first = frame_tint(frames[0]) if frames else tint_of(items[0].node) or header_color(items[0]).name()
    what = "frame" if len(frames) == len(items) else "node"
    chosen = QColorDialog.getColor(QColor(first), state.widget, f"Colour of the {what}")
    if chosen.isValid():
        _set_color(state, f"Colour {what}", chosen.name())


def uncolor(state: CanvasState) -> None:
    """The selected nodes and frames look as they did before one was chosen."""
    if _colored(state):
        _set_color(state, "Take colour off", "")


def _colored(state: CanvasState) -> list[NodeItem]:
    """What is selected and can have a colour."""
    items = map(state.scene.nodes.__getitem__, sorted(state.selection))
    return [item for item in items if item.figure in ("frame", "node")]


def _set_color(state: CanvasState, text: str, color: str) -> None:
    frames = [item for item in _colored(state) if item.figure == "frame"]
    nodes = [item.id for item in _colored(state) if item.figure == "node"]

    def change(graph: Graph) -> Graph:
        for item in frames:
            graph = set_param(graph, item.id, "color", color or item.type.inputs[0].default)
        return tint(graph, nodes, color)

    state.scope.edit(text, change)


def note(state: CanvasState) -> None:
    """Add a note at the pointer, ready to be written."""
    at = state.view.to_world(state.pointer())
    open_note(state, add(state, "Add note", "note", Node(NOTE, pos=(round(at.x()), round(at.y())))))


def add(state: CanvasState, text: str, stem: str, node: Node) -> str:
    """Add a node and select it; its id."""
    id = fresh_id(state.scope.graph, stem)
    state.scope.edit(text, add_node, id, node)
    state.select({id})
    return id


# Wires ------------------------------------------------------------------------------------------------


def swap(state: CanvasState) -> None:
    """Exchange the wires of the first two linked inputs of one type, on each node."""
    pairs: list[tuple[Port, Port]] = []
    for item in map(state.scene.nodes.__getitem__, state.selection):
        linked = [i for i in item.type.inputs if i.name in item.linked]
        alike = ((a, b) for n, a in enumerate(linked) for b in linked[n + 1 :] if a.type == b.type)
        pairs += [(Port(item.id, a.name), Port(item.id, b.name)) for a, b in islice(alike, 1)]

    def change(graph: Graph) -> Graph:
        for a, b in pairs:
            graph = wires.swap_inputs(graph, a, b)
        return graph

    if pairs:
        state.scope.edit("Swap inputs", change)


def detach(state: CanvasState) -> None:
    """Take all wires off the selected nodes, but for those between them."""
    outer = [
        link.dst
        for link in state.scene.links_of(state.selection)
        if not (link.dst.node in state.selection and link.src.node in state.selection)
    ]

    def change(graph: Graph) -> Graph:
        for dst in outer:
            graph = disconnect(graph, dst)
        return graph

    if outer:
        state.scope.edit("Detach", change)


def make_variable(state: CanvasState) -> None:
    """Ask for a name for an output of the selected node; what it leads to then takes it by that name."""
    links = [link for link in state.scene.links_of(state.selection) if link.src.node in state.selection]
    sources = list(dict.fromkeys(link.src for link in links))
    if not sources:
        return
    source = sources[0]
    if len(sources) > 1:
        chosen, ok = QInputDialog.getItem(
            state.widget, "Make a variable", "Of the output", [s.socket for s in sources], editable=False
        )
        if not ok:
            return
        source = next(s for s in sources if s.socket == chosen)
    dialog = NameDialog("Make a variable", source.socket, partial(name_output, state, source), state.widget)
    dialog.exec()
    dialog.deleteLater()


def name_output(state: CanvasState, source: Port, name: str) -> None:
    """Raises ValueError when the name is empty or taken."""
    scene = state.scene
    right = scene.nodes[source.node].rect
    readers = [link.dst for link in scene.links_of([source.node]) if link.src == source]
    get_at = {dst: _left_of(scene.socket_pos(dst, output=False)) for dst in readers}
    set_at = (right.right() + 60, scene.socket_pos(source, output=True).y() - HEADER)
    state.scope.edit("Make variable", wires.make_variable, source, name, set_at, get_at)


def _left_of(socket: QPointF) -> tuple[float, float]:
    return round(socket.x() - 280), round(socket.y() - HEADER)


def reroute(state: CanvasState) -> None:
    """Bend each wire that leaves the selected nodes, half way."""
    width, height = NATURAL["reroute"]
    leaving = [link for link in state.scene.links_of(state.selection) if link.src.node in state.selection]
    places = {link.dst: halfway(link.points) - QPointF(width / 2, height / 2) for link in leaving}

    def change(graph: Graph) -> Graph:
        for dst, at in places.items():
            graph = wires.add_reroute(graph, dst, (round(at.x()), round(at.y())))
        return graph

    if places:
        state.scope.edit("Add reroutes", change)


def step_round(state: CanvasState, step: int) -> None:
    """Look at another round of the zones that a selected node is in; of all when nothing is selected."""
    for zone in list(state.scene.zones):
        if not state.selection or not zone.nodes.isdisjoint(state.selection):
            state.scene.look_at_round(zone, step)


def step_picture(state: CanvasState, step: int) -> None:
    """Look at another picture of the batches that the selected nodes show; of all when nothing is selected."""
    for id in list(state.selection or state.scene.nodes):
        state.scene.look_at_picture(id, step)

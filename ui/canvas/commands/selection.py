"""What the user can do with the selected nodes: each is one undo step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSizeF
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QColorDialog, QInputDialog

from nodegraph.builtin import FRAME, NOTE
from nodegraph.editing import clipboard, grouping, wires
from nodegraph.editing.group_body import is_wall
from nodegraph.editing.redefine import redefine
from nodegraph.formats import workflow
from nodegraph.graph import Graph, Mode, Node, Port, add_node, disconnect, fresh_id, set_param
from ui.canvas.commands.one_node import rename
from ui.canvas.overlays.group_dialog import GroupDialog
from ui.canvas.overlays.notes import open_note
from ui.canvas.paint.frames import frame_tint
from ui.canvas.scene.figures import NATURAL
from ui.canvas.scene.shape import HEADER, halfway

if TYPE_CHECKING:
    from ui.canvas.canvas import Canvas

FRAME_PAD = 28.0  # world units between a frame and the nodes it is put around
BESIDE = (40.0, 40.0)  # where a duplicate lies, from its original, in world units


def counted(verb: str, count: int) -> str:
    return f"{verb} node" if count == 1 else f"{verb} {count} nodes"


def tried(canvas: Canvas, title: str, act: Callable[..., object], *args: object) -> None:
    """Do it, or say in a sentence why it cannot be done."""
    try:
        act(*args)
    except ValueError as error:
        canvas.refused.emit(f"{title}: {error}.")


def delete(canvas: Canvas) -> None:
    if canvas.selection:
        canvas.scope.edit(counted("Delete", len(canvas.selection)), wires.remove, canvas.selection)


def delete_and_heal(canvas: Canvas) -> None:
    """What came before the nodes is linked to what came after."""
    if canvas.selection:
        types = {id: canvas.scene.nodes[id].type for id in canvas.selection}
        text = counted("Delete and heal", len(canvas.selection))
        canvas.scope.edit(text, wires.remove_and_heal, canvas.selection, types)


def set_mode(canvas: Canvas, mode: Mode) -> None:
    """Mute or bypass the nodes; on again when all are."""
    ids = [id for id in canvas.selection if not canvas.scene.nodes[id].type.annotation]
    if ids:
        verb = {"muted": "Mute", "bypassed": "Bypass", "on": "Switch on"}[mode]
        canvas.scope.edit(counted(verb, len(ids)), wires.set_mode, ids, mode)


def invert(canvas: Canvas) -> None:
    canvas.select(canvas.scene.nodes.keys() - canvas.selection)


# Clipboard --------------------------------------------------------------------------------------------


def copy(canvas: Canvas) -> bool:
    """Put the nodes on the system's clipboard as text; whether there were any."""
    try:
        QApplication.clipboard().setText(
            clipboard.copy(canvas.scope.graph, canvas.scene.with_members(canvas.selection))
        )
    except ValueError:
        return False  # nothing is selected
    return True


def cut(canvas: Canvas) -> None:
    if copy(canvas):
        ids = canvas.scene.with_members(canvas.selection)
        canvas.scope.edit(counted("Cut", len(ids)), wires.remove, ids)


def paste(canvas: Canvas) -> None:
    """Add what is on the clipboard, at the pointer, and select it."""
    at = canvas.view.to_world(canvas.pointer())
    text = QApplication.clipboard().text()
    if not text.lstrip().startswith("{"):
        canvas.refused.emit("Nothing was pasted: there are no nodes on the clipboard.")
        return
    tried(canvas, "Nothing was pasted", lambda: paste_text(canvas, text, at))


def paste_text(canvas: Canvas, text: str, at: QPointF) -> None:
    """Add the nodes of a workflow's text; at: where their upper left corner goes, in world units. Raises ValueError."""
    graph, ids = clipboard.paste(canvas.scope.graph, text, (round(at.x()), round(at.y())))
    canvas.scope.edit(counted("Paste", len(ids)), lambda _: graph)
    canvas.select(ids)


def insert_file(canvas: Canvas, path: Path, at: QPointF) -> None:
    """Add the nodes of a workflow file, or of a picture made by the program, as `paste_text` does."""
    found = workflow.load(path)
    graph, ids = clipboard.insert(canvas.scope.graph, found, (round(at.x()), round(at.y())))
    canvas.scope.edit(f"Insert {path.stem}", lambda _: graph)
    canvas.select(ids)


def duplicate(canvas: Canvas, *, linked: bool = False) -> None:
    """linked: the copies take from outside what the originals take."""
    ids = canvas.scene.with_members(canvas.selection)
    if not ids:
        return
    graph, copies = clipboard.duplicate(canvas.scope.graph, ids, BESIDE)
    after = clipboard.link_like(graph, copies) if linked else graph
    canvas.scope.edit(counted("Duplicate", len(ids)), lambda _: after)
    canvas.select(copies.values())


# Groups and frames ------------------------------------------------------------------------------------


def group(canvas: Canvas) -> None:
    """Make a group of the selected nodes, and select it."""
    names = Graph(dict.fromkeys(canvas.scope.graph.groups, Node("")))
    name = fresh_id(names, "Group").replace("_", " ")
    ids = {id for id in canvas.selection if not canvas.scene.nodes[id].type.annotation}

    def act() -> None:
        before = set(canvas.scope.graph.nodes)
        canvas.scope.edit("Group", grouping.make_group, ids, name)
        canvas.select(set(canvas.scope.graph.nodes) - before)

    tried(canvas, "No group was made", act)


def ungroup(canvas: Canvas) -> None:
    """Put the bodies of the selected groups in their place."""
    chosen = {id: canvas.scope.type_of(id).group for id in canvas.selection if canvas.scope.can_enter(id)}

    def change(graph: Graph) -> Graph:
        for id, definition in chosen.items():
            graph = grouping.ungroup(graph, id, definition)
        return graph

    if chosen:
        before = set(canvas.scope.graph.nodes)
        canvas.scope.edit("Ungroup", change)
        canvas.select(set(canvas.scope.graph.nodes) - before)


def edit_group(canvas: Canvas) -> None:
    """Ask for the name and the sockets of the selected group, or else of the one that is entered."""
    chosen = (canvas.scope.type_of(id).group for id in canvas.selection)
    definition = next((found for found in chosen if found is not None), canvas.scope.group)
    if definition is None:
        canvas.refused.emit("There is no group to change: select one, or go into it.")
        return
    dialog = GroupDialog(definition, partial(canvas.document.edit, "Change group", redefine, definition), canvas)
    dialog.exec()
    dialog.deleteLater()


def rename_selected(canvas: Canvas) -> None:
    """Type another title; a wall has none of its own, it has the names of the group."""
    if len(canvas.selection) != 1:
        return
    (id,) = canvas.selection
    if is_wall(canvas.scope.graph.nodes[id]):
        edit_group(canvas)
    else:
        rename(canvas, id)


def frame(canvas: Canvas) -> None:
    """Put a frame around the selected nodes and their pictures to be, and ask for its title.

    An empty one at the pointer when nothing is selected.
    """
    ids = canvas.scene.with_members(canvas.selection)
    around = QRectF()
    for id in ids:
        around = around.united(canvas.scene.nodes[id].room)
    if ids:
        around.adjust(-FRAME_PAD, -FRAME_PAD - HEADER, FRAME_PAD, FRAME_PAD)
    else:
        around = QRectF(canvas.view.to_world(canvas.pointer()), QSizeF(*NATURAL["frame"]))
    node = Node(FRAME, pos=(round(around.x()), round(around.y())), size=(round(around.width()), round(around.height())))
    rename(canvas, add(canvas, "Frame", "frame", node))


def color_frame(canvas: Canvas) -> None:
    """Ask for the colour of the selected frames."""
    frames = [item for item in map(canvas.scene.nodes.__getitem__, canvas.selection) if item.figure == "frame"]
    if not frames:
        return
    chosen = QColorDialog.getColor(QColor(frame_tint(frames[0])), canvas, "Colour of the frame")

    def change(graph: Graph) -> Graph:
        for item in frames:
            graph = set_param(graph, item.id, "color", chosen.name())
        return graph

    if chosen.isValid():
        canvas.scope.edit("Colour frame", change)


def note(canvas: Canvas) -> None:
    """Add a note at the pointer, ready to be written."""
    at = canvas.view.to_world(canvas.pointer())
    open_note(canvas, add(canvas, "Add note", "note", Node(NOTE, pos=(round(at.x()), round(at.y())))))


def add(canvas: Canvas, text: str, stem: str, node: Node) -> str:
    """Add a node and select it; its id."""
    id = fresh_id(canvas.scope.graph, stem)
    canvas.scope.edit(text, add_node, id, node)
    canvas.select({id})
    return id


# Wires ------------------------------------------------------------------------------------------------


def swap(canvas: Canvas) -> None:
    """Exchange the wires of the first two linked inputs of one type, on each node."""
    pairs: list[tuple[Port, Port]] = []
    for item in map(canvas.scene.nodes.__getitem__, canvas.selection):
        linked = [i for i in item.type.inputs if i.name in item.linked]
        alike = ((a, b) for n, a in enumerate(linked) for b in linked[n + 1 :] if a.type == b.type)
        pairs += [(Port(item.id, a.name), Port(item.id, b.name)) for a, b in islice(alike, 1)]

    def change(graph: Graph) -> Graph:
        for a, b in pairs:
            graph = wires.swap_inputs(graph, a, b)
        return graph

    if pairs:
        canvas.scope.edit("Swap inputs", change)


def detach(canvas: Canvas) -> None:
    """Take all wires off the selected nodes, but for those between them."""
    outer = [
        link.dst
        for link in canvas.scene.links_of(canvas.selection)
        if not (link.dst.node in canvas.selection and link.src.node in canvas.selection)
    ]

    def change(graph: Graph) -> Graph:
        for dst in outer:
            graph = disconnect(graph, dst)
        return graph

    if outer:
        canvas.scope.edit("Detach", change)


def make_variable(canvas: Canvas) -> None:
    """Ask for a name for an output of the selected node; what it leads to then takes it by that name."""
    links = [link for link in canvas.scene.links_of(canvas.selection) if link.src.node in canvas.selection]
    sources = list(dict.fromkeys(link.src for link in links))
    if not sources:
        return
    source = sources[0]
    if len(sources) > 1:
        chosen, ok = QInputDialog.getItem(
            canvas, "Make a variable", "Of the output", [s.socket for s in sources], editable=False
        )
        if not ok:
            return
        source = next(s for s in sources if s.socket == chosen)
    name, ok = QInputDialog.getText(canvas, "Make a variable", "Name", text=source.socket)
    if ok:
        tried(canvas, "No variable was made", partial(name_output, canvas, source, name.strip()))


def name_output(canvas: Canvas, source: Port, name: str) -> None:
    """Raises ValueError when the name is empty or taken."""
    scene = canvas.scene
    right = scene.nodes[source.node].rect
    readers = [link.dst for link in scene.links_of([source.node]) if link.src == source]
    get_at = {dst: _left_of(scene.socket_pos(dst, output=False)) for dst in readers}
    set_at = (right.right() + 60, scene.socket_pos(source, output=True).y() - HEADER)
    canvas.scope.edit("Make variable", wires.make_variable, source, name, set_at, get_at)


def _left_of(socket: QPointF) -> tuple[float, float]:
    return round(socket.x() - 280), round(socket.y() - HEADER)


def reroute(canvas: Canvas) -> None:
    """Bend each wire that leaves the selected nodes, half way."""
    width, height = NATURAL["reroute"]
    leaving = [link for link in canvas.scene.links_of(canvas.selection) if link.src.node in canvas.selection]
    places = {link.dst: halfway(link.points) - QPointF(width / 2, height / 2) for link in leaving}

    def change(graph: Graph) -> Graph:
        for dst, at in places.items():
            graph = wires.add_reroute(graph, dst, (round(at.x()), round(at.y())))
        return graph

    if places:
        canvas.scope.edit("Add reroutes", change)


def step_round(canvas: Canvas, step: int) -> None:
    """Look at another round of the zones that a selected node is in; of all when nothing is selected."""
    for zone in list(canvas.scene.zones):
        if not canvas.selection or not zone.nodes.isdisjoint(canvas.selection):
            canvas.scene.look_at_round(zone, step)

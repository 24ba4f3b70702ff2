"""What can be done to one wire. dst: the input that it feeds, which names it."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QMenu

from nodegraph.editing.wires import add_reroute, insert_on_link
from nodegraph.graph import Graph, Node, Port, add_node, disconnect, fresh_id
from ui.base.icons import icon
from ui.canvas.commands.adding import fitting, stem_of, used
from ui.canvas.commands.selection import tried
from ui.canvas.overlays.palette import Offer, Palette
from ui.canvas.scene.figures import NATURAL
from ui.canvas.scene.lit import trail
from ui.canvas.scene.make_room import make_room
from ui.canvas.scene.shape import HEADER, WIDTH
from ui.canvas.scene.state import CanvasState


def open_wire_menu(state: CanvasState, dst: Port, at: QPointF) -> QMenu:
    """Offer what can be done to a wire. at: in pixels, where it was pressed."""
    state.pick_wire(dst)
    link, world = state.scene.links[dst], state.view.to_world(at)
    source = trail(state.scene, link)[-1].src.node
    title = state.scope.title_of
    menu = QMenu(state.widget)
    for drawing, text, act in (
        ("plus", "Insert a node…", partial(open_insert, state, dst, at)),
        ("spline", "Add a reroute", partial(bend, state, dst, world)),
        ("scissors", "Cut the wire", partial(cut_wire, state, dst)),
        ("", "", None),
        ("chevron-left", f"Go to {title(source)}", partial(go_to, state, source)),
        ("chevron-right", f"Go to {title(dst.node)}", partial(go_to, state, dst.node)),
    ):
        if act is None:
            menu.addSeparator()
        else:
            menu.addAction(icon(drawing), text.replace("&", "&&"), act)
    menu.aboutToHide.connect(menu.deleteLater)
    menu.popup(state.widget.mapToGlobal(at.toPoint()))
    return menu


def go_to(state: CanvasState, id: str) -> None:
    """Select a node and bring it into view."""
    state.select({id})
    state.reveal(id)


def cut_wire(state: CanvasState, dst: Port) -> None:
    state.scope.edit("Cut wire", disconnect, dst)


def bend(state: CanvasState, dst: Port, world: QPointF) -> None:
    """Put a reroute into the wire, at a place in world units."""
    width, height = NATURAL["reroute"]
    place = (round(world.x() - width / 2), round(world.y() - height / 2))
    tried(state, "Nothing was added", state.scope.edit, "Add reroute", add_reroute, dst, place)


def open_insert(state: CanvasState, dst: Port, at: QPointF) -> Palette:
    """Offer the nodes that take what the wire carries and give what its end takes."""
    found = fitting(state, state.scene.links[dst].src, dst)
    palette = Palette([offer for offer, *_ in found], state.recent, state.widget)
    sockets = {(offer.type.id, offer.name): (entry, exit) for offer, entry, exit in found}
    world = state.view.to_world(at)

    def insert(offer: Offer) -> None:
        tried(state, "Nothing was added", _insert, state, offer, dst, world, *sockets[offer.type.id, offer.name])

    palette.chosen.connect(insert)
    palette.open_at(state.widget.mapToGlobal(at.toPoint()))
    return palette


def _insert(state: CanvasState, offer: Offer, dst: Port, world: QPointF, entry: str, exit: str) -> None:
    """As one step: the node is there, in the wire, and what follows has made room."""
    before, id = state.scope.graph.links[dst].node, fresh_id(state.scope.graph, stem_of(offer.type))
    pos = (round(world.x() - WIDTH / 2), round(world.y() - HEADER))

    def change(graph: Graph) -> Graph:
        graph = add_node(graph, id, Node(offer.type.id, offer.params, pos))
        return make_room(state.scene, insert_on_link(graph, id, dst, entry, exit), before, id, dst.node)

    state.scope.edit(f"Insert {offer.title}", change)
    used(state, offer.type)
    state.select({id})

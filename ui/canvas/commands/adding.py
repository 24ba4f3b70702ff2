"""Adding nodes to the canvas: what the palette offers, and what becomes of the choice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QPointF, QRectF

from nodegraph.builtin import BEGIN_OF, GROUP_INPUT, GROUP_OUTPUT, VARIABLE_GET
from nodegraph.domain import Kind
from nodegraph.editing.layout import NODE_GAP
from nodegraph.editing.wires import variables
from nodegraph.graph import GROUP, Graph, Node, Port, add_node, connect, fresh_id
from nodegraph.node import NodeType
from nodegraph.types import accepts
from ui.base.settings import MAX_RECENT
from ui.canvas.commands.selection import tried
from ui.canvas.overlays.palette import Offer, Palette
from ui.canvas.scene.shape import HEADER, WIDTH
from ui.canvas.scene.state import CanvasState
from ui.documents.scope import Scope

ZONE = 3 * WIDTH  # from the begin of a new zone to its end, in world units: a node has room between


def open_palette(state: CanvasState, at: QPointF, port: Port | None = None, *, from_output: bool = True) -> Palette:
    """Offer what can be added at a place in pixels; with a port, what can be linked to it."""
    place = at if state.area.contains(at) else state.middle
    found = offers(state.scope, port, from_output=from_output)
    if port is not None and from_output:
        kinds = state.scene.kinds.made.get(state.scope.prefix + port.node, ())
        found = [replace(offer, unfit=_unfit(offer, kinds)) for offer in found]
    palette = Palette(found, state.recent, state.widget)
    world = state.view.to_world(place)
    adding = partial(add, state, world=world, port=port, from_output=from_output)
    palette.chosen.connect(lambda offer: tried(state, "Nothing was added", adding, offer))
    palette.open_at(state.widget.mapToGlobal(place.toPoint()))
    return palette


def offers(scope: Scope, port: Port | None = None, *, from_output: bool = True) -> list[Offer]:
    """Every type that is installed, the groups of the document and the variables of the graph."""
    groups = (scope.declared(GROUP + name) for name in scope.graph.groups)
    types = {type.id: type for type in (*scope.registry.values(), *groups) if type is not None}
    kept = (type for type in types.values() if type.id not in (GROUP_INPUT, GROUP_OUTPUT))
    elsewhere = scope.registry.domain.elsewhere
    found = [Offer(type, words=(*_words(type, types), *elsewhere.get(type.id, ()))) for type in kept]
    getter = types[VARIABLE_GET]
    found += [Offer(getter, {"name": name}, name=f"Variable: {name}") for name in dict.fromkeys(variables(scope.graph))]
    if port is None:
        return found
    mates = ((offer, mate(scope, offer.type, port, from_output=from_output)) for offer in found)
    first = likely(scope, port, from_output=from_output)
    ranks = {id: place - len(first) for place, id in enumerate(first)}  # before all that merely fit
    return [replace(offer, fit=ranks.get(offer.type.id, fit)) for offer, (fit, socket) in mates if socket]


def likely(scope: Scope, port: Port, *, from_output: bool) -> tuple[str, ...]:
    """The types of nodes that most often are linked to this socket, the likeliest first, as the nodes say."""
    known = scope.registry.domain.likely
    found = scope.output(port) if from_output else scope.input(port)
    own = known.sockets.get((scope.graph.nodes[port.node].type, port.socket))
    if own is not None or found is None:
        return own or ()
    return (known.after if from_output else known.before).get(found.type, ())


def _unfit(offer: Offer, kinds: Iterable[Kind]) -> str:
    """Why what is offered has no meaning for values of these kinds."""
    return next((why for kind in kinds if (why := kind.idle.get((offer.type.id, "")))), "")


def _words(type: NodeType, types: Mapping[str, NodeType]) -> tuple[str, ...]:
    """What else people call it: a group also goes by the names of what is in it."""
    inner = (types.get(node.type) for node in type.group.graph.nodes.values()) if type.group else ()
    return (*type.aliases, *(alias for t in inner if t is not None for alias in t.aliases))


def add(
    state: CanvasState, offer: Offer, world: QPointF, port: Port | None = None, *, from_output: bool = True
) -> None:
    """Add a node, linked to the port where one is given, as one undo step; it is selected.

    What begins a zone comes with its end.
    """
    scope, type = state.scope, offer.type
    id = fresh_id(scope.graph, stem_of(type))

    # The socket that is linked comes to lie at the pointer, or nearly so.
    place = free_place(state, world if port is None else world - QPointF(0 if from_output else WIDTH, HEADER))

    end = next((end for end, begin in BEGIN_OF.items() if begin == type.id), "")
    added = {id, fresh_id(scope.graph, end.rsplit(".", 1)[-1])} if end else {id}

    def change(graph: Graph) -> Graph:
        graph = add_node(graph, id, Node(type.id, offer.params, (round(place.x()), round(place.y()))))
        for other in added - {id}:
            graph = add_node(graph, other, Node(end, pos=(round(place.x()) + ZONE, round(place.y()))))
            graph = connect(graph, Port(id, "zone"), Port(other, "zone"))
        if port is None:
            return graph
        other = Port(id, mate(scope, type, port, from_output=from_output)[1])
        return connect(graph, port, other) if from_output else connect(graph, other, port)

    scope.edit(f"Add {offer.title}", change)
    used(state, type)
    state.select(added)
    if not state.view.rect_to_world(state.area).contains(place):
        state.reveal(*added)


def stem_of(type: NodeType) -> str:
    """What ids of its nodes begin with."""
    return type.id.rsplit(".", 1)[-1].rsplit(":", 1)[-1].lower().replace(" ", "_")


def used(state: CanvasState, type: NodeType) -> None:
    """It is the one that was added last."""
    state.recent[:] = [type.id, *(recent for recent in state.recent if recent != type.id)][:MAX_RECENT]
    state.added.emit()


def fitting(state: CanvasState, src: Port, dst: Port) -> list[tuple[Offer, str, str]]:
    """What can be put between an output and an input, with the sockets for it; the best first. No part of a zone."""
    zones = {*BEGIN_OF, *BEGIN_OF.values()}
    found: list[tuple[Offer, str, str]] = []
    for offer in offers(state.scope, src):
        fit, exit = mate(state.scope, offer.type, dst, from_output=False)
        entry = mate(state.scope, offer.type, src, from_output=True)[1]
        if exit and offer.type.id not in zones:
            found.append((replace(offer, fit=offer.fit + fit), entry, exit))
    return found


def free_place(state: CanvasState, place: QPointF) -> QPointF:
    """The first place from here downwards at which the header of a new node covers no other node."""
    while True:
        header = QRectF(place.x(), place.y(), WIDTH, HEADER)
        covered = [i.rect for i in state.scene.nodes_in(header) if i.figure == "node" and i.rect.intersects(header)]
        if not covered:
            return place
        place = QPointF(place.x(), max(rect.bottom() for rect in covered) + NODE_GAP)


def mate(scope: Scope, type: NodeType, port: Port, *, from_output: bool) -> tuple[int, str]:
    """The socket of the type that the port is best linked to, and how well it fits; empty when there is none.

    0: it is the first socket of the type, and made for just this. 1: made for just this. 2: it takes it among others.
    """
    other = scope.output(port) if from_output else scope.input(port)
    if other is None:
        return 2, ""
    sockets = [(i.name, i.type) for i in type.inputs] if from_output else [(o.name, o.type) for o in type.outputs]
    fits = [
        (2 if kind != other.type else min(place, 1), place, name)
        for place, (name, kind) in enumerate(sockets)
        if (accepts(kind, other.type) if from_output else accepts(other.type, kind))
    ]
    fit, _, name = min(fits, default=(2, 0, ""))
    return fit, name

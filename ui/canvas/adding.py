"""Adding nodes to the canvas: what the palette offers, and what becomes of the choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF

from nodegraph.builtin import GROUP_INPUT, GROUP_OUTPUT, VARIABLE_GET
from nodegraph.edits import variables
from nodegraph.expand import GROUP
from nodegraph.graph import Graph, Node, Port, add_node, connect, fresh_id
from nodegraph.node import NodeType
from nodegraph.types import accepts
from ui.canvas.palette import Offer, Palette
from ui.scope import Scope

if TYPE_CHECKING:
    from ui.canvas.canvas import Canvas


def open_palette(canvas: Canvas, at: QPointF, port: Port | None = None, *, from_output: bool = True) -> Palette:
    """Offer what can be added at a place in pixels; with a port, what can be linked to it."""
    place = at if QRectF(canvas.rect()).contains(at) else QPointF(canvas.rect().center())
    palette = Palette(offers(canvas.scope, port, from_output=from_output), canvas.recent, canvas)
    world = canvas.view.to_world(place)
    palette.chosen.connect(lambda offer: add(canvas, offer, world, port, from_output=from_output))
    palette.open_at(canvas.mapToGlobal(place.toPoint()))
    return palette


def offers(scope: Scope, port: Port | None = None, *, from_output: bool = True) -> list[Offer]:
    """Every type that is installed, the groups of the document and the variables of the graph."""
    groups = (scope.declared(GROUP + name) for name in scope.graph.groups)
    types = {type.id: type for type in (*scope.registry.values(), *groups) if type is not None}
    found = [Offer(t, words=_words(t, types)) for t in types.values() if t.id not in (GROUP_INPUT, GROUP_OUTPUT)]
    getter = types[VARIABLE_GET]
    found += [Offer(getter, {"name": name}, name=f"Variable: {name}") for name in dict.fromkeys(variables(scope.graph))]
    if port is None:
        return found
    return [offer for offer in found if mate(scope, offer.type, port, from_output=from_output)]


def _words(type: NodeType, types: Mapping[str, NodeType]) -> tuple[str, ...]:
    """What else people call it: a group also goes by the names of what is in it."""
    inner = (types.get(node.type) for node in type.group.graph.nodes.values()) if type.group else ()
    return (*type.aliases, *(alias for t in inner if t is not None for alias in t.aliases))


def add(canvas: Canvas, offer: Offer, world: QPointF, port: Port | None = None, *, from_output: bool = True) -> None:
    """Add a node, linked to the port where one is given, as one undo step; it is selected."""
    scope, type = canvas.scope, offer.type
    id = fresh_id(scope.graph, type.id.rsplit(".", 1)[-1].rsplit(":", 1)[-1].lower().replace(" ", "_"))

    def change(graph: Graph) -> Graph:
        graph = add_node(graph, id, Node(type.id, offer.params, (round(world.x()), round(world.y()))))
        if port is None:
            return graph
        other = Port(id, mate(scope, type, port, from_output=from_output))
        return connect(graph, port, other) if from_output else connect(graph, other, port)

    scope.edit(f"Add {offer.title}", change)
    canvas.recent[:] = [type.id, *(recent for recent in canvas.recent if recent != type.id)][:8]
    canvas.select({id})


def mate(scope: Scope, type: NodeType, port: Port, *, from_output: bool) -> str:
    """The first socket of the type that the port can be linked to; empty when there is none."""
    if from_output:
        output = scope.output(port)
        return next((i.name for i in type.inputs if output and accepts(i.type, output.type)), "")
    input = scope.input(port)
    return next((o.name for o in type.outputs if input and accepts(input.type, o.type)), "")

"""What the canvas says about the place under the pointer."""

from __future__ import annotations

from textwrap import fill

from PySide6.QtCore import QPointF, QRectF, QSizeF

from nodegraph.graph import SeedMode
from nodegraph.node import File, Input, Range, Seed
from nodegraph.types import type_name
from ui.base.text import label, number, parameter_help
from ui.canvas.gestures.gestures import REACH
from ui.canvas.paint.rows import SEED_MODES
from ui.canvas.scene.items import NodeItem
from ui.canvas.scene.scene import Scene
from ui.canvas.scene.shape import Row
from ui.canvas.scene.view import View
from ui.documents.scope import Scope

LONGEST = 2000  # letters of a text that is shown
TIP_WIDTH = 72  # characters
SEED_TIPS: dict[SeedMode, str] = {
    "fixed": "the seed stays as it is",
    "increment": "the seed grows by one before each run",
    "random": "a random seed is taken before each run",
}


def tip_at(scene: Scene, scope: Scope, view: View, at: QPointF) -> str:
    """A socket's type; a node's failure, problem or purpose. at: in pixels."""
    world = view.to_world(at)
    socket = scene.socket_at(world, REACH / view.scale)
    if socket is not None:
        port, output = socket
        found = scope.output(port) if output else scope.input(port)
        text = f"{label(port.socket)}: {type_name(found.type)}" if found else label(port.socket)
        idle = "" if output else scene.nodes[port.node].why_idle(port.socket)
        return "\n".join(filter(None, (idle, text)))
    item = scene.node_at(world)
    if item is None:
        return _of_badge(scene, world)
    if item.figure != "node":
        return ""
    place = world - item.pos
    row = next((row for row in item.shape.rows if row.rect.contains(place)), None)
    if row is None or item.run.state == "failed" or item.problem:
        return _about(item)
    if row.input is not None and row.editable and row.input.name not in item.linked:
        return row_tip(item, row, row.input, place)
    return _of_socket(item, row, place) or _about(item)


def _of_socket(item: NodeItem, row: Row, place: QPointF) -> str:
    """What is said of the input or the output whose name is there."""
    right = row.output is not None and (row.input is None or place.x() > row.width / 2)
    found = row.output if right else row.input
    if found is None:
        return ""
    why = "" if right else item.why_idle(found.name)
    kind = f"{label(found.name)}: {type_name(found.type)}"
    return "\n".join(filter(None, (why, _does(item, found.name), kind)))


def _does(item: NodeItem, name: str) -> str:
    """What the node's help says of a parameter, in lines that can be read."""
    return fill(parameter_help(item.type.doc, name), TIP_WIDTH)


def _of_badge(scene: Scene, world: QPointF) -> str:
    near = scene.nodes_in(QRectF(world, QSizeF(1, 1)))
    badged = (item for item in near if item.badge and item.badge_place.translated(item.pos).contains(world))
    return next((f"{item.title} makes something for {item.badge}" for item in badged), "")


def row_tip(item: NodeItem, row: Row, spec: Input, place: QPointF) -> str:
    """What a parameter may be, and what the mouse does there. place: from the node's corner."""
    if spec.get(Seed) and row.button.contains(place):
        return "Take a random seed"
    if spec.get(Seed) and row.mode_button.contains(place):
        return f"{SEED_MODES[item.node.seed_mode]}: {SEED_TIPS[item.node.seed_mode]}. Click for another"
    if spec.get(File) and row.button.contains(place):
        return "Choose a file"
    if why := item.why_idle(spec.name):
        return why
    value = item.node.params.get(spec.name, None if spec.required else spec.default)
    if complaint := None if value is None else spec.complaint(value):
        return complaint
    does = _does(item, spec.name) or f"{label(spec.name)}: {type_name(spec.type)}"
    if spec.type in (int, float):
        limits = spec.get(Range)
        between = f"{number(limits.min)} to {number(limits.max)} {limits.unit}".strip() + "\n" if limits else ""
        return f"{does}\n{between}Drag sideways: Ctrl is finer, Shift coarser. Double-click to type"
    return f"{does}\n{str(value)[:LONGEST]}" if spec.type is str and value else does


def _about(item: NodeItem) -> str:
    if item.run.state == "failed":
        return item.run.message
    return item.problem or item.idle.get("") or item.type.doc.split("\n\n", 1)[0]

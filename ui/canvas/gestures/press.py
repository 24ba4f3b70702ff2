"""What a mouse button on the canvas begins or does. Places are in pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt

from nodegraph.editing.group_body import is_wall
from nodegraph.editing.wires import add_reroute
from nodegraph.graph import Port
from ui.canvas.commands.one_node import rename
from ui.canvas.commands.selection import edit_group, tried
from ui.canvas.gestures import rows
from ui.canvas.gestures.gestures import REACH, Box, Gesture, Lasso, Move, Pan, Stretch, grips, stretch_cursor
from ui.canvas.gestures.wires import Cut, Swap, Wire
from ui.canvas.overlays.menu import open_menu
from ui.canvas.overlays.notes import open_note
from ui.canvas.paint.nodes import READABLE
from ui.canvas.scene.figures import NATURAL
from ui.canvas.scene.items import NodeItem

if TYPE_CHECKING:
    from ui.canvas.canvas import Canvas

CTRL, SHIFT, ALT = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)
FAR_OUT = 0.2  # the scale below which sockets are too small to be meant


def pressed(canvas: Canvas, at: QPointF, button: Qt.MouseButton, keys: Qt.KeyboardModifier) -> Gesture | None:
    """The gesture that a press begins; None when there is none, or when it did what it does."""
    match button:
        case Qt.MouseButton.MiddleButton:
            return Pan(canvas, at)
        case Qt.MouseButton.RightButton if keys & CTRL:
            return Cut(canvas, at)
        case Qt.MouseButton.RightButton:
            _pressed_right(canvas, at)
            return None
        case Qt.MouseButton.LeftButton:
            return _pressed_left(canvas, at, keys)
        case _:
            return None


def _pressed_right(canvas: Canvas, at: QPointF) -> None:
    item = canvas.scene.node_at(canvas.view.to_world(at))
    if item is None:
        canvas.open_palette(at)
        return
    if item.id not in canvas.selection:
        canvas.select({item.id})
    open_menu(canvas, canvas.mapToGlobal(at.toPoint()))


def _pressed_left(canvas: Canvas, at: QPointF, keys: Qt.KeyboardModifier) -> Gesture | None:
    if keys & CTRL and keys & ALT:
        return Lasso(canvas, at, canvas.selection if keys & SHIFT else frozenset())
    world = canvas.view.to_world(at)
    socket = canvas.scene.socket_at(world, REACH / max(canvas.view.scale, 0.5))
    if socket is not None and canvas.view.scale > FAR_OUT:
        return _pressed_socket(canvas, at, *socket, swap=bool(keys & (ALT | CTRL)))
    zone = canvas.scene.zone_at(world) if canvas.view.scale >= READABLE else None
    if zone is not None:
        canvas.scene.look_at_round(zone, zone.step_at(world))
        return None
    item = canvas.scene.node_at(world)
    if item is None:
        keep = canvas.selection if keys & (SHIFT | CTRL) else frozenset[str]()
        canvas.select(keep)
        return Box(canvas, at, keep)
    return _pressed_node(canvas, at, item, keys)


def _pressed_socket(canvas: Canvas, at: QPointF, port: Port, output: bool, *, swap: bool) -> Gesture:
    if swap and not output and port in canvas.scope.graph.links:
        return Swap(canvas, at, port)
    return Wire(canvas, at, port, output)


def _pressed_node(canvas: Canvas, at: QPointF, item: NodeItem, keys: Qt.KeyboardModifier) -> Gesture | None:
    gesture = rows.press(canvas, at, item, keys) if item.figure == "node" else None
    if gesture is not None:
        return gesture
    if keys & (SHIFT | CTRL):
        canvas.select(canvas.selection ^ {item.id})
    elif item.id not in canvas.selection:
        canvas.select({item.id})
    if any(grips(item, canvas.view.to_world(at))):
        return Stretch(canvas, at, item)
    return Move(canvas, at, alone=not keys & (SHIFT | CTRL)) if item.id in canvas.selection else None


def double_clicked(canvas: Canvas, at: QPointF) -> bool:
    """Whether a double click did something; else it counts as one more press."""
    world = canvas.view.to_world(at)
    if canvas.scene.zone_at(world):
        return False  # two rounds on
    item = canvas.scene.node_at(world)
    if item is None:
        link = canvas.scene.link_at(world, REACH / 2 / max(canvas.view.scale, 0.5))
        if link is None:
            canvas.open_palette(at)
        else:
            width, height = NATURAL["reroute"]
            place = (round(world.x() - width / 2), round(world.y() - height / 2))
            tried(canvas, "Nothing was added", canvas.scope.edit, "Add reroute", add_reroute, link.dst, place)
        return True
    match item.figure:
        case "note":
            open_note(canvas, item.id)
        case "frame":
            rename(canvas, item.id)
        case "reroute":
            return False
        case "node" if is_wall(item.node):
            edit_group(canvas)
        case "node":
            return rows.double_click(canvas, at, item) or _entered(canvas, item.id)
    return True


def _entered(canvas: Canvas, id: str) -> bool:
    """Whether it is a group; its inside is shown then."""
    if not canvas.scope.can_enter(id):
        return False
    canvas.scope.enter(id)
    return True


def cursor_at(canvas: Canvas, at: QPointF) -> Qt.CursorShape:
    """What the pointer says can be done there."""
    world = canvas.view.to_world(at)
    item = canvas.scene.node_at(world)
    if item is not None and any(edges := grips(item, world)):
        return stretch_cursor(*edges)
    if canvas.view.scale >= READABLE and canvas.scene.zone_at(world) is not None:
        return Qt.CursorShape.PointingHandCursor
    return rows.cursor_at(canvas, at)

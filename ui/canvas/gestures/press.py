"""What a mouse button on the canvas begins or does. Places are in pixels."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, Qt

from nodegraph.editing.group_body import is_wall
from nodegraph.graph import Port
from ui.base.text import label
from ui.canvas.commands.adding import open_palette
from ui.canvas.commands.one_node import rename
from ui.canvas.commands.one_wire import bend, open_wire_menu
from ui.canvas.commands.selection import edit_group
from ui.canvas.gestures import rows
from ui.canvas.gestures.gestures import REACH, Box, Gesture, Lasso, Move, Pan, Stretch, grips, stretch_cursor
from ui.canvas.gestures.wires import Cut, Swap, Wire
from ui.canvas.overlays.menu import open_menu
from ui.canvas.overlays.notes import open_note
from ui.canvas.paint.levels import rows_shown
from ui.canvas.scene.items import NodeItem
from ui.canvas.scene.state import CanvasState

CTRL, SHIFT, ALT = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)
FAR_OUT = 0.2  # the scale below which sockets are too small to be meant


def pressed(state: CanvasState, at: QPointF, button: Qt.MouseButton, keys: Qt.KeyboardModifier) -> Gesture | None:
    """The gesture that a press begins; None when there is none, or when it did what it does."""
    match button:
        case Qt.MouseButton.MiddleButton:
            return Pan(state, at)
        case Qt.MouseButton.RightButton if keys & CTRL:
            return Cut(state, at)
        case Qt.MouseButton.RightButton:
            _pressed_right(state, at)
            return None
        case Qt.MouseButton.LeftButton:
            return _pressed_left(state, at, keys)
        case _:
            return None


def _pressed_right(state: CanvasState, at: QPointF) -> None:
    item = state.scene.node_at(state.view.to_world(at))
    if item is None:
        wire = wire_at(state, at)
        if wire is None:
            open_palette(state, at)
        else:
            open_wire_menu(state, wire, at)
        return
    if item.id not in state.selection:
        state.select({item.id})
    offered = {**_help(state, item.id), **_varied(state, item, at)}
    open_menu(state.widget, state.widget.mapToGlobal(at.toPoint()), offered)


def _help(state: CanvasState, id: str) -> dict[str, Callable[[], object]]:
    """What can be done about a problem of the node, beside the workflow."""
    name, remedy = state.remedy_name(id), state.remedy(id)
    if remedy is None:
        return {}
    wanted = state.remedy_wanted
    return {remedy.choose: lambda: wanted.emit(name, True), remedy.fetch: lambda: wanted.emit(name, False)}


def _varied(state: CanvasState, item: NodeItem, at: QPointF) -> dict[str, Callable[[], object]]:
    """The parameter at the pointer may vary in a sweep; inside a group nothing does."""
    if state.scope.path or item.figure != "node":
        return {}
    place = state.view.to_world(at) - item.pos
    row = next((row for row in item.shape.rows if row.rect.contains(place)), None)
    spec = row.input if row and row.editable else None
    if spec is None or spec.name in item.linked:
        return {}
    return {f"Vary {label(spec.name)}…": lambda: state.vary_wanted.emit(Port(item.id, spec.name))}


def _pressed_left(state: CanvasState, at: QPointF, keys: Qt.KeyboardModifier) -> Gesture | None:
    if keys & CTRL and keys & ALT:
        return Lasso(state, at, state.selection if keys & SHIFT else frozenset())
    world = state.view.to_world(at)
    socket = state.scene.socket_at(world, REACH / max(state.view.scale, 0.5))
    if socket is not None and state.view.scale > FAR_OUT:
        return _pressed_socket(state, at, *socket, swap=bool(keys & (ALT | CTRL)))
    zone = state.scene.zone_at(world) if rows_shown(state.view.scale) else None
    if zone is not None:
        state.scene.look_at_round(zone, zone.step_at(world))
        return None
    item = state.scene.node_at(world)
    if item is None:
        keep = state.selection if keys & (SHIFT | CTRL) else frozenset[str]()
        state.select(keep)
        return Box(state, at, keep, None if keep else wire_at(state, at))
    return _pressed_node(state, at, item, keys)


def _pressed_socket(state: CanvasState, at: QPointF, port: Port, output: bool, *, swap: bool) -> Gesture:
    if swap and not output and port in state.scope.graph.links:
        return Swap(state, at, port)
    return Wire(state, at, port, output)


def _pressed_node(state: CanvasState, at: QPointF, item: NodeItem, keys: Qt.KeyboardModifier) -> Gesture | None:
    gesture = rows.press(state, at, item, keys) if item.figure == "node" else None
    if gesture is not None:
        return gesture
    if keys & (SHIFT | CTRL):
        state.select(state.selection ^ {item.id})
    elif item.id not in state.selection:
        state.select({item.id})
    if any(grips(item, state.view.to_world(at))):
        return Stretch(state, at, item)
    return Move(state, at, alone=not keys & (SHIFT | CTRL)) if item.id in state.selection else None


def double_clicked(state: CanvasState, at: QPointF) -> bool:
    """Whether a double click did something; else it counts as one more press."""
    world = state.view.to_world(at)
    if state.scene.zone_at(world):
        return False  # two rounds on
    item = state.scene.node_at(world)
    if item is None:
        wire = wire_at(state, at)
        if wire is None:
            open_palette(state, at)
        else:
            bend(state, wire, world)
        return True
    match item.figure:
        case "note":
            open_note(state, item.id)
        case "frame":
            rename(state, item.id)
        case "reroute":
            return False
        case "node" if is_wall(item.node):
            edit_group(state)
        case "node":
            return rows.double_click(state, at, item) or _entered(state, item.id) or _approached(state, item.id)
    return True


def _approached(state: CanvasState, id: str) -> bool:
    """From so far that a node is a summary, one goes to where its parameters can be read."""
    if rows_shown(state.view.scale):
        return False
    state.approach(id)
    return True


def wire_at(state: CanvasState, at: QPointF) -> Port | None:
    """The input that the wire there feeds; far out they lie too close to be told apart."""
    if state.view.scale < FAR_OUT:
        return None
    link = state.scene.link_at(state.view.to_world(at), REACH / 2 / max(state.view.scale, 0.5))
    return link.dst if link is not None else None


def thing_at(state: CanvasState, at: QPointF) -> str | Port | None:
    """The node or the wire that the pointer is over."""
    item = state.scene.node_at(state.view.to_world(at))
    return item.id if item is not None else wire_at(state, at)


def _entered(state: CanvasState, id: str) -> bool:
    """Whether it is a group; its inside is shown then."""
    if not state.scope.can_enter(id):
        return False
    state.scope.enter(id)
    return True


def cursor_at(state: CanvasState, at: QPointF) -> Qt.CursorShape:
    """What the pointer says can be done there."""
    world = state.view.to_world(at)
    item = state.scene.node_at(world)
    if item is not None and any(edges := grips(item, world)):
        return stretch_cursor(*edges)
    if rows_shown(state.view.scale) and state.scene.zone_at(world) is not None:
        return Qt.CursorShape.PointingHandCursor
    return rows.cursor_at(state, at)

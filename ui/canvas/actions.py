"""What the keyboard and the menus can do on the canvas, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from ui.actions.table import Action
from ui.canvas.canvas import Canvas
from ui.canvas.commands import selection
from ui.canvas.commands.adding import open_palette
from ui.canvas.commands.bringing import paste
from ui.canvas.commands.connect import open_connections
from ui.canvas.commands.find_text import find_text
from ui.canvas.commands.one_node import edit_first_row, fold_selected
from ui.canvas.commands.walk import Direction, walk
from ui.canvas.gestures import arrange
from ui.canvas.scene.state import CanvasState
from ui.canvas.scene.view import NOTCH

SIDES: Mapping[Direction, tuple[int, int]] = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
EDGES: Mapping[arrange.Edge, str] = {
    "left": "Shift+Left",
    "right": "Shift+Right",
    "top": "Shift+Up",
    "bottom": "Shift+Down",
}


def canvas_actions(canvas: Canvas) -> tuple[Action, ...]:
    """What the gestures of the mouse do to the graph, sizes aside, so that it can be done without one."""
    table = (
        *_add(canvas.state),
        *_edit(canvas.state),
        *_wires(canvas.state),
        *_structure(canvas),
        *_select(canvas.state),
        *_arrange(canvas.state),
        *_view(canvas),
    )
    # What would make the graph too large to be opened again is refused.
    refusable = partial(selection.tried, canvas.state, "Nothing was changed")
    return tuple(replace(action, callback=partial(refusable, action.callback)) for action in table)


def _add(state: CanvasState) -> tuple[Action, ...]:
    return (
        Action("canvas.add", "Add a node…", lambda: open_palette(state, state.pointer()), "A; Shift+A"),
        Action("canvas.note", "Add a note", partial(selection.note, state), "N"),
        Action("canvas.frame", "Frame", partial(selection.frame, state), "Ctrl+J", "Put a frame around the selection"),
        Action(
            "canvas.color_frame", "Colour…", partial(selection.recolor, state), "K", "Of the selected nodes and frames"
        ),
        Action("canvas.uncolor", "Take colour off", partial(selection.uncolor, state)),
    )


def _edit(state: CanvasState) -> tuple[Action, ...]:
    keep = "Duplicate with the wires that come in"
    return (
        Action("canvas.cut", "Cut", partial(selection.cut, state), "Ctrl+X"),
        Action("canvas.copy", "Copy", partial(selection.copy, state), "Ctrl+C"),
        Action(
            "canvas.paste", "Paste", partial(paste, state), "Ctrl+V", "Nodes, pictures, files and texts, at the pointer"
        ),
        Action("canvas.duplicate", "Duplicate", partial(selection.duplicate, state), "Ctrl+D"),
        Action("canvas.duplicate_linked", keep, partial(selection.duplicate, state, linked=True), "Ctrl+Shift+D"),
        Action("canvas.delete", "Delete", partial(selection.delete, state), "Delete"),
        Action(
            "canvas.heal",
            "Delete and heal",
            partial(selection.delete_and_heal, state),
            "X; Ctrl+Delete",
            "Delete the selection and link what came before it to what came after",
        ),
        Action("canvas.edit", "Edit the first parameter", partial(edit_first_row, state), "Return"),
        Action("canvas.rename", "Rename…", partial(selection.rename_selected, state), "F2"),
        Action("canvas.fold", "Collapse", partial(fold_selected, state), "H", "Collapse to the header, or open again"),
        Action("canvas.mute", "Mute", partial(selection.set_mode, state, "muted"), "M", "Leave out of the run"),
        Action(
            "canvas.bypass",
            "Bypass",
            partial(selection.set_mode, state, "bypassed"),
            "B",
            "Pass the inputs on as if the node was not there",
        ),
    )


def _wires(state: CanvasState) -> tuple[Action, ...]:
    where = "Wires"
    variable = "Give an output a name; what it leads to takes it by that name"
    return (
        Action("canvas.connect", "Connect to…", partial(open_connections, state), "C", submenu=where),
        Action("canvas.swap", "Swap the two inputs", partial(selection.swap, state), "Alt+S", submenu=where),
        Action(
            "canvas.detach", "Detach", partial(selection.detach, state), "Alt+D", "Take the wires off", False, where
        ),
        Action("canvas.reroute", "Add reroutes", partial(selection.reroute, state), "Shift+R", submenu=where),
        Action(
            "canvas.variable", "Make a variable…", partial(selection.make_variable, state), "V", variable, False, where
        ),
    )


def _structure(canvas: Canvas) -> tuple[Action, ...]:
    where, state = "Groups", canvas.state
    enter = "Go into the selected group; without one, add a node"
    return (
        Action("canvas.group", "Group", partial(selection.group, state), "Ctrl+G", submenu=where),
        Action("canvas.ungroup", "Ungroup", partial(selection.ungroup, state), "Ctrl+Shift+G; Alt+G", submenu=where),
        Action("canvas.enter", "Enter the group", canvas.enter_or_add, "Tab", enter, submenu=where),
        Action("canvas.edit_group", "Name and sockets…", partial(selection.edit_group, state), "Ctrl+F2",
               "Rename the selected group, and rename, reorder and take away its sockets", submenu=where),
        Action("canvas.leave", "Leave the group", state.scope.leave, "Ctrl+Backspace", submenu=where),
        Action("canvas.round_before", "Look at the round before", partial(selection.step_round, state, -1), "[",
               submenu=where),
        Action("canvas.round_after", "Look at the next round", partial(selection.step_round, state, 1), "]",
               submenu=where),
        Action("canvas.picture_before", "Look at the picture before", partial(selection.step_picture, state, -1),
               "Alt+,", "Of the batch that the selected node shows", submenu=where),
        Action("canvas.picture_after", "Look at the next picture", partial(selection.step_picture, state, 1), "Alt+.",
               "Of the batch that the selected node shows", submenu=where),
    )  # fmt: skip


def _select(state: CanvasState) -> tuple[Action, ...]:
    where = "Select"
    walks = tuple(
        Action(f"canvas.go_{side}", f"Go {side}", partial(walk, state, side), side.capitalize(), submenu=where)
        for side in SIDES
    )
    return (
        Action("canvas.select_all", "Select all", partial(selection.select_all, state), "Ctrl+A", submenu=where),
        Action("canvas.select_none", "Select nothing", partial(state.select, ()), "Ctrl+Shift+A", submenu=where),
        Action("canvas.invert", "Invert the selection", partial(selection.invert, state), "Ctrl+I", submenu=where),
        *walks,
    )


def _arrange(state: CanvasState) -> tuple[Action, ...]:
    where = "Arrange"
    edges = tuple(
        Action(f"canvas.align_{edge}", f"Align {edge} edges", partial(arrange.align, state, edge), keys, submenu=where)
        for edge, keys in EDGES.items()
    )
    nudges = tuple(
        Action(f"canvas.nudge_{side}", f"Move {side}", partial(arrange.nudge, state, *by),
               f"Ctrl+{side.capitalize()}", submenu=where)
        for side, by in SIDES.items()
    )  # fmt: skip
    fine = tuple(
        Action(f"canvas.fine_{side}", f"Move {side} by a hair", partial(arrange.nudge, state, *by, 1.0),
               f"Alt+{side.capitalize()}", submenu=where)
        for side, by in SIDES.items()
    )  # fmt: skip
    return (
        Action("canvas.arrange", "Arrange automatically", partial(arrange.arrange, state), "Shift+L", submenu=where),
        *edges,
        Action("canvas.align_center", "Align on a vertical line", partial(arrange.align, state, "center"), "Shift+C",
               submenu=where),
        Action("canvas.align_middle", "Align on a horizontal line", partial(arrange.align, state, "middle"), "Shift+E",
               submenu=where),
        Action("canvas.distribute_x", "Equal gaps across", partial(arrange.distribute, state, "x"), "Shift+H",
               submenu=where),
        Action("canvas.distribute_y", "Equal gaps down", partial(arrange.distribute, state, "y"), "Shift+V",
               submenu=where),
        *nudges,
        *fine,
    )  # fmt: skip


def _view(canvas: Canvas) -> tuple[Action, ...]:
    return (
        Action("canvas.fit", "Show the selection", canvas.fit, "F", "Show the selected nodes, or all"),
        Action("canvas.fit_all", "Show all", canvas.fit_all, "Home"),
        Action("canvas.zoom_in", "Zoom in", partial(canvas.zoom, NOTCH), "+; ="),
        Action("canvas.zoom_out", "Zoom out", partial(canvas.zoom, 1 / NOTCH), "-"),
        Action("canvas.find_text", "Find in texts…", partial(find_text, canvas.state), "Ctrl+F",
               "Find in the prompts, notes and titles of the document; in a text that is edited, in it"),
        Action("canvas.snap", "Snap to the grid", canvas.state.set_snap, "Shift+G", checkable=True),
        Action("canvas.minimap", "Minimap", canvas.minimap.show_map, "Shift+M", checkable=True),
    )  # fmt: skip

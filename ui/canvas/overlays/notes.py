"""Writing a note: a text editor over it."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial

from PySide6.QtCore import QRectF

from nodegraph.graph import Graph, change_node, set_param
from ui.canvas.overlays.live_editor import LiveEditor
from ui.canvas.paint.frames import note_height
from ui.canvas.scene.state import CanvasState


def open_note(state: CanvasState, id: str) -> LiveEditor:
    """Edit the text of a note as Markdown, in its place."""
    spec = state.scope.type_of(id).input_by_name["text"]

    def place() -> QRectF | None:
        item = state.scene.nodes.get(id)
        return item.rect if item else None

    def text() -> str:
        return str(state.scope.graph.nodes[id].params.get("text", spec.default))

    return LiveEditor(state, spec, text, place, partial(_write, state, id))


def _write(state: CanvasState, id: str, text: str, token: Hashable) -> None:
    """Change the text; a note that is too small for it grows downwards."""
    shape = state.scene.nodes[id].shape
    height = note_height(text, shape.width)

    def change(graph: Graph) -> Graph:
        graph = set_param(graph, id, "text", text)
        return change_node(graph, id, size=(shape.width, round(height))) if height > shape.height else graph

    state.scope.edit("Write note", change, merge=token)

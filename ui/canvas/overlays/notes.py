"""Writing a note: a text editor over it."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF

from nodegraph.graph import Graph, change_node, set_param
from ui.canvas.overlays.live_editor import LiveEditor
from ui.canvas.paint.frames import note_height

if TYPE_CHECKING:
    from ui.canvas.canvas import Canvas


def open_note(canvas: Canvas, id: str) -> LiveEditor:
    """Edit the text of a note as Markdown, in its place."""
    spec = canvas.scope.type_of(id).input_by_name["text"]

    def place() -> QRectF | None:
        item = canvas.scene.nodes.get(id)
        return item.rect if item else None

    def text() -> str:
        return str(canvas.scope.graph.nodes[id].params.get("text", spec.default))

    return LiveEditor(canvas, spec, text, place, partial(_write, canvas, id))


def _write(canvas: Canvas, id: str, text: str, token: Hashable) -> None:
    """Change the text; a note that is too small for it grows downwards."""
    shape = canvas.scene.nodes[id].shape
    height = note_height(text, shape.width)

    def change(graph: Graph) -> Graph:
        graph = set_param(graph, id, "text", text)
        return change_node(graph, id, size=(shape.width, round(height))) if height > shape.height else graph

    canvas.scope.edit("Write note", change, merge=token)

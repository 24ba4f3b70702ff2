"""Find in the texts of the document, its groups included; the one that is chosen is opened where it is."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QPoint

from nodegraph.graph import Node
from nodegraph.node import Multiline, NodeType
from ui.base.text import label
from ui.canvas.commands.one_node import open_row
from ui.canvas.overlays.notes import open_note
from ui.canvas.paint.frames import frame_tint_of
from ui.canvas.paint.nodes import ink_of
from ui.canvas.scene.state import CanvasState
from ui.documents.document import guessed_type
from ui.documents.scope import Place
from ui.widgets.finder import Entry, Finder
from ui.widgets.paragraph import Paragraph

MOST = 100
"""Texts that are listed."""

AROUND = 28
"""Characters before a hit that are shown with it."""


def find_text(state: CanvasState) -> Finder:
    """Type some letters, choose one of the texts that have them."""

    def find(typed: str) -> list[Entry]:
        return [entry for entry, _ in zip(_hits(state, typed), range(MOST), strict=False)] if typed.strip() else []

    finder = Finder("Find in prompts, notes and titles, in groups too", find, state.widget)

    def go(where: tuple[str, str]) -> None:
        _open(state, *where, finder.box.text())

    finder.chosen.connect(go)
    top = QPoint(max((state.widget.width() - finder.width()) // 2, 0), state.widget.height() // 8)
    finder.open_at(state.widget.mapToGlobal(top))
    return finder


def _hits(state: CanvasState, typed: str) -> Iterator[Entry]:
    """In the order of each graph, first of the one that is shown. Capitals count only where some are typed.

    value: the node as the engine calls it, and the parameter.
    """
    for place in state.scope.everywhere():
        for id, node in place.graph.nodes.items():
            type = state.scope.declared(node.type) or guessed_type(place.graph, id)
            yield from _hits_in(
                node, type, typed, place, "/".join((*place.path, id)), here=place.path == state.scope.path
            )


def _hits_in(node: Node, type: NodeType, typed: str, place: Place, id: str, *, here: bool) -> Iterator[Entry]:
    exact = typed != typed.lower()
    title = node.title or type.title
    for name, text in _texts(node, type, title):
        at = (text if exact else text.lower()).find(typed)
        if at >= 0:
            said = " ".join(text[max(at - AROUND, 0) :].split())
            about = f"…{said}" if at > AROUND else said
            ink = frame_tint_of(node, type) if type.annotation else ink_of(node, type)
            shown = title if here else " › ".join((*place.titles, title))
            yield Entry(shown, label(name) if name else "Title", about, ink, (id, name))


def _texts(node: Node, type: NodeType, title: str) -> Iterator[tuple[str, str]]:
    """By parameter; "" is the title."""
    yield "", title
    for spec in type.inputs:
        if spec.get(Multiline):
            yield spec.name, str(node.params.get(spec.name, spec.default) or "")


def _open(state: CanvasState, node: str, name: str, typed: str) -> None:
    """Go there, and type in it with every hit lit; a title is only gone to."""
    state.center_on(node)
    id = node.rpartition("/")[2]
    if not name:
        return
    editor = open_note(state, id) if state.scene.nodes[id].type.annotation else open_row(state, id, name)
    if editor is not None and isinstance(editor.box, Paragraph):
        editor.box.search(typed)

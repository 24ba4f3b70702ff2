"""Find in the texts of the graph that is shown: prompts, notes and titles; the one that is chosen is opened there."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QPoint

from nodegraph.node import Multiline
from ui.base.text import label
from ui.canvas.commands.one_node import open_row
from ui.canvas.overlays.notes import open_note
from ui.canvas.paint.frames import frame_tint
from ui.canvas.paint.nodes import header_color
from ui.canvas.scene.items import NodeItem
from ui.canvas.scene.state import CanvasState
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

    finder = Finder("Find in prompts, notes and titles", find, state.widget)

    def go(where: tuple[str, str]) -> None:
        _open(state, *where, finder.box.text())

    finder.chosen.connect(go)
    top = QPoint(max((state.widget.width() - finder.width()) // 2, 0), state.widget.height() // 8)
    finder.open_at(state.widget.mapToGlobal(top))
    return finder


def _hits(state: CanvasState, typed: str) -> Iterator[Entry]:
    """In the order of the graph. Capitals count only where some are typed. value: the node, and the parameter."""
    exact = typed != typed.lower()
    for item in state.scene.nodes.values():
        ink = frame_tint(item) if item.type.annotation else header_color(item).name()
        for name, text in _texts(state, item):
            at = (text if exact else text.lower()).find(typed)
            if at >= 0:
                said = " ".join(text[max(at - AROUND, 0) :].split())
                about = f"…{said}" if at > AROUND else said
                yield Entry(item.title, label(name) if name else "Title", about, ink, (item.id, name))


def _texts(state: CanvasState, item: NodeItem) -> Iterator[tuple[str, str]]:
    """By parameter; "" is the title."""
    yield "", item.title
    for spec in item.type.inputs:
        if spec.get(Multiline):
            yield spec.name, str(item.node.params.get(spec.name, spec.default) or "")


def _open(state: CanvasState, id: str, name: str, typed: str) -> None:
    """Go there, and type in it with every hit lit; a title is only gone to."""
    state.center_on(id)
    if not name:
        return
    editor = open_note(state, id) if state.scene.nodes[id].type.annotation else open_row(state, id, name)
    if editor is not None and isinstance(editor.box, Paragraph):
        editor.box.search(typed)

"""Connecting without a mouse: a list of everything that a node's sockets can be linked to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nodegraph.graph import Port, connect
from nodegraph.reach import downstream, upstream
from nodegraph.types import accepts, style, type_name
from ui.base.text import label
from ui.canvas.scene.items import NodeItem
from ui.widgets.finder import Entry, Finder

if TYPE_CHECKING:
    from ui.canvas.canvas import Canvas

MOST = 400  # entries shown

Rank = tuple[bool, bool, float]
"""Lower is better: whether the input is taken, whether it may stay open, how far apart the nodes are."""


def open_connections(canvas: Canvas) -> Finder | None:
    """Offer the links that the selected node can get; None when not just one node is selected."""
    if len(canvas.selection) != 1:
        return None
    (id,) = canvas.selection
    entries = sorted(connections(canvas, id), key=lambda found: found[0])

    def find(typed: str) -> list[Entry]:
        words = typed.lower().split()
        shown = (entry for _, entry in entries if all(word in f"{entry.title} {entry.kind}".lower() for word in words))
        return [entry for entry, _ in zip(shown, range(MOST), strict=False)]

    finder = Finder("Connect to: type a socket or a node", find, canvas)
    finder.chosen.connect(lambda link: canvas.scope.edit("Connect", connect, *link))
    place = canvas.view.to_screen(canvas.scene.nodes[id].rect.topRight())
    finder.open_at(canvas.mapToGlobal(place.toPoint()))
    return finder


def connections(canvas: Canvas, id: str) -> Iterator[tuple[Rank, Entry]]:
    """Links that fit and close no circle, between sockets that are shown."""
    graph = canvas.scope.graph
    here = canvas.scene.nodes[id]
    before, after = upstream(graph, id), downstream(graph, id)
    for other in canvas.scene.nodes.values():
        if other.id not in after:
            yield from _links(canvas, other, here)
        if other.id not in before:
            yield from _links(canvas, here, other)


def _links(canvas: Canvas, source: NodeItem, reader: NodeItem) -> Iterator[tuple[Rank, Entry]]:
    graph = canvas.scope.graph
    far = (source.rect.center() - reader.rect.center()).manhattanLength()
    for output in (output for output in source.type.outputs if output.name in source.shape.outputs):
        found = canvas.scope.output(Port(source.id, output.name))
        for input in (input for input in reader.type.inputs if input.name in reader.shape.inputs):
            src, dst = Port(source.id, output.name), Port(reader.id, input.name)
            if found is None or not accepts(input.type, found.type) or graph.links.get(dst) == src:
                continue
            taken = graph.links.get(dst)
            title = f"{source.title}: {label(output.name)}  →  {reader.title}: {label(input.name)}"
            about = f"instead of {canvas.scene.nodes[taken.node].title}" if taken else "not linked yet"
            entry = Entry(title, type_name(found.type), about, style(found.type).color, (src, dst))
            yield (taken is not None, not input.required, far), entry

"""Connecting without a mouse: a list of everything that a node's sockets can be linked to."""

from __future__ import annotations

from collections.abc import Iterator

from nodegraph.graph import Port, connect
from nodegraph.reach import downstream, upstream
from nodegraph.types import accepts, style, type_name
from ui.base.text import label
from ui.canvas.scene.items import NodeItem
from ui.canvas.scene.state import CanvasState
from ui.widgets.finder import Entry, Finder

MOST = 400  # entries shown

Rank = tuple[bool, bool, float]
"""Lower is better: whether the input is taken, whether it may stay open, how far apart the nodes are."""


def open_connections(state: CanvasState) -> Finder | None:
    """Offer the links that the selected node can get; None when not just one node is selected."""
    if len(state.selection) != 1:
        return None
    (id,) = state.selection
    entries = sorted(connections(state, id), key=lambda found: found[0])

    def find(typed: str) -> list[Entry]:
        words = typed.lower().split()
        shown = (entry for _, entry in entries if all(word in f"{entry.title} {entry.kind}".lower() for word in words))
        return [entry for entry, _ in zip(shown, range(MOST), strict=False)]

    finder = Finder("Connect to: type a socket or a node", find, state.widget)
    finder.chosen.connect(lambda link: state.scope.edit("Connect", connect, *link))
    place = state.view.to_screen(state.scene.nodes[id].rect.topRight())
    finder.open_at(state.widget.mapToGlobal(place.toPoint()))
    return finder


def connections(state: CanvasState, id: str) -> Iterator[tuple[Rank, Entry]]:
    """Links that fit and close no circle, between sockets that are shown."""
    graph = state.scope.graph
    here = state.scene.nodes[id]
    before, after = upstream(graph, id), downstream(graph, id)
    for other in state.scene.nodes.values():
        if other.id not in after:
            yield from _links(state, other, here)
        if other.id not in before:
            yield from _links(state, here, other)


def _links(state: CanvasState, source: NodeItem, reader: NodeItem) -> Iterator[tuple[Rank, Entry]]:
    graph = state.scope.graph
    far = (source.rect.center() - reader.rect.center()).manhattanLength()
    for output in (output for output in source.type.outputs if output.name in source.shape.outputs):
        found = state.scope.output(Port(source.id, output.name))
        for input in (input for input in reader.type.inputs if input.name in reader.shape.inputs):
            src, dst = Port(source.id, output.name), Port(reader.id, input.name)
            if found is None or not accepts(input.type, found.type) or graph.links.get(dst) == src:
                continue
            taken = graph.links.get(dst)
            title = f"{source.title}: {label(output.name)}  →  {reader.title}: {label(input.name)}"
            about = f"instead of {state.scene.nodes[taken.node].title}" if taken else "not linked yet"
            entry = Entry(title, type_name(found.type), about, style(found.type).color, (src, dst))
            yield (taken is not None, not input.required, far), entry

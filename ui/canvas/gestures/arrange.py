"""Putting nodes in order: align, distribute, nudge, automatic layout. Each is one undo step and seen as a movement."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Literal

from PySide6.QtCore import QPointF, QRectF

from nodegraph.builtin import FRAME
from nodegraph.editing.layout import NODE_GAP, Box, layering
from nodegraph.graph import Graph, Node, move_nodes
from nodegraph.pieces import Pieces, finish, in_parts
from ui.canvas.gestures.gestures import SNAP
from ui.canvas.scene.items import NodeItem
from ui.canvas.scene.scene import Scene
from ui.canvas.scene.shape import HEADER
from ui.canvas.scene.state import CanvasState
from ui.canvas.scene.zones import ZoneItem
from ui.widgets.piecework import Piecework

Edge = Literal["left", "right", "top", "bottom", "center", "middle"]
AT_ONCE = 300
"""Nodes that are laid out before anybody notices, and that are seen to move."""
FRAME_ROOM = (28.0, 28.0 + HEADER)

_ALIGNED: Mapping[Edge, Callable[[QRectF, QRectF], QPointF]] = {
    "left": lambda rect, all: QPointF(all.left(), rect.top()),
    "right": lambda rect, all: QPointF(all.right() - rect.width(), rect.top()),
    "top": lambda rect, all: QPointF(rect.left(), all.top()),
    "bottom": lambda rect, all: QPointF(rect.left(), all.bottom() - rect.height()),
    "center": lambda rect, all: QPointF(all.center().x() - rect.width() / 2, rect.top()),
    "middle": lambda rect, all: QPointF(rect.left(), all.center().y() - rect.height() / 2),
}
"""Where a node goes; all: what encloses the chosen nodes."""


def align(state: CanvasState, edge: Edge) -> None:
    """Bring the selected nodes to a common edge, or their middles to a common line."""
    around = state.scene.extent(state.selection)
    if len(state.selection) > 1:
        _move(state, "Align nodes", {i.id: _ALIGNED[edge](i.rect, around) for i in _chosen(state)})


def distribute(state: CanvasState, axis: Literal["x", "y"]) -> None:
    """Make the gaps between the selected nodes equal; the two at the ends stay."""
    across = axis == "x"
    items = sorted(_chosen(state), key=lambda item: item.pos.x() if across else item.pos.y())
    if len(items) < 3:
        return
    sizes = [item.shape.width if across else item.shape.height for item in items]
    first, last = items[0].rect, items[-1].rect
    length = last.right() - first.left() if across else last.bottom() - first.top()
    gap = (length - sum(sizes)) / (len(items) - 1)
    at = first.left() if across else first.top()
    to: dict[str, QPointF] = {}
    for item, size in zip(items, sizes, strict=True):
        to[item.id] = QPointF(at, item.pos.y()) if across else QPointF(item.pos.x(), at)
        at += size + gap
    _move(state, "Distribute nodes", to)


def nudge(state: CanvasState, dx: int, dy: int, step: float = SNAP) -> None:
    """Move the selected nodes a little; presses in a row are one undo step. step: world units."""
    ids = state.scene.with_members(state.selection)
    nodes = state.scope.graph.nodes
    to = {id: (nodes[id].pos[0] + dx * step, nodes[id].pos[1] + dy * step) for id in ids}
    if to:
        state.scope.edit("Nudge", move_nodes, to, merge=("nudge", ids))


def arrange(state: CanvasState) -> None:
    """Lay out the selected nodes, or all, in columns along the wires; what is in a frame or zone stays together."""
    scene, graph = state.scene, state.scope.graph
    ids = scene.with_members(state.selection) if len(state.selection) > 1 else frozenset(scene.nodes)

    def apply(moved: Mapping[str, Node]) -> None:
        state.scope.edit("Arrange nodes", lambda graph: replace(graph, nodes={**graph.nodes, **moved}))
        if len(moved) <= AT_ONCE:
            _glide(state, {id: QPointF(*graph.nodes[id].pos) for id in moved})

    if len(ids) <= AT_ONCE:
        apply(finish(_arranged(scene, graph, ids, lambda _: None)))
    else:
        work = Piecework[Mapping[str, Node]](state.widget, "Arrange", "Arranging the nodes")
        # What is edited meanwhile would be laid out by where it was before.
        work.start(_arranged(scene, graph, ids, work.report), apply, wanted=lambda: state.scope.graph is graph)


def _arranged(
    scene: Scene, graph: Graph, ids: Collection[str], report: Callable[[float], None]
) -> Pieces[Mapping[str, Node]]:
    """These nodes in their new places, the frames among them in their new sizes. report: see `layering`."""
    items = scene.nodes
    frames = {id: scene.with_members([id]) - {id} for id in ids if items[id].figure == "frame"}
    framed = {id for members in frames.values() for id in members}
    # A note outside a frame has its place for a reason that no wire tells.
    placed = [items[id] for id in ids if items[id].figure in ("node", "reroute") or id in framed]
    yield
    sizes: dict[str, Box] = {}
    for part in in_parts(placed):
        sizes |= {item.id: _box(item) for item in part if item.figure != "frame"}
        yield
    zones = {f"{zone.begin}/zone": zone for zone in scene.zones if zone.nodes <= sizes.keys()}  # no id has a slash
    stand_ins = {id: Node(FRAME, pos=zone.rect.topLeft().toTuple()) for id, zone in zones.items()}
    nodes = {**graph.nodes, **stand_ins}
    yield
    kept = _kept_together(frames, zones)
    places, frame_sizes = yield from layering(replace(graph, nodes=nodes), sizes, kept, FRAME_ROOM, report)
    notes = [item.rect for item in items.values() if item.figure == "note" and item.id not in places]
    down = _clearance([QRectF(*places[id], *size[:2]) for id, size in sizes.items()], notes) if notes else 0.0
    yield
    moved: dict[str, Node] = {}
    for part in in_parts(places.keys() - zones.keys()):
        for id in part:
            at = (round(places[id][0]), round(places[id][1] + down))
            size = frame_sizes[id] if id in frames and id in frame_sizes else nodes[id].size
            moved[id] = replace(nodes[id], pos=at, size=size)
        yield
    return moved


def _kept_together(frames: Mapping[str, frozenset[str]], zones: Mapping[str, ZoneItem]) -> dict[str, frozenset[str]]:
    """What each frame and zone surrounds, the frames and zones inside it included."""
    found: dict[str, frozenset[str]] = {}
    for id, members in frames.items():
        found[id] = members.union(inner for inner, zone in zones.items() if zone.nodes <= members)
    for id, zone in zones.items():
        inner_zones = (inner for inner, other in zones.items() if other.nodes < zone.nodes)
        inner_frames = (inner for inner, members in frames.items() if members and members < zone.nodes)
        found[id] = zone.nodes.union(inner_zones, inner_frames)
    return found


def _box(item: NodeItem) -> Box:
    inputs, outputs = ({n: at.y() for n, at in sockets.items()} for sockets in (item.shape.inputs, item.shape.outputs))
    return Box(item.room.width(), item.room.height(), inputs, outputs)


def _clearance(rects: Iterable[QRectF], notes: Iterable[QRectF]) -> float:
    """How far down nodes must go to lie on no note: what stands above them may reach below their upper edge."""
    down = 0.0
    for note in sorted(notes, key=QRectF.top):
        below = [rect.top() + down for rect in rects if rect.translated(0, down).intersects(note)]
        down += max((note.bottom() + NODE_GAP - top for top in below), default=0.0)
    return down


def _chosen(state: CanvasState) -> list[NodeItem]:
    return [state.scene.nodes[id] for id in state.selection]


def _move(state: CanvasState, text: str, to: Mapping[str, QPointF]) -> None:
    """A frame takes along what is in it."""
    carried: dict[str, QPointF] = {}
    for id, at in to.items():
        by = at - state.scene.nodes[id].pos
        for member in state.scene.with_members([id]) - (to.keys() - {id}):
            carried[member] = state.scene.nodes[member].pos + by
    before = {id: state.scene.nodes[id].pos for id in carried}
    state.scope.edit(text, move_nodes, {id: (round(at.x()), round(at.y())) for id, at in carried.items()})
    _glide(state, before)


def _glide(state: CanvasState, before: Mapping[str, QPointF]) -> None:
    """Of very many nodes no single one could be followed, and each frame would take longer than it is shown."""
    if len(before) <= AT_ONCE:
        state.glide(before)

"""Going from node to node with the arrow keys: along the wires where there are any, else to what is nearest."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QPointF

from ui.canvas.scene.items import NodeItem
from ui.canvas.scene.scene import Scene
from ui.canvas.scene.state import CanvasState

Direction = Literal["left", "right", "up", "down"]

_AHEAD = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


def walk(state: CanvasState, direction: Direction) -> None:
    """Select the next node in a direction and bring it into view; from nothing, the node in the middle of the view."""
    scene = state.scene
    here = next((scene.nodes[id] for id in state.selection), None)
    if here is None:
        middle = state.view.to_world(state.area.center())
        found = min(scene.nodes.values(), key=lambda item: _distance(item, middle), default=None)
    else:
        found = _along_wires(scene, here, direction) or _nearest(scene, here, direction)
    if found is not None:
        state.select({found.id})
        state.reveal(found.id)


def _along_wires(scene: Scene, here: NodeItem, direction: Direction) -> NodeItem | None:
    """The source of the topmost linked input, or the reader of the topmost linked output."""
    links = scene.links_of([here.id])
    if direction == "left":
        sources = [link for link in links if link.dst.node == here.id]
        return scene.nodes[min(sources, key=lambda link: link.b.y()).src.node] if sources else None
    if direction == "right":
        readers = [link for link in links if link.src.node == here.id]
        return scene.nodes[min(readers, key=lambda link: (link.a.y(), link.b.y())).dst.node] if readers else None
    return None


def _nearest(scene: Scene, here: NodeItem, direction: Direction) -> NodeItem | None:
    """The nearest node whose middle is on that side; what is aside counts double."""
    dx, dy = _AHEAD[direction]
    best: tuple[float, NodeItem] | None = None
    for item in scene.nodes.values():
        away = item.rect.center() - here.rect.center()
        ahead, aside = away.x() * dx + away.y() * dy, abs(away.x() * dy) + abs(away.y() * dx)
        if item is not here and ahead > 0 and (best is None or ahead + 2 * aside < best[0]):
            best = ahead + 2 * aside, item
    return best[1] if best else None


def _distance(item: NodeItem, point: QPointF) -> float:
    return (item.rect.center() - point).manhattanLength()

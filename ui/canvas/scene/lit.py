"""Which wires are lit: those of what is looked at, up to where they come from and lead to."""

from __future__ import annotations

from collections.abc import Collection

from nodegraph.graph import Port
from ui.canvas.scene.items import LinkItem
from ui.canvas.scene.scene import Scene

MOST, MOST_WIRES = 40, 200
"""Nodes, and wires: of more than that none is lit. So many tell nothing, and are painted anew in each frame."""


def lit_wires(scene: Scene, nodes: Collection[str], wire: Port | None = None) -> frozenset[Port]:
    """The wires of these nodes and the wire itself, by the inputs they feed, through all reroutes on their way."""
    found: dict[Port, None] = {}
    if len(nodes) <= MOST:
        for link in scene.links_of([id for id in nodes if id in scene.nodes]):
            _follow(scene, link, found)
            if len(found) > MOST_WIRES:
                return frozenset()
    if wire is not None and wire in scene.links:
        _follow(scene, scene.links[wire], found)
    return frozenset(found if len(found) <= MOST_WIRES else ())


def _follow(scene: Scene, link: LinkItem, found: dict[Port, None]) -> None:
    todo = [link.dst]
    while todo:
        dst = todo.pop()
        if dst in found:
            continue
        found[dst] = None
        if scene.nodes[dst.node].figure == "reroute":
            todo += [other.dst for other in scene.links_of([dst.node]) if other.src.node == dst.node]
    for before in trail(scene, link)[1:]:
        found[before.dst] = None


def trail(scene: Scene, link: LinkItem) -> list[LinkItem]:
    """The wire and those before it, back through the reroutes that it comes from; the first one last."""
    found = [link]
    while scene.nodes[found[-1].src.node].figure == "reroute" and len(found) <= len(scene.links):
        feeding = [other for other in scene.links_of([found[-1].src.node]) if other.dst.node == found[-1].src.node]
        if not feeding:
            break
        found.append(feeding[0])
    return found

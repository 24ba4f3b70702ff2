"""Room for a node that is put into a wire."""

from __future__ import annotations

from nodegraph.graph import Graph, change_node, move_nodes
from nodegraph.reach import downstream
from ui.canvas.scene.scene import Scene
from ui.canvas.scene.shape import WIDTH

GAP = 40.0  # world units between the node and its neighbours


def make_room(scene: Scene, graph: Graph, before: str, node: str, after: str) -> Graph:
    """Move what follows a node to the right, so that it does not lie on the two that it was put between.

    Frames go along with all that is in them; one around a part of it grows. A wire that leads back is left as it is.
    """
    left, own, right = (graph.nodes[id].pos[0] for id in (before, node, after))
    if right < left:
        return graph
    by = max(left + _width(scene, before) + GAP - own, 0.0)
    rest = max(own + by + _width(scene, node) + GAP - right, 0.0)
    following = downstream(graph, after)
    steps = dict.fromkeys(following, rest) | {node: by}
    for frame in (item for item in scene.nodes.values() if item.figure == "frame"):
        inside = scene.with_members([frame.id]) - {frame.id}
        if inside and inside <= following:
            steps[frame.id] = rest
        elif inside & following:
            graph = change_node(graph, frame.id, size=(frame.shape.width + rest, frame.shape.height))
    places = {id: graph.nodes[id].pos for id in steps}
    return move_nodes(graph, {id: (x + steps[id], y) for id, (x, y) in places.items()})


def _width(scene: Scene, id: str) -> float:
    return scene.nodes[id].shape.width if id in scene.nodes else WIDTH  # a new one

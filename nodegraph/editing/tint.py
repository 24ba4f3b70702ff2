"""A colour that a person gave a node: the field "color" of its entry in the file, "#rrggbb"."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from nodegraph.graph import Graph, Node

COLOR = "color"
_WRITTEN = re.compile(r"#[0-9a-fA-F]{6}")


def tint_of(node: Node) -> str:
    """Empty where the node has none, and for what is no colour."""
    found = node.extra.get(COLOR)
    return found if isinstance(found, str) and _WRITTEN.fullmatch(found) else ""


def tint(graph: Graph, ids: Collection[str], color: str) -> Graph:
    """Give these nodes a colour, or by an empty one none of their own."""
    if color and not _WRITTEN.fullmatch(color):
        raise ValueError(f"a node's colour is written #rrggbb; got {color!r}")
    nodes = dict(graph.nodes)
    for id in ids:
        rest = {name: value for name, value in nodes[id].extra.items() if name != COLOR}
        nodes[id] = replace(nodes[id], extra=rest | {COLOR: color} if color else rest)
    return replace(graph, nodes=nodes)

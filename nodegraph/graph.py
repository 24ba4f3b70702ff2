"""The document as a value: nodes, links, and the edits that make a new graph from an old one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import compress
from operator import is_not
from typing import Any, Literal, NamedTuple

from nodegraph.text import quoted

Mode = Literal["on", "muted", "bypassed"]
SeedMode = Literal["fixed", "increment", "random"]

GROUP = "group:"
"""What the type of an instance of a group begins with; the name of the group follows."""


class Port(NamedTuple):
    """One socket of one node."""

    node: str
    socket: str


@dataclass(frozen=True, slots=True)
class Node:
    """One node.

    size: of what is drawn, in world units; None is its natural size, and nodes with rows take the width alone.
    seed_mode: what becomes of its seed before each run that a person starts. extra: fields of its file entry that
    this program does not know, kept as they are.
    """

    type: str
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    pos: tuple[float, float] = (0.0, 0.0)
    title: str | None = None
    mode: Mode = "on"
    size: tuple[float, float] | None = None
    collapsed: bool = False
    seed_mode: SeedMode = "fixed"
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Group:
    """A reusable graph with a `group.input` and a `group.output` node inside.

    inputs: its sockets in order, each with its default; REQUIRED when a link is needed. Their types and
    ranges are those of the inner sockets they feed.
    """

    name: str
    graph: Graph
    inputs: Mapping[str, Any]
    outputs: tuple[str, ...]
    doc: str = ""

    def __eq__(self, other: object) -> bool:
        """Inputs in another order make another group."""
        return isinstance(other, Group) and self._parts() == other._parts()

    def _parts(self) -> tuple[Any, ...]:
        return self.name, self.graph, [*self.inputs.items()], self.outputs, self.doc


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes by id; links by the input they feed, so an input has at most one source.

    groups: the definitions this document brings along, by name; a node of type "group:NAME" is an instance.
    extra: fields of the file that this program does not know, kept as they are.
    """

    nodes: Mapping[str, Node] = field(default_factory=dict[str, Node])
    links: Mapping[Port, Port] = field(default_factory=dict[Port, Port])
    groups: Mapping[str, Group] = field(default_factory=dict[str, Group])
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])


def fresh_id(graph: Graph, stem: str) -> str:
    """`stem`, or `stem_2`, `stem_3` ...: the first that no node has."""
    if stem not in graph.nodes:
        return stem
    return next(f"{stem}_{n}" for n in range(2, len(graph.nodes) + 3) if f"{stem}_{n}" not in graph.nodes)


def add_node(graph: Graph, id: str, node: Node) -> Graph:
    """Raises ValueError when the id is taken."""
    if id in graph.nodes:
        raise ValueError(f"there is already a node {quoted(id)}")
    return replace(graph, nodes={**graph.nodes, id: node})


def remove_nodes(graph: Graph, ids: Collection[str]) -> Graph:
    nodes = {id: node for id, node in graph.nodes.items() if id not in ids}
    links = {dst: src for dst, src in graph.links.items() if dst.node not in ids and src.node not in ids}
    return replace(graph, nodes=nodes, links=links)


def change_node(graph: Graph, id: str, **fields: Any) -> Graph:
    """Replace fields of one node, such as its title or mode."""
    return replace(graph, nodes={**graph.nodes, id: replace(graph.nodes[id], **fields)})


def set_param(graph: Graph, id: str, name: str, value: Any) -> Graph:
    return change_node(graph, id, params={**graph.nodes[id].params, name: value})


def reset_param(graph: Graph, id: str, name: str) -> Graph:
    """Back to the default."""
    return change_node(graph, id, params={n: v for n, v in graph.nodes[id].params.items() if n != name})


def move_nodes(graph: Graph, to: Mapping[str, tuple[float, float]]) -> Graph:
    moved = {id: replace(graph.nodes[id], pos=pos) for id, pos in to.items()}
    return replace(graph, nodes={**graph.nodes, **moved})


def connect(graph: Graph, src: Port, dst: Port) -> Graph:
    """Link an output to an input, in place of what was linked there."""
    return replace(graph, links={**graph.links, dst: src})


def disconnect(graph: Graph, dst: Port) -> Graph:
    return replace(graph, links={d: s for d, s in graph.links.items() if d != dst})


@dataclass(frozen=True, slots=True)
class Diff:
    """What a view of one graph must do to show another."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    linked: tuple[Port, ...] = ()
    unlinked: tuple[Port, ...] = ()


def diff(before: Graph, after: Graph) -> Diff:
    """Graphs share what did not change, so identity finds the nodes that did."""
    a, b = before.nodes, after.nodes
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    linked: tuple[Port, ...] = ()
    unlinked: tuple[Port, ...] = ()
    if a is not b and list(a) == list(b):  # as after most edits, such as each move while a number is dragged
        changed = tuple(compress(b, map(is_not, a.values(), b.values())))
    elif a is not b:
        added = tuple(id for id in b if id not in a)
        removed = tuple(id for id in a if id not in b)
        changed = tuple(id for id, node in b.items() if (old := a.get(id)) is not None and old is not node)
    if before.links is not after.links:
        linked = tuple(dst for dst, src in after.links.items() if before.links.get(dst) != src)
        unlinked = tuple(dst for dst, src in before.links.items() if after.links.get(dst) != src)
    return Diff(added, removed, changed, linked, unlinked)

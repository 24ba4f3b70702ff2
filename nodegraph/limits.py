"""How much a graph may be: whatever a file says, planning ends soon and in little memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

from nodegraph.graph import Graph, Group
from nodegraph.node import TypeOf

MAX_NODES = 50_000
"""Of a file, in all its groups together; and of a graph when its groups are opened."""
MAX_LINKS = 4 * MAX_NODES
MAX_LETTERS = 400 * MAX_NODES
"""In the ids of all nodes when groups are opened: a node's id has those of the instances it is in before it."""
MAX_NESTING = 64
"""Groups in groups, zones in zones, lists in lists."""
MAX_GROUPS = 2_000
"""Definitions of groups in a file."""
MAX_SOCKETS = 1_000
"""Inputs, or outputs, of a group."""
MAX_NAME = 1_000
"""Characters of a node id, of a socket, of a type or of a group's name."""

MAX_ITEMS = 20_000
"""Of a list, those of the lists in it included."""
MAX_CHARACTERS = 1_000_000
"""Of a text, or of all texts in a list."""
MAX_STEPS = 250_000
"""Of planning one graph. A node is one step, in each round of a zone; large arguments are more (`planning.sizes`)."""

COUNTED = 10**12
"""Beyond this it does not matter how many more there are: numbers of doubling groups have thousands of digits."""


class TooMuch(ValueError):
    """Of this graph nothing is planned. node: where that shows."""

    def __init__(self, node: str, message: str) -> None:
        self.node = node
        super().__init__(message)


class Extent(NamedTuple):
    """What a graph has when its groups are opened. letters: of the ids. depth: of groups in groups."""

    nodes: int
    links: int
    letters: int
    depth: int

    def inside(self, id: str) -> Extent:
        """What the graph around an instance has more when that is opened."""
        return self._replace(letters=self.letters + (len(id) + 1) * self.nodes, depth=self.depth + 1)

    def plus(self, other: Extent) -> Extent:
        nodes, links, letters = (min(a + b, COUNTED) for a, b in zip(self[:3], other[:3], strict=True))
        return Extent(nodes, links, letters, max(self.depth, other.depth))

    def complaint(self) -> str | None:
        """What is too much, as the end of a sentence."""
        if self.depth > MAX_NESTING:
            return f"has groups in groups, {self.depth:,} deep; the limit is {MAX_NESTING}"
        counts = ((self.nodes, MAX_NODES, "nodes"), (self.links, MAX_LINKS, "links"))
        for count, limit, what in (*counts, (self.letters, MAX_LETTERS, "letters in the ids of its nodes")):
            if count > limit:
                much = f"{count:,}" if count < COUNTED else f"more than {COUNTED:,}"
                return f"has {much} {what} when its groups are opened; the limit is {limit:,}"
        return None


def extents(types: Iterable[str], type_of: TypeOf) -> dict[str, Extent | None]:
    """Of the groups with these type ids, and of those in them; None for one that contains itself.

    Nothing is opened: each definition is counted once, after those it uses.
    """
    import networkx  # half a second: the window is up before anything is planned

    nx = cast(Any, networkx)  # its functions are typed in part
    bodies = _bodies(types, type_of)
    graph = nx.DiGraph()
    graph.add_nodes_from(bodies)
    graph.add_edges_from((id, n.type) for id, body in bodies.items() for n in body.nodes.values() if n.type in bodies)
    found: dict[str, Extent | None] = {}
    for tied in nx.strongly_connected_components(graph):  # those that are used come first
        for id in tied:
            found[id] = None if len(tied) > 1 or graph.has_edge(id, id) else extent(bodies[id], found)
    return found


def _bodies(types: Iterable[str], type_of: TypeOf) -> dict[str, Graph]:
    """Of these groups, and of those in them, by type id."""
    found: dict[str, Graph] = {}
    todo = [*types]
    while todo:
        id = todo.pop()
        type = None if id in found else type_of(id)
        if type is not None and type.group is not None:
            found[id] = type.group.graph
            todo += {node.type for node in found[id].nodes.values()}
    return found


def extent(graph: Graph, known: Mapping[str, Extent | None]) -> Extent:
    """Of a graph. known: of its groups; one that contains itself, or is not there, is not opened."""
    whole = Extent(len(graph.nodes), len(graph.links), sum(map(len, graph.nodes)), 0)
    for id, node in graph.nodes.items() if known else ():
        if node.mode == "on" and (inner := known.get(node.type)):
            whole = whole.plus(inner.inside(id))
    return whole


def check_growth(before: Graph, after: Graph) -> None:
    """Refuse an edit after which the file could not be opened again. Raises ValueError, in the words of opening."""
    if before.groups is after.groups and len(after.nodes) <= len(before.nodes) and before.links is after.links:
        return
    graphs = (after, *(group.graph for group in after.groups.values()))
    counts = (
        (sum(len(graph.nodes) for graph in graphs), MAX_NODES, "nodes"),
        (sum(len(graph.links) for graph in graphs), MAX_LINKS, "links"),
        (len(after.groups), MAX_GROUPS, "groups"),
    )
    for count, limit, what in counts:
        if count > limit:
            raise ValueError(f"it would have {count:,} {what}; the limit is {limit:,}")
    for id in after.nodes.keys() - before.nodes.keys():
        check_name(id, "a node id")
    for name in after.groups.keys() - before.groups.keys():
        check_name(name, "the name of a group")
    for name, group in after.groups.items():
        if before.groups.get(name) is not group:
            _check_group(group)


def _check_group(group: Group) -> None:
    for names, what in ((group.inputs, "inputs"), (group.outputs, "outputs")):
        if len(names) > MAX_SOCKETS:
            raise ValueError(f"it would have {len(names):,} {what}; the limit is {MAX_SOCKETS:,}")
        for name in names:
            check_name(name, f"one of its {what}")
    for id in group.graph.nodes:
        check_name(id, "a node id")


def check_name(text: str, what: str) -> str:
    """Ids of nodes in groups are made of many names: one of a million characters would fill the memory."""
    if len(text) > MAX_NAME:
        raise ValueError(f"{what} has {len(text):,} characters; the limit is {MAX_NAME:,}")
    return text

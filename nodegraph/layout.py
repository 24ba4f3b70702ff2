"""Automatic layout: nodes in columns from left to right, each column in the order that keeps wires short.

The layered method of Sugiyama, Tagawa and Toda 1981, with the places in a column by isotonic regression.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, cast

from nodegraph.graph import Graph, Port

Point = tuple[float, float]
Size = tuple[float, float]

COLUMN_GAP, ROW_GAP, PART_GAP = 80.0, 36.0, 90.0
"""World units between columns, between nodes of a column, and between parts that no link connects."""
SWEEPS = 12


def layered(graph: Graph, sizes: Mapping[str, Size]) -> dict[str, Point]:
    """A place for each node that has a size: its upper left corner, in the units of the sizes.

    The upper left corner of them all stays where it is; nodes above each other stay so where the links leave a choice.
    """
    import networkx  # half a second: nobody waits for it before the first layout

    nx = cast(Any, networkx)  # its functions are typed in part
    ids = [id for id in graph.nodes if id in sizes]
    if not ids:
        return {}
    links = nx.DiGraph()
    links.add_nodes_from(ids)
    links.add_edges_from((s.node, d.node) for d, s in graph.links.items() if d.node in sizes and s.node in sizes)
    links.remove_edges_from([*nx.selfloop_edges(links)])
    while not nx.is_directed_acyclic_graph(links):
        links.remove_edge(*nx.find_cycle(links)[-1])
    left, top = (min(graph.nodes[id].pos[axis] for id in ids) for axis in (0, 1))
    parts = sorted(nx.weakly_connected_components(links), key=lambda part: min(graph.nodes[id].pos[1] for id in part))
    places: dict[str, Point] = {}
    for part in parts:
        placed = _Part(graph, links.subgraph(part), sizes).places()
        highest = min(y for _, y in placed.values())
        places |= {id: (round(left + x), round(top + y - highest)) for id, (x, y) in placed.items()}
        top = max(places[id][1] + sizes[id][1] for id in part) + PART_GAP
    return places


class _Part:
    """Connected nodes. columns: their ids, from left to right, each from top to bottom."""

    def __init__(self, graph: Graph, links: Any, sizes: Mapping[str, Size]) -> None:
        self.sizes = sizes
        self.before: dict[str, list[str]] = {id: [*links.predecessors(id)] for id in links}
        self.after: dict[str, list[str]] = {id: [*links.successors(id)] for id in links}
        self.columns = self._columns(links)
        for column in self.columns:
            column.sort(key=lambda id: graph.nodes[id].pos[1])
        self.y: dict[str, float] = {}
        for column in self.columns:
            self._stack(column, dict.fromkeys(column, 0.0))

    def _columns(self, links: Any) -> list[list[str]]:
        """By the longest way from a source; a source stands just before the first node that reads it."""
        import networkx

        generations = [list(g) for g in cast(Any, networkx).topological_generations(links)]
        depth = {id: depth for depth, generation in enumerate(generations) for id in generation}
        for id in generations[0]:
            depth[id] = min((depth[reader] for reader in self.after[id]), default=1) - 1
        columns: list[list[str]] = [[] for _ in generations]
        for id in depth:
            columns[depth[id]].append(id)
        return columns

    def places(self) -> dict[str, Point]:
        for sweep in range(SWEEPS):
            forward = sweep % 2 == 0
            for column in self.columns if forward else reversed(self.columns):
                self._settle(column, self.before if forward else self.after, reorder=sweep < SWEEPS - 2)
        x, places = 0.0, dict[str, Point]()
        for column in self.columns:
            places |= {id: (x, self.y[id]) for id in column}
            x += max(self.sizes[id][0] for id in column) + COLUMN_GAP
        return places

    def _settle(self, column: list[str], neighbours: Mapping[str, Collection[str]], *, reorder: bool) -> None:
        """Move the nodes of a column towards the middle of their neighbours on one side."""
        wanted = {id: self._middle(neighbours[id]) for id in column}
        tops = {id: self.y[id] if m is None else m - self.sizes[id][1] / 2 for id, m in wanted.items()}
        if reorder:
            column.sort(key=lambda id: tops[id] + self.sizes[id][1] / 2)
        self._stack(column, tops)

    def _middle(self, ids: Iterable[str]) -> float | None:
        middles = [self.y[id] + self.sizes[id][1] / 2 for id in ids]
        return sum(middles) / len(middles) if middles else None

    def _stack(self, column: Sequence[str], tops: Mapping[str, float]) -> None:
        """Give the nodes of a column, in their order, the places nearest to `tops` at which none touch."""
        offset, offsets = 0.0, list[float]()
        for id in column:
            offsets.append(offset)
            offset += self.sizes[id][1] + ROW_GAP
        wanted = [tops[id] - shift for id, shift in zip(column, offsets, strict=True)]
        for id, place, shift in zip(column, nearest_rising(wanted), offsets, strict=True):
            self.y[id] = place + shift


def nearest_rising(values: Sequence[float]) -> list[float]:
    """The never falling sequence with the least squared distance to `values`: pool adjacent violators."""
    pools: list[tuple[float, int]] = []  # mean, length
    for value in values:
        pools.append((value, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, n), (b, m) = pools[-2:]
            pools[-2:] = [((a * n + b * m) / (n + m), n + m)]
    return [mean for mean, length in pools for _ in range(length)]


def layered_in_frames(
    graph: Graph, sizes: Mapping[str, Size], frames: Mapping[str, Collection[str]], room: tuple[float, float]
) -> tuple[dict[str, Point], dict[str, Size]]:
    """`layered`, with what lies in a frame kept together: places for nodes and frames, and new sizes for the frames.

    frames: what each surrounds, the frames inside it included. room: between a frame's edge and what is in it, at the
    sides and below, and above.
    """
    owner: dict[str, str] = {}
    for frame, members in sorted(frames.items(), key=lambda entry: -len(entry[1])):
        owner |= dict.fromkeys((id for id in members if id in sizes or id in frames), frame)
    filled = [frame for frame in sorted(frames, key=lambda id: len(frames[id])) if frame in owner.values()]
    every, local = {id: size for id, size in sizes.items() if id not in frames}, dict[str, dict[str, Point]]()
    side, above = room
    for frame in (*filled, ""):
        inside = {id: size for id, size in every.items() if owner.get(id, "") == frame}
        local[frame] = layered(_contracted(graph, inside, owner), inside)
        if frame:
            right, low = (max(p[a] + inside[id][a] for id, p in local[frame].items()) for a in (0, 1))
            left, top = (min(p[a] for p in local[frame].values()) for a in (0, 1))
            local[frame] = {id: (x - left + side, y - top + above) for id, (x, y) in local[frame].items()}
            every[frame] = (right - left + 2 * side, low - top + above + side)
    places = local[""]
    for frame in reversed(filled):  # the outer ones first
        x, y = places[frame]
        places |= {id: (x + dx, y + dy) for id, (dx, dy) in local[frame].items()}
    return places, {frame: every[frame] for frame in filled}


def _contracted(graph: Graph, ids: Collection[str], owner: Mapping[str, str]) -> Graph:
    """The links between these nodes, each frame among them standing for what is in it."""

    def shown(id: str) -> str:
        while id not in ids and id in owner:
            id = owner[id]
        return id

    links = {Port(shown(d.node), f"{d.node}.{d.socket}"): Port(shown(s.node), s.socket) for d, s in graph.links.items()}
    kept = {d: s for d, s in links.items() if d.node in ids and s.node in ids and d.node != s.node}
    return Graph({id: graph.nodes[id] for id in graph.nodes if id in ids}, kept)

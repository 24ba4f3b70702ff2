"""Automatic layout: nodes in columns from left to right, with room for the wires that pass them.

The layers of Sugiyama, Tagawa and Toda 1981. The canvas draws a wire level from its output and lets it turn in the last
`COLUMN_GAP` before its input, so an output needs a lane at its own height in each column that its wires pass.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import accumulate
from math import inf
from typing import Any, NamedTuple, cast

from nodegraph.graph import Graph, Port
from nodegraph.pieces import PIECE, Pieces, finish, in_parts

Point = tuple[float, float]
Size = tuple[float, float]

COLUMN_GAP, PART_GAP = 80.0, 60.0
"""World units between columns, and between parts that no link connects."""
NODE_GAP, LANE_GAP, WIRE_GAP = 36.0, 24.0, 12.0
"""World units between two nodes of a column, a node and a wire that passes it, and two such wires."""
SWEEPS = 24
SOME = 100
"""Items that are put in their places in one piece: a wire may pass thousands of columns."""
HEIGHT_COSTS = 2.0
"""A layout that is one unit higher is worth it when its wires turn this much less, all together."""


class Box(NamedTuple):
    """What a node takes on the canvas, in world units. inputs, outputs: how far its sockets are below its top."""

    width: float
    height: float
    inputs: Mapping[str, float] = {}
    outputs: Mapping[str, float] = {}

    def socket(self, name: str, *, output: bool) -> float:
        """In the middle when the node does not show it."""
        return (self.outputs if output else self.inputs).get(name, self.height / 2)


class Rect(NamedTuple):
    x: float
    y: float
    width: float
    height: float


class Border(NamedTuple):
    """The upper or lower edge of a frame."""

    frame: str
    upper: bool


Item = str | Border
"""A node, by its id, or an edge of a frame."""


class Span(NamedTuple):
    """What an item takes of columns, from its top to its low end. lane: it is a wire, and others may come close."""

    columns: slice
    top: float
    low: float
    lane: bool = False


class Wire(NamedTuple):
    """start, end: how far its sockets are below the tops of the two nodes."""

    src: str
    dst: str
    start: float
    end: float


Incoming = Mapping[str, list[tuple[int, Port, Port]]]
"""Of the nodes to lay out, the links that end at each: number in the graph, input, output."""

Layout = tuple[dict[str, Point], dict[str, Size]]


def layered(
    graph: Graph, boxes: Mapping[str, Box], frames: Mapping[str, Collection[str]], room: tuple[float, float]
) -> Layout:
    """`layering`, all at once."""
    return finish(layering(graph, boxes, frames, room, lambda done: None))


def layering(
    graph: Graph,
    boxes: Mapping[str, Box],
    frames: Mapping[str, Collection[str]],
    room: tuple[float, float],
    report: Callable[[float], None],
) -> Pieces[Layout]:
    """In pieces, places for the nodes that have a box, their upper left corners; and for the frames, with new sizes.

    frames: what each surrounds, the frames inside it included; nothing else comes to lie in it, and one around nothing
    is left alone. room: between a frame's edge and what is in it, at the sides and below, and above.

    The upper left corner of them all stays where it is; nodes above each other stay so where the links leave a choice.
    Links with nodes that have no box do not count. report: told how much is done, 0..1.
    """
    import networkx  # half a second: nobody waits for it before the first layout

    nx = cast(Any, networkx)  # its functions are typed in part
    nodes = {id: box for id, box in boxes.items() if id not in frames}
    if not nodes:
        return {}, {}
    links, together = nx.DiGraph(), nx.Graph()
    for ids in in_parts(id for id in graph.nodes if id in nodes):
        links.add_nodes_from(ids)
        together.add_nodes_from(ids)
        yield
    incoming: defaultdict[str, list[tuple[int, Port, Port]]] = defaultdict(list)
    for part in in_parts(enumerate(graph.links.items())):
        inner = [(number, d, s) for number, (d, s) in part if d.node in nodes and s.node in nodes and d.node != s.node]
        ends = [(s.node, d.node) for _, d, s in inner]
        links.add_edges_from(ends)
        together.add_edges_from(ends)
        for link in inner:
            incoming[link[1].node].append(link)
        yield
    while not (yield from acyclic(links)):
        links.remove_edge(*nx.find_cycle(links)[-1])
        yield
    nest = _Nest(frames, nodes)
    left, top = (min(graph.nodes[id].pos[axis] for id in (*nodes, *nest.members)) for axis in (0, 1))
    yield
    for members in nest.members.values():
        nx.add_path(together, members)
    parts: list[set[str]] = []
    for part in nx.connected_components(together):
        parts.append(part)
        yield
    rects: dict[str, Rect] = {}
    for part in sorted(parts, key=lambda part: min(graph.nodes[id].pos[1] for id in part)):
        done = len(rects)

        def report_part(share: float, done: int = done, size: int = len(part)) -> None:
            report((done + share * size) / len(nodes))

        columns = yield from _columns(links, part)
        wires = yield from _wires(incoming, columns, nodes)
        places_in_part = yield from _Part(graph, wires, columns, nodes, nest, room).places(report_part)
        yield
        placed = nest.framed(places_in_part, nodes, room)
        yield
        highest = min(rect.y for rect in placed.values())
        rects |= {id: rect._replace(y=top + rect.y - highest) for id, rect in placed.items()}
        top = max(rects[id].y + rects[id].height for id in placed) + PART_GAP
    yield
    leftmost = min(rect.x for rect in rects.values())
    places: dict[str, Point] = {id: (left + rect.x - leftmost, rect.y) for id, rect in rects.items()}
    return places, {id: (rects[id].width, rects[id].height) for id in nest.members}


def _columns(links: Any, part: Collection[str]) -> Pieces[dict[str, int]]:
    """The number of each node's column: the longest way from a source. part: of the nodes, those that are connected.

    A node with more readers than sources stands just before the first of its readers: that makes fewer wires long.
    """
    open_sources: dict[str, int] = {}  # whose column is not known yet
    for ids in in_parts(part):
        open_sources |= {id: links.in_degree(id) for id in ids}
        yield
    found: dict[str, int] = {}
    generation, number = sorted(id for id, count in open_sources.items() if not count), 0
    while generation:
        following: list[str] = []
        for id in generation:
            found[id] = number
            for reader in links.successors(id):
                open_sources[reader] -= 1
                if not open_sources[reader]:
                    following.append(reader)
            if not len(found) % PIECE:
                yield
        generation, number = sorted(following), number + 1
    for ids in in_parts(reversed([*found])):
        for id in ids:
            readers = [found[reader] for reader in links.successors(id)]
            if len(readers) > links.in_degree(id):
                found[id] = min(readers) - 1
        yield
    return found


def _wires(incoming: Incoming, columns: Mapping[str, int], boxes: Mapping[str, Box]) -> Pieces[list[Wire]]:
    """Those that lead to the right, in the order of the graph."""
    links = sorted(link for id in columns for link in incoming.get(id, ()))
    yield
    found: list[Wire] = []
    for part in in_parts(links):
        for _, dst, src in part:
            if columns.get(src.node, inf) < columns.get(dst.node, -inf):
                start = boxes[src.node].socket(src.socket, output=True)
                found.append(Wire(src.node, dst.node, start, boxes[dst.node].socket(dst.socket, output=False)))
        yield
    return found


def acyclic(links: Any) -> Pieces[bool]:
    """Whether no way leads back to where it began: networkx asks that of all nodes at once. links: a DiGraph."""
    waiting = dict(links.in_degree())
    ready = [node for node, count in waiting.items() if not count]
    found = 0
    while ready:
        node = ready.pop()
        found += 1
        if not found % PIECE:
            yield
        for after in links.successors(node):
            waiting[after] -= 1
            if not waiting[after]:
                ready.append(after)
    return found == len(waiting)


class _Nest:
    """Frames in frames. owner: the innermost frame around a node or frame. members: all nodes in a frame."""

    def __init__(self, frames: Mapping[str, Collection[str]], nodes: Collection[str]) -> None:
        self.owner: dict[str, str] = {}
        for frame, inside in sorted(frames.items(), key=lambda entry: -len(entry[1])):
            # A frame is only in larger ones: no two are in each other.
            kept = (id for id in inside if id in nodes or len(frames.get(id, inside)) < len(inside))
            self.owner |= dict.fromkeys(kept, frame)
        self.members: dict[str, list[str]] = {}
        for id in nodes:
            for frame in self.around(id):
                self.members.setdefault(frame, []).append(id)

    def around(self, id: str) -> list[str]:
        """The frames that a node is in, outermost first."""
        found: list[str] = []
        while id in self.owner:
            id = self.owner[id]
            found.insert(0, id)
        return found

    def framed(
        self, places: Mapping[str, Point], boxes: Mapping[str, Box], room: tuple[float, float]
    ) -> dict[str, Rect]:
        """Nodes, and the frames around them."""
        side, above = room
        rects = {id: Rect(*place, boxes[id].width, boxes[id].height) for id, place in places.items()}
        here = (frame for frame, members in self.members.items() if members[0] in places)
        for frame in sorted(here, key=lambda frame: -len(self.around(frame))):  # the inner ones first
            inner = [rect for id, rect in rects.items() if self.owner.get(id) == frame]
            x, y = min(rect.x for rect in inner) - side, min(rect.y for rect in inner) - above
            right, low = max(r.x + r.width for r in inner) + side, max(r.y + r.height for r in inner) + side
            rects[frame] = Rect(x, y, right - x, low - y)
        return rects


class _Part:
    """Nodes that are connected by links or frames. y: of the tops of nodes and borders."""

    def __init__(
        self,
        graph: Graph,
        wires: Sequence[Wire],
        columns: Mapping[str, int],
        boxes: Mapping[str, Box],
        nest: _Nest,
        room: tuple[float, float],
    ) -> None:
        self.columns, self.boxes, self.room = columns, boxes, room
        self.paths = {id: nest.around(id) for id in columns}
        self.wires = wires
        self.pulls: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
        """To the node at the other end of each wire: how far below its top this one's top makes the wire level."""
        self.frames = {frame: ids for frame, ids in nest.members.items() if ids[0] in columns}
        self.spans: dict[Item, list[Span]] = {}
        self.y: dict[Item, float] = {id: graph.nodes[id].pos[1] for id in columns}

    def _pulling(self) -> Pieces[None]:
        for part in in_parts(self.wires):
            for wire in part:
                self.pulls[wire.src].append((wire.dst, wire.end - wire.start))
                self.pulls[wire.dst].append((wire.src, wire.start - wire.end))
            yield

    def _node_spans(self) -> Pieces[dict[Item, list[Span]]]:
        """A node takes its place, and the lanes of its outputs as far as their last readers."""
        ends: defaultdict[tuple[str, float], int] = defaultdict(int)
        for part in in_parts(self.wires):
            for wire in part:
                ends[wire.src, wire.start] = max(ends[wire.src, wire.start], self.columns[wire.dst])
            yield
        spans: dict[Item, list[Span]] = {}
        for part in in_parts(self.columns.items()):
            for id, column in part:
                spans[id] = [Span(slice(column, column + 1), 0.0, self.boxes[id].height)]
            yield
        for part in in_parts(ends.items()):
            for (id, start), end in part:
                if (first := self.columns[id] + 1) < end:
                    spans[id].append(Span(slice(first, end), start, start, lane=True))
            yield
        return spans

    def _border_spans(self) -> dict[Item, list[Span]]:
        spans: dict[Item, list[Span]] = {}
        for frame, ids in self.frames.items():
            columns = [self.columns[id] for id in ids]
            across = [Span(slice(min(columns), max(columns) + 1), 0.0, 0.0)]
            spans[Border(frame, upper=True)] = spans[Border(frame, upper=False)] = across
        return spans

    def places(self, report: Callable[[float], None]) -> Pieces[dict[str, Point]]:
        """The upper left corner of each node, in whole units."""
        yield from self._pulling()
        self.spans = (yield from self._node_spans()) | self._border_spans()
        least, best = inf, dict[Item, float]()
        for sweep in range(SWEEPS):
            report(sweep / SWEEPS)
            wanted = yield from self._wanted(sweep)
            self.y = yield from self._separated(wanted)
            yield
            cost = self._cost()
            yield
            if cost < least:
                least, best = cost, self.y
        lefts = self._lefts()
        yield
        return {id: (round(lefts[column]), round(best[id])) for id, column in self.columns.items()}

    def _lefts(self) -> list[float]:
        widths = [0.0] * (max(self.columns.values()) + 1)
        for id, column in self.columns.items():
            widths[column] = max(widths[column], self.boxes[id].width)
        return [*accumulate((width + COLUMN_GAP for width in widths[:-1]), initial=0.0)]

    def _cost(self) -> float:
        """How much the wires turn, and how high it all is."""
        turns = sum(abs(self.y[wire.src] + wire.start - self.y[wire.dst] - wire.end) for wire in self.wires)
        top = min(self.y[id] for id in self.columns)
        return turns + HEIGHT_COSTS * (max(self.y[id] + self.boxes[id].height for id in self.columns) - top)

    def _wanted(self, sweep: int) -> Pieces[dict[str, float]]:
        """Where each node's wires are level, on the average: those on one side of it at first, then all."""
        forward = sweep % 2 == 0
        y = {id: self.y[id] for id in self.columns}
        for part in in_parts(sorted(y, key=self.columns.__getitem__, reverse=not forward)):
            for id in part:
                pulls = self.pulls[id]
                if sweep < SWEEPS / 2:
                    pulls = [pull for pull in pulls if (self.columns[pull[0]] < self.columns[id]) == forward]
                if pulls:
                    y[id] = sum(y[other] + below for other, below in pulls) / len(pulls)
            yield
        return y

    def _separated(self, wanted: Mapping[str, float]) -> Pieces[dict[Item, float]]:
        """The places nearest by at which nothing touches, halfway between pushing all down and pushing all up."""
        side, above = self.room
        places: dict[Item, float] = {**wanted}
        for frame, ids in self.frames.items():
            places[Border(frame, upper=True)] = min(wanted[id] for id in ids) - above
            places[Border(frame, upper=False)] = max(wanted[id] + self.boxes[id].height for id in ids) + side
        order = yield from self._ordered(wanted)
        down = yield from self._pushed(order, places, 1)
        up = yield from self._pushed(order[::-1], places, -1)
        return {item: (down[item] + up[item]) / 2 for item in order}

    def _ordered(self, wanted: Mapping[str, float]) -> Pieces[list[Item]]:
        """Nodes by their middles, those of a frame together, between its borders."""
        middle = {id: y + self.boxes[id].height / 2 for id, y in wanted.items()}
        middle |= {frame: sum(middle[id] for id in ids) / len(ids) for frame, ids in self.frames.items()}
        ranks: dict[str, list[tuple[float, str]]] = {}
        for part in in_parts(wanted):
            ranks |= {id: [(middle[step], step) for step in (*self.paths[id], id)] for id in part}
            yield
        ids = sorted(wanted, key=ranks.__getitem__)
        yield
        order: list[Item] = []
        opened: list[str] = []
        for id in ids:
            while opened != self.paths[id][: len(opened)]:
                order.append(Border(opened.pop(), upper=False))
            for frame in self.paths[id][len(opened) :]:
                order.append(Border(frame, upper=True))
                opened.append(frame)
            order.append(id)
        yield
        return [*order, *(Border(frame, upper=False) for frame in reversed(opened))]

    def _pushed(self, order: Sequence[Item], wanted: Mapping[Item, float], sign: int) -> Pieces[dict[Item, float]]:
        """Put one item after another where it is wanted, or as far on as it must. sign: 1 is down, -1 is up."""
        count = max(self.columns.values()) + 1
        nodes, lanes = [-inf] * count, [-inf] * count  # taken so far, by column
        places: dict[Item, float] = {}
        for part in in_parts(order, SOME):
            for item in part:
                before, after = self._gaps(item, sign)
                at = sign * wanted[item]
                for span in self.spans[item]:
                    near = min(sign * span.top, sign * span.low)
                    at = max(at, max(nodes[span.columns]) + (LANE_GAP if span.lane else before) - near)
                    if isinstance(item, str):  # wires pass borders
                        at = max(at, max(lanes[span.columns]) + (WIRE_GAP if span.lane else LANE_GAP) - near)
                places[item] = sign * at
                for span in self.spans[item]:
                    taken = lanes if span.lane else nodes
                    end = at + max(sign * span.top, sign * span.low) + after * (not span.lane)
                    taken[span.columns] = [max(low, end) for low in taken[span.columns]]
            yield
        return places

    def _gaps(self, item: Item, sign: int) -> tuple[float, float]:
        """What is kept free before an item, and what it takes beyond its end: a frame's room is inside its border."""
        if isinstance(item, str):
            return NODE_GAP, 0.0
        side, above = self.room
        room = above if item.upper else side
        return (NODE_GAP, room - NODE_GAP) if item.upper == (sign > 0) else (room, 0.0)

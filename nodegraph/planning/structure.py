"""What planning knows from the links alone: an order, which nodes are inside which zone, what depends on what."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from nodegraph.builtin import BEGIN_OF, SWITCH
from nodegraph.graph import Port
from nodegraph.limits import MAX_NESTING, TooMuch
from nodegraph.pieces import PIECE, Pieces, finish, in_parts
from nodegraph.planning.expand import Flat
from nodegraph.text import quoted

Sockets = Mapping[str, Port]

SHOWN = 20
"""Nodes of a cycle that are named."""

Begins = TypeVar("Begins", bound=Collection[str])

_FORMS = {*BEGIN_OF, SWITCH}


@dataclass(frozen=True, slots=True)
class Zone:
    """The nodes between a begin and its end.

    body: those evaluated anew in each round, without the bodies of the zones inside. goals: what the end takes.
    entries: nodes outside that the zone is certain to need.
    """

    begin: str
    end: str
    body: tuple[str, ...]
    goals: tuple[str, ...]
    entries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Structure:
    """order: every node, sources first. incoming: the links by node and input. forms: ends of zones, and switches.

    zones: by their end. scopes: the begins of the zones a node is inside, outermost first; none for most.
    owners: the end of the outermost of those zones, with which the node is planned; a node without is its own.
    consumers: the owners that take something from an owner. problems: nodes that can have no value, with the socket
    and what is wrong; an empty sentence when that is said at another node.
    """

    order: tuple[str, ...]
    incoming: Mapping[str, Sockets]
    forms: tuple[str, ...] = ()
    zones: Mapping[str, Zone] = field(default_factory=dict[str, Zone])
    scopes: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, "tuple[str, ...]"])
    owners: Mapping[str, str] = field(default_factory=dict[str, str])
    consumers: Mapping[str, Collection[str]] = field(default_factory=dict[str, Collection[str]])
    problems: Mapping[str, tuple[str | None, str]] = field(default_factory=dict[str, "tuple[str | None, str]"])


class Cycle(ValueError):
    """nodes: along the cycle, in order."""

    def __init__(self, nodes: tuple[str, ...]) -> None:
        self.nodes = nodes
        left = len(nodes) - SHOWN
        shown = nodes if left <= 0 else (*nodes[: SHOWN - 1], f"{left} more", nodes[-1])
        super().__init__(f"the links form a cycle: {' → '.join((*shown, nodes[0]))}")


def structure(flat: Flat) -> Structure:
    """Raises Cycle, TooMuch."""
    return finish(structuring(flat))


def structuring(flat: Flat) -> Pieces[Structure]:
    """The same in pieces."""
    incoming: dict[str, dict[str, Port]] = {}
    for part in in_parts(flat.links.items()):
        for dst, src in part:
            if src.node in flat.nodes and dst.node in flat.nodes:
                incoming.setdefault(dst.node, {})[dst.socket] = src
        yield
    order, readers = yield from _order(flat, incoming)
    types = {id: node.type for id, node in flat.nodes.items()}
    if {*types.values()}.isdisjoint({*_FORMS, *BEGIN_OF.values()}):
        return Structure(order, incoming, consumers=readers)
    zones = _Zones(order, incoming, types)
    yield from zones.find()
    return (yield from zones.structure())


def _order(flat: Flat, incoming: Mapping[str, Sockets]) -> Pieces[tuple[tuple[str, ...], dict[str, list[str]]]]:
    """The nodes, sources first, and by node those that take something from it.

    Kahn's algorithm (Communications of the ACM 5, 1962, p. 558): a node comes when all its sources have come.
    """
    readers: dict[str, list[str]] = {}
    lacking: dict[str, int] = {}  # how many sources have not come yet
    for part in in_parts(incoming.items()):
        for id, sockets in part:
            sources = {src.node: None for src in sockets.values()}
            lacking[id] = len(sources)
            for source in sources:
                readers.setdefault(source, []).append(id)
        yield
    order = [id for id in flat.nodes if id not in lacking]
    yield
    for count, id in enumerate(order):  # it grows meanwhile
        for reader in readers.get(id, ()):
            lacking[reader] -= 1
            if not lacking[reader]:
                order.append(reader)
        if not (count + 1) % PIECE:
            yield
    if len(order) < len(flat.nodes):
        raise Cycle(_cycle({*flat.nodes}.difference(order), incoming))
    return tuple(order), readers


def _cycle(left: set[str], incoming: Mapping[str, Sockets]) -> tuple[str, ...]:
    """One among nodes of which each takes something from another of them, along the links."""
    way: dict[str, None] = {}
    id = min(left)
    while id not in way:
        way[id] = None
        id = next(src.node for src in incoming[id].values() if src.node in left)
    found = [*way]
    return tuple(found[found.index(id) :][::-1])


def _consumers(incoming: Mapping[str, Sockets], owners: Mapping[str, str]) -> Pieces[dict[str, set[str]]]:
    found: dict[str, set[str]] = {}
    for part in in_parts(incoming.items()):
        for id, sockets in part:
            owner = owners.get(id, id)
            for src in sockets.values():
                source = owners.get(src.node, src.node)
                if source != owner:
                    found.setdefault(source, set()).add(owner)
        yield
    return found


def _few(begins: Begins, id: str) -> Begins:
    if len(begins) > MAX_NESTING:
        raise TooMuch(id, f"this node is inside more than {MAX_NESTING} zones, which is the limit")
    return begins


class _Zones:
    """A node is inside a zone when it depends on the begin other than through the end, and the end depends on it."""

    def __init__(self, order: tuple[str, ...], incoming: Mapping[str, Sockets], types: Mapping[str, str]) -> None:
        self.order, self.incoming, self.types = order, incoming, types
        self.problems: dict[str, tuple[str | None, str]] = {}
        self.begins: dict[str, str] = {}  # end -> begin
        self.inside: dict[str, frozenset[str]] = {}
        self.scopes: dict[str, tuple[str, ...]] = {}
        self.live: set[str] = set()
        self._outers: dict[str, frozenset[str]] = {}
        self._known_scopes: dict[frozenset[str], tuple[str, ...]] = {}
        self._known_nested: dict[tuple[str, ...], bool] = {}

    def find(self) -> Pieces[None]:
        self._pair()
        self.ends = {begin: end for end, begin in self.begins.items()}
        for part in in_parts(self.order):
            for id in part:
                self.inside[id] = self._inside(id)
            yield
        for part in in_parts(self.order):
            self.scopes |= {id: scope for id in part if (scope := self._scope(id))}
            yield
        for end, begin in self.begins.items():
            yield from self._lead_to(end, begin)
        for part in in_parts(self.scopes):
            for id in part:
                if id not in self.live and id not in self.problems:
                    self.problems[id] = self._leak(id, self.scopes[id], self.live)
            yield

    def sources(self, id: str) -> list[str]:
        return [src.node for src in self.incoming.get(id, {}).values()]

    def _pair(self) -> None:
        taken: dict[str, str] = {}
        for end in (id for id, type in self.types.items() if type in BEGIN_OF):
            src = self.incoming.get(end, {}).get("zone")
            if src is None or self.types.get(src.node) != BEGIN_OF[self.types[end]]:
                self.problems[end] = ("zone", "zone must be connected to the zone of the begin node")
            elif src.node in taken:
                self.problems[end] = (
                    "zone",
                    f"the zone of {quoted(src.node)} already ends at {quoted(taken[src.node])}",
                )
            else:
                taken[src.node] = end
                self.begins[end] = src.node
        for id, type in self.types.items():
            if type in BEGIN_OF.values() and id not in taken:
                self.problems[id] = ("zone", "the zone has no end: connect zone to an end node")

    def _inside(self, id: str) -> frozenset[str]:
        """The begins whose zones a node is inside of or leaks from."""
        found: frozenset[str] = frozenset()
        for src in self.sources(id):
            found |= self.inside.get(src, frozenset()) - {self.begins.get(src, "")}
            if src in self.ends:
                found |= {src}
        return _few(found, id)

    def _scope(self, id: str) -> tuple[str, ...]:
        """The begins around a node, outermost first: also those that only the end of its zone depends on."""
        todo = self.inside[self.ends[id]] - {id} if id in self.ends else self.inside[id]
        todo -= {self.begins.get(id, "")}
        scope = self._known_scopes.get(todo)
        if scope is None:
            around = self._around(todo)
            scope = tuple(sorted(around, key=lambda begin: (len(self._outer(begin)), begin)))
            self._known_scopes[todo] = scope
        return _few(scope, id)

    def _around(self, begins: frozenset[str]) -> frozenset[str]:
        """These begins and those around them; no more than tells that they are too many."""
        found: set[str] = set()
        todo = set(begins)
        while todo and len(found) <= MAX_NESTING:
            begin = todo.pop()
            found.add(begin)
            todo |= self.inside[self.ends[begin]] - {begin} - found
        return frozenset(found)

    def _outer(self, begin: str) -> frozenset[str]:
        if begin not in self._outers:
            self._outers[begin] = self._around(self.inside[self.ends[begin]] - {begin})
        return self._outers[begin]

    def _lead_to(self, end: str, begin: str) -> Pieces[None]:
        """Find the nodes of a zone that lead to its end: those in between are all inside, or leak from inside."""
        seen: set[str] = set()
        todo = self.sources(end)
        while todo:
            id = todo.pop()
            if id not in seen and begin in self.scopes.get(id, ()):
                seen.add(id)
                if self.scopes[id][-1] == begin and self._nested(self.scopes[id]):
                    self.live.add(id)
                todo += self.sources(id)
                if not len(seen) % PIECE:
                    yield
        yield

    def _nested(self, scope: tuple[str, ...]) -> bool:
        if scope not in self._known_nested:
            outer = ((self._outer(begin), frozenset(scope[:depth])) for depth, begin in enumerate(scope))
            self._known_nested[scope] = all(found == expected for found, expected in outer)
        return self._known_nested[scope]

    def _leak(self, id: str, scope: tuple[str, ...], live: set[str]) -> tuple[str | None, str]:
        """An empty sentence for a node further down: the first one outside has the problem."""
        for socket, src in self.incoming.get(id, {}).items():
            if src.node in live or src.node in self.ends:
                if not self._nested(scope):
                    return socket, f"{socket} mixes two zones of which none is inside the other"
                begin = src.node if src.node in self.ends else self.scopes[src.node][-1]
                return (
                    socket,
                    f"{socket} comes from inside the zone of {quoted(begin)}; take it from {quoted(self.ends[begin])}",
                )
        return None, ""

    def structure(self) -> Pieces[Structure]:
        bodies: dict[str, list[str]] = {begin: [] for begin in self.ends}
        for id in self.order:
            if id in self.live:
                bodies[self.scopes[id][-1]].append(id)
        yield
        zones: dict[str, Zone] = {}
        for end, begin in self.begins.items():
            zones[end] = self._zone(end, begin, tuple(bodies[begin]))
            yield
        owners = {id: self.ends[scope[0]] for id, scope in self.scopes.items() if id in self.live}
        owners |= {begin: owners.get(end, end) for begin, end in self.ends.items()}
        yield
        consumers = yield from _consumers(self.incoming, owners)
        forms = tuple(id for id in self.order if self.types[id] in _FORMS)
        return Structure(self.order, self.incoming, forms, zones, self.scopes, owners, consumers, self.problems)

    def _zone(self, end: str, begin: str, body: tuple[str, ...]) -> Zone:
        goals = tuple(s for s in self.sources(end) if s != begin)
        return Zone(begin, end, body, goals, tuple(self._entries(begin, [*self.sources(begin), *goals])))

    def _entries(self, begin: str, todo: Iterable[str]) -> list[str]:
        """Sources outside the zone, found without entering the branches of its switches."""
        todo, seen, entries = list(todo), {begin}, list[str]()
        while todo:
            id = todo.pop()
            if id in seen:
                continue
            seen.add(id)
            if begin in self.scopes.get(id, ()):
                sockets = self.incoming.get(id, {})
                todo += [s.node for n, s in sockets.items() if self.types[id] != SWITCH or n == "condition"]
            elif id not in self.ends:
                entries.append(id)
        return entries

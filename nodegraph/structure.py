"""What planning knows from the links alone: an order, which nodes are inside which zone, what depends on what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from nodegraph.builtin import BEGIN_OF, SWITCH
from nodegraph.expand import Flat
from nodegraph.graph import Port

Sockets = Mapping[str, Port]

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
    consumers: Mapping[str, set[str]] = field(default_factory=dict[str, set[str]])
    problems: Mapping[str, tuple[str | None, str]] = field(default_factory=dict[str, "tuple[str | None, str]"])


class Cycle(ValueError):
    """nodes: along the cycle, in order."""

    def __init__(self, nodes: tuple[str, ...]) -> None:
        self.nodes = nodes
        super().__init__(f"the links form a cycle: {' → '.join((*nodes, nodes[0]))}")


def structure(flat: Flat) -> Structure:
    """Raises Cycle."""
    incoming: dict[str, dict[str, Port]] = {}
    for dst, src in flat.links.items():
        if src.node in flat.nodes and dst.node in flat.nodes:
            incoming.setdefault(dst.node, {})[dst.socket] = src
    order = _order(flat, incoming)
    types = {id: node.type for id, node in flat.nodes.items()}
    if {*types.values()}.isdisjoint({*_FORMS, *BEGIN_OF.values()}):
        return Structure(order, incoming, consumers=_consumers(incoming, {}))
    return _Zones(order, incoming, types).structure()


def _order(flat: Flat, incoming: Mapping[str, Sockets]) -> tuple[str, ...]:
    import networkx  # half a second: the window is up before anything is planned

    nx = cast(Any, networkx)  # its functions are typed in part
    graph = nx.DiGraph()
    graph.add_nodes_from(flat.nodes)
    graph.add_edges_from((src.node, id) for id, sockets in incoming.items() for src in sockets.values())
    try:
        return tuple(nx.topological_sort(graph))
    except nx.NetworkXUnfeasible:
        raise Cycle(tuple(src for src, _ in nx.find_cycle(graph))) from None


def _consumers(incoming: Mapping[str, Sockets], owners: Mapping[str, str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for id, sockets in incoming.items():
        owner = owners.get(id, id)
        for src in sockets.values():
            source = owners.get(src.node, src.node)
            if source != owner:
                found.setdefault(source, set()).add(owner)
    return found


class _Zones:
    """A node is inside a zone when it depends on the begin other than through the end, and the end depends on it."""

    def __init__(self, order: tuple[str, ...], incoming: Mapping[str, Sockets], types: Mapping[str, str]) -> None:
        self.order, self.incoming, self.types = order, incoming, types
        self.problems: dict[str, tuple[str | None, str]] = {}
        self.begins: dict[str, str] = {}  # end -> begin
        self._pair()
        self.ends = {begin: end for end, begin in self.begins.items()}
        self.inside = self._inside()
        self.scopes = {id: scope for id in order if (scope := self._scope(id))}
        self.live = self._live()

    def sources(self, id: str) -> list[str]:
        return [src.node for src in self.incoming.get(id, {}).values()]

    def _pair(self) -> None:
        taken: dict[str, str] = {}
        for end in (id for id, type in self.types.items() if type in BEGIN_OF):
            src = self.incoming.get(end, {}).get("zone")
            if src is None or self.types.get(src.node) != BEGIN_OF[self.types[end]]:
                self.problems[end] = ("zone", "zone must be connected to the zone of the begin node")
            elif src.node in taken:
                self.problems[end] = ("zone", f"the zone of {src.node!r} already ends at {taken[src.node]!r}")
            else:
                taken[src.node] = end
                self.begins[end] = src.node
        for id, type in self.types.items():
            if type in BEGIN_OF.values() and id not in taken:
                self.problems[id] = ("zone", "the zone has no end: connect zone to an end node")

    def _inside(self) -> dict[str, frozenset[str]]:
        """The begins whose zones a node is inside of or leaks from."""
        inside: dict[str, frozenset[str]] = {}
        nothing: frozenset[str] = frozenset()
        for id in self.order:
            found = nothing
            for src in self.sources(id):
                found |= inside.get(src, nothing) - {self.begins.get(src, "")}
                if src in self.ends:
                    found |= {src}
            inside[id] = found
        return inside

    def _scope(self, id: str) -> tuple[str, ...]:
        """The begins around a node, outermost first: also those that only the end of its zone depends on."""
        return tuple(sorted(self._around(id), key=lambda begin: (len(self._outer(begin)), begin)))

    def _around(self, id: str) -> set[str]:
        found: set[str] = set()
        todo = set(self.inside[self.ends[id]] - {id} if id in self.ends else self.inside[id])
        todo -= {self.begins.get(id, "")}
        while todo:
            begin = todo.pop()
            found.add(begin)
            todo |= self.inside[self.ends[begin]] - {begin} - found
        return found

    def _outer(self, begin: str) -> set[str]:
        return self._around(self.ends[begin])

    def _live(self) -> set[str]:
        """Nodes in a zone that lead to its end; a problem for those that leave it elsewhere."""
        leads: dict[str, set[str]] = {}
        for id in reversed(self.order):
            ahead = set(leads.get(id, ()))
            if id in self.begins:
                ahead.add(self.begins[id])
            for src in self.sources(id):
                leads.setdefault(src, set()).update(ahead)
        live = {id for id, scope in self.scopes.items() if scope[-1] in leads.get(id, ()) and self._nested(scope)}
        for id, scope in self.scopes.items():
            if id not in live and id not in self.problems:
                self.problems[id] = self._leak(id, scope, live)
        return live

    def _nested(self, scope: tuple[str, ...]) -> bool:
        return all(self._outer(begin) == set(scope[:depth]) for depth, begin in enumerate(scope))

    def _leak(self, id: str, scope: tuple[str, ...], live: set[str]) -> tuple[str | None, str]:
        """An empty sentence for a node further down: the first one outside has the problem."""
        for socket, src in self.incoming.get(id, {}).items():
            if src.node in live or src.node in self.ends:
                if not self._nested(scope):
                    return socket, f"{socket} mixes two zones of which none is inside the other"
                begin = src.node if src.node in self.ends else self.scopes[src.node][-1]
                return socket, f"{socket} comes from inside the zone of {begin!r}; take it from {self.ends[begin]!r}"
        return None, ""

    def structure(self) -> Structure:
        bodies: dict[str, list[str]] = {begin: [] for begin in self.ends}
        for id in self.order:
            if id in self.live:
                bodies[self.scopes[id][-1]].append(id)
        zones = {end: self._zone(end, begin, tuple(bodies[begin])) for end, begin in self.begins.items()}
        owners = {id: self.ends[scope[0]] for id, scope in self.scopes.items() if id in self.live}
        owners |= {begin: owners.get(end, end) for begin, end in self.ends.items()}
        consumers = _consumers(self.incoming, owners)
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

"""Turn a graph into the calls that compute it, each named by the key of its result.

Zones are unrolled here, so the calls form a plain list; nodes whose inputs and outputs are all plain
are evaluated here (folded), so their *values* enter the keys downstream. What is wrong with the graph
comes out of the same pass. A planner keeps what it found: after an edit of parameters it plans what the
edit reaches, and no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress
from math import inf
from operator import is_not
from types import MappingProxyType
from typing import Any, NamedTuple

from nodegraph.builtin import VARIABLE_GET, VARIABLE_SET
from nodegraph.graph import Graph, Node, Port
from nodegraph.group_type import document_types
from nodegraph.limits import TooMuch
from nodegraph.node import NodeType
from nodegraph.pieces import Pieces, Work, in_parts, reaching
from nodegraph.planning.calls import Call, Problem, Record, Value
from nodegraph.planning.evaluate import Evaluator
from nodegraph.planning.expand import PASSED, Flat, expanding
from nodegraph.planning.keys import Ref, refs
from nodegraph.planning.structure import Cycle, Structure, structuring

LARGE = 1_000
"""Nodes whose plan is put together in one piece."""

Targets = tuple[str, ...] | None
"""The nodes that are to be computed; None for every node."""

__all__ = ["Call", "Plan", "Planner", "Problem", "Ref", "plan"]


@dataclass(frozen=True)
class Plan:
    """What a graph comes down to.

    calls: by key, dependencies first. keys: the last call of each node that has one. problems: what is wrong on the
    way to the targets. outputs: what nodes without a call of their own pass on (groups, ends of zones, switches), and
    what nodes make that describe something. taken: which of those values reaches an input, in the graph without groups.
    """

    calls: Mapping[str, Call]
    keys: Mapping[str, str]
    problems: tuple[Problem, ...]
    outputs: Mapping[str, tuple[Any, ...]]
    taken: Mapping[Port, Any] = field(default_factory=dict[Port, Any])

    def roots(self, target: str) -> tuple[str, ...]:
        """The calls that make what this node shows; none for a plain value, or when there is a problem."""
        if target in self.keys:
            return (self.keys[target],)
        return tuple(dict.fromkeys(ref.key for value in self.outputs.get(target, ()) for ref in refs(value)))

    @cached_property
    def num_results(self) -> int:
        """How many calls compute a result; the others are sinks."""
        return sum(1 for call in self.calls.values() if call.type.outputs)

    @cached_property
    def twins(self) -> Mapping[str, list[str]]:
        """Nodes that have one result, by its key: it is computed for one of them, and the others have it too."""
        if len(set(self.keys.values())) == len(self.keys):
            return {}
        nodes: dict[str, list[str]] = {}
        for node, key in self.keys.items():
            nodes.setdefault(key, []).append(node)
        return {key: shared for key, shared in nodes.items() if len(shared) > 1}


def plan(
    graph: Graph, registry: Mapping[str, NodeType], targets: Iterable[str] | None = None, environment: str = ""
) -> Plan:
    """The plan of one graph; see Planner."""
    return Planner(registry, environment).plan(graph, targets)


class Planner:
    """Plans one version of a graph after the other.

    environment: what else decides the bits of results, such as the kind of device; part of every key.
    """

    def __init__(self, registry: Mapping[str, NodeType], environment: str = "") -> None:
        self._registry = registry
        self._graph = Graph()
        self._flat, self._structure = Flat({}, {}), Structure((), {})
        self._describing = _Describing()
        self._types = registry
        self._evaluator = Evaluator(environment)
        self._loading: tuple[Graph, Pieces[None]] | None = None
        # By targets: those of the latest run, and None. Both stay: a run is followed by what the document comes to.
        self._tables: dict[Targets, _Tables] = {}
        self._plans: dict[Targets, Plan] = {}  # of the graph as it is
        self._refused: tuple[Graph, Plan] | None = None  # a graph of which nothing can be planned
        self._work: tuple[Graph, Targets, Work[Plan]] | None = None

    def plan(self, graph: Graph, targets: Iterable[str] | None = None) -> Plan:
        """The calls that compute the targets; without targets, every node. A bad graph gives problems, not errors."""
        work = self._working(graph, targets)
        work.go_on(inf)
        self._work = None  # files may be others the next time
        return work.result

    def prepare(self, graph: Graph, seconds: float, targets: Iterable[str] | None = None) -> bool:
        """Do a part of what `plan` does; whether that has only to be picked up now.

        seconds: after which to stop. For those who have something else to do meanwhile; call again to go on.
        """
        return self._working(graph, targets).go_on(seconds)

    def _working(self, graph: Graph, targets: Iterable[str] | None) -> Work[Plan]:
        targets = None if targets is None else tuple(targets)
        if self._work is None or self._work[0] is not graph or self._work[1] != targets:
            self._work = graph, targets, Work(self._planning(graph, targets))
        return self._work[2]

    def _planning(self, graph: Graph, targets: Targets) -> Pieces[Plan]:
        if (yield from self._evaluator.checking_files()):
            self._plans = {}
        if graph is self._graph and targets in self._plans:
            return self._plans[targets]
        if self._refused and graph is self._refused[0]:
            return self._refused[1]
        try:
            yield from self._take(graph)
        except (Cycle, TooMuch) as why:
            self._loading = None
            ids = why.nodes if isinstance(why, Cycle) else (why.node,)
            self._refused = graph, Plan({}, {}, tuple(Problem(id, None, str(why)) for id in ids), {})
            return self._refused[1]
        if targets not in self._plans:
            goals = self._goals(targets)
            yield from self._evaluator.settling(goals)
            self._plans[targets] = yield from self._collect(targets, goals)
        return self._plans[targets]

    def _take(self, graph: Graph) -> Pieces[None]:
        """Forget what the difference to the graph before reaches. Raises Cycle, TooMuch."""
        changed = _other_params(self._graph, graph)
        if changed is None:
            # Parameters that are edited meanwhile do not matter to what is being done.
            if self._loading is None or _other_params(self._loading[0], graph) is None:
                self._loading = graph, self._load(graph)
            for _ in self._loading[1]:  # not `yield from`, which would end it when this is given up
                yield
            self._loading = None
            changed = _other_params(self._graph, graph)
        if changed:
            self._evaluator.replace(changed)
            self._plans = {}
        self._graph = graph

    def _load(self, graph: Graph) -> Pieces[None]:
        known = graph.groups is self._graph.groups
        types = self._types if known else document_types(graph.groups, self._registry)
        yield
        flat = yield from expanding(graph, types.get)
        found = yield from structuring(flat)
        yield from self._evaluator.loading(flat, found, types.get)
        describing = yield from _describing(flat, found, types)
        self._graph, self._types, self._flat, self._structure = graph, types, flat, found
        self._describing = describing
        self._plans, self._tables = {}, {}

    def _goals(self, targets: Targets) -> tuple[str, ...]:
        """The nodes to evaluate, each standing for those it is planned with."""
        owners, exits = self._structure.owners, self._flat.exits
        if targets is None:
            return tuple(dict.fromkeys(owners.get(id, id) for id in self._structure.order))
        found: dict[str, None] = {}
        for target in targets:
            ids = [port.node for port in exits[target]] if target in exits else [target]
            found |= {owners.get(id, id): None for id in ids if id in self._flat.nodes}
        return tuple(found)

    def _collect(self, targets: Targets, goals: tuple[str, ...]) -> Pieces[Plan]:
        yield from self._following_evaluator()
        tables = self._tables.get(targets)
        if tables is None:
            records = self._evaluator.records
            reached = yield from reaching(goals, lambda id: records[id].used if id in records else (), LARGE)
            tables = _Tables()
            for ids in in_parts((id for id in self._structure.order if id in reached), LARGE):
                tables.add(ids, records)
                yield
            self._tables = {known: kept for known, kept in self._tables.items() if known is None}
            self._tables[targets] = tables
        self._plans = {known: plan for known, plan in self._plans.items() if known in self._tables}
        problems = dict.fromkeys(problem for found in tables.problems.values() for problem in found)
        return Plan(tables.calls.copy(), tables.keys.copy(), tuple(problems), self._outputs(), self._taken())

    def _following_evaluator(self) -> Pieces[None]:
        """Let all tables follow what was evaluated since. Those of a plan that is given up half-way are forgotten."""
        evaluator = self._evaluator
        tables, self._tables = {} if evaluator.switched else self._tables, {}
        dropped, made = dict(evaluator.dropped), list(evaluator.made)
        if evaluator.switched or dropped:
            self._plans = {}
        evaluator.dropped.clear()
        evaluator.made.clear()
        evaluator.switched = False
        kept: dict[Targets, _Tables] = {}
        for targets, known in tables.items():
            if (yield from known.updating(dropped, made, evaluator.records)):
                kept[targets] = known
        self._tables = kept

    def _outputs(self) -> dict[str, tuple[Any, ...]]:
        passing = (*self._structure.forms, *self._describing.nodes)
        outputs = {id: value.outputs for id in passing if (value := self._value(id))}
        for id, ports in self._flat.exits.items():
            outputs[id] = tuple(self._evaluator.output(port) for port in ports if self._value(port.node))
        return outputs

    def _taken(self) -> dict[Port, Any]:
        links = self._describing.links
        return {dst: self._evaluator.output(src) for dst, src in links.items() if self._value(src.node)}

    def _value(self, id: str) -> Value | None:
        """What a node comes to. Nodes of a zone that is forgotten still have values, which are of no graph any more."""
        values = self._evaluator.values
        return values.get(id) if self._structure.owners.get(id, id) in values else None


class _Describing(NamedTuple):
    """nodes: which make descriptions. links: from them, and from what may pass such values on."""

    nodes: tuple[str, ...] = ()
    links: Mapping[Port, Port] = MappingProxyType({})


def _describing(flat: Flat, structure: Structure, types: Mapping[str, NodeType]) -> Pieces[_Describing]:
    kinds = {id for id in {node.type for node in flat.nodes.values()} if (type := types.get(id)) and type.describes}
    yield
    nodes = tuple([id for id, node in flat.nodes.items() if node.type in kinds]) if kinds else ()
    if not nodes:
        return _Describing()
    yield
    sources, links = {*nodes, *structure.forms}, dict[Port, Port]()
    for part in in_parts(flat.links.items(), LARGE):
        links |= {dst: src for dst, src in part if src.node in sources}
        yield
    return _Describing(nodes, links)


class _Tables:
    """What the records that count come to together."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.keys: dict[str, str] = {}
        self.problems: dict[str, tuple[Problem, ...]] = {}
        self._shared: set[str] = set()  # calls that several records have
        self._ids: set[str] = set()

    def add(self, ids: Iterable[str], records: Mapping[str, Record]) -> None:
        """Those with these owners, sources first."""
        for id in ids:
            if record := records.get(id):
                self._ids.add(id)
                self._add(id, record)

    def updating(
        self, dropped: Mapping[str, Record], made: Iterable[str], records: Mapping[str, Record]
    ) -> Pieces[bool]:
        """Take what was evaluated since, in pieces. False when it cannot be told what that comes to.

        dropped: by owner, the records that are forgotten. made: the owners of new ones.
        """
        for part in in_parts(dropped.items(), LARGE):
            for id, record in part:
                if id in self._ids and not self._remove(id, record):
                    return False
            yield
        for ids in in_parts(made, LARGE):
            for id in ids:
                if id in self._ids:
                    self._add(id, records[id])
            yield
        return True

    def _add(self, id: str, record: Record) -> None:
        for key, call in record.calls.items():
            if self.calls.setdefault(key, call) is not call:
                self._shared.add(key)
        self.keys.update(record.keys)
        if record.problems:
            self.problems[id] = tuple(record.problems)

    def _remove(self, id: str, record: Record) -> bool:
        for key in record.calls:
            if key in self._shared:
                return False  # another node has the same result: which one is to have the call now?
            del self.calls[key]
        for node in record.keys:
            del self.keys[node]
        self.problems.pop(id, None)
        return True


def _other_params(before: Graph, after: Graph) -> dict[str, Node] | None:
    """The nodes that have other parameters and are otherwise as before; None when more than that is different."""
    if before.links is not after.links or before.groups is not after.groups or len(before.nodes) != len(after.nodes):
        return None
    changed: dict[str, Node] = {}
    old_nodes = before.nodes
    if old_nodes is after.nodes:
        return changed
    others = after.nodes.items()
    if [*old_nodes] == [*after.nodes]:  # in one order, as after most edits: nobody needs to look at each
        others = compress(others, map(is_not, old_nodes.values(), after.nodes.values()))
    for id, node in others:
        old = old_nodes.get(id)
        if old is node:
            continue
        if old is None or old.type != node.type or old.mode != node.mode:
            return None
        if old.params is node.params:
            continue
        if node.type in (VARIABLE_GET, VARIABLE_SET):
            return None
        if node.type not in PASSED:
            changed[id] = node
    return changed

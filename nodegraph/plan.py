"""Turn a graph into the calls that compute it, each named by the key of its result.

Zones are unrolled here, so the calls form a plain list; nodes whose inputs and outputs are all plain
are evaluated here (folded), so their *values* enter the keys downstream. What is wrong with the graph
comes out of the same pass. A planner keeps what it found: after an edit of parameters it plans what the
edit reaches, and no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import Any

from nodegraph.builtin import VARIABLE_GET, VARIABLE_SET
from nodegraph.calls import Call, Problem, Record
from nodegraph.evaluate import Evaluator
from nodegraph.expand import PASSED, Flat, expand
from nodegraph.graph import Graph, Node
from nodegraph.group_type import document_types
from nodegraph.keys import Ref, refs
from nodegraph.node import NodeType
from nodegraph.structure import Cycle, Structure, structure

__all__ = ["Call", "Plan", "Planner", "Problem", "Ref", "plan"]


@dataclass(frozen=True)
class Plan:
    """What a graph comes down to.

    calls: by key, dependencies first. keys: the last call of each node that has one. problems: what is wrong on the
    way to the targets. outputs: what nodes without a call of their own pass on (groups, ends of zones, switches).
    """

    calls: Mapping[str, Call]
    keys: Mapping[str, str]
    problems: tuple[Problem, ...]
    outputs: Mapping[str, tuple[Any, ...]]

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
        self._types = registry
        self._expanded = self._graph, self._types, self._flat  # the latest graph of which that much is known
        self._evaluator = Evaluator(self._type_of, environment)
        self._targets: tuple[str, ...] | None = None
        self._tables: _Tables | None = None
        self._plan: Plan | None = None

    def plan(self, graph: Graph, targets: Iterable[str] | None = None) -> Plan:
        """The calls that compute the targets; without targets, every node. A bad graph gives problems, not errors."""
        targets = None if targets is None else tuple(targets)
        stale = self._evaluator.check_files()
        if self._plan and not stale and graph is self._graph and targets == self._targets:
            return self._plan
        try:
            self._take(graph)
        except Cycle as cycle:
            return Plan({}, {}, tuple(Problem(id, None, str(cycle)) for id in cycle.nodes), {})
        if targets != self._targets:
            self._targets, self._tables = targets, None
        goals = self._goals(targets)
        self._evaluator.settle(goals)
        self._plan = self._collect(goals)
        return self._plan

    def prepare(self, graph: Graph, seconds: float) -> bool:
        """Do a part of what `plan` does for all nodes of a graph; whether no more than summing up is left to it.

        seconds: after which to stop. For those who have something else to do meanwhile; call again to go on.
        """
        end = perf_counter() + seconds
        if graph is not self._expanded[0] and _other_params(self._graph, graph) is None:
            self._expand(graph)
            if perf_counter() > end:
                return False
        try:
            self._take(graph)
        except Cycle:
            return True
        return self._evaluator.settle(self._goals(None), end)

    def _take(self, graph: Graph) -> None:
        """Forget what the difference to the graph before reaches. Raises Cycle."""
        changed = _other_params(self._graph, graph)
        if changed is None:
            _, self._types, self._flat = self._expand(graph)
            self._graph, self._plan, self._tables = Graph(), None, None  # for when the links form a cycle
            self._structure = structure(self._flat)
            self._evaluator.load(self._flat, self._structure)
        elif changed:
            self._evaluator.replace(changed)
            self._plan = None
        self._graph = graph

    def _expand(self, graph: Graph) -> tuple[Graph, Mapping[str, NodeType], Flat]:
        """The graph's types, and the graph as planning wants it. Kept, so that `prepare` can go on from there."""
        if graph is not self._expanded[0]:
            known = graph.groups is self._graph.groups
            types = self._types if known else document_types(graph.groups, self._registry)
            self._expanded = graph, types, expand(graph, types.get)
        return self._expanded

    def _type_of(self, id: str) -> NodeType | None:
        return self._types.get(id)

    def _goals(self, targets: tuple[str, ...] | None) -> tuple[str, ...]:
        """The nodes to evaluate, each standing for those it is planned with."""
        owners, exits = self._structure.owners, self._flat.exits
        if targets is None:
            return tuple(dict.fromkeys(owners.get(id, id) for id in self._structure.order))
        found: dict[str, None] = {}
        for target in targets:
            ids = [port.node for port in exits[target]] if target in exits else [target]
            found |= {owners.get(id, id): None for id in ids if id in self._flat.nodes}
        return tuple(found)

    def _collect(self, goals: tuple[str, ...]) -> Plan:
        evaluator = self._evaluator
        if self._tables is None or evaluator.switched or not self._tables.update(evaluator):
            reached = _reachable(goals, evaluator.records)
            self._tables = _Tables([id for id in self._structure.order if id in reached], evaluator.records)
        evaluator.dropped.clear()
        evaluator.made.clear()
        evaluator.switched = False
        tables = self._tables
        problems = dict.fromkeys(problem for found in tables.problems.values() for problem in found)
        return Plan(dict(tables.calls), dict(tables.keys), tuple(problems), self._outputs())

    def _outputs(self) -> dict[str, tuple[Any, ...]]:
        values = self._evaluator.values
        outputs = {id: value.outputs for id in self._structure.forms if (value := values.get(id))}
        for id, ports in self._flat.exits.items():
            outputs[id] = tuple(self._evaluator.output(port) for port in ports if values.get(port.node))
        return outputs


class _Tables:
    """What the records that count come to together. ids: their owners, sources first."""

    def __init__(self, ids: Iterable[str], records: Mapping[str, Record]) -> None:
        self.calls: dict[str, Call] = {}
        self.keys: dict[str, str] = {}
        self.problems: dict[str, tuple[Problem, ...]] = {}
        self._uses: dict[str, int] = {}  # how many records have a call
        self._ids = {id for id in ids if id in records}
        for id in ids:
            if id in records:
                self._add(id, records[id])

    def update(self, evaluator: Evaluator) -> bool:
        """Take what the evaluator did since. False when that cannot be told from the changes alone."""
        for id, record in evaluator.dropped.items():
            if id in self._ids and not self._remove(id, record):
                return False
        for id in evaluator.made:
            if id in self._ids:
                self._add(id, evaluator.records[id])
        return True

    def _add(self, id: str, record: Record) -> None:
        for key, call in record.calls.items():
            self.calls.setdefault(key, call)
            self._uses[key] = self._uses.get(key, 0) + 1
        self.keys.update(record.keys)
        if record.problems:
            self.problems[id] = record.problems

    def _remove(self, id: str, record: Record) -> bool:
        for key in record.calls:
            if self._uses[key] > 1:
                return False  # another node has the same result: which one is to have the call now?
            del self._uses[key], self.calls[key]
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
    for id, node in after.nodes.items():
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


def _reachable(goals: Iterable[str], records: Mapping[str, Record]) -> set[str]:
    found: set[str] = set()
    todo = list(goals)
    while todo:
        id = todo.pop()
        if id not in found:
            found.add(id)
            if id in records:
                todo += records[id].used
    return found

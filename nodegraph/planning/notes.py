"""What evaluating a graph came to so far, and what of it is forgotten after an edit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from nodegraph.graph import Node, Port
from nodegraph.limits import MAX_STEPS
from nodegraph.node import NodeType, TypeOf
from nodegraph.pieces import Pieces, finish, reaching
from nodegraph.planning.calls import Folded, Problem, Record, Value
from nodegraph.planning.compiled_node import Site, Sites
from nodegraph.planning.expand import Flat
from nodegraph.planning.fingerprints import Fingerprint, changed, fingerprint
from nodegraph.planning.keys import Ref
from nodegraph.planning.sizes import cost
from nodegraph.planning.structure import Structure
from nodegraph.planning.touched import touched

SOME = 1000
"""Nodes of which is found in one piece what takes something from them."""
FREE = frozenset({Ref, float, int, bool, type(None)})
"""Arguments that take no further step."""
OUT_OF_STEPS = "the graph takes too many steps to plan: fewer rounds, shorter lists or fewer nodes take less"


class Notes:
    """values: by node; None for one with a problem, or behind one. records: by owner (see Structure).

    dropped, made: the records forgotten of those that were there, and the owners of those that are new, since the
    caller emptied these. steps: that planning took, of all records; see `nodegraph.limits`.
    """

    def __init__(self) -> None:
        self.values: dict[str, Value | None] = {}
        self.records: dict[str, Record] = {}
        self.steps = 0
        self._exhausted = False  # the steps did not suffice: some node was refused for what others took
        self._half: set[str] = set()  # owners that are being evaluated
        self._folded: dict[str, Folded] = {}
        self._described: dict[str, tuple[Any, ...]] = {}  # by node, what it made that describes files
        self._files: dict[str, Fingerprint] = {}
        self._readers: dict[str, set[str]] = {}
        self._replaced: set[str] = set()  # the nodes that are not as in `_flat` any more
        self._costs: dict[int, tuple[Any, int]] = {}  # of large values, by their identity
        self._types: dict[str, NodeType | None] = {}
        self._flat, self._structure = Flat({}, {}), Structure((), {})
        finish(self.loading(self._flat, self._structure, dict[str, NodeType]().get))

    def loading(self, flat: Flat, structure: Structure, type_of: TypeOf) -> Pieces[None]:
        """Take another structure, in pieces. What it leaves as it was keeps its values."""
        nodes = {**flat.nodes, **flat.gone}
        types = {type: type_of(type) for type in {node.type for node in nodes.values()}}
        others = {type for type, found in types.items() if found != self._types.get(type)}
        yield
        compiler = Sites(flat, structure.incoming, nodes, type_of)
        takers = compiler.takers()
        stale: set[str] = set()
        if self.values or self.records:
            changed = yield from touched(self._flat, flat, self._structure, structure)
            yield
            changed |= {id for id, node in nodes.items() if node.type in others}
            stale = yield from _reaching(structure, _with_takers(changed, takers))
        # From here on at once: a structure that is given up half-way leaves the one before as it was.
        stale |= finish(_reaching(structure, _with_takers(self._replaced, takers)))
        self._drop_half()
        self._flat, self._structure, self._types, self._nodes = flat, structure, types, nodes
        self._type_of = type_of
        self._replaced.clear()
        self._refusals = flat.problems
        self._compiler, self._takers = compiler, takers
        self._sites: dict[str, Site] = {}
        self.values = {id: value for id, value in self.values.items() if id not in stale}
        self.records = {id: record for id, record in self.records.items() if id not in stale}
        self.steps = sum(record.steps for record in self.records.values())
        self._costs.clear()
        self._folded = {id: folded for id, folded in self._folded.items() if id in nodes}
        self._described = {id: outputs for id, outputs in self._described.items() if id in nodes}
        self._readers = {path: ids for path, known in self._readers.items() if (ids := known & nodes.keys())}
        self.dropped: dict[str, Record] = {}
        self.made: dict[str, None] = {}  # in order

    def replace(self, nodes: Mapping[str, Node]) -> None:
        """Take other parameters of these nodes."""
        self._nodes.update(nodes)
        self._replaced |= nodes.keys()
        changed = {taker for id in nodes for taker in self._takers.get(id, (id,))}
        for id in changed:
            self._sites.pop(id, None)
        self.forget(changed)

    def checking_files(self) -> Pieces[bool]:
        """Forget what was made from files that changed since, in pieces. Whether there were any.

        What describes files knows more of them than the path that a node was given.
        """
        found: dict[str, Fingerprint] = {}
        for path in self._readers:
            with suppress(ValueError):
                found[path] = fingerprint(path)
            yield
        before, self._files = self._files, found
        paths = [path for path in self._readers if found.get(path) != before.get(path)]
        others = [id for id, outputs in self._described.items() if changed(outputs)]
        for id in others:
            self._folded.pop(id, None)
            del self._described[id]
        self.forget([*others, *(id for path in paths for id in self._readers[path])])
        return bool(paths or others)

    def forget(self, ids: Iterable[str]) -> None:
        self._drop_half()
        owners = self._structure.owners
        todo = [owners.get(id, id) for id in ids]
        while todo:
            owner = todo.pop()
            if owner in self.values:
                del self.values[owner]
                record = self.records.pop(owner, None)
                self.steps -= record.steps if record else 0
                if owner in self.made:
                    del self.made[owner]
                elif record is not None:
                    self.dropped[owner] = record
                todo += self._structure.consumers.get(owner, ())

    def _drop_half(self) -> None:
        """What an evaluation came to that was given up half-way."""
        for owner in self._half:
            record = self.records.pop(owner, None)
            self.steps -= record.steps if record else 0
            self.made.pop(owner, None)
        self._half.clear()

    def output(self, port: Port) -> Any:
        """What an evaluated node passes on there."""
        value, type = self.values[port.node], self._type_of(self._nodes[port.node].type)
        index = type.output_index.get(port.socket) if type else None
        return value.outputs[index] if value and index is not None else None

    # --- for who evaluates ---

    def _site(self, id: str) -> Site:
        site = self._sites.get(id)
        if site is None:
            site = self._sites[id] = self._compiler.site(id)
        return site

    def _iteration(self, id: str) -> tuple[int, ...]:
        scopes = self._structure.scopes
        if id not in scopes:
            return ()
        begins = [self.values[begin] for begin in scopes[id]]
        return tuple(value.outputs[1] for value in begins if value)

    def _fingerprint(self, id: str, path: str) -> Fingerprint:
        self._readers.setdefault(path, set()).add(id)
        if path not in self._files:
            self._files[path] = fingerprint(path)
        return self._files[path]

    def _record(self, id: str) -> Record:
        record = self.records.get(id)  # most nodes are their own owners
        if record is None:
            owner = self._structure.owners.get(id, id)
            record = self.records.get(owner)
            if record is None:
                record = self.records[owner] = Record()
                self.made[owner] = None
        return record

    def _problem(self, id: str, node: str, socket: str | None, message: str, remedy: str = "") -> None:
        record, problem = self._record(id), Problem(node, socket, message, remedy)
        record.problems[problem] = None

    def _use(self, id: str, sources: Iterable[str]) -> None:
        record, owners = self._record(id), self._structure.owners
        own = owners.get(id, id)
        for source in sources:
            owner = owners.get(source, source)
            if owner != own:
                record.used[owner] = None

    def _take_steps(self, id: str, count: int) -> bool:
        """Whether that many are left for this node."""
        record = self._record(id)
        if self.steps + count > MAX_STEPS:
            if not self._exhausted:
                self._problem(id, id, None, f"{OUT_OF_STEPS}; the limit is {MAX_STEPS:,}")
            self._exhausted = True
            return False
        record.steps += count
        self.steps += count
        return True

    def _cost(self, value: Any) -> int:
        if value.__class__ in FREE:
            return 0
        if isinstance(value, Ref | str | float | int):
            return cost(value)
        known = self._costs.get(id(value))
        if known is None:
            # The value is held so that its id stays its own.
            known = self._costs[id(value)] = value, cost(value)
        return known[1]


def _with_takers(ids: Iterable[str], takers: Mapping[str, set[str]]) -> set[str]:
    return {taker for id in ids for taker in (id, *takers.get(id, ()))}


def _reaching(structure: Structure, ids: Iterable[str]) -> Pieces[set[str]]:
    """These nodes, what they are planned with, and all that takes something from them."""
    owners, consumers = structure.owners, structure.consumers
    return reaching(ids, lambda id: (owners.get(id, id), *consumers.get(id, ())), SOME)

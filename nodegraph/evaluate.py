"""Work out what each node comes to: calls for what has to be computed, values for what is plain.

Nodes are evaluated on demand, so a branch that a switch does not take is never looked at. What was
evaluated stays until it is forgotten, together with all that depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from math import inf
from time import perf_counter
from typing import Any

from nodegraph.builtin import (
    FOR_EACH_END,
    GROUP_INPUT,
    GROUP_OUTPUT,
    REPEAT_END,
    STATES,
    SWITCH,
    ForEachZone,
    RepeatZone,
)
from nodegraph.calls import Call, Folded, Problem, Record, Value, as_outputs
from nodegraph.difference import touched
from nodegraph.expand import Flat, TypeOf
from nodegraph.failure import explain
from nodegraph.fingerprints import Fingerprint, fingerprint
from nodegraph.graph import Node, Port
from nodegraph.keys import Ref, call_key, canonical, has_ref
from nodegraph.node import NodeType
from nodegraph.site import Link, Site, Sites
from nodegraph.structure import Structure, Zone
from nodegraph.types import ListOf, accepts, type_name, type_of

MAX_ROUNDS = 100_000


class Evaluator:
    """values: by node; None for one with a problem, or behind one. records: by owner (see Structure).

    dropped, made: the records forgotten of those that were there, and the owners of those that are new, since the
    caller emptied these. switched: whether a switch was evaluated since, so that another record than before may count.
    """

    def __init__(self, type_of_id: TypeOf, environment: str) -> None:
        self._type_of, self._environment = type_of_id, environment
        self._forms: dict[str, Callable[[str, Site], Value | None]] = {
            REPEAT_END: self._repeat,
            FOR_EACH_END: self._for_each,
            SWITCH: self._switch,
            GROUP_INPUT: self._misplaced,
            GROUP_OUTPUT: self._misplaced,
        }
        self._folded: dict[str, Folded] = {}
        self._files: dict[str, Fingerprint] = {}
        self._readers: dict[str, set[str]] = {}
        self._replaced: set[str] = set()  # the nodes that are not as in `_flat` any more
        self.switched = False
        self.values: dict[str, Value | None] = {}
        self.records: dict[str, Record] = {}
        self._rounds: dict[str, int] = {}  # of each zone, by its begin
        self._types: dict[str, NodeType | None] = {}
        self._flat, self._structure = Flat({}, {}), Structure((), {})
        self.load(self._flat, self._structure)

    def load(self, flat: Flat, structure: Structure) -> None:
        """Take another structure. What it leaves as it was keeps its values."""
        nodes = {**flat.nodes, **flat.gone}
        types = {type: self._type_of(type) for type in {node.type for node in nodes.values()}}
        others = {type for type, found in types.items() if found != self._types.get(type)}
        changed = touched(self._flat, flat, self._structure, structure)
        changed |= {id for id, node in nodes.items() if node.type in others} | self._replaced
        self._flat, self._structure, self._types, self._nodes = flat, structure, types, nodes
        self._replaced.clear()
        self._refusals = flat.problems
        self._compiler = Sites(flat, structure.incoming, nodes, self._type_of)
        self._takers = self._compiler.takers()
        self._sites: dict[str, Site] = {}
        stale = self._reached({taker for id in changed for taker in (id, *self._takers.get(id, ()))})
        self.values = {id: value for id, value in self.values.items() if id not in stale}
        self.records = {id: record for id, record in self.records.items() if id not in stale}
        self._folded = {id: folded for id, folded in self._folded.items() if id in nodes}
        self._readers = {path: ids for path, known in self._readers.items() if (ids := known & nodes.keys())}
        self.dropped: dict[str, Record] = {}
        self.made: dict[str, None] = {}  # in order

    def _reached(self, ids: Iterable[str]) -> set[str]:
        """These nodes, what they are planned with, and all that takes something from them."""
        owners, consumers = self._structure.owners, self._structure.consumers
        found: set[str] = set()
        todo = list(ids)
        while todo:
            id = todo.pop()
            if id not in found:
                found.add(id)
                todo += (owners.get(id, id), *consumers.get(id, ()))
        return found

    def replace(self, nodes: Mapping[str, Node]) -> None:
        """Take other parameters of these nodes."""
        self._nodes.update(nodes)
        self._replaced |= nodes.keys()
        changed = {taker for id in nodes for taker in self._takers.get(id, (id,))}
        for id in changed:
            self._sites.pop(id, None)
        self.forget(changed)

    def check_files(self) -> bool:
        """Forget what was made from files that changed since. Whether there were any."""
        before, self._files = self._files, {}
        for path in self._readers:
            with suppress(ValueError):
                self._files[path] = fingerprint(path)
        changed = [path for path in self._readers if self._files.get(path) != before.get(path)]
        self.forget([id for path in changed for id in self._readers[path]])
        return bool(changed)

    def forget(self, ids: Iterable[str]) -> None:
        owners = self._structure.owners
        todo = [owners.get(id, id) for id in ids]
        while todo:
            owner = todo.pop()
            if owner in self.values:
                del self.values[owner]
                record = self.records.pop(owner, None)
                if owner in self.made:
                    del self.made[owner]
                elif record is not None:
                    self.dropped[owner] = record
                todo += self._structure.consumers.get(owner, ())

    def settle(self, goals: Iterable[str], end: float = inf) -> bool:
        """Evaluate these nodes, and first whatever they need; whether all are by `end`, in seconds of `perf_counter`.

        Not recursive: chains may be of any length.
        """
        stack = list(goals)
        while stack:
            id = stack[-1]
            if id in self.values:
                stack.pop()
                continue
            lacking = [source for source in self._needs(id) if source not in self.values]
            if lacking:
                stack += lacking
            else:
                self.values[id] = self._evaluate(id)
                stack.pop()
                if end < inf and perf_counter() > end:
                    return not stack
        return True

    def output(self, port: Port) -> Any:
        """What an evaluated node passes on there."""
        value, type = self.values[port.node], self._type_of(self._nodes[port.node].type)
        index = type.output_index.get(port.socket) if type else None
        return value.outputs[index] if value and index is not None else None

    def _needs(self, id: str) -> Iterable[str]:
        if id in self._structure.problems:
            incoming = self._structure.incoming.get(id, {}).values()
            return [src.node for src in incoming if src.node in self._structure.problems]
        zone = self._structure.zones.get(id)
        if zone:
            return zone.entries
        site = self._site(id)
        if site.type is not None and site.type.id == SWITCH:
            return [site.links[name].source for name in self._branch(id, site) if name in site.links]
        return site.sources

    def _site(self, id: str) -> Site:
        site = self._sites.get(id)
        if site is None:
            site = self._sites[id] = self._compiler.site(id)
        return site

    def _record(self, id: str) -> Record:
        owner = self._structure.owners.get(id, id)
        record = self.records.get(owner)
        if record is None:
            record = self.records[owner] = Record()
            self.made[owner] = None
        return record

    def _problem(self, id: str, node: str, socket: str | None, message: str) -> None:
        record, problem = self._record(id), Problem(node, socket, message)
        if problem not in record.problems:
            record.problems += (problem,)

    def _use(self, id: str, sources: Iterable[str]) -> None:
        record, owners = self._record(id), self._structure.owners
        if not owners:
            record.used += tuple(sources)
            return
        own = owners.get(id, id)
        others = (owners.get(source, source) for source in sources)
        record.used += tuple(owner for owner in others if owner != own and owner not in record.used)

    # --- ordinary nodes ---

    def _evaluate(self, id: str) -> Value | None:
        if id in self._structure.problems:
            socket, message = self._structure.problems[id]
            if message:
                self._problem(id, id, socket, message)
            self._use(id, self._needs(id))
            return None
        if id in self._refusals:
            self._problem(id, id, None, self._refusals[id])
            return None
        site = self._site(id)
        if site.type is None:
            self._sound(id, site)
            return None
        form = self._forms.get(site.type.id)
        return form(id, site) if form else self._call(id, site, site.type)

    def _sound(self, id: str, site: Site) -> bool:
        for problem in site.problems:
            self._problem(id, *problem)
        return not site.problems

    def _arguments(self, id: str, site: Site) -> dict[str, Any] | None:
        """None when one is missing or wrong; the problems are recorded."""
        self._use(id, site.sources)
        args = dict(site.constants)
        good = self._sound(id, site)
        for name, link in site.links.items():
            passed = self._passed(id, link)
            if passed is None:
                good = False
            else:
                args[name] = passed[0]
        return args if good else None

    def _passed(self, id: str, link: Link) -> tuple[Any, Any] | None:
        """What comes along a link, and of which type."""
        source = self.values[link.source]
        if source is None:
            return None
        value, tp = source.outputs[link.position], source.types[link.position]
        if link.trusted and isinstance(value, Ref):
            return value, tp
        if has_ref(value):
            fits = accepts(link.input.type, tp)
            complaint = None if fits else f"{link.input.name} takes {type_name(link.input.type)}, not {type_name(tp)}"
        else:
            complaint = link.input.complaint(value)
        if complaint:
            node, socket = link.place or (id, link.input.name)
            self._problem(id, node, socket, complaint)
            return None
        return canonical(link.input.type, value), tp

    def _argument(self, id: str, site: Site, name: str) -> tuple[Any, Any] | None:
        """One argument, and of which type it is."""
        if name in site.links:
            return self._passed(id, site.links[name])
        if name in site.constants:
            return site.constants[name], type_of(site.constants[name])
        self._sound(id, site)
        return None

    def _call(self, id: str, site: Site, type: NodeType) -> Value | None:
        args = self._arguments(id, site)
        if args is None:
            return None
        paths = {name: args[name] for name in type.file_inputs if isinstance(args[name], str)}
        try:
            files = {name: self._fingerprint(id, path) for name, path in paths.items()}
        except ValueError as error:
            return self._problem(id, id, None, str(error))
        if type.foldable and not any(map(has_ref, args.values())):
            return self._fold(id, type, args, files)
        key = call_key(type, args, self._environment, files)
        record = self._record(id)
        record.keys[id] = key
        if key not in record.calls:
            known = {paths[name]: found for name, found in files.items()}
            record.calls[key] = Call(key, id, self._iteration(id), type, args, known)
        return Value(tuple([Ref(key, output.name) for output in type.outputs]), type.output_types)

    def _fold(self, id: str, type: NodeType, args: dict[str, Any], files: dict[str, Fingerprint]) -> Value | None:
        folded = self._folded.get(id)
        if folded is None or folded[:3] != (type, args, files):
            try:
                result = type.fn(**args)
            except Exception as error:
                self._problem(id, id, None, explain(error)[0])
                return None
            outputs = tuple(map(canonical, type.output_types, as_outputs(result)))
            folded = self._folded[id] = Folded(type, args, files, outputs)
        return Value(folded.outputs, type.output_types)

    def _fingerprint(self, id: str, path: str) -> Fingerprint:
        self._readers.setdefault(path, set()).add(id)
        if path not in self._files:
            self._files[path] = fingerprint(path)
        return self._files[path]

    def _iteration(self, id: str) -> tuple[int, ...]:
        begins = [self.values[begin] for begin in self._structure.scopes.get(id, ())]
        return tuple(value.outputs[1] for value in begins if value)

    # --- forms ---

    def _misplaced(self, id: str, site: Site) -> None:
        self._problem(id, id, None, "this node has a meaning only inside a group")

    def _branch(self, id: str, site: Site) -> tuple[str, ...]:
        """The inputs of a switch that count, as far as its condition is known."""
        link = site.links.get("condition")
        if link is None:
            return ("if_true" if site.constants.get("condition") else "if_false",)
        source = self.values.get(link.source)
        if source is None or has_ref(source.outputs[link.position]):
            return ("condition",)
        return ("condition", "if_true" if source.outputs[link.position] else "if_false")

    def _switch(self, id: str, site: Site) -> Value | None:
        self.switched = True
        self._use(id, self._needs(id))
        condition = self._argument(id, site, "condition")
        if condition is None or not self._known(id, "condition", condition[0]):
            return None
        passed = self._argument(id, site, "if_true" if condition[0] else "if_false")
        return Value((passed[0],), (passed[1],)) if passed else None

    def _known(self, id: str, socket: str, value: Any) -> bool:
        if not isinstance(value, Ref):
            return True
        self._problem(id, id, socket, f"{socket} must be known before the run; this one is computed during the run")
        return False

    def _repeat(self, id: str, site: Site) -> Value | None:
        zone = self._structure.zones[id]
        begin = self._site(zone.begin)
        self._use(id, zone.entries)
        args = self._arguments(zone.begin, begin)
        if args is None or not self._known(zone.begin, "count", args["count"]):
            return self._refuse(id, zone)
        if not self._sound(id, site) or not self._affordable(id, zone, args["count"]):
            return None
        states = [self._argument(zone.begin, begin, f"initial{state}") for state in STATES]
        nexts = [site.links.get(f"next{state}") for state in STATES]
        for index in range(args["count"]):
            outputs = [state[0] for state in states if state]
            types = [state[1] for state in states if state]
            self.values[zone.begin] = Value((RepeatZone(), index, *outputs), (RepeatZone, int, *types))
            self._round(zone)
            states = [self._passed(id, link) if link else state for link, state in zip(nexts, states, strict=True)]
            if None in states:
                return None
        return Value(tuple(s[0] for s in states if s), tuple(s[1] for s in states if s))

    def _for_each(self, id: str, site: Site) -> Value | None:
        zone = self._structure.zones[id]
        begin = self._site(zone.begin)
        self._use(id, zone.entries)
        items = self._argument(zone.begin, begin, "items")
        if items is None or not self._known(zone.begin, "items", items[0]):
            return self._refuse(id, zone)
        if not self._sound(id, site) or not self._affordable(id, zone, len(items[0])):
            return None
        element = items[1].element if isinstance(items[1], ListOf) else Any
        results: list[tuple[Any, Any]] = []
        for index, item in enumerate(items[0]):
            tp = element if has_ref(item) else type_of(item)
            self.values[zone.begin] = Value((ForEachZone(), index, item), (ForEachZone, int, tp))
            self._round(zone)
            result = self._argument(id, site, "result")
            if result is None:
                return None
            results.append(result)
        types = {tp for _, tp in results}
        return Value((tuple(value for value, _ in results),), (ListOf(types.pop() if len(types) == 1 else Any),))

    def _refuse(self, id: str, zone: Zone) -> None:
        """Say of a zone that cannot be unrolled what else is wrong in it, so that all can be mended at once."""
        for node in (*zone.body, id):
            self._sound(node, self._site(node))

    def _round(self, zone: Zone) -> None:
        for id in zone.body:
            self.values.pop(id, None)
        self.settle(zone.goals)

    def _affordable(self, id: str, zone: Zone, count: int) -> bool:
        """Nested zones multiply: refuse before the memory is full."""
        rounds = count
        for begin in self._structure.scopes.get(id, ()):
            rounds *= self._rounds.get(begin, 1)
        self._rounds[zone.begin] = count
        if rounds > MAX_ROUNDS:
            self._problem(id, zone.begin, None, f"the zones unroll to {rounds} rounds; the limit is {MAX_ROUNDS}")
        return rounds <= MAX_ROUNDS

"""Work out what each node comes to: calls for what has to be computed, values for what is plain.

Nodes are evaluated on demand, so a branch that a switch does not take is never looked at. What was
evaluated stays until it is forgotten, together with all that depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from nodegraph.builtin import (
    GROUP_INPUT,
    GROUP_OUTPUT,
    REPEAT_END,
    STATES,
    SWITCH,
    ForEachZone,
    RepeatZone,
)
from nodegraph.failure import Missing, explain
from nodegraph.limits import MAX_STEPS
from nodegraph.node import NodeType
from nodegraph.pieces import Pieces
from nodegraph.planning.calls import Call, Folded, Value, as_outputs
from nodegraph.planning.compiled_node import Link, Site
from nodegraph.planning.fingerprints import Fingerprint
from nodegraph.planning.keys import Ref, call_key, canonical, has_ref
from nodegraph.planning.notes import FREE, Notes
from nodegraph.planning.outlines import Outlines
from nodegraph.planning.sizes import excess, infinite
from nodegraph.planning.structure import Zone
from nodegraph.types import ListOf, accepts, type_name, type_of

SOME_NODES = 20
"""Nodes that are evaluated in one piece, but for those of which a function of their own is called."""

_NO_FILES: Mapping[str, Fingerprint] = MappingProxyType({})


class Evaluator(Notes):
    """environment: see Planner. switched: whether a switch was evaluated since the caller said no, so that another
    record than before may count.
    """

    def __init__(self, environment: str) -> None:
        super().__init__()
        self._environment = environment
        self._forms: dict[str, Callable[[str, Site], Value | None]] = {
            SWITCH: self._switch,
            GROUP_INPUT: self._misplaced,
            GROUP_OUTPUT: self._misplaced,
        }
        self._rounds: dict[str, int] = {}  # of each zone, by its begin
        self._outlines = Outlines()
        self.switched = False
        self._piece = 0  # simple nodes that were evaluated in this piece

    def settling(self, goals: Iterable[str]) -> Pieces[None]:
        """Evaluate these nodes, and first whatever they need, in pieces. It may be given up, and begun again."""
        goals = list(goals)
        self._drop_half()
        self._outlines.prune(self.records)
        if not self._exhausted:
            fresh = not self.values
            yield from self._settling(goals)
            if fresh or not self._exhausted:
                return
        # Who is refused depends on the graph alone, and not on what was evaluated before.
        self.forget([*self.values])
        self._exhausted = False
        yield from self._settling(goals)

    def _settling(self, goals: Iterable[str]) -> Pieces[None]:
        """Not recursive, except for zones in zones: chains may be of any length."""
        stack = list(goals)
        values, odd = self.values, {*self._structure.forms, *self._structure.problems}
        while stack:
            id = stack[-1]
            if id in values:
                stack.pop()
                continue
            needs = self._needs(id) if id in odd else self._site(id).sources
            if needs and (lacking := [source for source in needs if source not in values]):
                stack += lacking
                continue
            if id in self._structure.zones and id not in self._structure.problems:
                owner = self._structure.owners.get(id, id)
                self._half.add(owner)
                self.values[id] = yield from self._unrolled(id)
                if owner == id:
                    self._half.discard(owner)
                stack.pop()
            else:
                self.values[id] = self._evaluate(id)
                stack.pop()
                self._piece += 1
                if self._piece < SOME_NODES:
                    continue
            self._piece = 0
            yield

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

    # --- ordinary nodes ---

    def _evaluate(self, id: str) -> Value | None:
        if not self._take_steps(id, 1):
            return None
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
        if site.sources:
            self._use(id, site.sources)
        args = {**site.constants}
        good = not site.problems or self._sound(id, site)
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
        if (more := self._cost(value)) and not self._take_steps(id, more):
            return None
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
        if args is None or not self._affords(id, args):
            return None
        for name in filter(args.get, type.outlined_inputs):
            args[name] = self._outlines.of(args[name])
            if args[name] is None:
                return self._problem(id, id, name, f"the size of {name} must be known before the run")
        paths: dict[str, str] = {}
        files: dict[str, Fingerprint] = {}
        if type.file_inputs:
            paths = {name: args[name] for name in type.file_inputs if isinstance(args[name], str)}
            try:
                files = {name: self._fingerprint(id, path) for name, path in paths.items()}
            except ValueError as error:
                return self._problem(id, id, None, str(error))
        takes = tuple([name for name in site.links if has_ref(args[name])]) if site.links else ()
        if type.foldable and not takes:
            return self._fold(id, type, args, files)
        key = call_key(type, args, self._environment, files)
        if type.outline is not None:
            try:
                self._outlines.add(key, type, args)
            except ValueError as error:
                return self._problem(id, id, None, str(error))
        record = self._record(id)
        record.keys[id] = key
        if key not in record.calls:
            known = {paths[name]: found for name, found in files.items()} if files else _NO_FILES
            record.calls[key] = Call(key, id, self._iteration(id), type, args, takes, known)
        return Value(tuple([Ref(key, output.name) for output in type.outputs]), type.output_types)

    def _affords(self, id: str, args: Mapping[str, Any]) -> bool:
        """Whether the steps suffice for arguments of this size."""
        if FREE.issuperset(map(type, args.values())):
            return True
        cost = sum(map(self._cost, args.values()))
        return not cost or self._take_steps(id, cost)

    def _fold(self, id: str, type: NodeType, args: dict[str, Any], files: dict[str, Fingerprint]) -> Value | None:
        folded = self._folded.get(id)
        if folded is None or folded[:3] != (type, args, files):
            try:
                result = type.fn(**args)
            except Exception as error:
                self._failed(id, error)
                return None
            finally:
                self._piece = SOME_NODES
            made = as_outputs(result)
            for output, value in zip(type.outputs, made, strict=True):
                if wrong := excess(value) or infinite(value):
                    self._problem(id, id, None, f"{output.name} {wrong}")
                    return None
            outputs = tuple(map(canonical, type.output_types, made))
            folded = self._folded[id] = Folded(type, args, files, outputs)
            if files and type.describes:
                self._described[id] = outputs
        return Value(folded.outputs, type.output_types)

    def _failed(self, id: str, error: Exception) -> None:
        """What is missing may come: where it would be is looked at before every plan, like the files of a node."""
        missing = error if isinstance(error, Missing) else None
        for place in missing.places if missing else ():
            with suppress(ValueError):
                self._fingerprint(id, place)
        self._problem(id, id, None, explain(error)[0], missing.remedy if missing else "")

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

    def _unrolled(self, id: str) -> Pieces[Value | None]:
        """What a zone comes to, named by its end; a piece is a node in a round."""
        zone, site = self._structure.zones[id], self._site(id)
        if not self._take_steps(id, 1) or site.type is None:
            return None
        self._use(id, zone.entries)
        begin = self._site(zone.begin)
        unroll = self._repeat if site.type.id == REPEAT_END else self._for_each
        return (yield from unroll(id, site, zone, begin))

    def _repeat(self, id: str, site: Site, zone: Zone, begin: Site) -> Pieces[Value | None]:
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
            yield from self._round(zone, Value((RepeatZone(), index, *outputs), (RepeatZone, int, *types)))
            states = [self._passed(id, link) if link else state for link, state in zip(nexts, states, strict=True)]
            if None in states:
                return None
        return Value(tuple(s[0] for s in states if s), tuple(s[1] for s in states if s))

    def _for_each(self, id: str, site: Site, zone: Zone, begin: Site) -> Pieces[Value | None]:
        items = self._argument(zone.begin, begin, "items")
        if items is None or not self._known(zone.begin, "items", items[0]):
            return self._refuse(id, zone)
        if not self._sound(id, site) or not self._affordable(id, zone, len(items[0])):
            return None
        element = items[1].element if isinstance(items[1], ListOf) else Any
        results: list[tuple[Any, Any]] = []
        for index, item in enumerate(items[0]):
            tp = element if has_ref(item) else type_of(item)
            yield from self._round(zone, Value((ForEachZone(), index, item), (ForEachZone, int, tp)))
            result = self._argument(id, site, "result")
            if result is None:
                return None
            results.append(result)
        made = tuple(value for value, _ in results)
        if much := excess(made):
            self._problem(id, id, None, f"results {much}")
            return None
        types = {tp for _, tp in results}
        return Value((made,), (ListOf(types.pop() if len(types) == 1 else Any),))

    def _refuse(self, id: str, zone: Zone) -> None:
        """Say of a zone that cannot be unrolled what else is wrong in it, so that all can be mended at once."""
        for node in (*zone.body, id):
            self._sound(node, self._site(node))

    def _round(self, zone: Zone, begin: Value) -> Pieces[None]:
        self._take_steps(zone.end, 1)
        self.values[zone.begin] = begin
        for id in zone.body:
            self.values.pop(id, None)
        yield from self._settling(zone.goals)

    def _affordable(self, id: str, zone: Zone, count: int) -> bool:
        """Nested zones multiply: refuse before the memory is full."""
        body = max(len(zone.body), 1)
        rounds = count
        for begin in self._structure.scopes.get(id, ()):
            rounds *= self._rounds.get(begin, 1)
        self._rounds[zone.begin] = count
        if rounds * body > MAX_STEPS or self.steps + count * body > MAX_STEPS:
            nodes = "1 node" if body == 1 else f"{body:,} nodes"
            message = f"the zones unroll to {rounds:,} rounds of {nodes}; planning takes {MAX_STEPS:,} steps at most"
            self._problem(id, zone.begin, None, message)
            self._exhausted = True
            return False
        return True

"""Of what kind the values are that a plan knows, and which nodes they reach. No Qt here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain

from nodegraph.domain import Domain, Kind
from nodegraph.planning.plan import Plan
from ui.runs.node_run import places


@dataclass(frozen=True)
class Kinds:
    """Nodes are named as the engine does. made: by node, the kinds of what it makes. taken: of what it takes; a group
    takes what the nodes inside it do.
    """

    made: Mapping[str, tuple[Kind, ...]] = field(default_factory=dict[str, tuple[Kind, ...]])
    taken: Mapping[str, tuple[Kind, ...]] = field(default_factory=dict[str, tuple[Kind, ...]])

    def title(self, node: str) -> str:
        """What people call what the node makes; empty when that is of no kind, or of several."""
        titles = {kind.title for kind in self.made.get(node, ())}
        return titles.pop() if len(titles) == 1 else ""

    def suiting(self, node: str, type: str) -> Kind | None:
        """The kind that decides what suits a node of this type."""
        kinds = self.taken.get(node, ())
        return next((kind for kind in kinds if any(of == type for of, _ in kind.suits)), None)

    def nodes_in(self, prefix: str) -> frozenset[str]:
        """Those that there is something to say of, in the graph whose nodes' names begin like this, without that."""
        names = (node.removeprefix(prefix) for node in (*self.made, *self.taken) if node.startswith(prefix))
        return frozenset(name for name in names if "/" not in name)

    def idle(self, node: str, type: str) -> Mapping[str, str]:
        """By input of the node, why it has no meaning here; "" is the whole node."""
        found: dict[str, str] = {}
        for kind in self.taken.get(node, ()):
            found |= {input: why for (of, input), why in kind.idle.items() if of == type and input not in found}
        return found


def kinds_of(plan: Plan, domain: Domain) -> Kinds:
    # By the identity of a value, which the plan holds: one is taken by many.
    values = {id(value): value for value in chain(*plan.outputs.values(), plan.taken.values())}
    known = {key: (kind,) for key, value in values.items() if (kind := domain.kind(value)) is not None}
    made: dict[str, tuple[Kind, ...]] = {}
    taken: dict[str, tuple[Kind, ...]] = {}
    for node, outputs in plan.outputs.items():
        for value in outputs:
            _add(made, node, known.get(id(value), ()))
    for dst, value in plan.taken.items():
        for place in places(dst.node):
            _add(taken, place, known.get(id(value), ()))
    return Kinds(made, taken)


def _add(found: dict[str, tuple[Kind, ...]], node: str, more: tuple[Kind, ...]) -> None:
    before = found.get(node, ())
    if more and more[0] not in before:
        found[node] = before + more if before else more

"""Of what kind the values are that a plan knows, and which nodes they reach. No Qt here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    made: dict[str, dict[Kind, None]] = {}
    taken: dict[str, dict[Kind, None]] = {}
    for node, values in plan.outputs.items():
        for kind in filter(None, map(domain.kind, values)):
            made.setdefault(node, {})[kind] = None
    for dst, value in plan.taken.items():
        if kind := domain.kind(value):
            for place in places(dst.node):
                taken.setdefault(place, {})[kind] = None
    return Kinds(*({node: tuple(kinds) for node, kinds in found.items()} for found in (made, taken)))

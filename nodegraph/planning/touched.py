"""What an edit of nodes and links leaves as it was: that much need not be planned again."""

from __future__ import annotations

from nodegraph.graph import Node
from nodegraph.pieces import Pieces
from nodegraph.planning.expand import Flat
from nodegraph.planning.structure import Structure


def touched(before: Flat, after: Flat, old: Structure, new: Structure) -> Pieces[set[str]]:
    """In pieces, the nodes that are new, gone, or have other parameters, sources or zones than before.

    old, new: what the links of `before` and `after` say.
    """
    found = {port.node for port in before.cut ^ after.cut}
    for a, b in ((before.links, after.links), (before.literals, after.literals), (before.places, after.places)):
        if a is not b:
            found |= {dst.node for dst, _ in a.items() ^ b.items()}
        yield
    found |= {id for id, _ in before.problems.items() ^ after.problems.items()}
    found |= {id for id, _ in old.problems.items() ^ new.problems.items()}
    found |= {id for id, _ in old.owners.items() ^ new.owners.items()}
    found |= {id for id, _ in old.scopes.items() ^ new.scopes.items()}
    yield
    found |= {end for end, _ in old.zones.items() ^ new.zones.items()}
    for a, b in ((before.nodes, after.nodes), (before.gone, after.gone)):
        found |= a.keys() ^ b.keys()
        found |= {id for id, node in b.items() if (was := a.get(id)) is not node and was and _differs(was, node)}
        yield
    return found


def _differs(before: Node, after: Node) -> bool:
    """Where a node is, and what it is called, is nothing to planning."""
    return before.type != after.type or (before.params is not after.params and before.params != after.params)

"""Which node has which result by the latest plan, found from either side. No Qt here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property

from ui.runs.node_run import places


class Planned:
    """keys: engine node id -> key of its last call. What is found by going through all of them is found once."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self.keys = keys

    @cached_property
    def nodes_with(self) -> Mapping[str, list[str]]:
        """By key."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for node, key in self.keys.items():
            found[key].append(node)
        return found

    @cached_property
    def inside(self) -> Mapping[str, list[str]]:
        """By place, the nodes that are planned there."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for node in self.keys:
            for place in places(node):
                found[place].append(node)
        return found

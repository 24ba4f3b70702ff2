"""Which round of a repeat or for-each zone is looked at: its nodes then show what they made in that round."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from nodegraph.reach import ZoneNodes
from ui.runs.node_run import NodeRun
from ui.runs.run_state import RunState
from ui.widgets.pixmaps import aspect


class Rounds:
    """picked: by the begin of a zone, the round that is looked at, from 0; without an entry, the newest."""

    def __init__(self, runs: RunState) -> None:
        self.runs = runs
        self.picked: dict[str, int] = {}
        self._around: dict[str, list[str]] = {}  # begins of the zones around a node, outermost first

    def follow(self, zones: Iterable[ZoneNodes]) -> None:
        """zones: those of the graph that is shown, outer ones first."""
        self._around = {}
        for zone in zones:
            for id in zone.nodes - {zone.begin, zone.end}:
                self._around.setdefault(id, []).append(zone.begin)
        begins = {zone.begin for zone in zones}
        self.picked = {begin: round for begin, round in self.picked.items() if begin in begins}

    def run(self, prefix: str, id: str) -> NodeRun:
        """What is known of a node, with the picture of the round that is looked at. prefix: of its engine id."""
        run = self.runs.of(prefix + id)
        wanted = [self.picked.get(begin) for begin in self._around.get(id, ())]
        if all(round is None for round in wanted):
            return run
        # The zones outside of the group that is shown come before those in it.
        step = self.runs.step_in(prefix + id, wanted)
        if step is not None and step.picture is not None:
            return replace(run, picture=step.picture, aspect=aspect(step.picture))
        if step is not None:
            self.runs.wanted.emit([step.call])
        return run

    def count(self, prefix: str, zone: ZoneNodes) -> int:
        """Of how many rounds there are pictures."""
        return max((self.of(prefix, id).get(zone.begin, 0) for id in zone.nodes & self._around.keys()), default=0)

    def of(self, prefix: str, id: str) -> dict[str, int]:
        """Of how many rounds of the zones around a node, by their begins, there are pictures of it."""
        around = self._around.get(id, ())
        highest = self.runs.last_rounds(prefix + id) if around else ()
        inner = reversed(list(zip(reversed(around), reversed(highest), strict=False)))
        return {begin: last + 1 for begin, last in inner}

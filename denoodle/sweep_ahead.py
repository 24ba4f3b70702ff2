"""What a command says of a sweep before it runs: pictures, what they share, about how long; and what it measures for
the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from statistics import median

from nodegraph.formats.files import Damaged
from nodegraph.graph import Graph
from nodegraph.planning.plan import Plan
from nodegraph.running.messages import Event, Finished
from nodegraph.running.pace import Pace, pace_file
from nodegraph.sweeping import cells
from nodegraph.sweeping.sweep import Cell, Sweep

LAST = 3
"""Calls of a kind in this run that say what the next ones take: the first may have loaded a model."""


class Ahead:
    """Learns from what happens; `keep` is for the end."""

    def __init__(self) -> None:
        self._pace = Pace()
        self._kinds: dict[str, str] = {}  # by key, of what is to be computed
        self._took: dict[str, list[float]] = {}  # by kind, the latest calls
        with suppress(OSError, Damaged):
            self._pace.load(pace_file())

    def told(
        self,
        graph: Graph,
        targets: tuple[str, ...],
        sweep: Sweep,
        order: Sequence[Cell],
        plan: Callable[[Graph, tuple[str, ...]], Plan],
        is_kept: Callable[[str], bool] | None,
        is_made: Callable[[Plan], bool],
        workers: int,
    ) -> str:
        """In a sentence. is_kept: whether the result with a key is in the cache; None where it is computed elsewhere,
        and neither the cache nor the pace of that machine is known. is_made: whether the pictures of a cell are there.
        """
        who = f" by {workers} {'worker' if workers == 1 else 'workers'}" if workers else ""
        if len(order) > cells.MOST_FORESEEN:
            return f"{len(order):,} pictures{who}"
        found = cells.foreseen(graph, targets, sweep, order, plan, is_kept or (lambda key: False), is_made)
        self._kinds = found.kinds if is_kept else {}
        made = f"; {found.made:,} of them are made" if found.made else ""
        if not found.together:
            return f"{len(order):,} pictures{made}"
        others = " for the others" if found.made else " in all"
        told = (
            f"{len(order):,} pictures{who}{made}, {found.together:,} results{others}: "
            f"{found.together / found.apart:.0%} of the {found.apart:,} that separate runs compute"
        )
        if is_kept is None:
            return told
        kept = f"; {found.kept:,} ({found.kept / found.together:.0%}) are in the cache"
        return told + kept + self._time([*found.kinds.values()], max(workers, 1))

    def _time(self, to_come: Sequence[str], workers: int) -> str:
        """Nothing where something was never measured."""
        each = [self._pace.seconds(kind) for kind in to_come]
        known = [seconds for seconds in each if seconds is not None]
        if not known or len(known) < len(each):
            return ""
        return f"; about {spoken(sum(known) / workers)}"

    def take(self, event: Event) -> None:
        """Measure."""
        if not isinstance(event, Finished) or event.cached or (kind := self._kinds.get(event.key)) is None:
            return
        took = self._took[kind] = [*self._took.get(kind, ()), event.seconds][-LAST:]
        if len(took) > 1 or self._pace.seconds(kind) is None:
            self._pace.learn(kind, median(took))

    def keep(self) -> None:
        """It is worth nothing to a disk that is full."""
        with suppress(OSError):
            self._pace.save(pace_file())


def spoken(seconds: float) -> str:
    """A time that is not known exactly."""
    if seconds < 60:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"

"""Which worker does which cell: no clock, no worker and no network in here, so that it can be tried with any number.

All cells stand in one line, those that need the same networks together, and neighbours share most. The line is cut into
as many stretches as there are workers (McNaughton 1959, the wrap-around rule): each loads its networks once, and again
only where a stretch goes over from one set of networks to the next. Who has come to the end of a stretch takes the
second half of the longest one of those that need what the worker has, or of the longest of all when that is worth
loading something else.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

TRIES = 2
"""Of a cell whose worker died: more often, and it is the cell."""

WORTH = 4.0
"""Loads that joining another stretch must save."""


class Item(NamedTuple):
    """A cell, by its place in the line, and what it needs."""

    number: int
    needs: Hashable


@dataclass(slots=True, eq=False)
class _Stretch:
    """Neighbours from `first` up to `end`, which is not included."""

    first: int
    end: int

    @property
    def left(self) -> int:
        return self.end - self.first


class _Longest:
    """Stretches, of which the one with most left is found at once."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, _Stretch]] = []
        self._count = 0  # stretches are never compared

    def put(self, stretch: _Stretch) -> None:
        self._count += 1
        heapq.heappush(self._heap, (-stretch.left, self._count, stretch))

    def get(self) -> _Stretch | None:
        """It stays there. What is left of a stretch only grows less: one that stands too far in front moves back."""
        while self._heap:
            left, _, stretch = self._heap[0]
            if -left == stretch.left:
                return stretch if stretch.left else None
            heapq.heappop(self._heap)
            if stretch.left:
                self.put(stretch)
        return None


class Scheduler:
    """Hands out cells. needs: by place in the line, what each cell needs.

    workers: about how many there will be. load: about how many cells a worker could do in the time of one load.
    """

    def __init__(self, needs: Sequence[Hashable], workers: int, load: float = 3.0) -> None:
        self._needs, self._load = needs, load
        pieces = min(workers, len(needs))
        ends = [len(needs) * piece // max(pieces, 1) for piece in range(pieces + 1)]
        self._free = [_Stretch(first, end) for first, end in pairwise(ends)][::-1]
        self._at: dict[Hashable, _Stretch] = {}  # by worker
        self._doing: dict[Hashable, Item] = {}  # by worker
        self._tries: dict[int, int] = {}  # of cells whose worker died
        self._longest = _Longest()
        self._by_need: dict[Hashable, _Longest] = {}  # by what the last cell of a stretch needs
        self.left = len(needs)  # cells that nobody has begun

    def next(self, worker: Hashable) -> Item | None:
        """What this worker does now, its last one being done; None when there is nothing that is worth it."""
        before = self._doing.pop(worker, None)
        stretch = self._at.get(worker)
        if stretch is None or not stretch.left:
            stretch = self._stretch_for(before)
            if stretch is None:
                self._at.pop(worker, None)
                return None
            self._at[worker] = stretch
        item = Item(stretch.first, self._needs[stretch.first])
        stretch.first += 1
        self.left -= 1
        self._doing[worker] = item
        return item

    def lost(self, worker: Hashable) -> Item | None:
        """The worker is gone: others do what it would have. The cell that it was at, when that is given up."""
        item = self._doing.get(worker)
        given_up = item if item is not None and self._is_given_up(item) else None
        if given_up is not None:
            del self._doing[worker]
        self.left_out(worker)
        return given_up

    def left_out(self, worker: Hashable) -> None:
        """The worker is not fit for what it was given, which says nothing of the cell: others do what it would have."""
        item, stretch = self._doing.pop(worker, None), self._at.pop(worker, None)
        if item is not None:
            self.left += 1
            if stretch is not None and stretch.first == item.number + 1:
                stretch.first -= 1
            else:
                self._free.append(_Stretch(item.number, item.number + 1))
        if stretch is not None and stretch.left:
            self._free.append(stretch)

    def _is_given_up(self, item: Item) -> bool:
        self._tries[item.number] = self._tries.get(item.number, 0) + 1
        return self._tries[item.number] >= TRIES

    def _stretch_for(self, before: Item | None) -> _Stretch | None:
        """before: what the worker did last."""
        stretch = self._free.pop() if self._free else self._half(before)
        if stretch is not None:
            self._put(stretch)
        return stretch

    def _half(self, before: Item | None) -> _Stretch | None:
        """The second half of another's stretch."""
        own = self._by_need.get(before.needs) if before else None
        longest = own.get() if own else None
        if longest is None or longest.left < 2:
            longest = self._longest.get()
            if longest is None or longest.left < max(2.0, 2 * WORTH * self._load):
                return None
        half = _Stretch(longest.end - longest.left // 2, longest.end)
        longest.end = half.first
        self._put(longest)
        return half

    def _put(self, stretch: _Stretch) -> None:
        self._longest.put(stretch)
        self._by_need.setdefault(self._needs[stretch.end - 1], _Longest()).put(stretch)

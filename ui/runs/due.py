"""What the calls to come of a run will take, kept up to date call by call. No Qt here."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from statistics import median

from nodegraph.pieces import Pieces, finish, in_parts
from nodegraph.planning.calls import Call
from nodegraph.running.pace import CallKinds, Pace
from ui.runs.node_run import counts_for, places

LOADED = 2.0
"""A first call that took so many times as long as such calls do had something to load."""
LAST = 3
"""Calls of a node in this run that say what the next ones take."""


class Due:
    """An event costs what it changes: the calls are never added up again.

    pace: what calls took before. Of a node that was never measured nothing is said, and then nothing of the whole
    either: a sum that leaves out the longest would mislead.
    """

    def __init__(self, pace: Pace | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self.pace, self._now = pace or Pace(), now
        self._each: dict[str, float] = {}  # engine node id -> what one of its calls takes, where that is known
        self._own: dict[str, list[float]] = {}  # engine node id -> what its latest calls in this run took
        self._kinds: dict[str, str] = {}  # engine node id -> kind of its calls
        self._to_come: dict[str, str] = {}  # key -> engine node id, of the calls to come
        self._left: Counter[str] = Counter()  # engine node id -> how many calls are to come
        self._seconds: dict[str, float] = {}  # place -> what those take that are known; "" is all of them
        self._unknown: Counter[str] = Counter()  # place -> how many are to come of which that is not known
        self._at = ""  # engine node id of the call that runs
        self._since: float | None = None  # when it started; None when none does
        self._first = self._latest = (0.0, 0.0)  # when its first and its latest report came, and how far it was then
        self.part = 0.0  # how much of it is done, 0..1

    def expect(self, calls: Iterable[Call]) -> None:
        """These are to come, and no others."""
        finish(self.expecting(calls))

    def expecting(self, calls: Iterable[Call]) -> Pieces[None]:
        self._to_come, self._left, self._seconds, self._unknown = {}, Counter(), {}, Counter()
        self._each, self._own, self._kinds = {}, {}, {}
        kinds = CallKinds()
        self.rest()
        for part in in_parts(calls):
            for call in part:
                kind = self._kinds[call.node] = kinds.of(call)
                if (seconds := self.pace.seconds(kind)) is not None:
                    self._each.setdefault(call.node, seconds)
                self._to_come[call.key] = call.node
                self._left[call.node] += 1
                self._count(call.node, 1)
            yield

    def begin(self, node: str, key: str) -> None:
        """A call is on its way."""
        self._at, self._since, self.part = node, self._now(), 0.0
        self._first = self._latest = (0.0, 0.0)
        self.over(key)

    def report(self, part: float) -> None:
        """How much of the call that runs is done. Before the first report it got ready, which comes once."""
        self.part = part
        if part > 0:
            self._latest = self._now(), part
            if not self._first[1]:
                self._first = self._latest

    def over(self, key: str) -> None:
        """A call has begun, or was there already."""
        node = self._to_come.pop(key, None)
        if node is not None:
            self._left[node] -= 1
            self._count(node, -1)

    def took(self, node: str, seconds: float) -> None:
        """What a call of this node took: so long the others will take."""
        own = self._own[node] = [*self._own.get(node, ()), seconds][-LAST:]
        before = self._each.get(node)
        loaded = len(own) == 1 and before is not None and seconds > LOADED * before
        # The first of several may have loaded a model; the second did not.
        each = before if loaded and before is not None else own[-1] if len(own) < LAST else median(own)
        self._count(node, -self._left[node])
        self._each[node] = each
        self._count(node, self._left[node])
        if (kind := self._kinds.get(node)) and not loaded and (len(own) > 1 or not self._left[node]):
            self.pace.learn(kind, each)
        self.rest()

    def rest(self) -> None:
        """No call is on its way."""
        self._since, self.part = None, 0.0

    def seconds(self, place: str) -> float | None:
        """What all calls to come in a place take, and what is left of the one that runs there; "" is every place.

        None when that is not known.
        """
        if self._unknown[place]:
            return None
        total = max(self._seconds.get(place, 0.0), 0.0)
        if self._since is None or not counts_for(place, self._at):
            return total
        rest = self._rest_of_call(self._now() - self._since)
        return None if rest is None else total + rest

    def _rest_of_call(self, spent: float) -> float | None:
        """By how fast it goes on, once it said so twice; else by what such calls took."""
        (begun, first), (latest, part) = self._first, self._latest
        if part > first:
            left = (1 - part) * (latest - begun) / (part - first)
            return max(left - (self._now() - latest), 0.0)
        whole = self._each.get(self._at)
        return None if whole is None else max(whole - spent, 0.0)

    def _count(self, node: str, calls: int) -> None:
        """So many more of its calls are to come."""
        each = self._each.get(node)
        for place in ("", *places(node)) if calls else ():
            if each is None:
                self._unknown[place] += calls
            else:
                self._seconds[place] = self._seconds.get(place, 0.0) + calls * each

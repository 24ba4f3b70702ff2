"""What the calls to come of a run will take, kept up to date call by call. No Qt here."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from nodegraph.pieces import Pieces, finish, in_parts
from nodegraph.planning.calls import Call
from ui.runs.node_run import counts_for, places


class Due:
    """An event costs what it changes: the calls are never added up again."""

    def __init__(self) -> None:
        self._mean: dict[str, float] = {}  # engine node id -> seconds its last call took
        self._to_come: dict[str, str] = {}  # key -> engine node id, of the calls to come
        self._left: Counter[str] = Counter()  # engine node id -> how many calls are to come
        self._seconds: dict[str, float] = {}  # place -> what they take; "" is all of them
        self._at = ""  # engine node id of the call that runs
        self._since: float | None = None  # when it started; None when none does
        self.part = 0.0  # how much of it is done, 0..1

    @property
    def known(self) -> bool:
        """Whether it is known of any node what it takes."""
        return bool(self._mean)

    def expect(self, calls: Iterable[Call]) -> None:
        """These are to come, and no others."""
        finish(self.expecting(calls))

    def expecting(self, calls: Iterable[Call]) -> Pieces[None]:
        self._to_come, self._left, self._seconds = {}, Counter(), {}
        self.rest()
        for part in in_parts(calls):
            for call in part:
                self._to_come[call.key] = call.node
                self._left[call.node] += 1
                self._add(call.node, self._mean.get(call.node, 0.0))
            yield

    def begin(self, node: str, key: str) -> None:
        """A call is on its way."""
        self._at, self._since, self.part = node, time.monotonic(), 0.0
        self.over(key)

    def over(self, key: str) -> None:
        """A call has begun, or was there already."""
        node = self._to_come.pop(key, None)
        if node is not None:
            self._left[node] -= 1
            self._add(node, -self._mean.get(node, 0.0))

    def took(self, node: str, seconds: float) -> None:
        """What a call of this node took: so long the others will take."""
        self._add(node, self._left[node] * (seconds - self._mean.get(node, 0.0)))
        self._mean[node] = seconds
        self.rest()

    def rest(self) -> None:
        """No call is on its way."""
        self._since, self.part = None, 0.0

    def seconds(self, place: str) -> float:
        """What all calls to come in a place take, and what is left of the one that runs there; "" is every place."""
        total = max(self._seconds.get(place, 0.0), 0.0)
        if self._since is None or not counts_for(place, self._at):
            return total
        spent = time.monotonic() - self._since
        known = self._mean.get(self._at)
        whole = known if known is not None else spent / self.part if self.part else spent
        return total + max(whole - spent, 0.0)

    def _add(self, node: str, seconds: float) -> None:
        if seconds:
            for place in ("", *places(node)):
                self._seconds[place] = self._seconds.get(place, 0.0) + seconds

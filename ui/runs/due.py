"""What the calls to come of a run will take, kept up to date call by call. No Qt here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from nodegraph.planning.calls import Call
from ui.runs.node_run import places


class Due:
    """An event costs what it changes: the calls are never added up again."""

    def __init__(self) -> None:
        self._mean: dict[str, float] = {}  # engine node id -> seconds its last call took
        self._to_come: dict[str, str] = {}  # key -> engine node id, of the calls to come
        self._left: Counter[str] = Counter()  # engine node id -> how many calls are to come
        self._seconds: dict[str, float] = {}  # place -> what they take; "" is all of them

    @property
    def known(self) -> bool:
        """Whether it is known of any node what it takes."""
        return bool(self._mean)

    def expect(self, calls: Iterable[Call]) -> None:
        """These are to come, and no others."""
        self._to_come = {call.key: call.node for call in calls}
        self._left = Counter(self._to_come.values())
        self._seconds = {}
        for node, count in self._left.items():
            self._add(node, count * self._mean.get(node, 0.0))

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

    def mean(self, node: str) -> float | None:
        """What a call of this node took last; None when it is not known."""
        return self._mean.get(node)

    def seconds(self, place: str) -> float:
        """What all calls to come in a place take."""
        return max(self._seconds.get(place, 0.0), 0.0)

    def _add(self, node: str, seconds: float) -> None:
        if seconds:
            for place in ("", *places(node)):
                self._seconds[place] = self._seconds.get(place, 0.0) + seconds

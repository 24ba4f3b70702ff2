"""Wires that would lie on each other get tracks side by side. Numbers only: no Qt here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import Generic, NamedTuple, TypeVar

from nodegraph.pieces import Pieces, finish

K = TypeVar("K", bound=Hashable)

NEAR = 4.0  # world units within which two stretches look like one
COUNT = 5  # tracks side by side; further ones begin again at the first


class Stretch(NamedTuple):
    """Where a wire runs straight. owner: what has one track for all its wires, the output that they leave."""

    owner: tuple[str, str]
    low: float
    high: float


class Tracks(Generic[K]):
    """Stretches at places across their direction. Which track one has follows from those at its place, not from the
    order in which they came: a document looks the same however it was made.
    """

    def __init__(self) -> None:
        self._places: dict[K, int] = {}
        self._beside: defaultdict[int, dict[K, Stretch]] = defaultdict(dict)
        self._dirty: set[int] = set()
        self._tracks: dict[K, int] = {}

    def of(self, key: K) -> int:
        """The number of its track: 0 in the middle, then one to each side in turn."""
        return self._tracks.get(key, 0)

    def put(self, key: K, place: float, stretch: Stretch) -> None:
        """Add it, or move it."""
        at = round(place / NEAR)
        if self._places.get(key) == at and self._beside[at].get(key) == stretch:
            return
        self.remove(key)
        self._places[key] = at
        self._beside[at][key] = stretch
        self._dirty.add(at)

    def remove(self, key: K) -> None:
        """Nothing happens when it is not there."""
        at = self._places.pop(key, None)
        if at is not None:
            del self._beside[at][key]
            self._tracks.pop(key, None)
            self._dirty.add(at)

    def settle(self) -> set[K]:
        """Give out the tracks anew where something changed; those that have another one now."""
        return finish(self.settling())

    def settling(self) -> Pieces[set[K]]:
        """The same in pieces, a place at a time."""
        changed: set[K] = set()
        while self._dirty:
            at = self._dirty.pop()
            given = _tracks(self._beside[at].values())
            for key, stretch in self._beside[at].items():
                if given[stretch.owner] != self.of(key):
                    self._tracks[key] = given[stretch.owner]
                    changed.add(key)
            if not self._beside[at]:
                del self._beside[at]
            yield
        return changed


def _tracks(stretches: Iterable[Stretch]) -> dict[tuple[str, str], int]:
    """For each owner the lowest track that is free for as long as it runs."""
    whole: dict[tuple[str, str], tuple[float, float]] = {}
    for owner, low, high in stretches:
        before = whole.get(owner, (low, high))
        whole[owner] = min(low, before[0]), max(high, before[1])
    ends: list[float] = []  # of what each track had last
    given: dict[tuple[str, str], int] = {}
    for (low, high), owner in sorted((span, owner) for owner, span in whole.items()):
        track = next((index for index, end in enumerate(ends) if end <= low), len(ends))
        ends[track : track + 1] = [high]
        given[owner] = track % COUNT
    return given


def beside(track: int, apart: float) -> float:
    """How far a track is from the middle: 0, one side, the other side, further out."""
    return (track + 1) // 2 * apart * (1 if track % 2 else -1)

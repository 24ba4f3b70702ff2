"""Which things to keep when not all of them may stay: the newest, up to a number of bytes. No Qt here."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")


class Kept(Generic[K]):
    """Counts only; whoever holds the things lets go of those that `put` names. limit: bytes of all together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sizes: OrderedDict[K, int] = OrderedDict()  # the newest last
        self.used = 0  # bytes

    def __contains__(self, key: K) -> bool:
        return key in self._sizes

    def put(self, key: K, nbytes: int) -> list[K]:
        """It is the newest now. Those that have to go for it, oldest first; never itself."""
        self.drop(key)
        self._sizes[key] = nbytes
        self.used += nbytes
        gone: list[K] = []
        while self.used > self._limit and len(self._sizes) > 1:
            old, size = self._sizes.popitem(last=False)
            self.used -= size
            gone.append(old)
        return gone

    def touch(self, key: K) -> None:
        """It counts as new, if it is there."""
        if key in self._sizes:
            self._sizes.move_to_end(key)

    def drop(self, key: K) -> None:
        self.used -= self._sizes.pop(key, 0)

"""Nodes on their way to where the document has them already."""

from __future__ import annotations

import time
from collections.abc import Mapping

from PySide6.QtCore import QPointF

SECONDS = 0.25


class Glide:
    """begin: how far from their place the nodes start, in world units."""

    def __init__(self, begin: Mapping[str, QPointF]) -> None:
        self.begin = {id: away for id, away in begin.items() if not away.isNull()}
        self._start = time.monotonic()

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self.begin)

    @property
    def over(self) -> bool:
        return time.monotonic() - self._start >= SECONDS

    def offsets(self) -> dict[str, QPointF]:
        """How far each is away now: fast at first, slowing down."""
        left = max(1.0 - (time.monotonic() - self._start) / SECONDS, 0.0) ** 3
        return {id: away * left for id, away in self.begin.items()}

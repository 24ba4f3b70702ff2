"""Which things lie in a rectangle, without looking at all of them."""

from __future__ import annotations

from collections.abc import Hashable
from math import floor
from typing import Generic, TypeVar

from PySide6.QtCore import QRectF

K = TypeVar("K", bound=Hashable)

CELL = 640.0  # world units; about two nodes
MOST = 4096  # cells that one thing is entered in; a wire across the world would fill the memory


class Grid(Generic[K]):
    """Rectangles by key, in a uniform grid."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], dict[K, None]] = {}
        self._spans: dict[K, tuple[int, int, int, int]] = {}
        self._large: dict[K, None] = {}  # what takes more cells than that: near everything

    def put(self, key: K, rect: QRectF) -> None:
        """Add it, or move it."""
        span = _span(rect)
        if self._spans.get(key) == span:
            return
        self.remove(key)
        self._spans[key] = span
        if _count(span) > MOST:
            self._large[key] = None
            return
        for cell in _cells(span):
            self._cells.setdefault(cell, {})[key] = None

    def remove(self, key: K) -> None:
        """Nothing happens when it is not there."""
        span = self._spans.pop(key, None)
        if span is None:
            return
        if key in self._large:
            del self._large[key]
            return
        for cell in _cells(span):
            self._cells[cell].pop(key)
            if not self._cells[cell]:
                del self._cells[cell]

    def near(self, rect: QRectF) -> set[K]:
        """Everything that may touch the rectangle; some of it may just miss."""
        span = _span(rect)
        left, top, right, bottom = span
        if _count(span) > len(self._cells):
            inside = (
                kept for cell, kept in self._cells.items() if left <= cell[0] <= right and top <= cell[1] <= bottom
            )
        else:
            inside = (self._cells[cell] for cell in _cells(span) if cell in self._cells)
        found: set[K] = set(self._large)
        for kept in inside:
            found.update(kept)
        return found


def _count(span: tuple[int, int, int, int]) -> int:
    left, top, right, bottom = span
    return (right - left + 1) * (bottom - top + 1)


def _span(rect: QRectF) -> tuple[int, int, int, int]:
    return floor(rect.left() / CELL), floor(rect.top() / CELL), floor(rect.right() / CELL), floor(rect.bottom() / CELL)


def _cells(span: tuple[int, int, int, int]) -> list[tuple[int, int]]:
    left, top, right, bottom = span
    return [(x, y) for x in range(left, right + 1) for y in range(top, bottom + 1)]

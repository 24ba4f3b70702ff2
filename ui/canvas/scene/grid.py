"""Which things lie in a rectangle, without looking at all of them.

Rectangles are tuples of numbers: ten thousand objects of Qt are ten thousand more for Python to look through.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""

Span = tuple[int, int, int, int]
"""The first column, the first row, the last column and the last row."""

CELL = 640.0  # world units; about two nodes
COARSER = 8  # how much larger the cells of the next grid are
MOST = 24  # cells that one thing is entered in; a wire across the world would fill the memory


class Grid(Generic[K]):
    """Rectangles by key, in uniform grids: the first for most things, coarser ones for what is large.

    boxes: of what is in it.
    """

    def __init__(self) -> None:
        self.boxes: dict[K, Box] = {}
        self._spans: dict[K, tuple[int, Span]] = {}  # with the number of the grid
        self._grids: list[dict[tuple[int, int], dict[K, None]]] = []

    def put(self, key: K, box: Box) -> None:
        """Add it, or move it."""
        place = _place(box)
        if self._spans.get(key) != place:
            self.remove(key)
            self._enter(key, *place)
        self.boxes[key] = box

    def _enter(self, key: K, number: int, span: Span) -> None:
        self._spans[key] = number, span
        while len(self._grids) <= number:
            self._grids.append({})
        grid = self._grids[number]
        for cell in _cells(span):
            grid.setdefault(cell, {})[key] = None

    def remove(self, key: K) -> None:
        """Nothing happens when it is not there."""
        if key not in self._spans:
            return
        number, span = self._spans.pop(key)
        del self.boxes[key]
        grid = self._grids[number]
        for cell in _cells(span):
            kept = grid[cell]
            del kept[key]
            if not kept:
                del grid[cell]

    def touching(self, box: Box) -> list[K]:
        """Everything that has some area in common with the rectangle, in no order."""
        near = self._near(box)
        if len(near) == len(self.boxes):
            return [*near]  # what may just miss it is too little to look for
        left, top, right, bottom = box
        boxes = self.boxes
        return [
            key for key in near if (at := boxes[key])[0] < right and at[2] > left and at[1] < bottom and at[3] > top
        ]

    def _near(self, box: Box) -> set[K]:
        """Everything that may touch the rectangle; some of it may just miss."""
        found: set[K] = set()
        for number, grid in enumerate(self._grids):
            span = left, top, right, bottom = _span(box, CELL * COARSER**number)
            if _count(span) > len(grid):
                for cell, kept in grid.items():
                    if left <= cell[0] <= right and top <= cell[1] <= bottom:
                        found.update(kept)
            else:
                for cell in _cells(span):
                    if cell in grid:
                        found.update(grid[cell])
        return found


def _place(box: Box) -> tuple[int, Span]:
    """The first of the grids in which it takes few cells, and those."""
    number, span = 0, _span(box, CELL)
    while _count(span) > MOST:
        number += 1
        span = _span(box, CELL * COARSER**number)
    return number, span


def _span(box: Box, cell: float) -> Span:
    left, top, right, bottom = box
    return int(left // cell), int(top // cell), int(right // cell), int(bottom // cell)


def _count(span: Span) -> int:
    left, top, right, bottom = span
    return (right - left + 1) * (bottom - top + 1)


def _cells(span: Span) -> list[tuple[int, int]]:
    left, top, right, bottom = span
    if left == right and top == bottom:
        return [(left, top)]
    return [(x, y) for x in range(left, right + 1) for y in range(top, bottom + 1)]

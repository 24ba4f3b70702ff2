"""In which order the cells of a sweep are shown, where they do not stand as a sheet. No Qt here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from nodegraph.sweeping.sweep import Cell, Sweep
from ui.runs.picture_index import Made

Order = Literal["sheet", "best", "newest"] | int
"""int: the axis by whose values."""

MADE_ORDERS: dict[Order, str] = {"sheet": "As a sheet", "best": "Best rated first", "newest": "Newest first"}


def ordered(sweep: Sweep, cells: Sequence[Cell], order: Order, made: Callable[[Cell], Made | None]) -> list[Cell]:
    """made: the first picture of a cell; what has none comes last. Cells that are alike keep their order."""
    match order:
        case "best":
            return sorted(cells, key=lambda cell: _falling(made(cell), lambda one: (one.rating, one.starred)))
        case "newest":
            return sorted(cells, key=lambda cell: _falling(made(cell), lambda one: (one.made,)))
        case int():
            values = sweep.axes[order].values
            return sorted(cells, key=lambda cell: _rising(values[cell[order]]))
        case _:
            return list(cells)


def _falling(made: Made | None, numbers: Callable[[Made], tuple[float, ...]]) -> tuple[float, ...]:
    return (1.0,) if made is None else (0.0, *(-number for number in numbers(made)))


def _rising(value: Any) -> tuple[int, float, str]:
    """Numbers by size, and then texts by letters."""
    return (0, float(value), "") if isinstance(value, int | float) else (1, 0.0, str(value).lower())

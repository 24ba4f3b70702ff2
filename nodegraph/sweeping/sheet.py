"""Where each cell of a sweep stands: page, row, column, each with its label; and all of it as a table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from nodegraph.graph import Graph, Port
from nodegraph.sweeping.axes import Axis, shown
from nodegraph.sweeping.here import Came
from nodegraph.sweeping.sweep import Cell, Sweep


class Page(NamedTuple):
    """title: what all of its cells share; empty when nothing does. columns, rows: their labels; no columns: the cells
    stand in a list, each under its own of `labels`. places: by row and column.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    places: Mapping[tuple[int, int], Cell]
    labels: Mapping[Cell, str]


def pages(sweep: Sweep, cells: Sequence[Cell]) -> list[Page]:
    """The first axis goes across, the second down, others over the pages; what is no grid is a list."""
    if sweep.mode == "zip" or sweep.sample or len(sweep.axes) == 1:
        return [listed(sweep, cells)]
    across, down, *others = sweep.axes
    there = set(cells)
    made: list[Page] = []
    for rest in product(*(range(len(axis.values)) for axis in others)):
        places = {
            (row, column): (column, row, *rest)
            for row in range(len(down.values))
            for column in range(len(across.values))
            if (column, row, *rest) in there
        }
        title = ", ".join(_named(axis, index) for axis, index in zip(others, rest, strict=True))
        columns = tuple(_named(across, index) for index in range(len(across.values)))
        rows = tuple(_named(down, index) for index in range(len(down.values)))
        made.append(Page(title, columns, rows, places, {}))
    return made


def listed(sweep: Sweep, cells: Sequence[Cell]) -> Page:
    """The cells one after the other, each under its own label."""
    across = max(1, math.ceil(math.sqrt(len(cells))))
    places = {divmod(number, across): cell for number, cell in enumerate(cells)}
    labels = {cell: ", ".join(map(_named, sweep.axes, cell)) for cell in cells}
    return Page("", (), (), places, labels)


def _named(axis: Axis, index: int) -> str:
    """Texts and files speak for themselves; of a number the parameter's own name is enough."""
    if isinstance(axis.values[index], str):
        return axis.label(index)
    return f"{axis.port.socket.replace('_', ' ')} {axis.label(index)}"


def table(graph: Graph, sweep: Sweep, came: Sequence[Came]) -> str:
    """A line of comma-separated values for each cell: what varies, what came of it, and all other parameters."""
    varied = {axis.port for axis in sweep.axes}
    fixed = {
        Port(id, name): value
        for id, node in graph.nodes.items()
        for name, value in node.params.items()
        if Port(id, name) not in varied
    }
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    head = ["images", "failed", "computed", "cached", "seconds"]
    lines.writerow([*(axis.name for axis in sweep.axes), *head, *map(".".join, fixed)])
    rest = [_plain(value) for value in fixed.values()]
    for one in came:
        why = " ".join(f"{failure.node}: {failure.message}" for failure in one.failures)
        told = ["; ".join(one.images), why, one.run, one.cached, round(one.seconds, 3)]
        lines.writerow([*map(_plain, sweep.values(one.cell).values()), *told, *rest])
    return text.getvalue()


def _plain(value: Any) -> Any:
    """As it is where a table has such values, else as a person reads it."""
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else shown(value)

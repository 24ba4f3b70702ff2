"""The table in docs/oracle.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.oracle.asking import TASKS
from tools.oracle.cells import Errors
from tools.oracle.rows import ROWS, Row

PAGE = Path(__file__).parents[2] / "docs" / "oracle.md"

Results = Mapping[str, Mapping[str, Errors | None]]
"""By task and by the name of a row."""


def table(results: Results) -> str:
    """The section of docs/oracle.md that is written by this tool."""
    reasons: list[str] = []
    lines = [_line(["task", *(row.title for row in ROWS)]), _line(["---"] * (1 + len(ROWS)))]
    for task in TASKS:
        shown = [_shown(results[task][row.name], row.why.get(task, ""), reasons) for row in ROWS]
        lines.append(_line([task, *shown]))
    notes = [f"{number}. {reason}" for number, reason in enumerate(reasons, 1)]
    return "\n".join([*lines, "", "Why a cell has no number:", "", *notes])


def cells(text: str) -> dict[tuple[str, str], str]:
    """What a table has, by the titles of task and family."""
    rows = [line.strip("| \n").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    titles = rows[0][1:]
    return {(row[0], title): cell for row in rows[2:] for title, cell in zip(titles, row[1:], strict=True)}


def kept(text: str) -> dict[str, dict[str, Errors | None]]:
    """What a table has of each of the rows, for `table`; without those that are not in it."""
    found = cells(text)
    return {
        task: {row.name: _read(found[task, row.title], row) for row in ROWS if (task, row.title) in found}
        for task in TASKS
    }


def is_missing(found: Results, row: Row, task: str) -> bool:
    """Whether a table has no number in a cell that should have one, or no such cell."""
    return row.name not in found[task] or (found[task][row.name] is None) != (task in row.why)


def _read(cell: str, row: Row) -> Errors | None:
    return None if cell.startswith("(") else dict(zip(row.places, map(float, cell.split(" · ")), strict=True))


def number(error: float) -> str:
    mantissa, exponent = f"{error:.0e}".split("e")
    return "0" if error == 0 else f"{mantissa}e{int(exponent)}"


def _shown(errors: Errors | None, reason: str, reasons: list[str]) -> str:
    if errors is not None:
        return " · ".join(map(number, errors.values()))
    if reason not in reasons:
        reasons.append(reason)
    return f"({reasons.index(reason) + 1})"


def _line(parts: Sequence[str]) -> str:
    return f"| {' | '.join(parts)} |"

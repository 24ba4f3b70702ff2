"""The rows of all sections as one page of Markdown. No torch here: the process that writes it only waits."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Any

from tools.bench.__main__ import table

Row = dict[str, Any]

PROGRAMS = ("Denoodle", "diffusers", "diffusers, compiled")
NARROW = "Denoodle, float8 by choice"
"""Of Flux alone."""

TITLES = {
    "speed": (
        "Speed",
        "Milliseconds a step are the difference of two runs by that of their steps; *x diffusers* is the time by that "
        "of its stock pipeline. Runs end with the picture as a PNG. The first run pays for what is made once, with "
        "Denoodle after its weights are loaded. *network*: how Denoodle calls it, and what one call takes on the card.",
    ),
    "correct": (
        "The processor's pictures",
        "Shipped workflows in the precision that the card chooses, against float32 on the processor; tiny models of "
        "every family, both in the same precision.",
    ),
    "limits": ("Little memory", "GiB are what torch may take of the card; another process holds the rest. Four steps."),
}


def page(rows: Sequence[Row]) -> str:
    """All rows as Markdown."""
    cards = [row for row in rows if row["section"] == "card"]
    about = f"{cards[0]['title']} ({cards[0]['device']}), torch {cards[0]['torch']}" if cards else "No card"
    lines = [f"{about}, Python {platform.python_version()}, {platform.system()} {platform.machine()}."]
    for section, (title, what) in TITLES.items():
        told = [row for row in compared(rows) if row["section"] == section]
        if told:
            shown = ({name: value for name, value in row.items() if name != "section"} for row in told)
            lines += ["", f"### {title}", "", what, "", table(shown)]
    return "\n".join(lines) + "\n"


def compared(rows: Sequence[Row]) -> list[Row]:
    """The rows, those of steps with how they compare with diffusers."""
    timed = [row for row in rows if "ms a step" in row]
    stocks = {row["picture"]: row["ms a step"] for row in timed if row["program"] == PROGRAMS[1]}
    return [
        row | {"x diffusers": row["ms a step"] / stocks[row["picture"]]}
        if row in timed and row["picture"] in stocks
        else row
        for row in rows
    ]

"""Clay from a pit, which is there once somebody has found it: what is missing, and how it is got."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from nodegraph.domain import Remedy
from nodegraph.failure import Missing
from nodegraph.node import node
from nodegraph.program import data_folder
from tests.toy_nodes.pots import Clay

STEPS = 20


def pit() -> Path:
    return data_folder() / "pit.txt"


@node("toy.dig")
def dig() -> Clay:
    """Clay of the kind that is in the pit."""
    place = pit()
    if not place.exists():
        raise Missing("there is no pit yet: choose one, or have one dug", "clay", (str(place),))
    return Clay(place.read_text())


def kept() -> str | None:
    return str(pit()) if pit().exists() else None


def keep(place: str | None, told: Callable[[int, int], object]) -> str:
    """In TOY_PIT stands what becomes of digging one: "rock" refuses, "deep" takes for ever, "fall" ends the process."""
    found = Path(place).read_text() if place else os.environ.get("TOY_PIT", "red")
    if found == "fall":
        os._exit(3)
    if found not in ("red", "white", "deep"):
        raise ValueError(f"{place or 'the ground'} holds {found!r}, which is no clay")
    step = 0
    while not place and (step < STEPS or found == "deep"):
        told(min(step, STEPS - 1), STEPS)
        time.sleep(0.01)
        step += 1
    pit().parent.mkdir(parents=True, exist_ok=True)
    pit().write_text(found)
    return str(pit())


REMEDY = Remedy(
    "A clay pit",
    "Clay comes from a pit, and no workflow brings one.",
    choose="Choose pit.txt…",
    patterns=("*.txt",),
    fetch="Dig one (2 MB)",
    kept=kept,
    keep=keep,
)

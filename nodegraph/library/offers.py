"""Folders of other programs that the library could look in: offered with how much is there, never taken by itself."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from nodegraph.domain import Domain, Stock
from nodegraph.formats.package import discover
from nodegraph.library.walk import Walk

MOST = 5000
"""Files that are counted; there may be more."""


@dataclass(frozen=True, slots=True)
class Offer:
    """title: which program and where. folders: those to look in. files: entries there, MOST when there may be more."""

    title: str
    folders: tuple[str, ...]
    files: int


def offers(stock: Stock, taken: Iterable[str] = ()) -> tuple[Offer, ...]:
    """What is there, the most files first. taken: folders that are looked in already.

    It looks through the machine, which may take seconds: `look_around` does it as an errand.
    """
    inside = [Path(os.path.realpath(folder)) for folder in taken]
    found: list[Offer] = []
    for title, folders in stock.neighbours():
        left = tuple(f for f in folders if not any(Path(os.path.realpath(f)).is_relative_to(known) for known in inside))
        if files := sum(1 for _ in islice(Walk(stock).places(left), MOST)):
            found.append(Offer(title, left, files))
    return tuple(sorted(found, key=lambda offer: -offer.files))


def look_around(given: str | None, heard: Callable[[int, int], object]) -> str:
    """An errand. given: {"package": ..., "taken": [...]} as JSON. Returns what `read_offers` reads."""
    asked: dict[str, Any] = json.loads(given or "{}")
    stock = (discover(asked["package"]).domain or Domain()).stock
    return json.dumps([asdict(offer) for offer in offers(stock, asked["taken"])])


def read_offers(text: str) -> tuple[Offer, ...]:
    said: list[dict[str, Any]] = json.loads(text)
    return tuple(Offer(offer["title"], tuple(offer["folders"]), offer["files"]) for offer in said)

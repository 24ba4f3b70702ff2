"""What saved pictures are called: a template whose places are filled in for each, in names that every system takes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from datetime import datetime
from itertools import count
from pathlib import Path, PurePath
from typing import Any

from nodegraph.formats.files import write_new

PLACES = {
    "name": "what the node that saves says",
    "counter": "a number that no picture of that name has yet",
    "date": "2026-11-28",
    "time": "07-15-00",
    "seed": "of the first node that has one",
    "index": "which of a batch it is",
    "model": "the file or folder of the first model",
    "width": "in pixels",
    "height": "in pixels",
}
"""What stands between two %, and what it is."""

FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\ud800-\udfff]')
"""What some file system does not take, or no program can write: the last are halves of a pair, which mean nothing."""

RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices."""

MAX_NAME = 200
"""Bytes of a name, as UTF-8: file systems take 255, and a number and an ending are added."""

MAX_MODEL = 60  # bytes
UNKNOWN = "none"
_PLACE = re.compile(r"%(\w*)%")
COUNTER = "%counter%"


def complaint(template: str) -> str | None:
    """What is wrong with a template, as the end of a sentence; None when nothing is."""
    unknown = [name for name in _PLACE.findall(template) if name not in PLACES]
    plain = _PLACE.sub("", template)
    if unknown:
        return f"there is no %{unknown[0]}%; there are {', '.join(f'%{name}%' for name in PLACES)}"
    if not template.strip() or template.startswith((".", " ")):
        return "a name must begin with something else than a point or a space"
    if "%" in plain:
        return "a % has no other half"
    if found := FORBIDDEN.search(plain):
        return f"{found[0]!r} cannot stand in a name on every system"
    if len(template.encode()) > MAX_NAME:
        return f"it must be no longer than {MAX_NAME} bytes, got {len(template.encode())}"
    return None


def example(template: str) -> str:
    """The name of a picture that is saved now. Raises ValueError for a template that cannot be used."""
    if why := complaint(template):
        raise ValueError(why)
    made = {"seed": "42", "index": "0", "model": "starter", "width": "512", "height": "512"}
    before, after = parts(template, "denoodle", made, datetime.now())
    return f"{before}{_number(1) if after is not None else ''}{after or ''}.png"


def facts(workflow: str, item: int, width: int, height: int) -> dict[str, str]:
    """What the places of one picture are filled with. workflow: that made it, empty where nobody knows."""
    nodes: Mapping[str, Any] = json.loads(workflow)["nodes"] if workflow else {}
    params = [(entry["type"], entry.get("params", {})) for entry in nodes.values()]
    seed = next((given["seed"] for _, given in params if isinstance(given.get("seed"), int)), None)
    path = next((given["path"] for type, given in params if type.startswith("load.") and given.get("path")), "")
    return {
        "seed": UNKNOWN if seed is None else str(seed),
        "index": str(item),
        "model": _cut(FORBIDDEN.sub("_", PurePath(str(path).replace("\\", "/")).stem), MAX_MODEL) or UNKNOWN,
        "width": str(width),
        "height": str(height),
    }


def parts(template: str, name: str, found: Mapping[str, str], now: datetime) -> tuple[str, str | None]:
    """What stands before the counter and behind it; without one, all of the name and None."""
    filled = {**found, "name": name, "date": f"{now:%Y-%m-%d}", "time": f"{now:%H-%M-%S}"}
    before, mark, after = template.partition(COUNTER)
    after = after.replace(COUNTER, "")
    before, after = (_PLACE.sub(lambda place: filled.get(place[1], place[0]), part) for part in (before, after))
    before = _cut(before, MAX_NAME - len(after.encode()))
    if RESERVED.fullmatch(before + (after if mark else "")):
        before = f"_{before}"
    return before, after if mark else None


def write(folder: Path, before: str, after: str | None, data: bytes) -> Path:
    """Write a picture under the next free number; without a place for it, under one only where the name is taken.

    However many processes write, each gets names of its own, and nothing is ever overwritten.
    """
    if after is None:
        path = folder / f"{before}.png"
        if write_new(path, data):
            return path
        before, after = f"{before}_", ""
    taken = re.compile(f"{re.escape(before)}([0-9]+){re.escape(after)}\\.png")
    highest = max((int(match[1]) for name in os.listdir(folder) if (match := taken.fullmatch(name))), default=0)
    paths = (folder / f"{before}{_number(number)}{after}.png" for number in count(highest + 1))
    return next(path for path in paths if write_new(path, data))


def _number(number: int) -> str:
    return f"{number:05d}"


def _cut(text: str, size: int) -> str:
    """No longer than so many bytes, by whole characters."""
    return text.encode()[: max(size, 0)].decode(errors="ignore")

"""Pictures that came by other ways than a run of this program, and those whose files are gone. No Qt here."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from nodegraph.formats import png
from ui.runs.picture_index import Made

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
LEVELS = 4
"""Of folders in folders that are looked into."""

MOST = 100_000
"""Files that are looked at."""


class Found(NamedTuple):
    """new: pictures that are not in the list. gone: those of the list whose files are not there any more."""

    new: list[Made]
    gone: list[str]


def rescan(folder: Path, known: Collection[str], go: Callable[[float], bool]) -> Found:
    """Look through a folder and after the known pictures, wherever these are.

    go: told how much is done, 0..1; whether to go on: if not, what was found until then counts. Raises ValueError when
    the folder cannot be read.
    """
    try:
        files = list(_pictures(str(folder.absolute()), LEVELS))[:MOST]
    except OSError as error:
        raise ValueError(f"{folder} cannot be looked through: {error.strerror}") from error
    known, found = frozenset(known), Found([], [])
    work = len(files) + len(known) or 1
    for done, path in enumerate(files, 1):
        if path not in known and (made := _made(path)):
            found.new.append(made)
        if not go(done / work):
            return found
    # A drive that is not there has not lost its pictures: what lies in a folder that is gone is left alone.
    for done, path in enumerate(known, len(files) + 1):
        if not os.path.exists(path) and os.path.isdir(os.path.dirname(path)):
            found.gone.append(path)
        if not go(done / work):
            return found
    return found


def _pictures(folder: str, levels: int) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if levels > 1:
                    yield from _pictures(entry.path, levels - 1)
            elif entry.name.lower().endswith(SUFFIXES):
                yield entry.path


def _made(path: str) -> Made | None:
    """None where it cannot be read."""
    try:
        text = (png.read_text(path, png.PARAMETERS) if png.is_png(path) else "") or ""
        return Made(path, os.stat(path).st_mtime, text)
    except (OSError, ValueError):
        return None

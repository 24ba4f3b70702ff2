"""The sha256 of files: worked out when somebody asks, in a process of its own, and kept until the file changes."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from nodegraph.library.store import open_kept, writing
from nodegraph.library.walk import stamp

Heard = Callable[[int, int], object]

PIECE = 8 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """library: the folder of the index. paths: the files."""

    library: str
    paths: tuple[str, ...]

    def text(self) -> str:
        """As an errand takes it."""
        return json.dumps(asdict(self))


def hash_files(given: str | None, heard: Heard) -> str:
    """An errand. given: `Asked.text`. Returns a JSON object: by path, its sha256 in hexadecimal.

    heard: is told of bytes. Raises ValueError when one is no file, or changes meanwhile; OSError.
    """
    asked: dict[str, Any] = json.loads(given or "{}")
    return json.dumps(hashes(Path(asked["library"]), asked["paths"], heard))


def hashes(library: Path, paths: Sequence[str], heard: Heard) -> dict[str, str]:
    kept = open_kept(library)
    try:
        whole = sum(os.path.getsize(path) for path in paths)
        found: dict[str, str] = {}
        done = 0
        for path in paths:
            before = done
            found[path] = _hash(kept, path, lambda there, before=before: heard(before + there, whole))
            done += os.path.getsize(path)
        return found
    finally:
        kept.close()


def _hash(kept: sqlite3.Connection, path: str, heard: Callable[[int], object]) -> str:
    if not os.path.isfile(path):
        raise ValueError(f"{path} is no file; a folder has no hash of its own")
    known = stamp(os.stat(path))
    row = kept.execute("SELECT sha256 FROM hash WHERE path = ? AND stamp = ?", (path, known)).fetchone()
    if row:
        return row[0]
    with open(path, "rb") as file:
        found = digest(file, heard)
    if stamp(os.stat(path)) != known:
        raise ValueError(f"{path} was changed while it was read; ask again")
    keep(kept, path, known, found)
    return found


def digest(file: BinaryIO, heard: Callable[[int], object]) -> str:
    """From where it is read to its end. heard: is told how many bytes were read."""
    found, there = sha256(), 0
    while piece := file.read(PIECE):
        found.update(piece)
        there += len(piece)
        heard(there)
    return found.hexdigest()


def keep(kept: sqlite3.Connection, path: str, known: str, sha256: str) -> None:
    """known: the stamp of the file that has this hash."""
    with writing(kept):
        kept.execute("INSERT OR REPLACE INTO hash VALUES (?, ?, ?)", (path, known, sha256))

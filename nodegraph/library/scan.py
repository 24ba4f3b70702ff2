"""Keeping the index as the files are. Acts for `nodegraph.running.errand`: each runs in a process of its own.

What is unchanged since the last time, as far as its size, its time and its inode tell, is not looked at again.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

from nodegraph.domain import Domain, Stock, Told
from nodegraph.failure import explain
from nodegraph.formats.package import discover
from nodegraph.library.store import open_index, writing
from nodegraph.library.walk import Place, Walk

Heard = Callable[[int, int], object]
"""Is told how many files were looked at, and how many there are; 0 when that is not known."""

BATCH = 100
"""Entries that are written at once: a search finds them from then on."""
SAMPLE = 64 << 10
"""Bytes at the start and at the end of a file by which its content is told from others of its size."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a scan is asked for. library: the folder of the index. roots: those to look in, in order. package: of nodes,
    whose domain says what the files are.
    """

    library: str
    roots: tuple[str, ...]
    package: str = "nodes"

    def text(self) -> str:
        """As an errand takes it."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scan has done. looked: files that were opened. gone: entries that are no more."""

    entries: int
    looked: int
    gone: int
    troubles: int

    def text(self) -> str:
        return json.dumps(asdict(self))


def _read(given: str | None) -> Wanted:
    data: dict[str, Any] = json.loads(given or "{}")
    return Wanted(data["library"], tuple(data["roots"]), data["package"])


def scan(given: str | None, heard: Heard) -> str:
    """Make the index what the folders are now. given: `Wanted.text`. Returns `Scanned.text`.

    Raises ValueError when the index cannot be opened, OSError.
    """
    wanted = _read(given)
    return update(Path(wanted.library), wanted.roots, _stock(wanted.package), heard).text()


def _stock(package: str) -> Stock:
    return (discover(package).domain or Domain()).stock


def update(library: Path, roots: Sequence[str], stock: Stock, heard: Heard) -> Scanned:
    """Raises ValueError when the index cannot be opened, OSError."""
    index = open_index(library)
    try:
        return _updated(index, tuple(roots), stock, heard)
    except sqlite3.Error as error:  # the disk is full, or another program holds the index for too long
        raise ValueError(f"the index in {library} cannot be written: {error}") from error
    finally:
        index.close()


def _updated(index: sqlite3.Connection, roots: tuple[str, ...], stock: Stock, heard: Heard) -> Scanned:
    known = dict(index.execute("SELECT path, known_by FROM file UNION ALL SELECT path, known_by FROM passed"))
    walk = Walk(stock)
    places = [*walk.places(roots)]
    new = [place for place in places if known.get(place.path) != place.known_by]
    gone = known.keys() - {place.path for place in places}
    heard(len(places) - len(new), len(places))
    _write(index, [_delete(table, path) for path in sorted(gone) for table in ("file", "passed")])
    done = len(places) - len(new)
    looking = iter(new)
    while batch := [*islice(looking, BATCH)]:
        _write(index, [row for place in batch for row in _rows(place, stock)])
        done += len(batch)
        heard(done, len(places))
    was = dict(index.execute("SELECT place, sentence FROM trouble").fetchall())
    if was != walk.troubles:
        told = [("INSERT INTO trouble VALUES (?, ?)", pair) for pair in walk.troubles.items()]
        _write(index, [("DELETE FROM trouble", ()), *told])
    (entries,) = index.execute("SELECT count(*) FROM file").fetchone()
    return Scanned(entries, len(new), len(gone), len(walk.troubles))


Statement = tuple[str, tuple[Any, ...]]


def _write(index: sqlite3.Connection, statements: Sequence[Statement]) -> None:
    """All of it or nothing."""
    if not statements:
        return
    with writing(index):
        for text, values in statements:
            index.execute(text, values)


def _delete(table: str, path: str) -> Statement:
    return f"DELETE FROM {table} WHERE path = ?", (path,)


COLUMNS = (
    "path, root, known_by, is_folder, stamp, identity, size, modified, kind, families, layout, words, base, title, "
    "thumbnail, problem, name, said"
)


def _rows(place: Place, stock: Stock) -> Iterator[Statement]:
    """What the index is to hold of a place."""
    told = _look(place, stock)
    if told is None:
        yield _delete("file", place.path)
        yield "INSERT OR REPLACE INTO passed VALUES (?, ?)", (place.path, place.known_by)
        return
    name = os.path.basename(place.path).casefold()
    families = f",{','.join(told.families)}," if told.families else ""
    titles = [stock.families.get(family, family) for family in told.families]
    within = os.path.relpath(place.path, place.root)
    said = [within, told.title, told.base, told.layout, *told.words, *titles, stock.kinds.get(told.kind, told.kind)]
    values = (
        *(place.path, place.root, place.known_by, place.is_folder, place.stamp, _identity(place), place.size),
        *(place.modified, told.kind, families, told.layout, "\n".join(told.words), told.base, told.title),
        *(place.thumbnail, told.problem, name, "\n".join(said).casefold()),
    )
    slots = ", ".join("?" * len(values))
    yield f"INSERT OR REPLACE INTO file ({COLUMNS}) VALUES ({slots})", values


def _look(place: Place, stock: Stock) -> Told | None:
    """None for a folder that is no entry. What cannot be used is told with its problem."""
    try:
        told = stock.look(Path(place.path))
        if told or place.is_folder:
            return told
        problem = f"{place.path} is nothing that this program knows"
    except Exception as error:  # whatever is in a file of others, the next one is looked at
        problem, _ = explain(error)
    return Told(_kept_as(place, stock), problem=problem)


def _kept_as(place: Place, stock: Stock) -> str:
    """The kind that a file is by the folder it lies in; "" where that says nothing."""
    within = os.path.relpath(place.path, os.path.dirname(place.root))
    folders = within.replace("\\", "/").casefold().split("/")[:-1]
    return next((stock.places[name] for name in reversed(folders) if name in stock.places), "")


def _identity(place: Place) -> str:
    """What tells its content from others, moved or renamed as it may be."""
    found = blake2b(str(place.size).encode(), digest_size=16)
    if place.is_folder:
        found.update("\n".join(line.rpartition(" ")[0] for line in place.stamp.split("\n")[1:]).encode())
        return found.hexdigest()
    try:
        with open(place.path, "rb") as file:
            found.update(file.read(SAMPLE))
            if place.size > SAMPLE:
                file.seek(max(place.size - SAMPLE, SAMPLE))
                found.update(file.read(SAMPLE))
    except OSError:
        found.update(place.stamp.encode())
    return found.hexdigest()

"""Keeping the index as the files are. Acts for `nodegraph.running.errand`: each runs in a process of its own.

What is unchanged since the last time, as far as its size, its time and its inode tell, is not looked at again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nodegraph.domain import Stock
from nodegraph.library.looking import Lookers, Statement, delete, stock_of
from nodegraph.library.store import open_index, writing
from nodegraph.library.walk import Walk

Heard = Callable[[int, int], object]
"""Is told how many files were looked at, and how many there are; 0 when that is not known."""

BATCH = 100
"""Entries that are written at once: a search finds them from then on."""


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
    return update(Path(wanted.library), wanted.roots, stock_of(wanted.package), heard, wanted.package).text()


def update(library: Path, roots: Sequence[str], stock: Stock, heard: Heard, package: str | None = None) -> Scanned:
    """package: of nodes, that has the stock, where another process may help.

    Raises ValueError when the index cannot be opened, OSError.
    """
    index = open_index(library)
    try:
        return _updated(index, tuple(roots), stock, heard, package)
    except sqlite3.Error as error:  # the disk is full, or another program holds the index for too long
        raise ValueError(f"the index in {library} cannot be written: {error}") from error
    finally:
        index.close()


def _updated(
    index: sqlite3.Connection, roots: tuple[str, ...], stock: Stock, heard: Heard, package: str | None
) -> Scanned:
    known = dict(index.execute("SELECT path, known_by FROM file UNION ALL SELECT path, known_by FROM passed"))
    walk = Walk(stock)
    places = [*walk.places(roots)]
    new = [place for place in places if known.get(place.path) != place.known_by]
    gone = known.keys() - {place.path for place in places}
    heard(len(places) - len(new), len(places))
    _write(index, [delete(table, path) for path in sorted(gone) for table in ("file", "passed")])
    done = len(places) - len(new)
    with closing(Lookers(stock, package, len(new))) as lookers:
        for batch in (new[at : at + BATCH] for at in range(0, len(new), BATCH)):
            _write(index, lookers.rows(batch))
            done += len(batch)
            heard(done, len(places))
    was = dict(index.execute("SELECT place, sentence FROM trouble").fetchall())
    if was != walk.troubles:
        told = [("INSERT INTO trouble VALUES (?, ?)", pair) for pair in walk.troubles.items()]
        _write(index, [("DELETE FROM trouble", ()), *told])
    (entries,) = index.execute("SELECT count(*) FROM file").fetchone()
    return Scanned(entries, len(new), len(gone), len(walk.troubles))


def _write(index: sqlite3.Connection, statements: Sequence[Statement]) -> None:
    """All of it or nothing."""
    if not statements:
        return
    with writing(index):
        for text, values in statements:
            index.execute(text, values)

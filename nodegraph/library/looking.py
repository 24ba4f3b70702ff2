"""What the index is to hold of a file, told by looking at it: in this process, or in two at once.

The other process is asked in lines of JSON and ends when nobody asks any more, whatever became of who did.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

from nodegraph.domain import Domain, Stock, Told
from nodegraph.failure import explain
from nodegraph.formats.package import discover
from nodegraph.library.walk import Place

SAMPLE = 64 << 10
"""Bytes at the start and at the end of a file by which its content is told from others of its size."""

MANY = 1000
"""Files from which on another process helps: to start it takes as long as it takes to look at some hundred."""

Statement = tuple[str, tuple[Any, ...]]


class Lookers:
    """stock: whose. package: of nodes, that has it; None where no other process can find it. count: of files."""

    def __init__(self, stock: Stock, package: str | None, count: int) -> None:
        self._stock = stock
        helps = package and count >= MANY and (os.cpu_count() or 1) > 1
        self._other = _Other(package) if package and helps else None

    def rows(self, places: Sequence[Place]) -> list[Statement]:
        """What the index is to hold of them."""
        if self._other is None:
            return _rows_of(places, self._stock)
        theirs = places[::2]
        try:
            self._other.ask(theirs)
            ours = _rows_of(places[1::2], self._stock)
            return ours + self._other.answer()
        except (OSError, ValueError):  # it has ended: somebody did that, or the system for want of memory
            self.close()
            return _rows_of(places, self._stock)

    def close(self) -> None:
        if self._other:
            self._other.close()
        self._other = None


class _Other:
    """Another process."""

    def __init__(self, package: str) -> None:
        begin = f"import sys; sys.path[:] = sys.argv[2:]; from {__name__} import helping; helping(sys.argv[1])"
        command = [sys.executable, "-c", begin, package, *sys.path]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, encoding="utf-8", errors="strict"
        )

    def ask(self, places: Sequence[Place]) -> None:
        """Raises OSError when it has ended."""
        print(json.dumps(places), file=self._process.stdin, flush=True)

    def answer(self) -> list[Statement]:
        """Raises ValueError when it has ended."""
        line = self._process.stdout.readline() if self._process.stdout else ""
        return [(text, tuple(values)) for text, values in json.loads(line)]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was not sent yet has nobody to go to
                if pipe:
                    pipe.close()


def helping(package: str) -> None:
    """The main function of the other process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for who asked
    stock = stock_of(package)
    with open(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as out:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what anything else says is no answer
        answer(sys.stdin, out, stock)


def answer(asked: Iterable[str], out: IO[str], stock: Stock) -> None:
    """A line for each line."""
    for line in asked:
        places = [Place(*place) for place in json.loads(line)]
        print(json.dumps(_rows_of(places, stock)), file=out, flush=True)


def stock_of(package: str) -> Stock:
    return (discover(package).domain or Domain()).stock


def _rows_of(places: Iterable[Place], stock: Stock) -> list[Statement]:
    return [row for place in places for row in _rows(place, stock)]


def delete(table: str, path: str) -> Statement:
    return f"DELETE FROM {table} WHERE path = ?", (path,)


COLUMNS = (
    "path, root, known_by, is_folder, stamp, identity, size, modified, kind, families, layout, words, base, title, "
    "thumbnail, problem, licence, name, said"
)


def _rows(place: Place, stock: Stock) -> Iterator[Statement]:
    """What the index is to hold of a place."""
    told = _look(place, stock)
    if told is None:
        yield delete("file", place.path)
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
        *(place.thumbnail, told.problem, told.licence, name, "\n".join(said).casefold()),
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

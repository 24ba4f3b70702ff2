"""The library as whoever looks something up in it has it: reading the index, marking what a person likes."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from nodegraph.formats.files import Damaged
from nodegraph.library.entry import Content, Counts, Entry, Order, Query
from nodegraph.library.store import index_path, open_index, open_kept, writing
from nodegraph.library.walk import is_text

COLUMNS = (
    "id, path, identity, kind, families, layout, words, base, title, thumbnail, problem, size, modified, stamp, "
    "is_folder, licence"
)
PAGE = 100


class _Mark(NamedTuple):
    identity: str
    path: str
    starred: bool
    note: str


class Library:
    """folder: of its two files, see `store`. families: what people call each of the families, by name.

    problem: what there is to be said about the files, in a sentence; empty when nothing is. For one thread. Raises
    ValueError when they cannot be opened.
    """

    def __init__(self, folder: Path, families: Mapping[str, str] | None = None) -> None:
        self.folder, self.families, self.problem = folder, dict(families or {}), ""
        self._index = open_index(folder)
        try:
            self._kept = open_kept(folder)
        except Damaged as error:
            self.problem = str(error)
            self._kept = open_kept(folder)
        self._file = self._file_number()
        self._writes = 0
        self._marks_of: tuple[object, dict[int, _Mark]] = (None, {})

    def close(self) -> None:
        self._index.close()
        self._kept.close()

    def version(self) -> tuple[int, ...]:
        """Another one whenever anything in the library has changed. Cheap enough to ask ten times a second."""
        if self._file_number() != self._file:  # somebody found it damaged and made it anew
            self._index.close()
            self._index = open_index(self.folder)
            self._file = self._file_number()
        return (self._file, _number(self._index, "data_version"), _number(self._kept, "data_version"), self._writes)

    def search(
        self,
        text: str = "",
        kinds: Sequence[str] = (),
        families: Sequence[str] = (),
        starred: bool = False,
        fitting: Sequence[str] = (),
        limit: int = PAGE,
        offset: int = 0,
    ) -> list[Entry]:
        """See `Query`. Those whose name begins with the text come first, then by name; at most `limit`."""
        found = self.paths(Query(text, tuple(kinds), tuple(families), tuple(fitting), starred))[offset : offset + limit]
        entries = self.entries(found)
        return [entries[path] for path in found if path in entries]

    def paths(self, query: Query) -> list[str]:
        """Of all that a search without a limit would give, in its order: what a list needs to know of each."""
        where, values = self._where(query)
        found: list[str] = []
        for part, bounds in _parts(query):
            rows = self._index.execute(
                f"SELECT path FROM file WHERE {where} AND {part} ORDER BY {_ORDERS[query.order]}", (*values, *bounds)
            )
            found += [path for (path,) in rows]
        if not query.first:
            return found
        listed = set(found)
        first = dict.fromkeys(path for path in query.first if path in listed)
        return [*first, *(path for path in found if path not in first)]

    def entries(self, paths: Sequence[str]) -> dict[str, Entry]:
        """By path; those that are there no more are left out."""
        rows = self._index.execute(f"SELECT {COLUMNS} FROM file WHERE {_PATHS}", (json.dumps([*paths]),)).fetchall()
        return {entry.path: entry for entry in self._entries(rows)}

    def folders(self) -> list[str]:
        """In which the files lie."""
        return sorted({os.path.dirname(path) for (path,) in self._index.execute("SELECT path FROM file")})

    def found_in(self) -> dict[str, int]:
        """How many entries there are by the folder of `roots` that they were found in."""
        return dict(self._index.execute("SELECT root, count(*) FROM file GROUP BY root").fetchall())

    def number(self, query: Query) -> int:
        """How many entries there are that a search without a limit would give."""
        where, values = self._where(query)
        (found,) = self._index.execute(f"SELECT count(*) FROM file WHERE {where}", values).fetchone()
        return found

    def counts(self) -> Counts:
        kinds, families = Counter[str](), Counter[str]()
        rows = self._index.execute("SELECT kind, families, count(*), sum(problem != '') FROM file GROUP BY 1, 2")
        problems = 0
        for kind, listed, count, wrong in rows:
            kinds[kind] += count
            problems += wrong
            for family in _split(listed):
                families[family] += count
        starred = sum(mark.starred for mark in self._marks().values())
        return Counts(kinds.total(), starred, problems, dict(kinds), dict(families))

    def entry(self, path: str) -> Entry | None:
        return self._one("path = ?", path)

    def by_hash(self, sha256: str) -> Entry | None:
        """One whose content has this hash and was not changed since; None when none is known to."""
        rows = self._kept.execute("SELECT path, stamp FROM hash WHERE sha256 = ?", (sha256.lower(),))
        for path, stamp in rows.fetchall():
            if found := self._one("path = ? AND stamp = ?", path, stamp):
                return found
        return None

    def source(self, sha256: str) -> str:
        """Where a hub has this content, as far as it was fetched from there; "" when that is not known."""
        row = self._kept.execute("SELECT address FROM source WHERE sha256 = ?", (sha256.lower(),)).fetchone()
        return row[0] if row else ""

    def contents(self) -> dict[str, Content]:
        """By path, what is known of the files whose hash is: of few, as nobody hashes all."""
        sources = dict(self._kept.execute("SELECT sha256, address FROM source").fetchall())
        paths = [path for (path,) in self._kept.execute("SELECT path FROM hash")]
        return {
            path: Content(entry.name, entry.size, entry.hash, sources.get(entry.hash, ""))
            for path, entry in self.entries(paths).items()
            if entry.hash
        }

    def named(self, name: str) -> list[Entry]:
        """Those whose file has this name, folders aside and in any case."""
        name = name.replace("\\", "/").rpartition("/")[2]
        rows = self._index.execute(f"SELECT {COLUMNS} FROM file WHERE name = ? ORDER BY path", (name.casefold(),))
        return self._entries(rows.fetchall())

    def troubles(self) -> dict[str, str]:
        """By place, why it could not be looked into."""
        return dict(self._index.execute("SELECT place, sentence FROM trouble ORDER BY place").fetchall())

    def roots(self) -> tuple[str, ...]:
        """The folders to look in, in their order; none until somebody has chosen some."""
        return tuple(path for (path,) in self._kept.execute("SELECT path FROM root ORDER BY position"))

    def set_roots(self, folders: Iterable[str]) -> None:
        """Of a folder that is there twice, the first counts. Who scans is told by whoever begins it.

        Raises ValueError for a folder whose name is no text.
        """
        wanted = dict.fromkeys(os.path.abspath(os.path.expanduser(folder)) for folder in folders)
        if strange := next((path for path in wanted if not is_text(path)), None):
            raise ValueError(f"{strange!a} cannot be looked in, as its name is no text; rename it")
        with writing(self._kept):
            self._kept.execute("DELETE FROM root")
            self._kept.executemany("INSERT INTO root (path) VALUES (?)", [(path,) for path in wanted])
        self._writes += 1

    def star(self, path: str, on: bool = True) -> None:
        """Raises KeyError when there is no such entry."""
        self._mark(path, "starred", int(on))

    def note(self, path: str, text: str) -> None:
        """Raises KeyError when there is no such entry."""
        self._mark(path, "note", text.strip())

    def _mark(self, path: str, column: str, value: object) -> None:
        row = self._index.execute("SELECT id, identity FROM file WHERE path = ?", (path,)).fetchone()
        if row is None:
            raise KeyError(path)
        id, identity = row
        mark = self._marks().get(id)
        with writing(self._kept):
            if mark and mark.identity != identity:  # of the file that was here before
                self._kept.execute(
                    "UPDATE OR REPLACE mark SET identity = ? WHERE identity = ?", (identity, mark.identity)
                )
            self._kept.execute(
                "INSERT INTO mark (identity, path, starred, note) VALUES (?, ?, 0, '') ON CONFLICT (identity) "
                "DO UPDATE SET path = excluded.path",
                (identity, path),
            )
            self._kept.execute(f"UPDATE mark SET {column} = ? WHERE identity = ?", (value, identity))
            self._kept.execute("DELETE FROM mark WHERE NOT starred AND note = ''")
        self._writes += 1

    def _marks(self) -> dict[int, _Mark]:
        """By the entry's number. A mark is of a content, and of a name where that content is nowhere any more."""
        version = self.version()
        if self._marks_of[0] != version:
            found: dict[int, _Mark] = {}
            marks = [_Mark(*row) for row in self._kept.execute("SELECT identity, path, starred, note FROM mark")]
            for mark in marks:
                same = self._index.execute("SELECT id FROM file WHERE identity = ?", (mark.identity,)).fetchall()
                here = same or self._index.execute("SELECT id FROM file WHERE path = ?", (mark.path,)).fetchall()
                for (id,) in here:
                    if same or id not in found:
                        found[id] = mark
            self._marks_of = version, found
        return self._marks_of[1]

    def _where(self, query: Query) -> tuple[str, list[object]]:
        parts, values = ["1"], list[object]()

        def also(condition: str, *given: object) -> None:
            parts.append(condition)
            values.extend(given)

        if query.kinds:
            also(f"kind IN ({','.join('?' * len(query.kinds))})", *query.kinds)
        if query.families:
            also(_of_any(query.families), *map(_listed, query.families))
        if query.fitting:
            also(f"(families = '' OR {_of_any(query.fitting)}) AND problem = ''", *map(_listed, query.fitting))
        if query.starred:
            also(_AMONG, _ids(id for id, mark in self._marks().items() if mark.starred))
        for word in query.text.casefold().split():
            noted = [id for id, mark in self._marks().items() if word in mark.note.casefold()]
            also(
                f"(instr(said, ?) OR {_AMONG})" if noted else "instr(said, ?)", word, *([_ids(noted)] if noted else [])
            )
        return " AND ".join(parts), values

    def _one(self, where: str, *values: object) -> Entry | None:
        rows = self._index.execute(f"SELECT {COLUMNS} FROM file WHERE {where} LIMIT 1", values).fetchall()
        return next(iter(self._entries(rows)), None)

    def _entries(self, rows: Sequence[Any]) -> list[Entry]:
        marks = self._marks()
        hashes = self._hashes([row[1] for row in rows])
        licences = self._licences({*hashes.values(), *(row[1] for row in rows)})
        return [self._entry(row, marks.get(row[0]), hashes, licences) for row in rows]

    def _entry(
        self, row: Any, mark: _Mark | None, hashes: Mapping[tuple[str, str], str], licences: Mapping[str, str]
    ) -> Entry:
        _, path, _, kind, listed, layout, words, base, title, thumbnail, problem, size, modified, stamp, *rest = row
        (is_folder, licence), sha256 = rest, hashes.get((path, stamp), "")
        families = _split(listed)
        return Entry(
            path=path,
            kind=kind,
            family=next(iter(families), ""),
            family_title=", ".join(self.families.get(name, name) for name in families),
            families=families,
            layout=layout,
            size=size,
            modified=modified,
            words=tuple(filter(None, words.split("\n"))),
            base=base,
            title=title,
            thumbnail=thumbnail,
            hash=sha256,
            problem=problem,
            starred=bool(mark and mark.starred),
            note=mark.note if mark else "",
            is_folder=bool(is_folder),
            licence=licence or licences.get(sha256, "") or licences.get(path, ""),
        )

    def _licences(self, things: Iterable[str]) -> dict[str, str]:
        """Under which things were fetched: files by their hash, folders by their path."""
        asked = "SELECT thing, licence FROM licence WHERE thing IN (SELECT value FROM json_each(?))"
        return dict(self._kept.execute(asked, (json.dumps([*things]),)).fetchall())

    def _hashes(self, paths: Sequence[str]) -> dict[tuple[str, str], str]:
        rows = self._kept.execute(
            "SELECT path, stamp, sha256 FROM hash WHERE path IN (SELECT value FROM json_each(?))", (json.dumps(paths),)
        )
        return {(path, stamp): sha256 for path, stamp, sha256 in rows}

    def _file_number(self) -> int:
        with suppress(OSError):
            return os.stat(index_path(self.folder)).st_ino
        return 0


_PATHS = "path IN (SELECT value FROM json_each(?))"
_ORDERS: Mapping[Order, str] = {"name": "name, path", "newest": "modified DESC, path", "largest": "size DESC, path"}


def _parts(query: Query) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Conditions that part what is found: by name, those that begin with the first word come first.

    Each part is read from the index in the order of names, which costs no sorting.
    """
    first = query.text.casefold().split()[:1] if query.order == "name" else []
    if not first:
        return (("1", ()),)
    bounds = first[0], first[0] + chr(0x10FFFF)
    return ("name >= ? AND name < ?", bounds), ("NOT (name >= ? AND name < ?)", bounds)


_AMONG = "id IN (SELECT value FROM json_each(?))"


def _ids(ids: Iterable[int]) -> str:
    return json.dumps([*ids])


def _of_any(families: Sequence[str]) -> str:
    return f"({' OR '.join(['instr(families, ?)'] * len(families))})"


def _listed(family: str) -> str:
    return f",{family},"


def _split(families: str) -> tuple[str, ...]:
    return tuple(filter(None, families.split(",")))


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    (found,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return found

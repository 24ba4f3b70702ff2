"""The two databases of a library, in one folder.

    index-3.sqlite   what a look at the files tells; written by whoever scans, and made anew at any time. The number is
                     that of its schema: programs of two versions do not take each other's away.
    kept.sqlite      what nobody could make anew: the folders to look in, stars and notes, hashes, which take long, and
                     where what was fetched came from, under which licence.

Both are in SQLite's write-ahead mode: who reads is not held up by who writes, and a crash leaves the last whole state.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path

from nodegraph.formats.files import Damaged, said_to_be, set_aside
from nodegraph.program import data_folder

SCHEMA = 3
KEPT_SCHEMA = 2
WAIT = 10.0
"""Seconds that one process waits for another to finish writing."""
PAUSE = 0.02
"""Seconds between two tries, where SQLite does not wait by itself."""

INDEX = f"""
CREATE TABLE IF NOT EXISTS file (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, root TEXT NOT NULL, known_by TEXT NOT NULL,
    is_folder INTEGER NOT NULL, stamp TEXT NOT NULL, identity TEXT NOT NULL,
    size INTEGER NOT NULL, modified INTEGER NOT NULL, kind TEXT NOT NULL, families TEXT NOT NULL, layout TEXT NOT NULL,
    words TEXT NOT NULL, base TEXT NOT NULL, title TEXT NOT NULL, thumbnail TEXT NOT NULL, problem TEXT NOT NULL,
    licence TEXT NOT NULL, name TEXT NOT NULL, said TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS file_found ON file (name, path, kind, families, problem, said);
CREATE INDEX IF NOT EXISTS file_identity ON file (identity);
CREATE TABLE IF NOT EXISTS passed (path TEXT PRIMARY KEY, known_by TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trouble (place TEXT PRIMARY KEY, sentence TEXT NOT NULL);
PRAGMA user_version = {SCHEMA};
"""
"""file.families: ",NAME,NAME," or "". file.words: one a line. file.stamp: what tells whether it is still the same.
file.identity: what tells the content from others. file.name: that of the file, folded. file.said: all that a search
looks in, folded.
known_by: what tells whether to look again. passed: folders that were looked at and are no entries. trouble: places that
cannot be looked into, and why.
"""

KEPT = f"""
CREATE TABLE IF NOT EXISTS mark (
    identity TEXT PRIMARY KEY, path TEXT NOT NULL, starred INTEGER NOT NULL, note TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS hash (path TEXT PRIMARY KEY, stamp TEXT NOT NULL, sha256 TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS hash_sha256 ON hash (sha256);
CREATE TABLE IF NOT EXISTS source (sha256 TEXT PRIMARY KEY, address TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS licence (thing TEXT PRIMARY KEY, licence TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS root (position INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);
PRAGMA user_version = {KEPT_SCHEMA};
"""
"""licence.thing: the hash of a file that was fetched, or the path of a folder. What an older program has written lacks
a table, which is made."""


def library_folder() -> Path:
    """Of the library that the program has."""
    return data_folder() / "library"


def index_path(folder: Path) -> Path:
    return folder / f"index-{SCHEMA}.sqlite"


def open_index(folder: Path) -> sqlite3.Connection:
    """The index; one that is damaged is made anew, empty. Raises ValueError when it cannot be opened at all."""
    path = index_path(folder)
    try:
        return _opened(path, INDEX)
    except sqlite3.OperationalError as error:  # no room, no rights, locked for too long: nothing is wrong with it
        raise ValueError(f"the index in {path} cannot be opened: {error}") from error
    except sqlite3.DatabaseError:
        for ending in ("", "-wal", "-shm"):
            with suppress(OSError):
                path.with_name(path.name + ending).unlink()
        return _opened(path, INDEX)


def open_kept(folder: Path) -> sqlite3.Connection:
    """Folders, stars, notes and hashes.

    Raises ValueError when a newer program has written them or they cannot be opened, Damaged when they were set aside,
    so that the next time makes new ones.
    """
    path = folder / "kept.sqlite"
    try:
        return _opened(path, KEPT, KEPT_SCHEMA)
    except sqlite3.OperationalError as error:
        raise ValueError(f"the folders, stars and notes in {path} cannot be opened: {error}") from error
    except sqlite3.DatabaseError as error:
        said = said_to_be(set_aside(path))
        raise Damaged(f"the folders, stars and notes in {path} cannot be read ({error}); {said}") from error


def _opened(path: Path, schema: str, newest: int = 0) -> sqlite3.Connection:
    """newest: the version of a schema that can be read; 0 for a file that is of one alone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{path.parent} cannot be made: {error.strerror or error}") from error
    connection = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if newest and version > newest:
            raise ValueError(f"{path} was written by a newer program (version {version}; this one reads {newest})")
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        if not version or version < newest:
            connection.executescript(f"BEGIN IMMEDIATE; {schema} COMMIT;")
        _check(connection, schema)
        return connection
    except BaseException:
        connection.close()
        raise


def _write_ahead(connection: sqlite3.Connection) -> None:
    """For this SQLite does not wait as it does elsewhere while another process does the same to a new file."""
    for tries in count():
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or tries * PAUSE > WAIT:
                raise
        time.sleep(PAUSE)


def _check(connection: sqlite3.Connection, schema: str) -> None:
    """Raises sqlite3.DatabaseError for what is damaged within: every search that meets it would fail, and each scan.

    SQLite lets any column hold values of any type, which one turned bit makes of a text.
    """
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)
    for table, columns in _columns(schema).items():
        if dict(connection.execute(COLUMNS_OF, (table,)).fetchall()) != columns:
            raise sqlite3.DatabaseError(f"{table} has other columns")
        wrong = " OR ".join(f"typeof({name}) != '{type}'" for name, type in columns.items())
        if connection.execute(f"SELECT 1 FROM {table} WHERE {wrong} LIMIT 1").fetchone():
            raise sqlite3.DatabaseError(f"{table} holds what is of another type")
        texts = ", ".join(name for name, type in columns.items() if type == "text")
        try:
            deque(connection.execute(f"SELECT {texts} FROM {table}"), maxlen=0)
        except sqlite3.OperationalError as error:  # what is no UTF-8 cannot be told from here
            raise sqlite3.DatabaseError(str(error)) from error


COLUMNS_OF = "SELECT name, lower(type) FROM pragma_table_info(?)"


@cache
def _columns(schema: str) -> dict[str, dict[str, str]]:
    """By table, the types of its columns by name."""
    with closing(sqlite3.connect(":memory:")) as empty:
        empty.executescript(schema)
        tables = [name for (name,) in empty.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: dict(empty.execute(COLUMNS_OF, (table,)).fetchall()) for table in tables}


@contextmanager
def writing(connection: sqlite3.Connection) -> Generator[None]:
    """All that is written meanwhile is there at once, or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")

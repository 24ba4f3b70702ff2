"""What InvokeAI calls the models that it keeps: its files lie in folders named by number, its database has the names.

ROOT/databases/invokeai.db, beside ROOT/models: the table `models` has a JSON object for each, with the path from there
(invokeai/app/services/model_records). Read, and never written: not even what SQLite keeps beside a database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from functools import lru_cache
from os.path import isfile  # which is false of what nobody may look into
from pathlib import Path

from nodes.backend.beside import Said, said
from nodes.backend.strict_json import parse_object

DEEP = 5
"""Levels below the folder of models that one may lie."""

MOST_MODELS = 50_000
MOST_CHARACTERS = 64_000_000
"""Of all of them together; each has one or two thousand."""

MOST_STEPS = 5_000_000
"""Of SQLite's machine: ten times what so many models take."""

DATABASE = Path("databases", "invokeai.db")


def invoke_said(place: Path) -> Said:
    """Nothing where a file or a folder is none of InvokeAI's, or its database cannot be read."""
    for models in list(place.parents)[:DEEP]:
        if (database := _database(models)) is not None:
            known = _known(database, *_identity(database))
            return known.get(place.relative_to(models).as_posix()) or known.get(place.as_posix()) or Said()
    return Said()


@lru_cache(maxsize=10_000)
def _database(models: Path) -> Path | None:
    """That of the program whose folder of models this is."""
    found = models.parent / DATABASE
    return found if isfile(found) else None


def _identity(database: Path) -> tuple[int, ...]:
    with suppress(OSError):  # it went meanwhile
        stat = database.stat()
        return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
    return ()


@lru_cache(maxsize=4)
def _known(database: Path, *_identity: int) -> Mapping[str, Said]:
    """_identity: only so that a changed database is read again."""
    return read(database)


def read(database: Path) -> Mapping[str, Said]:
    """What a database says, by path; nothing where it cannot be read, or takes longer than one of InvokeAI's could."""
    try:
        # Immutable, as it is from here: or else SQLite would put files of its own beside it.
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as opened:
            # A database can hold views and columns that compute, for ever and to any size.
            opened.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_CHARACTERS)
            opened.set_progress_handler(lambda: True, MOST_STEPS)
            return dict(_models(opened))
    except (sqlite3.Error, MemoryError):
        return {}


def _models(opened: sqlite3.Connection) -> Iterator[tuple[str, Said]]:
    left = MOST_CHARACTERS
    for (text,) in opened.execute("SELECT config FROM models LIMIT ?", (MOST_MODELS,)):
        left -= len(text) if isinstance(text, str | bytes) else 0
        if left < 0:
            return
        try:
            told = parse_object(text.encode() if isinstance(text, str) else b"")
        except ValueError:
            continue
        if isinstance(path := told.get("path"), str):
            names = {"model_name": "name", "base_model": "base", "trainedWords": "trigger_phrases"}
            yield path.replace("\\", "/"), said({ours: told.get(theirs) for ours, theirs in names.items()})

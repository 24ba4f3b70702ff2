"""What InvokeAI calls the models that it keeps: its files lie in folders named by number, its database has the names.

ROOT/databases/invokeai.db, beside ROOT/models: the table `models` has a JSON object for each, with the path from there
(invokeai/app/services/model_records). Read, and never written: not even what SQLite keeps beside a database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from nodes.backend.beside import Said, said
from nodes.backend.strict_json import parse_object

DEEP = 5
"""Levels below the folder of models that one may lie."""

MOST_MODELS = 50_000
DATABASE = Path("databases", "invokeai.db")


def invoke_said(place: Path) -> Said:
    """Nothing where a file or a folder is none of InvokeAI's, or its database cannot be read."""
    for models in list(place.parents)[:DEEP]:
        if (database := _database(models)) is not None:
            stat = database.stat()
            known = _known(database, stat.st_size, stat.st_mtime_ns)
            return known.get(place.relative_to(models).as_posix()) or known.get(place.as_posix()) or Said()
    return Said()


@lru_cache(maxsize=10_000)
def _database(models: Path) -> Path | None:
    """That of the program whose folder of models this is."""
    found = models.parent / DATABASE
    return found if found.is_file() else None


@lru_cache(maxsize=4)
def _known(database: Path, *_identity: int) -> Mapping[str, Said]:
    """By path. _identity: only so that a changed database is read again."""
    try:
        # Immutable, as it is from here: or else SQLite would put files of its own beside it.
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as opened:
            return dict(_models(opened))
    except sqlite3.Error:
        return {}


def _models(opened: sqlite3.Connection) -> Iterator[tuple[str, Said]]:
    for (text,) in opened.execute("SELECT config FROM models LIMIT ?", (MOST_MODELS,)):
        try:
            told = parse_object(text.encode() if isinstance(text, str) else b"")
        except ValueError:
            continue
        if isinstance(path := told.get("path"), str):
            names = {"model_name": "name", "base_model": "base", "trainedWords": "trigger_phrases"}
            yield path.replace("\\", "/"), said({ours: told.get(theirs) for ours, theirs in names.items()})

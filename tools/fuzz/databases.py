"""SQLite databases as a way in: the library's own two, and InvokeAI's."""

from __future__ import annotations

import random
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path

from nodegraph.library.store import index_path, open_kept
from tools.fuzz.mutations import MOST_DAMAGES, NUMBERS, STRINGS, of_bytes

LARGEST = 2**63 - 1  # that SQLite has
ODD = (None, b"", b"\xff\0\xfe", "[]", "{}", "x" * 10_000, *STRINGS, *(n for n in NUMBERS if abs(n) <= LARGEST))
INDEX = index_path(Path("library")).as_posix()
WAL = slice(18, 20)
"""Bytes of a file that say how it is written: 2, with a log beside it; 1, without."""


def of_database(data: bytes, rng: random.Random) -> bytes:
    """Values exchanged for others of any type, rows and tables left out or doubled; or damaged as bytes."""
    if rng.random() < 0.4:
        return of_bytes(data, rng)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        opened.deserialize(data[: WAL.start] + b"\1\1" + data[WAL.stop :])
        tables = [name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for _ in range(rng.randint(1, MOST_DAMAGES)):
            table = rng.choice(tables)
            with suppress(sqlite3.Error):  # such as a value that may not be
                columns = [name for (name,) in opened.execute("SELECT name FROM pragma_table_info(?)", (table,))]
                if not columns:  # it was dropped
                    continue
                place = f"rowid = (SELECT rowid FROM {table} LIMIT 1 OFFSET {rng.randrange(4)})"
                match rng.randrange(8):
                    case 0:
                        opened.execute(f"DELETE FROM {table} WHERE {place}")
                    case 1:
                        opened.execute(f"DROP TABLE {table}")
                    case 2:
                        opened.execute(f"ALTER TABLE {table} RENAME COLUMN {rng.choice(columns)} TO other")
                    case _:
                        column = rng.choice(columns)
                        opened.execute(f"UPDATE {table} SET {column} = ? WHERE {place}", (rng.choice(ODD),))
        return opened.serialize()


# The library --------------------------------------------------------------------------------------------------


def fill(folder: Path) -> Path:
    """A library with an index of four files and something of everything that is kept."""
    from nodegraph.library.entry import Query
    from nodegraph.library.library import Library
    from nodegraph.library.scan import update
    from tests.nodegraph.library.shelf import STOCK, jar

    for number in range(4):
        jar(folder / "cellar" / f"{number}.jar", f"jam:plum,fig:sweet,{number}")
    update(folder / "library", [str(folder / "cellar"), str(folder / "nowhere")], STOCK, lambda done, whole: None)
    library = Library(folder / "library", STOCK.families)
    library.set_roots([str(folder / "cellar")])
    library.note(library.paths(Query())[0], "for breakfast")
    library.close()
    with closing(open_kept(folder / "library")) as kept:
        kept.execute("INSERT INTO hash VALUES ('/a.jar', '1 2 3', ?)", ("0" * 64,))
        kept.execute("INSERT INTO source VALUES (?, 'jar:a')", ("0" * 64,))
        kept.execute("INSERT INTO licence VALUES (?, 'CC0')", ("0" * 64,))
    return folder / "library"


def _library_file(name: str) -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        return [(fill(Path(folder)) / name).read_bytes()]


def indexes() -> list[bytes]:
    return _library_file(Path(INDEX).name)


def stars() -> list[bytes]:
    return _library_file("kept.sqlite")


def read_library(folder: Path) -> object:
    """All that the window and the command ask of it, a look through the folders, and once more."""
    from nodegraph.library.scan import update
    from tests.nodegraph.library.shelf import STOCK

    for left in folder.glob("library/*.sqlite-*"):  # by the case before
        left.unlink()
    _ask(folder)
    update(folder / "library", [str(folder / "cellar")], STOCK, lambda done, whole: None)
    return _ask(folder)


def _ask(folder: Path) -> tuple[object, ...]:
    from nodegraph.library.entry import Query
    from nodegraph.library.library import Library
    from tests.nodegraph.library.shelf import STOCK

    with closing(Library(folder / "library", STOCK.families)) as library:
        entries = library.search("plum", kinds=["jam"], families=["plum"], fitting=["plum", "fig"])
        for entry in entries:
            library.note(entry.path, "good")
        return (
            *(entries, library.search("sweet", starred=True), library.named("0.jar"), library.contents()),
            *(library.counts(), library.troubles(), library.folders(), library.found_in(), library.roots()),
            *(library.by_hash("0" * 64), library.source("0" * 64), library.version()),
            *(library.paths(Query("a", order="newest")), library.number(Query("sweet"))),
        )


# InvokeAI's ---------------------------------------------------------------------------------------------------


def invoke_databases() -> list[bytes]:
    """Two models, of which one lies elsewhere."""
    import json

    config = {"path": "3f2a/lora.safetensors", "name": "Snow", "base": "sdxl", "trigger_phrases": ["snow", "ice"]}
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        opened.execute("CREATE TABLE models (id TEXT PRIMARY KEY, config TEXT NOT NULL)")
        told = (config, config | {"path": "/else/a.safetensors"})
        opened.executemany("INSERT INTO models VALUES (?, ?)", [(str(n), json.dumps(c)) for n, c in enumerate(told)])
        return [opened.serialize()]


def read_invoke(folder: Path) -> object:
    """The names that it has for models."""
    from nodes.backend import invoke_names

    return invoke_names.read(folder / "invokeai.db")

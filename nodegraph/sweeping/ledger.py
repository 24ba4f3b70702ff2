"""The folder that a sweep writes into, and which pictures of it are there: so that another process goes on.

What a cell writes comes into a folder beside, and is moved when the cell is whole. Before that a line in the ledger
says under which names, so that a process that is killed in between leaves no picture that nobody knows of.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, cast

from nodegraph.formats.fields import read_object
from nodegraph.formats.files import move_new, pending, remove_leftovers
from nodegraph.text import shortened

LEDGER = "sweep.jsonl"
BESIDE = ".sweep"
MOST_BYTES = 1 << 30

_NUMBERED = re.compile(r"(.+)_\d+")


class Ledger:
    """By the key of a sink, the files that it wrote into this folder. `opened` makes one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / LEDGER
        self._files = _read(self._path)
        self._numbers: dict[tuple[Path, str, str], count[int]] = {}

    def files(self, key: str) -> tuple[Path, ...] | None:
        """What the sink of this key wrote, which may be nothing; None when it is to act, or to act again."""
        names = self._files.get(key)
        if names is None:
            return None
        paths = tuple(self.folder / name for name in names)
        return paths if all(map(os.path.exists, paths)) else None

    def beside(self) -> Path:
        """An empty folder for what the next cell writes."""
        place = self.folder / BESIDE
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        return place

    def keep(self, written: Mapping[str, Sequence[str]]) -> dict[str, tuple[Path, ...]]:
        """Move the files of a whole cell to where they stay. written: paths in `beside`, by the key of the sink."""
        kept: dict[str, tuple[Path, ...]] = {}
        for key, paths in written.items():
            names = [self._free(Path(path).relative_to(self.folder / BESIDE), path) for path in paths]
            self._note(key, names)
            for path, name in zip(paths, names, strict=True):
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                while not move_new(Path(path), self.folder / name):  # taken since: by another program
                    name = self._free(Path(name), path)
                    names[paths.index(path)] = name
                    self._note(key, names)
            kept[key] = tuple(self.folder / name for name in names)
        return kept

    def _free(self, name: Path, path: str) -> str:
        """A name like this one that nothing has: its number is the next."""
        match = _NUMBERED.fullmatch(name.stem)
        stem = match[1] if match else name.stem
        numbers = self._numbers.setdefault((name.parent, stem, name.suffix), count(1))
        for number in numbers:
            free = name.with_name(f"{stem}_{number:05d}{name.suffix}")
            if not os.path.lexists(self.folder / free):
                return str(free)
        raise AssertionError(path)

    def _note(self, key: str, names: list[str]) -> None:
        self._files[key] = tuple(names)
        with open(self._path, "a", encoding="utf-8") as file:
            # Each begins on a line of its own: the one before may have been cut off.
            file.write(f"\n{json.dumps({'key': key, 'files': names})}\n")
            file.flush()
            os.fsync(file.fileno())


class Ledgers:
    """What sweeps wrote into some folders, for who only reads; what cannot be read says nothing."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._ledgers: list[Ledger] = []
        for folder in folders:
            with suppress(OSError, ValueError):
                self._ledgers.append(Ledger(folder))

    def files(self, keys: Collection[str]) -> tuple[str, ...]:
        """What sinks with all of these keys wrote; nothing when one is to act."""
        for ledger in self._ledgers:
            found = [ledger.files(key) for key in keys]
            if found and None not in found:
                return tuple(dict.fromkeys(str(path) for files in found for path in files or ()))
        return ()


@contextmanager
def opened(folder: Path) -> Generator[Ledger]:
    """The ledger of a folder, made where there is none; one process at a time has it.

    Raises ValueError when another has it, or the folder cannot be written to.
    """
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            remove_leftovers(folder, LEDGER)
            if not _claimed(stack, folder):
                place = shortened(str(folder))
                raise ValueError(f"another sweep is writing into {place}: wait for it, or take another folder")
            ledger = Ledger(folder)
        except OSError as error:
            raise ValueError(f"{shortened(str(folder))} cannot be written: {error.strerror or error}") from error
        stack.callback(shutil.rmtree, folder / BESIDE, ignore_errors=True)
        yield ledger


def _claimed(stack: ExitStack, folder: Path) -> bool:
    """Whether the folder is this process's until the stack is unwound."""
    try:
        stack.enter_context(pending(folder / LEDGER, claim=True))
    except FileExistsError:
        return False
    return True


def _read(path: Path) -> dict[str, tuple[str, ...]]:
    """What a ledger says. A line that was cut off, or is none of ours, tells of a cell that is to be made again."""
    found: dict[str, tuple[str, ...]] = {}
    try:
        if path.exists() and not path.is_file():
            raise ValueError(f"{shortened(str(path))} is not a file")  # reading from a pipe would wait for a writer
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"{path} is larger than {MOST_BYTES >> 20} MB")
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return found
    for line in lines:
        with suppress(ValueError, RecursionError):
            entry = read_object(json.loads(line), "a line")
            key, files = entry.get("key"), entry.get("files")
            if isinstance(key, str) and isinstance(files, list) and _within(names := cast("list[Any]", files)):
                found[key] = tuple(names)
    return found


def _within(names: list[Any]) -> bool:
    """Whether they are names of files in the folder."""
    return all(
        isinstance(name, str) and "\0" not in name and not Path(name).is_absolute() and ".." not in Path(name).parts
        for name in names
    )

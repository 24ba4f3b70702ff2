"""What tells whether a file is still the one it was, without reading all of a large one.

Every file is known by its size, its time and its content. Of a large one only samples are read, so it is known by the
time of its last change as the system keeps it (ctime, which no program can set back) and by its inode as well: neither
`cp -p`, an archive that restores times, nor a link that leads elsewhere goes unnoticed. Windows has no ctime; there the
samples have to do.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, cast

from nodegraph import program

Fingerprint = tuple[Any, ...]

WHOLE = 64 << 10
"""Bytes up to which a file is read whole."""

SAMPLES, SAMPLE = 5, 8 << 10
"""How many samples are taken of a larger one, the first at its start and the last at its end; and bytes of each."""

TICK = 0.02
"""Seconds within which a file system may give two changes one time: systems count time in steps of up to 10 ms."""

MAX_FILES = 10_000


class Changed(ValueError):
    """A file is not any more what it was when the run was planned."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} was changed while it was in use; run again to take it as it is now")


class FromFiles:
    """A value that describes what is in files: a base for what travels on links."""

    __slots__ = ()

    def changed(self) -> str | None:
        """The first of the files that is not any more what it was when this was made; None when all are."""
        raise NotImplementedError


def changed(values: Iterable[Any]) -> str | None:
    """A file that changed since one of the values, or one inside, was made of it; None when there is none."""
    for value in values:
        kind: type[Any] = value.__class__
        if kind in _PLAIN:
            continue
        if isinstance(value, FromFiles):
            found = value.changed()
        elif isinstance(value, _LISTS):
            found = changed(cast("tuple[Any, ...]", value))
        else:
            names = _field_names(kind)
            found = changed([getattr(value, name) for name in names]) if names else None
        if found:
            return found
    return None


_LISTS = tuple, list
_PLAIN = frozenset({bool, int, float, str, bytes, type(None)})


@lru_cache(maxsize=1000)
def _field_names(cls: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls)) if is_dataclass(cls) else ()


def fingerprint(path: str) -> Fingerprint:
    """What is at a path: a file, or the files of a folder down to two levels. Empty when there is nothing.

    Looked up as nodes do it: ~ is the home folder, and a relative path leads from the working folder, or else from the
    program's own. Raises ValueError for a folder of more than 10,000 files.
    """
    found = locate(path)
    if found is None:
        return ()
    try:
        if not os.path.isdir(found):
            return of_file(found)
        return tuple((name, *of_file(place)) for name, place in files_in(found))
    except OSError:  # it went while we looked
        return ()


def locate(path: str) -> str | None:
    """Where a path in a workflow leads; None when nothing is there."""
    try:
        given = Path(path).expanduser()
    except RuntimeError:  # ~somebody who is not known here
        return None
    return next((str(place) for place in (given, program.FOLDER / given) if path and os.path.exists(place)), None)


def of_file(path: str) -> Fingerprint:
    """Raises OSError when it cannot be looked at. Reads only what it has not read before, as far as stat can tell."""
    identity, regular = _look(path)
    if not regular:  # reading a pipe or a device would wait for whoever is at its other end
        return identity
    digest = _digest(path, *identity)
    size, mtime, ctime, inode, _ = identity
    return (size, mtime, digest) if size <= WHOLE else (size, mtime, ctime, inode, digest)


def sampled(path: str) -> tuple[int, str]:
    """The size of a file in bytes and what its samples say: alike on every machine that has the same file.

    Raises OSError when it cannot be looked at.
    """
    identity, _ = _look(path)
    return identity[0], _digest(path, *identity)


def files_in(folder: str) -> list[tuple[str, str]]:
    """(name within it, path) of the files that `fingerprint` covers. Raises OSError, ValueError for too many."""
    files = sorted(islice(_files(folder, levels=2), MAX_FILES + 1))
    if len(files) > MAX_FILES:
        raise ValueError(f"{folder} holds more than {MAX_FILES:,} files in two levels; choose a folder with fewer")
    return files


def _look(path: str) -> tuple[tuple[int, int, int, int, int], bool]:
    """(size, mtime, ctime, inode, device), and whether it is an ordinary file. Waits until the next change will show.

    A file that changed within the last TICK could change again without another time.
    """
    found = os.stat(path)
    now = time.time_ns()
    fresh = [moment for moment in (found.st_mtime_ns, found.st_ctime_ns) if 0 <= now - moment < TICK * 1e9]
    if fresh:
        time.sleep(TICK - (now - max(fresh)) / 1e9)
        found = os.stat(path)
    identity = found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev
    return identity, stat.S_ISREG(found.st_mode)


@lru_cache(maxsize=2 * MAX_FILES)
def _digest(path: str, size: int, mtime: int, ctime: int, inode: int, device: int) -> str:
    """All but path and size are there so that a changed file is read again."""
    found = blake2b(str(size).encode(), digest_size=8)
    try:
        with open(path, "rb") as file:
            if size <= WHOLE:
                found.update(file.read())
            else:
                for index in range(SAMPLES):
                    file.seek((size - SAMPLE) * index // (SAMPLES - 1))
                    found.update(file.read(SAMPLE))
    except OSError:
        return "unreadable"
    return found.hexdigest()


def _files(folder: str, levels: int, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(name within the folder, path) of each file."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file():
                yield prefix + entry.name, entry.path
            elif levels > 1 and entry.is_dir():
                yield from _files(entry.path, levels - 1, f"{prefix}{entry.name}/")

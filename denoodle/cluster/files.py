"""Files that a worker needs: what they are known by, where it has them itself, and what is sent to it.

A file is a tree of one file, which has no name within it; a folder of weights is one of its files down to two levels,
which are those that a result's key covers.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from nodegraph.library.hashing import digest, hashes
from nodegraph.library.library import Library
from nodegraph.library.store import library_folder
from nodegraph.library.walk import MAX_FILES
from nodegraph.planning.fingerprints import files_in, sampled

Tree = Mapping[str, tuple[int, str]]
"""By name within it, a file's size in bytes and what its samples say; see `fingerprints.sampled`."""

KEPT_DAYS = 30
"""That what was sent is kept after it was last used."""

COMING = ".coming-"
"""What the folder of something begins with that is being sent."""


class Wanted(NamedTuple):
    """What a worker lacks. name: of the file or folder. hashes: by name within it, the sha256 of each file."""

    name: str
    tree: Tree
    hashes: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Of all of it, its name aside."""
        return sha256(json.dumps(sorted(self.hashes.items())).encode()).hexdigest()

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Wanted:
        """As JSON tells it. Raises ValueError for a name that leads out of its folder."""
        for name in (told["name"], *told["hashes"]):
            if Path(name).is_absolute() or ".." in Path(name).parts or "\0" in name:
                raise ValueError(f"{name!r} is no name of a file in a folder")
        return cls(told["name"], tree(told["tree"]), told["hashes"])


def tree(told: Mapping[str, Any]) -> Tree:
    """As JSON tells it."""
    return {name: (size, sample) for name, (size, sample) in told.items()}


def tree_at(place: str) -> Tree:
    """What is there. Raises OSError, ValueError for a folder of too many files."""
    return {name: sampled(path) for name, path in parts(place)}


def parts(place: str) -> list[tuple[str, str]]:
    """(name within it, path) of each file; hidden ones of a folder are nobody's weights."""
    if not os.path.isdir(place):
        return [("", place)]
    return [(name, path) for name, path in files_in(place) if not name.startswith(".") and "/." not in name]


def is_at(place: str, wanted: Tree) -> bool:
    """Whether all of a tree is there and nothing else: sizes are compared first, since reading takes longer."""
    with suppress(OSError, ValueError):
        there = parts(place)
        if {name for name, _ in there} != set(wanted):
            return False
        return all(os.path.getsize(path) == wanted[name][0] for name, path in there) and all(
            sampled(path) == wanted[name] for name, path in there
        )
    return False


def wanted_at(place: str, heard: Callable[[int, int], object] = lambda there, whole: None) -> Wanted:
    """All that tells a file or folder from others; hashes that were worked out before are not worked out again.

    heard: is told of bytes. Raises OSError, ValueError.
    """
    there = parts(place)
    found = hashes(library_folder(), [path for _, path in there], heard)
    return Wanted(os.path.basename(os.path.abspath(place)), tree_at(place), {n: found[path] for n, path in there})


class Received:
    """What was sent to this machine, for all workers on it: a folder of each, by the digest of what is in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._coming: dict[str, Path] = {}  # by digest, where it is put together
        self._remove_old()

    def place(self, wanted: Wanted) -> str | None:
        """Where it lies when it was sent before."""
        place = self._folder / wanted.digest / wanted.name
        if not is_at(str(place), wanted.tree):
            return None
        os.utime(place.parent)
        return str(place)

    def take(self, wanted: Wanted, part: str, data: bytes, last: bool) -> None:
        """The next bytes of one of its files. Raises ValueError when what came is something else, OSError."""
        if wanted.digest not in self._coming:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._coming[wanted.digest] = Path(tempfile.mkdtemp(prefix=COMING, dir=self._folder))
        place = self._coming[wanted.digest] / wanted.name / part
        place.parent.mkdir(parents=True, exist_ok=True)
        with open(place, "ab") as file:
            file.write(data)
        if last and _sha256(place) != wanted.hashes[part]:
            shutil.rmtree(self._coming.pop(wanted.digest))
            raise ValueError(f"{wanted.name} did not arrive as it was sent")

    def keep(self, wanted: Wanted) -> str:
        """All of it is there: where it lies from now on."""
        coming, place = self._coming.pop(wanted.digest), self._folder / wanted.digest
        with suppress(OSError):  # another worker of this machine was sent it too
            os.rename(coming, place)
        shutil.rmtree(coming, ignore_errors=True)
        return str(place / wanted.name)

    def _remove_old(self) -> None:
        with suppress(OSError):
            for place in self._folder.iterdir():
                days = 1 if place.name.startswith(COMING) else KEPT_DAYS
                if time.time() - place.stat().st_mtime > days * 86400:
                    shutil.rmtree(place, ignore_errors=True)


def found(wanted: Wanted) -> str | None:
    """Where this machine has it in the folders that its library looks in: by the hash, whatever it is called there."""
    try:
        library = Library(library_folder())
    except ValueError:  # it cannot be opened: there is nothing to look in
        return None
    try:
        known = library.by_hash(wanted.hashes[""]) if set(wanted.hashes) == {""} else None
        places = [known.path] if known else []
        return next((place for place in (*places, *_alike(library.roots(), wanted)) if _is(place, wanted)), None)
    finally:
        library.close()


def _is(place: str, wanted: Wanted) -> bool:
    with suppress(OSError, ValueError):
        return is_at(place, wanted.tree) and wanted_at(place).hashes == wanted.hashes
    return False


def _alike(roots: tuple[str, ...], wanted: Wanted) -> Iterator[str]:
    """Files of the same size, or folders with a file of the same name and size."""
    name, (size, _) = min(wanted.tree.items())
    looked = 0
    for root in roots:
        for folder, _, files in os.walk(root):
            looked += len(files)
            if looked > MAX_FILES:
                return
            for place in [folder] if name else [os.path.join(folder, file) for file in files]:
                with suppress(OSError):
                    if os.path.getsize(os.path.join(place, name) if name else place) == size:
                        yield place


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return digest(file, lambda there: None)

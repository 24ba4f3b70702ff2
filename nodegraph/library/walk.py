"""What lies in folders: files and folders that may be entries, each content once, whatever links lead to it."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from nodegraph.domain import Stock

MAX_FILES = 500_000
"""That a walk looks at, of all kinds."""
MAX_DEPTH = 16
PICTURES = (".preview.png", ".png", ".preview.jpg", ".jpg", ".preview.jpeg", ".jpeg", ".preview.webp", ".webp")
"""What a picture beside a file ends with, in place of the file's own ending, what is taken first in front."""


class Place(NamedTuple):
    """root: the folder of the settings that it was found in. stamp: another one whenever it may have changed.

    beside: the same of the files that say something of it. thumbnail: the picture beside it; "" when there is none.
    """

    path: str
    root: str
    size: int
    modified: int
    stamp: str
    beside: str
    thumbnail: str
    is_folder: bool

    @property
    def known_by(self) -> str:
        """Another one whenever the index is to say something else of it."""
        return "\n".join((self.root, self.stamp, self.beside, self.thumbnail))


@dataclass
class Walk:
    """Of some folders, in their order. troubles: by place, why it could not be looked into."""

    stock: Stock
    troubles: dict[str, str] = field(default_factory=dict[str, str])
    _seen: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    _looked_at: int = 0

    def places(self, roots: tuple[str, ...]) -> Iterator[Place]:
        for root in map(os.path.abspath, roots):
            if os.path.isdir(root):
                yield from self._folder(root, root, 0)
            else:
                self.troubles[root] = f"there is no folder {root}"

    def _folder(self, folder: str, root: str, depth: int) -> Iterator[Place]:
        """Raises nothing: what cannot be looked into is said in `troubles`."""
        try:
            about = os.stat(folder)
            if self._is_known(about):  # a link to where we are or were
                return
            files, folders = self._listed(folder)
        except OSError as error:
            self.troubles[folder] = f"{folder} cannot be looked into: {error.strerror or error}"
            return
        if depth > MAX_DEPTH or self._looked_at > MAX_FILES:
            most = f"{MAX_DEPTH} folders deep" if depth > MAX_DEPTH else f"{MAX_FILES:,} files"
            self.troubles[folder] = f"{folder} is not looked into: the library goes no further than {most}"
            return
        parts = self._parts(folder, files)
        if parts is not None and (whole := self._whole(folder, root, about, files, parts)):
            yield whole
        parts = parts or ()
        for name, path in sorted(files.items()):
            if name not in parts and name.lower().endswith(self.stock.suffixes):
                yield from self._file(path, root, files)
        for path in sorted(path for path in folders if os.path.basename(path) not in parts):
            yield from self._folder(path, root, depth + 1)

    def _parts(self, folder: str, files: Collection[str]) -> Collection[str] | None:
        """The names in a folder that are no entries of their own; None when it is not one thing."""
        return self.stock.parts(Path(folder)) if any(mark in files for mark in self.stock.marks) else None

    def _listed(self, folder: str) -> tuple[dict[str, str], list[str]]:
        """Files by name, and folders. Raises OSError."""
        files: dict[str, str] = {}
        folders: list[str] = []
        with os.scandir(folder) as entries:
            for entry in entries:
                self._looked_at += 1
                if entry.name.startswith("."):
                    continue
                if not is_text(entry.name):
                    self.troubles[ascii(entry.path)] = "a file whose name is no text cannot be listed; rename it"
                elif self._is_folder(entry):
                    folders.append(entry.path)
                else:
                    files[entry.name] = entry.path
        return files, folders

    def _is_folder(self, entry: os.DirEntry[str]) -> bool:
        """Of a link that leads in a circle, or to where nobody may look, that is said, and it is no folder."""
        try:
            return entry.is_dir()
        except OSError as error:
            self.troubles[entry.path] = f"{entry.path} cannot be looked at: {error.strerror or error}"
            return False

    def _file(self, path: str, root: str, beside: Mapping[str, str]) -> Iterator[Place]:
        try:
            about = os.stat(path)
        except OSError as error:  # a link that leads nowhere
            self.troubles[path] = f"{path} cannot be looked at: {error.strerror or error}"
            return
        if stat.S_ISREG(about.st_mode) and not self._is_known(about):
            said, shown = self._beside(path, beside), _picture(path, beside)
            yield Place(path, root, about.st_size, about.st_mtime_ns, stamp(about), said, shown, False)

    def _whole(
        self, folder: str, root: str, about: os.stat_result, files: Mapping[str, str], parts: Collection[str]
    ) -> Place | None:
        """A folder that is one thing: as large as all its parts, and as new as the newest."""
        size = newest = 0
        known = [f"{about.st_ino}"]
        try:
            inside = [path for name, path in files.items() if name in parts or name in self.stock.marks]
            for part in map(Path(folder).joinpath, parts):
                inside += self._listed(str(part))[0].values() if part.is_dir() else ()
            for path in sorted(inside):
                found = os.stat(path)
                size, newest = size + found.st_size, max(newest, found.st_mtime_ns)
                known.append(f"{os.path.relpath(path, folder)} {stamp(found)}")
        except OSError as error:
            self.troubles[folder] = f"{folder} cannot be looked at: {error.strerror or error}"
            return None
        return Place(folder, root, size, newest, "\n".join(known), "", _picture(f"{folder}.", files), True)

    def _beside(self, path: str, beside: Mapping[str, str]) -> str:
        stem = _stem(path)
        there = [beside[stem + ending] for ending in self.stock.beside if stem + ending in beside]
        with suppress(OSError):  # it went meanwhile: the next look finds it so
            return " ".join(stamp(os.stat(path)) for path in there)
        return ""

    def _is_known(self, about: os.stat_result) -> bool:
        """Whether it was seen before; from now on it was."""
        identity = about.st_dev, about.st_ino
        if identity in self._seen and about.st_ino:
            return True
        self._seen.add(identity)
        return False


def stamp(about: os.stat_result) -> str:
    """What tells whether a file is still the one it was."""
    return f"{about.st_size} {about.st_mtime_ns} {about.st_ino}"


def _picture(path: str, beside: Mapping[str, str]) -> str:
    stem = _stem(path)
    return next((beside[stem + ending] for ending in PICTURES if stem + ending in beside), "")


def _stem(path: str) -> str:
    name = os.path.basename(path)
    return name.rpartition(".")[0] or name


def is_text(name: str) -> bool:
    """Whether it can be written down: what a disk takes for a name need not be UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True

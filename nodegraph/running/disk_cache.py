"""Results in a folder, one file a key; they are there again after a restart."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from nodegraph.formats.files import pending, remove_leftovers

SUFFIX = ".result"
PENDING = 32
LEARN_SHARE = 1 / 16
"""Of the limit: after writing so much, a process looks again at what the others wrote."""


class Codec(Protocol):
    """Writes the outputs of a call to a file and reads them back equal, without ever running code from it."""

    def save(self, values: tuple[Any, ...], path: Path) -> None:
        """Raises TypeError or ValueError for a value it has no form for, OSError when it cannot be written."""
        ...

    def load(self, path: Path) -> tuple[Any, ...]: ...


class Entry(NamedTuple):
    path: Path
    size: int


class DiskCache:
    """A folder bounded in bytes, least recently used first out. A damaged entry is a miss, never an error.

    Any number of processes may share it; one that may not write there reads.

    A file is named by its key and a checksum of what is in it. Writing happens in a thread of its own, so it holds
    up nothing: when results come faster than the disk takes them, the older ones are left out. worth_seconds: results
    that took less to compute are not written. Raises ValueError when the folder cannot be used.
    """

    def __init__(self, folder: Path, limit_bytes: int, codec: Codec, worth_seconds: float = 0.002) -> None:
        self.folder, self.limit_bytes, self.worth_seconds = Path(folder), limit_bytes, worth_seconds
        self.used = 0
        self._written = 0  # bytes, since the folder was last looked at
        self._codec = codec
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._pending: OrderedDict[str, tuple[Any, ...]] = OrderedDict()
        self._changed = threading.Condition()
        self._writer: threading.Thread | None = None
        self._closed = False
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            remove_leftovers(self.folder)
            self._learn()
        except OSError as error:
            raise ValueError(f"cannot keep results in {self.folder}: {error.strerror or error}") from error

    def __contains__(self, key: str) -> bool:
        with self._changed:
            return key in self._entries

    def load(self, key: str) -> tuple[Any, ...] | None:
        with self._changed:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
        try:
            if _checksum(entry.path) != _named_checksum(entry.path):
                raise ValueError("the file is damaged")
            values = self._codec.load(entry.path)
        except (OSError, MemoryError):  # another process deleted it, or it cannot be read now: it may be whole
            self._forget(key)
            return None
        except Exception:  # whatever is wrong with a file, the result can be computed again
            self._remove(key)
            return None
        with contextlib.suppress(OSError):  # it may be read but not written
            os.utime(entry.path)
        return values

    def store(self, key: str, values: tuple[Any, ...], seconds: float) -> None:
        """Write them when there is time."""
        if seconds < self.worth_seconds:
            return
        with self._changed:
            if key in self._entries or self._closed:
                return
            self._pending[key] = values
            if len(self._pending) > PENDING:
                self._pending.popitem(last=False)
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_pending, name="disk cache", daemon=True)
                self._writer.start()
            self._changed.notify_all()

    @property
    def count(self) -> int:
        """How many results there are."""
        with self._changed:
            return len(self._entries)

    def clear(self) -> None:
        """Delete every file."""
        self.flush()
        with contextlib.suppress(OSError):
            self._learn()
        with self._changed:
            keys = list(self._entries)
        for key in keys:
            self._remove(key)

    def forget(self, key: str) -> None:
        """Delete one, which is not what it should be."""
        self._remove(key)

    def flush(self) -> None:
        """Wait until everything is written."""
        with self._changed:
            self._changed.wait_for(lambda: not self._pending)

    def close(self) -> None:
        """Write what is waiting, and end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._writer:
            self._writer.join()

    def _learn(self) -> None:
        """Take note of what is there, oldest first. Raises OSError when the folder cannot be read."""
        found: list[tuple[float, Path, int]] = []
        with os.scandir(self.folder) as files:
            for file in files:
                if not file.name.endswith(SUFFIX):
                    continue
                with contextlib.suppress(OSError):  # another process deleted it since it was listed
                    status = file.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode):
                        found.append((status.st_mtime, Path(file.path), status.st_size))
        entries: OrderedDict[str, Entry] = OrderedDict()
        for _, path, size in sorted(found):
            key = path.name.partition("-")[0]
            if older := entries.pop(key, None):  # equal inputs gave other bits, as on another machine
                with contextlib.suppress(OSError):
                    older.path.unlink()
            entries[key] = Entry(path, size)
        with self._changed:
            self._entries, self._written = entries, 0
            self.used = sum(entry.size for entry in entries.values())

    def _write_pending(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._closed)
                if not self._pending:
                    return
                key, values = next(iter(self._pending.items()))
            entry = self._write(key, values)
            with self._changed:
                self._pending.pop(key, None)
                if entry:
                    self._forget(key)  # which another process may have written meanwhile
                    self._entries[key] = entry
                    self.used += entry.size
                self._changed.notify_all()
            if entry:
                self._make_room(entry.size)

    def _write(self, key: str, values: tuple[Any, ...]) -> Entry | None:
        try:
            with pending(self.folder / f"{key}{SUFFIX}") as hidden:
                self._codec.save(values, hidden)
                path = self.folder / f"{key}-{_checksum(hidden)}{SUFFIX}"
                size = hidden.stat().st_size
                os.replace(hidden, path)
        except Exception:  # a full disk, no memory for a copy, a value without a form in a file: computed again
            return None
        return Entry(path, size)

    def _make_room(self, written: int) -> None:
        self._written += written
        if self._written > LEARN_SHARE * self.limit_bytes:
            with contextlib.suppress(OSError):
                self._learn()
        while True:
            with self._changed:
                if self.used <= self.limit_bytes or not self._entries:
                    return
                oldest = next(iter(self._entries))
            self._remove(oldest)

    def _remove(self, key: str) -> None:
        if entry := self._forget(key):
            with contextlib.suppress(OSError):
                entry.path.unlink()

    def _forget(self, key: str) -> Entry | None:
        """What it was; the file stays."""
        with self._changed:
            entry = self._entries.pop(key, None)
            self.used -= entry.size if entry else 0
            return entry


def _checksum(path: Path) -> str:
    crc = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            crc = zlib.crc32(block, crc)
    return f"{crc:08x}"


def _named_checksum(path: Path) -> str:
    return path.name.removesuffix(SUFFIX).rpartition("-")[2]

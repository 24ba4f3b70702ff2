"""Results in a folder, one file a key; they are there again after a restart."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple, Protocol

SUFFIX = ".result"
PENDING = 32
ABANDONED_SECONDS = 3600.0


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

    A file is named by its key and a checksum of what is in it. Writing happens in a thread of its own, so it holds
    up nothing: when results come faster than the disk takes them, the older ones are left out. worth_seconds: results
    that took less to compute are not written. Raises ValueError when the folder cannot be used.
    """

    def __init__(self, folder: Path, limit_bytes: int, codec: Codec, worth_seconds: float = 0.002) -> None:
        self.folder, self.limit_bytes, self.worth_seconds = Path(folder), limit_bytes, worth_seconds
        self.used = 0
        self._codec = codec
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._pending: OrderedDict[str, tuple[Any, ...]] = OrderedDict()
        self._changed = threading.Condition()
        self._writer: threading.Thread | None = None
        self._closed = False
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._scan()
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
            os.utime(entry.path)
        except Exception:  # whatever is wrong with a file, the result can be computed again
            self._remove(key)
            return None
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
        with self._changed:
            keys = list(self._entries)
        for key in keys:
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

    def _scan(self) -> None:
        """Learn what is there, oldest first; what a killed process left half-written goes."""
        found: list[tuple[float, Path, int]] = []
        with os.scandir(self.folder) as files:
            for file in files:
                status = file.stat()
                if file.name.endswith(SUFFIX):
                    found.append((status.st_mtime, Path(file.path), status.st_size))
                elif file.name.endswith(".tmp") and time.time() - status.st_mtime > ABANDONED_SECONDS:
                    os.unlink(file.path)
        for _, path, size in sorted(found):
            self._entries[path.name.partition("-")[0]] = Entry(path, size)
            self.used += size

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
                    self._entries[key] = entry
                    self.used += entry.size
                self._changed.notify_all()
            self._make_room()

    def _write(self, key: str, values: tuple[Any, ...]) -> Entry | None:
        temporary = self.folder / f"{key}.{os.getpid()}.tmp"
        try:
            self._codec.save(values, temporary)
            path = self.folder / f"{key}-{_checksum(temporary)}{SUFFIX}"
            size = temporary.stat().st_size
            os.replace(temporary, path)
        except Exception:  # a full disk, no memory for a copy, a value without a form in a file: computed again
            with contextlib.suppress(OSError):
                temporary.unlink()
            return None
        return Entry(path, size)

    def _make_room(self) -> None:
        while True:
            with self._changed:
                if self.used <= self.limit_bytes or not self._entries:
                    return
                oldest = next(iter(self._entries))
            self._remove(oldest)

    def _remove(self, key: str) -> None:
        with self._changed:
            entry = self._entries.pop(key, None)
            if entry is None:
                return
            self.used -= entry.size
        with contextlib.suppress(OSError):
            entry.path.unlink()


def _checksum(path: Path) -> str:
    crc = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            crc = zlib.crc32(block, crc)
    return f"{crc:08x}"


def _named_checksum(path: Path) -> str:
    return path.name.removesuffix(SUFFIX).rpartition("-")[2]

"""Reading with a limit, and writing so that a file is whole at any moment."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from glob import escape
from pathlib import Path

LEFTOVER_AGE = 3600.0
"""Seconds after which nobody is still writing a temporary file."""


def read_limited(path: str | Path, limit: int) -> bytes:
    """The bytes of a file. Raises ValueError when there are more than `limit`, OSError when it cannot be read."""
    with open(path, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"{path} is larger than {limit >> 20} MB")
    return data


def write_atomic(path: Path, data: bytes) -> None:
    """Replace a file: a reader, or a crash at any moment, finds either the old bytes or all the new ones."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path, name: str = "") -> None:
    """Delete what killed processes left of `write_atomic`, for files whose name begins with `name`."""
    for file in folder.glob(f".{escape(name)}*.tmp"):
        with suppress(FileNotFoundError):  # another process cleans up as well
            if time.time() - file.stat().st_mtime > LEFTOVER_AGE:
                file.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the new name of a file outlast a power failure as well."""
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

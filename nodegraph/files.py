"""Reading with a limit, and writing so that a file is whole at any moment."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


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
    finally:
        temporary.unlink(missing_ok=True)

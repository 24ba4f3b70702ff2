"""Reading with a limit, writing so that a file is whole at any moment, and setting aside what is damaged."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

LEFTOVER_AGE = 3600.0
"""Seconds after which nobody is still writing a temporary file."""

MOST_ASIDE = 9
"""Damaged files of one name that are kept."""

UNREADABLE = (
    OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, MemoryError,
)  # fmt: skip
"""What reading a damaged file may raise: no bytes, no text, no JSON, other JSON than expected, too deep or too much."""


class Damaged(ValueError):
    """A file that the program keeps for itself cannot be read; the text says which, why, and where it lies now."""


def read_limited(path: str | Path, limit: int) -> bytes:
    """The bytes of a file. Raises ValueError when there are more than `limit`, OSError when it cannot be read."""
    with open(path, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"{path} is larger than {limit >> 20} MB")
    return data


def read_own(path: Path, what: str, limit: int, parse: Callable[[bytes], T]) -> T:
    """What a file says that the program keeps for itself; one that cannot be read is set aside.

    what: the file holds, such as "the settings". limit: in bytes. parse: may raise anything in UNREADABLE. Raises
    FileNotFoundError when there is none, Damaged.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ValueError("it is not a file")  # reading from a pipe would wait for a writer
        return parse(read_limited(path, limit))
    except FileNotFoundError:
        raise
    except UNREADABLE as error:
        raise Damaged(f"{what} in {path} cannot be read ({reason(error)}); {_where(set_aside(path))}") from error


def set_aside(path: Path) -> Path | None:
    """Give a damaged file, or the folder in its place, a name that ends in `.damaged`; an earlier one stays.

    Where it lies now; None when it could not be moved, as in a folder that must not be written to.
    """
    names = (path.with_name(f"{path.stem}{'' if n == 1 else f'.{n}'}.damaged") for n in range(1, MOST_ASIDE + 1))
    name = next((name for name in names if not os.path.lexists(name)), path.with_suffix(".damaged"))
    try:
        return path.replace(name)
    except OSError:
        return None


def reason(error: BaseException, limit: int = 200) -> str:
    """Why a file could not be read, in at most `limit` characters."""
    match error:
        case OSError(strerror=str(text)):
            pass
        case RecursionError():
            text = "it is nested too deeply"
        case MemoryError():
            text = "it is too large"
        case KeyError():
            text = f"{error} is missing"
        case ValueError() if "set_int_max_str_digits" in str(error):  # advice for programmers
            text = "it holds a number of more digits than can be read"
        case _:
            text = " ".join(str(error).split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _where(aside: Path | None) -> str:
    return f"it is kept as {aside.name}" if aside else "it could not be set aside"


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

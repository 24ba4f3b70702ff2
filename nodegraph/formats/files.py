"""Reading with a limit, writing so that a file is whole at any moment, and setting aside what is damaged."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TypeVar

if sys.platform != "win32":
    import fcntl

T = TypeVar("T")

HIDDEN = ".denoodle.tmp"
"""How the name of a file ends that is still being written; it begins with a dot."""

LEFTOVER_AGE = 3600.0
"""Seconds after which nobody is still writing a hidden file, where locks cannot tell."""

MAX_FOLDERS = 10_000
"""That are looked through for left-overs."""

LONGEST_NAME, LONGEST_PATH = 255, 4000
"""Bytes. No system in use knows longer names; longer paths on Linux cannot be opened."""

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
        raise Damaged(f"{what} in {path} cannot be read ({reason(error)}); {said_to_be(set_aside(path))}") from error


def usable_path(text: str) -> Path:
    """A path that a file names. Raises ValueError for what no file can be called: every look at it would raise."""
    path = Path(text)
    if "\0" in text:
        raise ValueError("a file name holds a zero byte")
    # fsencode raises UnicodeEncodeError, a ValueError, for half of a surrogate pair
    if len(os.fsencode(text)) > LONGEST_PATH or any(len(os.fsencode(part)) > LONGEST_NAME for part in path.parts):
        raise ValueError(f"a file name is longer than {LONGEST_NAME} bytes, or with its folders than {LONGEST_PATH}")
    return path


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


def said_to_be(aside: Path | None) -> str:
    """What `set_aside` has done, for the end of a sentence."""
    return f"it is kept as {aside.name}" if aside else "it could not be set aside"


def write_atomic(path: Path, data: bytes) -> None:
    """Replace a file: a reader, or a crash at any moment, finds either the old bytes or all the new ones.

    What processes left that were killed while they wrote the same file is deleted.
    """
    with pending(path) as hidden:
        _fill(hidden, data)
        if path.exists():
            shutil.copymode(path, hidden)
        os.replace(hidden, path)
        _sync_folder(path.parent)
    remove_leftovers(path.parent, path.name)


def write_new(path: Path, data: bytes) -> bool:
    """Make a file that is not there yet: whole, or not at all. False when the name is taken, or being taken.

    Of many processes that ask for one name, one gets it, and nobody ever sees a file without its bytes. Raises OSError.
    """
    try:
        with pending(path, claim=True) as hidden:
            if os.path.lexists(path):
                return False
            _fill(hidden, data)
            _move_to_free_name(hidden, path)
            _sync_folder(path.parent)
    except FileExistsError:
        return False
    return True


def move_new(path: Path, to: Path) -> bool:
    """Give a file on the same disk another name; False when that is taken. Raises OSError."""
    try:
        _move_to_free_name(path, to)
    except FileExistsError:
        return False
    path.unlink(missing_ok=True)  # where the new name is a second one
    return True


@contextmanager
def pending(path: Path, *, claim: bool = False) -> Generator[Path]:
    """An empty hidden file beside `path`, to fill and to rename; what is left of it afterwards is deleted.

    While this process lives the file is locked, so `remove_leftovers` knows it from those of killed ones. claim: the
    hidden name follows from that of `path`, so one process at a time has it; FileExistsError tells the others.
    """
    tag = blake2b(os.fsencode(path.name), digest_size=8).hexdigest() if claim else secrets.token_hex(8)
    hidden = path.with_name(f".{_short(path.name)}.{tag}{HIDDEN}")
    handle, made = _open_locked(hidden)
    try:
        yield hidden
    finally:
        with suppress(FileNotFoundError):
            if os.path.samestat(made, hidden.lstat()):  # or it was renamed, and another process has the hidden name now
                hidden.unlink()
        if handle is not None:
            os.close(handle)


def remove_leftovers(folder: Path, name: str = "", *, deep: bool = False) -> None:
    """Delete the hidden files of processes that were killed, for files whose name begins with `name`.

    deep: in the folders inside as well, without going through links.
    """
    if not deep:
        places = [folder]
    else:
        places = [Path(place) for place, _, _ in islice(os.walk(folder), MAX_FOLDERS)]
    for place in places:
        for hidden in _hidden_files(place, f".{_short(name)}"):
            with suppress(OSError):  # another process cleans up as well, or it may not be deleted
                _remove_abandoned(hidden)


def _hidden_files(folder: Path, start: str) -> list[Path]:
    """Those whose name begins so; none in a folder that cannot be read."""
    try:
        # Not Path.glob: Python keeps what it makes of each pattern, and here there is a new one for each file written.
        found = [name for name in os.listdir(folder) if name.startswith(start) and name.endswith(HIDDEN)]
    except OSError:
        return []
    return [folder / name for name in found]


def _short(name: str) -> str:
    """So much of a name that the hidden one is no longer than file systems allow (255 bytes)."""
    return os.fsencode(name)[:120].decode(errors="ignore")


def _fill(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _move_to_free_name(hidden: Path, path: Path) -> None:
    """Raises FileExistsError when there is something of that name."""
    if sys.platform == "win32":
        os.rename(hidden, path)  # which never replaces there
        return
    try:
        os.link(hidden, path)
    except FileExistsError:
        raise
    except OSError:  # no hard links on this disk (exFAT, some network folders): the claim keeps this program's off
        os.rename(hidden, path)


def _open_locked(hidden: Path) -> tuple[int | None, os.stat_result]:
    """Make the file and lock it until it is closed, or this process ends. No handle where there are no such locks."""
    while True:
        handle = os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        if sys.platform == "win32":
            made = os.fstat(handle)
            os.close(handle)  # an open file could not be renamed
            return None, made
        with suppress(OSError):  # a disk without locks: there, age decides
            fcntl.flock(handle, fcntl.LOCK_EX)
        if (made := os.fstat(handle)).st_nlink:
            return handle, made
        os.close(handle)  # it was taken for a left-over between the two steps


def _remove_abandoned(hidden: Path) -> None:
    """Leaves alone what somebody is still writing. Raises OSError when it cannot be deleted."""
    old = time.time() - hidden.lstat().st_mtime > LEFTOVER_AGE
    if sys.platform == "win32":
        if old:
            hidden.unlink()
        return
    handle = os.open(hidden, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        except OSError:  # a disk without locks
            if not old:
                return
        # Whoever holds the lock of the file that has the name may delete it: the name may have passed on meanwhile.
        if os.path.samestat(os.fstat(handle), hidden.lstat()):
            hidden.unlink()
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    """Make the new name of a file outlast a power failure as well."""
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

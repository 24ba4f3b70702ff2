"""Files that say to other instances of the program what is in use."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QLockFile

from nodegraph.formats.files import set_aside

if sys.platform != "win32":
    import fcntl

LOCKED = 0.5
"""Seconds in which a process has surely locked the file that it made: these are two steps of the system in a row."""
WRITTEN = 10.0
"""Seconds after which another instance has surely written into the lock that it made."""


def lock(path: Path) -> QLockFile | None:
    """Hold this lock until it is unlocked; None when another instance holds it, or when no file can be written there.

    The lock of a process that is gone does not count, nor one that does not say whose it is, such as the empty file
    that a power failure leaves: Qt would respect it for ever.
    """
    with suppress(OSError):  # it is not there, is not ours, or lies on a disk where only the number in it tells
        _free(path)
    made = QLockFile(str(path))
    made.setStaleLockTime(0)  # it does not age: a window may be open for weeks
    locked = made.tryLock(0) or (_says_nothing(path) and _removed(path) and made.tryLock(0))
    return made if locked else None


def _free(path: Path) -> None:
    """Delete the lock of a process that is gone. Raises OSError when it is held, or when that cannot be known.

    Qt looks whether there is a process of the number in the file: it may be another one by now. But while the owner
    lives the system keeps the file locked for it (flock), and so it is before there is anything in the file. An empty
    one is given the time that a living owner needs to lock it.
    """
    if sys.platform == "win32" or not path.is_file():
        return
    if not path.stat().st_size:
        time.sleep(LOCKED)
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), path.lstat()):  # or another process has freed and taken it meanwhile
            path.unlink()
    finally:
        os.close(handle)


def _says_nothing(path: Path) -> bool:
    """Whether it is no lock of a process, nor about to become one."""
    try:
        if time.time() - path.lstat().st_mtime < WRITTEN:
            return False
        if not path.is_file():
            return True
        with open(path, "rb") as file:
            return not file.readline(20).strip().isdigit()
    except OSError:  # it is gone, or was never made
        return False


def _removed(path: Path) -> bool:
    if path.is_dir() and not path.is_symlink():
        return set_aside(path) is not None
    with suppress(FileNotFoundError):
        path.unlink()
    return True

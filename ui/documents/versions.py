"""The saved versions of one workflow, each with the picture that was shown. No Qt here.

A folder with one file for each content, named by its checksum; the time of the file is when it was last saved.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from stat import S_ISREG

from nodegraph.formats.files import remove_leftovers, write_atomic

MAX_COUNT = 100
MAX_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Version:
    """file: the workflow. time: seconds since 1970. thumbnail: a PNG file; None when no picture was shown."""

    file: Path
    time: float
    thumbnail: Path | None


class History:
    """Keeps at most MAX_COUNT versions and MAX_BYTES of them; the oldest go first, the newest never."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, text: bytes, thumbnail: bytes = b"", time: float | None = None) -> None:
        """Add a version, or say that one is the newest again.

        thumbnail: PNG; empty keeps the one that is there. time: in place of now. Raises OSError.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self._file(text)
        if not file.exists():
            write_atomic(file, text)
        if thumbnail:
            write_atomic(_picture(file), thumbnail)
        os.utime(file, None if time is None else (time, time))
        self._trim()

    def versions(self) -> tuple[Version, ...]:
        """Newest first."""
        times = {file: time for file in self.folder.glob("*.json") if (time := _saved(file)) is not None}
        return tuple(
            Version(file, times[file], _picture(file) if _picture(file).is_file() else None)
            for file in sorted(times, key=times.__getitem__, reverse=True)
        )

    def clean(self) -> None:
        """Delete what a killed process left half-written."""
        remove_leftovers(self.folder)

    def _file(self, text: bytes) -> Path:
        return self.folder / f"{blake2b(text, digest_size=16).hexdigest()}.json"

    def _trim(self) -> None:
        self.clean()
        used = 0
        for place, version in enumerate(self.versions()):
            files = [version.file, *filter(None, [version.thumbnail])]
            used += sum(file.stat().st_size for file in files)
            if place >= MAX_COUNT or (place and used > MAX_BYTES):
                for file in files:
                    file.unlink(missing_ok=True)


def history_of(folder: Path, workflow: Path) -> History:
    """folder: where the program keeps the versions of all workflows."""
    return History(folder / blake2b(os.fsencode(workflow), digest_size=8).hexdigest())


def _saved(file: Path) -> float | None:
    """When, in seconds since 1970; None for what is no file, or was removed meanwhile."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime if S_ISREG(found.st_mode) else None


def _picture(file: Path) -> Path:
    return file.with_suffix(".png")

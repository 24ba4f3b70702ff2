"""The folder that holds what must outlast the program: journals, versions, the queue, the lists of files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QStandardPaths

from nodegraph.formats.files import read_own, reason, said_to_be, set_aside, usable_path, write_atomic

MAX_RECENT = 12
MAX_LIST = 1 << 20  # bytes of their list
PROBE = "can_be_written_to"  # a file that shows it


def state_folder() -> Path:
    """DENOODLE_STATE, or the platform's folder for it."""
    if chosen := os.environ.get("DENOODLE_STATE"):
        return Path(chosen)
    return Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.StateLocation))


def make_folders(folders: Iterable[Path]) -> list[str]:
    """What was wrong with them, as sentences; a file in the place of a folder is set aside.

    Raises OSError, or ValueError for a name that no folder can have, when one of them cannot be written to.
    """
    complaints: list[str] = []
    for folder in folders:
        if os.path.lexists(folder) and not folder.is_dir():
            complaints.append(f"{folder} is no folder; {said_to_be(set_aside(folder))}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PROBE).write_text(PROBE)
        (folder / PROBE).unlink(missing_ok=True)
    return complaints


def unusable(folder: Path, error: BaseException) -> str:
    """What it means that the folder cannot be written to, as a sentence."""
    return (
        f"{folder} cannot be used ({reason(error)}): edits are not safe against a crash, and nothing is kept for the "
        "next start; set DENOODLE_STATE to another folder"
    )


def read_recent(folder: Path) -> tuple[Path, ...]:
    """The files that were opened and saved last, newest first. Raises Damaged, FileNotFoundError."""
    return read_own(folder / "recent.json", "The list of recent files", MAX_LIST, _recent)


def write_recent(folder: Path, paths: Iterable[Path]) -> None:
    """Raises OSError."""
    write_atomic(folder / "recent.json", json.dumps([str(path) for path in paths]).encode())


def _recent(data: bytes) -> tuple[Path, ...]:
    match json.loads(data):
        case [*texts] if all(isinstance(text, str) for text in texts):
            return tuple(usable_path(text) for text in texts[:MAX_RECENT])
        case _:
            raise ValueError("it is not a list of names")

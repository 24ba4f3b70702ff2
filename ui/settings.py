"""What the user prefers, kept in one small JSON file in the platform's place for settings."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QStandardPaths, Signal

from nodegraph.files import read_limited, write_atomic

LARGEST = 1 << 20  # bytes of a settings file


@dataclass(frozen=True, slots=True)
class Preferences:
    """theme: a name in ui.theme.THEMES. text_scale: 0.8..2.0. preset and keys: see ui.keys.

    live: run after every edit. toured: the tour was taken or refused. geometry, layout: of the window, as Qt writes
    them, in base64.
    """

    theme: str = "Dark"
    text_scale: float = 1.0
    preset: str = "Default"
    keys: Mapping[str, str] = field(default_factory=dict[str, str])
    live: bool = False
    toured: bool = False
    geometry: str = ""
    layout: str = ""


def settings_folder() -> Path:
    """DENOODLE_CONFIG, or where the platform keeps settings."""
    if chosen := os.environ.get("DENOODLE_CONFIG"):
        return Path(chosen)
    return Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.AppConfigLocation))


def read(path: Path) -> Preferences:
    """What the file says; what it does not say is as in a new program. Raises ValueError when it cannot be read."""
    if not path.exists():
        return Preferences()
    try:
        said = json.loads(read_limited(path, LARGEST))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"the settings in {path} cannot be read ({error}); they are as in a new program now"
        ) from error
    known = {f.name: f for f in fields(Preferences)}
    if not isinstance(said, dict):
        raise ValueError(f"the settings in {path} are not a JSON object; they are as new now")
    default = Preferences()
    wrong = [name for name, value in said.items() if name in known and not _fits(getattr(default, name), value)]
    if wrong:
        raise ValueError(f"{wrong[0]} in {path} is {said[wrong[0]]!r}, which it cannot be; the settings are as new now")
    return replace(default, **{name: value for name, value in said.items() if name in known})


def _fits(default: Any, value: Any) -> bool:
    if isinstance(default, Mapping):
        return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
    if isinstance(default, float):
        return type(value) in (int, float) and math.isfinite(value)
    return type(value) is type(default)


class Settings(QObject):
    """The preferences, and the file they are written to with every change.

    path: None for a window that keeps nothing. complaint: why the file could not be read; empty when it could.
    """

    changed = Signal()
    troubled = Signal(str)  # why a change could not be written, as a sentence; it holds nevertheless

    def __init__(self, path: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path, self.complaint = path, ""
        self.now = Preferences()
        if path is None:
            return
        try:
            self.now = read(path)
        except ValueError as error:
            self.complaint = str(error)
            with suppress(OSError):  # where nothing can be written, it stays as it is
                path.replace(path.with_suffix(".unreadable"))

    def change(self, **fields: Any) -> None:
        """Replace some of the preferences."""
        after = replace(self.now, **fields)
        if after == self.now:
            return
        self.now = after
        self.changed.emit()
        if self.path is not None:
            self._write(self.path)

    def _write(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, json.dumps(asdict(self.now), indent=1).encode())
        except OSError as error:
            self.troubled.emit(f"The settings could not be written to {path}: {error.strerror}")

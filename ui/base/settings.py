"""What the user prefers, kept in one small JSON file in the platform's place for settings."""

from __future__ import annotations

import json
import math
import os
import zlib
from base64 import b64decode, b64encode
from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, cast

from PySide6.QtCore import QObject, QStandardPaths, Signal

from nodegraph.formats.files import Damaged, read_own, reason, remove_leftovers, write_atomic
from nodegraph.node import NAMING
from nodegraph.running.messages import PRECISIONS

LARGEST = 1 << 20  # bytes of a settings file
MAX_RECENT = 8  # node types, files
MEANT: Mapping[str, Container[Any]] = {
    "precision": PRECISIONS,
    "cache_gigabytes": range(1, 10_001),
    "memory_gigabytes": range(10_001),
    "decimal": ("", ".", ","),
    "toolbar_words": ("some", "none", "all"),
    "gallery_order": ("newest", "oldest", "best"),
}
"""What there is no other of."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """theme: a name in ui.base.theme.THEMES. text_scale: 0.8..2.0. preset and keys: see ui.actions.keys.

    device, precision: what computes, and in what: see `nodegraph.running.engine.Settings`. live: run after every edit.
    toured: the tour was taken or refused. window: its place and layout, see `sealed`;
    empty for that of a new program. recent_nodes: ids of the node types that were added last, the latest first.

    name_template: what saved pictures are called. output_folder, cache_folder: empty for those of a new program.
    cache_gigabytes: of results on the disk;
    memory_gigabytes: of results in memory, 0 for a share of the machine's. carries_workflow: saved pictures have their
    workflow inside. network: things may be fetched over it, when somebody asks. decimal: the sign that stands before
    the fraction of a number that is typed; empty where that is to be asked. gallery_side: of its pictures, in pixels;
    gallery_order: what comes first in it; gallery_details: it says what a picture holds.
    notify: the desktop tells when the queue or a long run is done; awake: the computer stays so while the queue works.
    toolbar_words: which of its actions have their words beside the icon; side_bar: there is one.

    models_offered: the folders that other programs fill were offered. recent_models: the files that were used last, the
    latest first.
    """

    theme: str = "Dark"
    text_scale: float = 1.0
    preset: str = "Default"
    keys: Mapping[str, str] = field(default_factory=dict[str, str])
    device: str = "auto"
    precision: str = "auto"
    live: bool = False
    toured: bool = False
    window: str = ""
    recent_nodes: tuple[str, ...] = ()
    output_folder: str = ""
    name_template: str = NAMING
    cache_folder: str = ""
    cache_gigabytes: int = 4
    memory_gigabytes: int = 0
    carries_workflow: bool = True
    network: bool = True
    decimal: str = ""
    models_offered: bool = False
    recent_models: tuple[str, ...] = ()
    gallery_side: int = 96
    gallery_order: Literal["newest", "oldest", "best"] = "newest"
    gallery_details: bool = False
    toolbar_words: Literal["some", "none", "all"] = "some"
    side_bar: bool = True
    notify: bool = True
    awake: bool = True


def settings_folder() -> Path:
    """DENOODLE_CONFIG, or where the platform keeps settings."""
    if chosen := os.environ.get("DENOODLE_CONFIG"):
        return Path(chosen)
    return Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.AppConfigLocation))


def parse(data: bytes) -> Preferences:
    """What a settings file says; what it does not say is as in a new program. Raises what is in UNREADABLE."""
    said: Any = json.loads(data)
    if not isinstance(said, dict):
        raise ValueError("it is not a JSON object")
    said = cast("dict[str, Any]", said)
    default, names = Preferences(), {f.name for f in fields(Preferences)}
    known = {name: value for name, value in said.items() if name in names}
    for name, value in list(known.items()):
        if isinstance(getattr(default, name), tuple) and isinstance(value, list):
            value = known[name] = tuple(cast("list[Any]", value)[:MAX_RECENT])
        if not _fits(getattr(default, name), value) or not _means_something(name, value):
            raise ValueError(f"{name} is {value!r}, which it cannot be")
    return replace(default, **known)


def _means_something(name: str, value: Any) -> bool:
    """Whether a text of the right kind is one of those that can be meant."""
    if name == "window":
        return not value or unsealed(str(value)) is not None
    return name not in MEANT or value in MEANT[name]


def _fits(default: Any, value: Any) -> bool:
    if isinstance(default, Mapping):
        return isinstance(value, dict) and all(isinstance(v, str) for v in cast("dict[str, Any]", value).values())
    if isinstance(default, tuple):
        return isinstance(value, tuple) and all(isinstance(v, str) for v in cast("tuple[Any, ...]", value))
    if isinstance(default, float):
        return type(value) in (int, float) and math.isfinite(value)
    return type(value) is type(default)


def sealed(geometry: bytes, layout: bytes) -> str:
    """A window's place and layout, as Qt writes them, behind a checksum: Qt crashes over some that are damaged."""
    body = b" ".join(map(b64encode, (geometry, layout)))
    return f"{zlib.crc32(body):08x} {body.decode()}"


def unsealed(text: str) -> tuple[bytes, bytes] | None:
    """The place and the layout; None when the text is not what `sealed` made of them."""
    check, _, body = text.partition(" ")
    if not body.isascii() or check != f"{zlib.crc32(body.encode()):08x}" or body.count(" ") != 1:
        return None
    geometry, layout = map(b64decode, body.split(" "))
    return geometry, layout


class Settings(QObject):
    """The preferences, and the file they are written to with every change.

    path: None for a window that keeps nothing. complaints: why the file could not be read, as sentences.
    """

    changed = Signal()
    troubled = Signal(str)  # why a change could not be written, as a sentence; it holds nevertheless

    def __init__(self, path: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = path
        self.complaints: list[str] = []
        self.now = Preferences()
        if path is None:
            return
        remove_leftovers(path.parent, path.name)
        try:
            self.now = read_own(path, "The settings", LARGEST, parse)
        except FileNotFoundError:
            pass
        except Damaged as error:
            self.complaints.append(f"{error}; they are as in a new program now")

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
            self.troubled.emit(f"The settings could not be written to {path}: {reason(error)}")

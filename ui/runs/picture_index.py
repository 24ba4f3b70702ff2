"""Every picture that was made: an index on disk that only ever grows, a line for each thing that happened."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from PySide6.QtCore import QObject, Signal

from nodegraph.formats import png
from nodegraph.formats.files import UNREADABLE, Damaged, read_own, said_to_be, set_aside, usable_path, write_atomic
from nodegraph.running.messages import Event, Saved

BEST = 5
MAX_BOARD = 60
"""Characters of a board's name."""

COMPACT_AT = 1000
"""Lines that say nothing any more, before the file is written anew when it is read."""

MAX_BYTES = 512 << 20
FOREVER = 1e11  # seconds since 1970 that no clock shows

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
PARAMETER = re.compile(rf"(\w+): ({NUMBER.pattern})(?![\w.])")
"""As Save image writes it: "seed: 14"."""


@dataclass(frozen=True, slots=True)
class Made:
    """A picture. made: seconds since 1970. text: what the file says of prompt, seed and the other parameters.

    node: that wrote it, as the engine calls it. rating: 1..BEST, 0 for none. boards: the names of those it is on.
    """

    path: str
    made: float
    text: str = ""
    starred: bool = False
    node: str = ""
    rating: int = 0
    boards: tuple[str, ...] = ()

    def matches(self, words: Sequence[str]) -> bool:
        """Whether every word is in its name or its parameters; a number after a parameter's name is its value."""
        hay = f"{Path(self.path).name}\n{self.text}".lower()
        return all(
            _is_value(hay, before, word) if NUMBER.fullmatch(word) else word in hay
            for before, word in zip(("", *words), words, strict=False)
        )


class Gallery(QObject):
    """Pictures by path, oldest first. file: the index; several windows of the program may add to it.

    boards: the collections that there are, by name; a picture may be on many. complaints: what was damaged in it, as
    sentences.
    """

    added = Signal(object)  # Made
    changed = Signal(object)  # paths of those of which something else is said now, such as a star
    removing = Signal(object)  # paths of those that are about to go
    removed = Signal()
    returned = Signal()  # some that had been removed are back, or others were found
    boards_changed = Signal()
    troubled = Signal(str)  # why it could not be kept, as a sentence; it goes on in memory

    def __init__(self, file: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._file = file
        self.pictures: dict[str, Made] = {}
        self.boards: dict[str, None] = {}
        self.complaints: list[str] = []
        try:
            data = read_own(file, "The list of pictures", MAX_BYTES, bytes)
        except FileNotFoundError:
            return
        except Damaged as error:
            self.complaints.append(str(error))
            return
        self._replay(data)

    def take(self, event: Event) -> None:
        """Remember the pictures that the engine says it wrote."""
        if isinstance(event, Saved):
            self.add(Path(event.path), event.node)

    def add(self, path: Path, node: str = "") -> None:
        """What is not a PNG is left out, and what is known already."""
        path = path.absolute()
        try:
            text = png.read_text(path, png.PARAMETERS) or ""
        except (OSError, ValueError):
            return
        known = self.pictures.get(str(path))
        if known and known.text == text:
            return
        if known:
            self.remove(known.path)  # it was deleted, and its name given to another
        made = Made(str(path), time.time(), text, node=node)
        self.pictures[made.path] = made
        self._write({"add": asdict(made)})
        self.added.emit(made)

    def star(self, *paths: str, on: bool = True) -> None:
        for path in paths:
            self.pictures[path] = replace(self.pictures[path], starred=on)
        self._write(*({"star": path, "on": on} for path in paths))
        self.changed.emit(paths)

    def rate(self, *paths: str, rating: int) -> None:
        for path in paths:
            self.pictures[path] = replace(self.pictures[path], rating=rating)
        self._write(*({"rate": path, "rating": rating} for path in paths))
        self.changed.emit(paths)

    def add_board(self, name: str) -> None:
        self.boards[name] = None
        self._write({"board": name, "on": True})
        self.boards_changed.emit()

    def drop_board(self, name: str) -> None:
        """Without its pictures, which stay where else they are."""
        self.put(name, *self.on_board(name), on=False)
        self.boards.pop(name, None)
        self._write({"board": name, "on": False})
        self.boards_changed.emit()

    def on_board(self, name: str) -> list[str]:
        return [path for path, made in self.pictures.items() if name in made.boards]

    def put(self, name: str, *paths: str, on: bool = True) -> None:
        """Put pictures on a board that there is, or take them off it."""
        for path in paths:
            self.pictures[path] = _put(self.pictures[path], name, on)
        self._write(*({"put": path, "board": name, "on": on} for path in paths))
        self.changed.emit(paths)
        self.boards_changed.emit()

    def remove(self, *paths: str) -> None:
        """Take them off the list; the files stay."""
        self.removing.emit(paths)
        for path in paths:
            del self.pictures[path]
        self._write(*({"remove": path} for path in paths))
        self.removed.emit()

    def put_back(self, *pictures: Made) -> None:
        """What was removed is where it was, by the time that it was made."""
        back = [made for made in pictures if made.path not in self.pictures]
        self._write(*({"add": asdict(made)} for made in back))
        self._order(back)
        self.returned.emit()

    def take_in(self, found: Sequence[Made], gone: Sequence[str]) -> tuple[int, int]:
        """What a look at the folders came to; how many are new, and how many are gone from the list."""
        new = [made for made in found if made.path not in self.pictures]
        off = [path for path in gone if path in self.pictures]
        if off:
            self.remove(*off)
        if new:
            self.put_back(*new)
        return len(new), len(off)

    def _order(self, more: Sequence[Made] = ()) -> None:
        pictures = sorted((*self.pictures.values(), *more), key=lambda made: made.made)
        self.pictures = {made.path: made for made in pictures}

    def _write(self, *records: Mapping[str, Any]) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with open(self._file, "ab") as file:
                file.write(b"".join(map(_line, records)))
        except OSError as error:
            self.troubled.emit(f"The list of pictures could not be kept: {error.strerror}")

    def _replay(self, data: bytes) -> None:
        """Do what the lines say; those that are damaged cost no more than themselves."""
        lines, torn = data.splitlines(), bool(data) and not data.endswith(b"\n")
        damaged = [number for number, line in enumerate(lines, 1) if not self._said(line)]
        self._order()  # what was put back stands at the end of the file
        if torn and lines[-1].startswith(b"{") and damaged[-1:] == [len(lines)]:
            damaged.pop()  # a crash cut the last line short
        if damaged:
            aside = said_to_be(set_aside(self._file))
            self.complaints.append(
                f"{len(damaged)} of {len(lines)} lines in {self._file}, the list of pictures, cannot be read, "
                f"the first is line {damaged[0]}; {aside}"
            )
        if damaged or torn or len(lines) > len(self.pictures) + COMPACT_AT:
            records = (
                *({"board": name, "on": True} for name in self.boards),
                *({"add": asdict(made)} for made in self.pictures.values()),
            )
            with suppress(OSError):  # where nothing can be written, the next picture says so
                write_atomic(self._file, b"".join(map(_line, records)))

    def _said(self, line: bytes) -> bool:
        """Do what a line says; whether it says anything that makes sense."""
        if not line.strip():
            return True
        try:
            match json.loads(line):
                case {"add": {"path": str(path), "made": float() | int() as made, **rest}} if 0 <= made < FOREVER:
                    self.pictures.pop(str(usable_path(path)), None)
                    self.pictures[path] = _made(path, made, rest)
                case {"star": str(path), "on": bool(on)}:
                    if path in self.pictures:  # else another window has removed it
                        self.pictures[path] = replace(self.pictures[path], starred=on)
                case {"rate": str(path), "rating": int(rating)} if 0 <= rating <= BEST:
                    if path in self.pictures:
                        self.pictures[path] = replace(self.pictures[path], rating=rating)
                case {"put": str(path), "board": str(name), "on": bool(on)}:
                    if path in self.pictures:
                        self.pictures[path] = _put(self.pictures[path], name, on)
                case {"board": str(name), "on": bool(on)}:
                    self.boards.pop(name, None)
                    self.boards |= {name: None} if on else {}
                case {"remove": str(path)}:
                    self.pictures.pop(path, None)
                case _:
                    return False
        except UNREADABLE:
            return False
        return True


def _made(path: str, made: float, rest: Mapping[str, Any]) -> Made:
    """Of a record; what it does not say is as in a picture that was just made."""
    text, node = (str(rest.get(name, "")) for name in ("text", "node"))
    rating, boards = rest.get("rating"), rest.get("boards")
    return Made(
        path,
        made,
        text,
        bool(rest.get("starred")),
        node,
        rating if type(rating) is int and 0 <= rating <= BEST else 0,
        tuple(map(str, cast("list[Any]", boards))) if isinstance(boards, list) else (),
    )


def _put(made: Made, board: str, on: bool) -> Made:
    others = tuple(name for name in made.boards if name != board)
    return replace(made, boards=(*others, board) if on else others)


def words_of(search: str) -> tuple[str, ...]:
    """What `Made.matches` looks for; "seed:14" and "seed = 14" are the same."""
    return tuple(re.sub("[:=]", " ", search.lower()).split())


def _is_value(hay: str, name: str, number: str) -> bool:
    """Whether a parameter has this value, its name being such as "scale" for guidance_scale.

    Without a parameter of that name, whether the number is there at all.
    """
    values = [value for of, value in PARAMETER.findall(hay) if name in (of, *of.split("_"))]
    return float(number) in map(float, values) if values else number in hay


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record).encode() + b"\n"

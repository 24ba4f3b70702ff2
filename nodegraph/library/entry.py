"""One file of the library, and what can be asked of many."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

Order = Literal["name", "newest", "largest"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, or a folder that is one thing, as the index has it.

    kind, families, layout, words, base, title, problem, licence: see `nodegraph.domain.Told`; where the file names no
    licence, it is what the hub had said. family: the first of families; "" when none is known. family_title: what
    people call all of them. size: in bytes. modified: of its last change, in nanoseconds since 1970. thumbnail: a
    picture beside it; "" when there is none. hash: sha256 in hexadecimal; "" while nobody has asked for it. starred,
    note: a person's own.
    """

    path: str
    kind: str
    family: str = ""
    family_title: str = ""
    families: tuple[str, ...] = ()
    layout: str = ""
    size: int = 0
    modified: int = 0
    words: tuple[str, ...] = ()
    base: str = ""
    title: str = ""
    thumbnail: str = ""
    hash: str = ""
    problem: str = ""
    starred: bool = False
    note: str = ""
    is_folder: bool = False
    licence: str = ""

    @property
    def name(self) -> str:
        """What people call it: its title, or the name of the file."""
        path = Path(self.path)
        return self.title or (path.name if self.is_folder else path.stem)

    @property
    def usable(self) -> bool:
        return not self.problem


class Content(NamedTuple):
    """What is known of what a file holds. size: in bytes. source: its address at a hub; "" where none is known."""

    what: str
    size: int
    sha256: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """Which entries are asked for.

    text: words that all stand somewhere in what is known of an entry, in any case and order, parts of words too.
    kinds, families: of one of these; any where there are none. fitting: families; what is known to go with none of
    them is left out, as is what cannot be used. starred: nothing but those with a star. order: by name, or the newest,
    or the largest first. first: paths of those that come before all others, in this order.
    """

    text: str = ""
    kinds: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    fitting: tuple[str, ...] = ()
    starred: bool = False
    order: Order = "name"
    first: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """How many entries there are: by kind and by family, and of all. An entry may be of several families."""

    all: int = 0
    starred: int = 0
    problems: int = 0
    kinds: dict[str, int] = field(default_factory=dict[str, int])
    families: dict[str, int] = field(default_factory=dict[str, int])

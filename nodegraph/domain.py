"""What an editor is told of a package's domain: plain words beside the node types.

The editor knows nodes, loops and pictures, and no more. Where it helps with what the nodes are for, it goes by this:
to cut a loop in two, to suggest a form, to write names as people do, to lead a newcomer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, Protocol

from nodegraph.graph import Graph


class Slice(NamedTuple):
    """The node type that cuts a schedule: the steps from `start` up to `end`, which is not included.

    schedule: its input and its output. rounds: its output that says how many steps are left.
    """

    type: str
    schedule: str
    start: str
    end: str
    rounds: str


class Decode(NamedTuple):
    """The node type that makes what can be shown of what steps work on.

    by: its input for what that takes, which is linked to whatever is linked to an input of this name already.
    """

    type: str
    takes: str
    by: str
    gives: str


class Show(NamedTuple):
    """The node type that shows."""

    type: str
    takes: str


@dataclass(frozen=True, slots=True)
class Branching:
    """How a loop that follows a schedule is cut after a step.

    entry: the input of a group that takes what its steps work on. schedule: the input of whatever takes the schedule.
    history: the socket through which a group takes and passes on what else steps remember. settings: the parameters
    that a person may want to be different from a step on.
    """

    entry: str
    schedule: str
    history: str
    settings: tuple[str, ...]
    slice: Slice
    decode: Decode
    show: Show


@dataclass(frozen=True, slots=True)
class TourStep:
    """place: what is spoken of. waits: what the user does to go on; empty for a press of Next.

    parameter: the one that is spoken of at the place "number".
    """

    title: str
    text: str
    place: Literal["canvas", "run", "text", "number", "preview"]
    waits: Literal["", "run", "text", "number"] = ""
    parameter: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a plain value is, where nodes that take it go by that.

    title: what people call the kind. name: what `Stock.families` has for it, which never changes. suits: by node type
    and parameter, the value that suits it. idle: by node type and input, why that has no meaning for it; an input ""
    stands for the whole node.
    """

    title: str
    suits: Mapping[tuple[str, str], Any] = field(default_factory=dict[tuple[str, str], Any], hash=False)
    idle: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str], hash=False)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Likely:
    """What people most often link to a value, the likeliest first: ids of node types.

    after, before: where it goes, and where it comes from, by the type of the value. sockets: the same for one socket of
    a node type, where that differs.
    """

    after: Mapping[Any, tuple[str, ...]] = field(default_factory=dict[Any, tuple[str, ...]], hash=False)
    before: Mapping[Any, tuple[str, ...]] = field(default_factory=dict[Any, tuple[str, ...]], hash=False)
    sockets: Mapping[tuple[str, str], tuple[str, ...]] = field(
        default_factory=dict[tuple[str, str], tuple[str, ...]], hash=False
    )


@dataclass(frozen=True, slots=True)
class Remedy:
    """What a person can do about something that no workflow brings and that is missing: words for people, and deeds.

    title: what it is about. text: what that is and where people may have it, in a sentence or two. choose: offers to
    choose a file; patterns: how such files are called. fetch: offers to have it fetched over the network, which never
    happens unasked.

    kept: where it is kept by now; None when it is not. keep: keeps a file of it (its path, or None: fetches it), and
    returns where; told of (bytes there, bytes in all; 0 when that is not known). It runs in a process of its own, which
    may be ended at any time. Raises ValueError with a sentence, or OSError.
    """

    title: str
    text: str
    choose: str
    patterns: tuple[str, ...]
    fetch: str
    kept: Callable[[], str | None]
    keep: Callable[[str | None, Callable[[int, int], object]], str]


@dataclass(frozen=True, slots=True)
class Told:
    """What a file or a folder says of itself.

    kind: one of the domain's `Stock.kinds`. families: those that it goes with, by their names; none when it does not
    say. layout: how its numbers are kept, for people. words: those that a person writes to have what it was made for.
    base: what it was made for or from, in its own words. licence: under which it may be used, by the name that its
    writer has for it. problem: why it cannot be used, in a sentence; empty when it can.
    """

    kind: str
    families: tuple[str, ...] = ()
    layout: str = ""
    words: tuple[str, ...] = ()
    base: str = ""
    title: str = ""
    problem: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a `Remote`. name: with the folders that it lies in there. sha256: in hexadecimal.

    blob: the other hash that hubs have, of small files: git's, which is sha1. One of the two is known.
    """

    name: str
    size: int
    sha256: str = ""
    blob: str = ""


@dataclass(frozen=True, slots=True)
class Remote:
    """What a hub has: a file, or a folder that is one thing; known before any of its content is fetched.

    address: where it is, as it is written down and asked for again. page: for people, in a browser. commit: the state
    of it that is meant. licence: by the name the hub has for it; "" when it says none. gated: one has to log in there
    and agree to something first. kind, families: as far as they can be told from afar.
    """

    address: str
    name: str
    files: tuple[RemoteFile, ...]
    commit: str
    page: str = ""
    licence: str = ""
    gated: bool = False
    kind: str = ""
    families: tuple[str, ...] = ()
    is_folder: bool = False

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


Fetched = Callable[[int], object]
"""Hears how many bytes of a file are there."""


class Hub(Protocol):
    """Where files can be fetched from over the network, when a person asks for it. Its methods raise ValueError with a
    sentence.
    """

    title: str

    def address(self, text: str) -> str:
        """The same address as it is written down. It asks nobody. Raises ValueError for what is none of this hub."""
        ...

    def ask(self, address: str) -> tuple[Remote, ...]:
        """What is there: the file that the address names, or all that one can choose from."""
        ...

    def pull(self, remote: Remote, file: RemoteFile, into: BinaryIO, begin: int, heard: Fetched) -> None:
        """Append the bytes of a file from `begin` on; as many as the hub sends, which may be too few."""
        ...


class Neighbour(NamedTuple):
    """Another program on this machine, or a folder of files. title: which and where, for people. folders: its own."""

    title: str
    folders: tuple[str, ...]


def _no_neighbours() -> Iterable[Neighbour]:
    return ()


def _says_nothing(path: Path) -> Told | None:
    return None


def _has_no_parts(folder: Path) -> Collection[str] | None:
    return None


@dataclass(frozen=True, slots=True)
class Stock:
    """The files that nodes are given and that people have many of, as `nodegraph.library` lists them.

    kinds: by its name, what people call several of a kind, in the order in which they are shown. families: by its name,
    what people call a family. suffixes: how such files end, lower case with the dot. marks: files by which a folder is
    may be one such thing as a whole. places: by the lower-case name of a folder, the kind that other programs keep
    there. homes: by kind, the folder that programs agree on for it. beside: what files end with, in place of a file's
    own ending, that lie beside it and say something of it.

    parts: of a folder with a mark, the names of the files and folders in it that are no things of their own; None when
    it is not one thing. It raises nothing. look: at no more than what a file, or a folder that is one thing, says of
    itself at its start; None for what is no such thing. Raises ValueError with a sentence, or OSError, where it cannot
    be used. neighbours: where other programs keep such files; it looks around, which takes seconds.
    hub: where files can be fetched from; None where that is nowhere.
    """

    kinds: Mapping[str, str] = field(default_factory=dict[str, str])
    families: Mapping[str, str] = field(default_factory=dict[str, str])
    suffixes: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict[str, str])
    homes: Mapping[str, str] = field(default_factory=dict[str, str])
    beside: tuple[str, ...] = ()
    parts: Callable[[Path], Collection[str] | None] = _has_no_parts
    look: Callable[[Path], Told | None] = _says_nothing
    neighbours: Callable[[], Iterable[Neighbour]] = _no_neighbours
    hub: Hub | None = None


class Naming(NamedTuple):
    """How files that nodes save can be called. places: what may stand between two % in a template, and what it is.

    example: a name that a template gives now. Raises ValueError with the end of a sentence where it cannot be used.
    """

    places: Mapping[str, str]
    example: Callable[[str], str]


class Brought(NamedTuple):
    """What something that a person brings from elsewhere becomes: a node of this type, with these values."""

    type: str
    params: Mapping[str, Any]


Having = Callable[[str, str], Sequence[str]]
"""What a person has of a kind of `Stock.kinds` that may go with a family: paths, those that are likely meant first."""


def _no_file(path: Path) -> Brought | None:
    return None


def _begins_nothing(brought: Sequence[Brought], having: Having) -> Graph | None:
    return None


def _no_text(text: str) -> Brought | None:
    return None


def _nothing(values: Mapping[str, Any]) -> tuple[str, ...]:
    return ()


def _no_kind(value: Any) -> Kind | None:
    return None


@dataclass(frozen=True, slots=True)
class Domain:
    """A package's own is its `DOMAIN`.

    branching: None where no loop is cut. describe_step: what people call the place of a step within its loop, from its
    plain arguments; nothing for a step of another kind. kind: of a plain value; None for most. usual: parameters that
    people turn in nearly every workflow. remedies: by the names that problems have for them. acronyms: words of names
    as they are written. tour: through the first workflow. elsewhere: what nodes that do the same are called in other
    programs, by type. stock: the files that nodes are given.

    naming: None where files cannot be called otherwise.

    file: what a file or a folder becomes that somebody drops, pastes or opens; None where no node takes it. It looks at
    no more than what the file says of itself at its start. Raises ValueError with a sentence where it is damaged.
    text: the same for a text; None where it only is one.

    begin: the workflow that files begin in a document in which nothing is: with these in their places, and what else it
    takes from what a person has; what is lacking there is in its needs (`nodegraph.formats.needs`). None where they
    begin none together. It looks into files, which may take a second. Raises ValueError with a sentence where they can
    begin none without something that a person does not have.

    sheet: the pictures of a sweep on one, a PNG: of its `nodegraph.sweeping.sheet.Page`s, of the paths of each cell's
    pictures and of the workflow that it is to bring. None where pictures are not written to files. Raises ValueError
    with a sentence, or OSError.
    """

    branching: Branching | None = None
    describe_step: Callable[[Mapping[str, Any]], tuple[str, ...]] = _nothing
    kind: Callable[[Any], Kind | None] = _no_kind
    usual: tuple[str, ...] = ()
    remedies: Mapping[str, Remedy] = field(default_factory=dict[str, Remedy])
    acronyms: Mapping[str, str] = field(default_factory=dict[str, str])
    tour: tuple[TourStep, ...] = ()
    likely: Likely = field(default_factory=Likely)
    elsewhere: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    naming: Naming | None = None
    file: Callable[[Path], Brought | None] = _no_file
    text: Callable[[str], Brought | None] = _no_text
    begin: Callable[[Sequence[Brought], Having], Graph | None] = _begins_nothing
    stock: Stock = field(default_factory=Stock)
    sheet: Callable[[Sequence[Any], Mapping[Any, Sequence[str]], str], bytes] | None = None

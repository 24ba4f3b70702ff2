"""What the editor and the engine say to each other: plain data, no tensors."""

from __future__ import annotations

from dataclasses import dataclass

from nodegraph.graph import Graph
from nodegraph.types import Picture


@dataclass(frozen=True, slots=True)
class Run:
    """Compute these targets of this graph. Replaces any earlier Run; no targets means stop."""

    graph: Graph
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine process is up. environment: what the editor plans with, so that both know a result by one key."""

    pid: int
    seconds: float
    environment: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """The latest Run is planned: `calls` results are needed, `cached` of them are there already."""

    calls: int
    cached: int


@dataclass(frozen=True, slots=True)
class Started:
    """iteration: the index in every enclosing zone, outermost first."""

    node: str
    key: str
    iteration: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    node: str
    done: int
    total: int
    preview: Picture | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """picture: what the result looks like, for results that can show themselves."""

    node: str
    key: str
    iteration: tuple[int, ...]
    seconds: float
    cached: bool
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """message: one sentence for people. traceback: for the log; empty when the sentence says it all."""

    node: str
    message: str
    socket: str | None = None
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Saved:
    """A sink wrote a file."""

    node: str
    path: str


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing is left to do for the latest Run."""

    run: int
    cached: int
    seconds: float
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Gone:
    """The engine process ended; the document is untouched, and the next Run starts a new one.

    node: the one that was running; None when none was. message: what happened, for people.
    """

    exitcode: int | None
    node: str | None = None
    message: str = ""


Event = Ready | Planned | Started | Progress | Finished | Failed | Saved | Idle | Gone

"""What the editor and the engine say to each other: plain data, no tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from nodegraph.graph import Graph
from nodegraph.types import PREVIEW_SIDE, NetworkId, Picture


@dataclass(frozen=True, slots=True)
class Run:
    """Compute these targets of this graph. Replaces any earlier Run; no targets means stop.

    effects: whether a person asked for it. Without, sinks only show what they were given, and nodes that run on request
    are left out, with what needs them. ticket: what Began calls this run. written: the files that a process which is
    gone wrote for this run, by the key of the sink. out_dir: where sinks write; empty: where the engine was told.
    """

    graph: Graph
    targets: tuple[str, ...] = ()
    effects: bool = True
    ticket: int = 0
    written: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    out_dir: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Say what memory holds: Memory is the answer, given between two calls."""


@dataclass(frozen=True, slots=True)
class Free:
    """Forget models or results; whatever needs them again loads or computes them again. Answered by Memory.

    models: the holdings to forget. results: which of the kept results to forget.
    """

    models: tuple[NetworkId, ...] = ()
    results: tuple[Literal["memory", "disk"], ...] = ()


class Source(NamedTuple):
    """Where a picture comes from: the key of a result, and which of its outputs; None: the first that can show itself.

    item: of a batch the one that is looked at; None: all of them.
    """

    key: str
    output: int | None
    item: int | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """Say what results look like that are kept, while nothing runs; nothing is computed. The newest Look comes first.

    sources: by the key that Seen is to name. max_side: of the pictures, in pixels.
    """

    sources: Mapping[str, Source]
    max_side: int = PREVIEW_SIDE


@dataclass(frozen=True, slots=True)
class Measure:
    """Say how long a text is for whoever reads it, at once, whatever runs: Measured is the answer.

    name: what the answer bears. taken: by input, what the text's node takes, as far as planning knows it. The newest
    counts; those before it may stay without an answer.
    """

    name: str
    taken: Mapping[str, Any]
    text: str


@dataclass(frozen=True, slots=True)
class Keeps:
    """Say which of these results are kept, in memory or on the disk, at once, whatever runs: Kept is the answer.

    name: what the answer bears. keys: of the results.
    """

    name: str
    keys: tuple[str, ...]


Request = Run | Report | Free | Look | Measure | Keeps


PRECISIONS = ("auto", "float32", "bfloat16", "float16")
"""What a person can choose to compute in."""


@dataclass(frozen=True, slots=True)
class Device:
    """What one can compute on. name: "cuda:0". title: for people. problem: why it cannot compute; empty when it can."""

    name: str
    title: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine process is up. environment: what the editor plans with, so that both know a result by one key.

    devices: what there is to compute on. device: the name of the one that computes; empty where nobody says.
    """

    pid: int
    seconds: float
    environment: str = ""
    devices: tuple[Device, ...] = ()
    device: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """The process has loaded what computing needs, or, from then on, received the Run with this ticket.

    It says so at once, whatever it is doing, unless it is stuck.
    """

    ticket: int = 0


@dataclass(frozen=True, slots=True)
class Began:
    """From here on, what is said is about the Run with this ticket."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Planned:
    """The latest Run is planned: `calls` results are needed, `cached` of them are there already."""

    calls: int
    cached: int


class Started(NamedTuple):
    """iteration: the index in every enclosing zone, outermost first."""

    node: str
    key: str
    iteration: tuple[int, ...] = ()


class Progress(NamedTuple):
    node: str
    done: int
    total: int
    preview: Picture | None = None


class Finished(NamedTuple):
    """picture: what the node last said it looks like, or the result itself, when it can show itself.

    bytes: the memory that the kept result holds; 0 when it is not kept in memory. peak: the memory that was in use at
    the most while it was computed, of the device that computes; 0 when that is not known.
    """

    node: str
    key: str
    iteration: tuple[int, ...]
    seconds: float
    cached: bool
    picture: Picture | None = None
    bytes: int = 0
    peak: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a result looks like that is kept: an answer to Look. There is none for what is not kept.

    picture: None when it cannot show itself.
    """

    key: str
    picture: Picture | None
    max_side: int


@dataclass(frozen=True, slots=True)
class Measured:
    """said: how long the text is, in a few words; empty when nobody can tell."""

    name: str
    said: str


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer to Keeps. keys: those that are kept."""

    name: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """message: one sentence for people. traceback: for the log; empty when the sentence says it all."""

    node: str
    message: str
    socket: str | None = None
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Warned:
    """A library, or a node, had something to say that stops nobody."""

    message: str


@dataclass(frozen=True, slots=True)
class Saved:
    """A sink wrote a file, or found that it wrote this result to that file before. key: of the sink."""

    node: str
    path: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing is left to do for the latest Run.

    stopped: it ended early, or was there to stop another. waiting: how many results wait for a run that a person asks
    for.
    """

    run: int
    cached: int
    seconds: float
    stopped: bool = False
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Holding:
    """One model in memory. name: what people call it. device: where it is, such as "cpu"."""

    id: NetworkId
    name: str
    device: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Memory:
    """What the engine process holds. results: bytes of each in memory, by key; results_limit: of all of them."""

    models: tuple[Holding, ...]
    results: Mapping[str, int]
    results_limit: int
    disk_results: int
    disk_bytes: int


@dataclass(frozen=True, slots=True)
class Broke:
    """What the process computes on gave up, so that it ends itself. why: in a few words. traceback: for the log."""

    node: str | None
    why: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Gone:
    """The engine process ended; the document is untouched, and the next Run starts a new one.

    node: the one that was running; None when none was. message: what happened, for people. broken: whether it ended
    itself because what it computes on gave up: another process may go on. traceback: for the log.
    """

    exitcode: int | None
    node: str | None = None
    message: str = ""
    broken: bool = False
    traceback: str = ""


Event = (
    Ready
    | Heard
    | Began
    | Planned
    | Started
    | Progress
    | Finished
    | Seen
    | Measured
    | Kept
    | Failed
    | Warned
    | Saved
    | Idle
    | Memory
    | Broke
    | Gone
)

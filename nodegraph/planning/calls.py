"""What planning makes: calls, problems, and the notes it keeps on each node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from nodegraph.node import NodeType
from nodegraph.planning.fingerprints import Fingerprint


class Problem(NamedTuple):
    """Why a node cannot be computed. socket: the input it is about; None when it is the whole node.

    remedy: the name of what a person can do about it outside of the workflow, see `nodegraph.domain.Remedy`.
    """

    node: str
    socket: str | None
    message: str
    remedy: str = ""


class Call(NamedTuple):
    """One thing to compute. iteration: the round of every zone around it, outermost first.

    args: by parameter: plain values, Refs, or tuples of those. takes: the names of those in which there are Refs.
    files: what was at the paths among them when the key was made.
    """

    key: str
    node: str
    iteration: tuple[int, ...]
    type: NodeType
    args: Mapping[str, Any]
    takes: tuple[str, ...] = ()
    files: Mapping[str, Fingerprint] = MappingProxyType({})


@dataclass(slots=True)
class Value:
    """What the outputs of a node are (plain values, Refs, or tuples of those), and of which types."""

    # Not frozen, as one is made for every node: that would take four times as long.

    outputs: tuple[Any, ...]
    types: tuple[Any, ...]


@dataclass(slots=True, init=False)
class Record:
    """What planning one node came to, or one whole zone.

    problems: in order. used: the nodes it really took something from, in order. steps: see `nodegraph.limits`.
    """

    calls: dict[str, Call]
    keys: dict[str, str]
    problems: dict[Problem, None]
    used: dict[str, None]
    steps: int

    # One is made for every node, and default factories would be a call each.
    def __init__(self) -> None:
        self.calls, self.keys, self.problems, self.used, self.steps = {}, {}, {}, {}, 0


class Folded(NamedTuple):
    type: NodeType
    args: Mapping[str, Any]
    files: Mapping[str, Fingerprint]
    outputs: tuple[Any, ...]


def as_outputs(result: Any) -> tuple[Any, ...]:
    """The outputs of a node function, in order: several come as a NamedTuple."""
    return tuple(result) if hasattr(result, "_fields") else (result,)

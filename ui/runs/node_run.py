"""What is known of one node in the latest run, and where the engine's names for nodes belong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nodegraph.types import Picture

State = Literal["idle", "running", "done", "cached", "failed"]


@dataclass(frozen=True, slots=True)
class NodeRun:
    """One node in the latest run.

    done: how many of its `calls` are over; fraction: the same as 0..1, parts of a call counted.
    seconds: what computing its results took, whenever that was. memory: bytes that they take. picture: what it looks
    like, live while it runs, and made small when there are too many. aspect: its height / width; None when there is
    nothing to see. stale: its settings, or something upstream, changed since.
    """

    state: State = "idle"
    done: int = 0
    calls: int = 1
    fraction: float = 0.0
    seconds: float = 0.0
    memory: int = 0
    message: str = ""
    picture: Picture | None = None
    aspect: float | None = None
    stale: bool = False


IDLE = NodeRun()


def counts_for(of: str, node: str) -> bool:
    """Whether `of` is among the places of a node; "" is every node's."""
    return not of or node == of or node.startswith(f"{of}/")


def owner(node: str) -> str:
    """The node on the canvas that an engine's node id belongs to: "denoise/step" is inside "denoise"."""
    return node.split("/", 1)[0]


def places(node: str) -> tuple[str, ...]:
    """Where an engine's node id counts, outermost first: "denoise/step" for the group "denoise", and for itself."""
    if "/" not in node:
        return (node,)
    parts = node.split("/")
    return tuple("/".join(parts[: depth + 1]) for depth in range(len(parts)))

"""A plain description, and what is made of it."""

from dataclasses import dataclass
from typing import Annotated, Literal

from nodegraph.node import Range, node
from nodegraph.types import socket_type
from tests.toy_nodes.boxes import Box


@socket_type(color="#b5651d", plain=True)
@dataclass(frozen=True, slots=True)
class Clay:
    of: str


@node("toy.clay")
def clay(of: str = "red") -> Clay:
    """Clay of a kind: red, white or dry."""
    if of not in ("red", "white", "dry"):
        raise ValueError(f"there is no clay {of!r}")
    return Clay(of)


@node("toy.knead")
def knead(clay: Clay) -> Clay:
    """The same clay, softer."""
    return clay


@node("toy.pot")
def pot(
    clay: Clay,
    heat: Annotated[int, Range(0, 2000)] = 900,
    hours: int = 8,
    wheel: Literal["fast", "slow"] = "fast",
    soak: bool = False,
) -> Box:
    """A pot, by how hot it was fired."""
    return Box(heat + hours)

"""Clays, which are plain descriptions of some kind, and pots, which go by that."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from nodegraph.domain import Kind
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


@socket_type(color="#7fb4a2")
@dataclass(frozen=True, slots=True)
class Glaze:
    """Computed, and nothing to look at."""

    of: str


@node("toy.mix")
def mix(clay: Clay) -> Glaze:
    """A glaze that holds on this clay."""
    return Glaze(clay.of)


@node("toy.glaze")
def glaze(pot: Box, glaze: Glaze) -> Box:
    """The pot with a glaze on it."""
    return Box(pot.value + len(glaze.of))


KINDS = {
    "red": Kind("Red clay", {("toy.pot", "heat"): 900, ("toy.pot", "hours"): 8, ("toy.pot", "wheel"): "fast"}),
    "white": Kind(
        "White clay",
        {("toy.pot", "heat"): 1200, ("toy.pot", "hours"): 12, ("toy.pot", "wheel"): "slow"},
        {("toy.pot", "soak"): "White clay is not soaked"},
    ),
    "dry": Kind("Dry clay", idle={("toy.pot", ""): "Nothing is made of dry clay"}),
}


def kind(value: Any) -> Kind | None:
    return KINDS[value.of] if isinstance(value, Clay) else None

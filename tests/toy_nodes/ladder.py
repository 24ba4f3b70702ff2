"""A domain of its own: boxes are carried up a ladder, rung by rung, and opened with a key. No word of diffusion."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from nodegraph.domain import Branching, Decode, Domain, Show, Slice, TourStep
from nodegraph.node import Range, node
from tests.toy_nodes.boxes import Box
from tests.toy_nodes.jars import STOCK, jar_becomes, jar_kind
from tests.toy_nodes.lids import Lid
from tests.toy_nodes.pit import REMEDY
from tests.toy_nodes.pots import kind

Rungs = tuple[float, ...]


class Ladder(NamedTuple):
    rungs: Rungs
    number: int


class Carried(NamedTuple):
    box: Box
    seen: Box


class Height(NamedTuple):
    height: float


@node("toy.ladder")
def ladder(length: int = 4) -> Ladder:
    """Rungs, each higher than the one before."""
    return Ladder(tuple(map(float, range(1, length + 1))), length)


@node("toy.saw")
def saw(rungs: Rungs, first: int = 0, last: int = 1000) -> Ladder:
    """The rungs from the first up to the last, which is not included."""
    kept = rungs[first:last]
    return Ladder(kept, len(kept))


@node("toy.rung")
def rung(rungs: Rungs, index: int = 0) -> Height:
    """One rung of a ladder."""
    return Height(rungs[index])


@node("toy.carry", shows="seen")
def carry(box: Box, height: float = 0.0, push: Annotated[float, Range(0.0, 30.0)] = 1.0) -> Carried:
    """Carry a box to a rung."""
    return Carried(Box(box.value + push), Box(box.value + height))


@node("toy.unlock")
def unlock(load: Box, opener: Lid) -> Box:
    """Open what was carried."""
    return load


def _height(values: Mapping[str, Any]) -> tuple[str, ...]:
    return (f"at {values['height']:g} feet",) if "height" in values else ()


DOMAIN = Domain(
    Branching(
        entry="load",
        schedule="rungs",
        history="trail",
        settings=("push",),
        slice=Slice("toy.saw", schedule="rungs", start="first", end="last", rounds="number"),
        decode=Decode("toy.unlock", takes="load", by="opener", gives="box"),
        show=Show("toy.show", takes="box"),
    ),
    _height,
    kind=lambda value: jar_kind(value) or kind(value),
    file=jar_becomes,
    stock=STOCK,
    usual=("ratio",),
    remedies={"clay": REMEDY},
    acronyms={"diy": "DIY"},
    tour=(
        TourStep("Boxes", "These are boxes.", "canvas"),
        TourStep("Write on one", "Click the text.", "text", "text"),
        TourStep("Run it", "Press Run.", "run", "run"),
        TourStep("Turn a number", "Drag the ratio.", "number", "number", parameter="ratio"),
        TourStep("Again", "Press Run once more.", "run", "run"),
        TourStep("Well done", "That is all there is to boxes. " * 12, "preview"),
    ),
)

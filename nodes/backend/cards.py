"""What a device is, as its maker and this build of torch describe it, and what follows from that alone.

Plain values: `devices` reads them from torch, so that every rule here can be tried on cards that are not at hand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["cpu", "cuda", "rocm", "xpu", "mps"]

Dtype = Literal["float32", "bfloat16", "float16"]

SINGLE: frozenset[Dtype] = frozenset({"float32"})
HALVES: frozenset[Dtype] = frozenset({"float16", "bfloat16"})

NO_TENSOR_CORES = re.compile(r"GTX 16\d\d|\b(MX450|MX550|T4\d\d|T5\d\d|T600|T1000|T1200|T2000|CMP 30HX)\b")
"""The small chips of sm_75 by what their cards are called: convolutions in float16 give NaN on them, now and then
(pytorch/pytorch issues 58123 and 77955), which a self-test need not meet."""

BFLOAT16_AMD = re.compile(r"gfx(90a|94\d|95\d|11\d\d|12\d\d)$")
"""AMD's chips that multiply matrices in bfloat16; for the others it is emulated, though torch says it is there."""


@dataclass(frozen=True)
class Card:
    """name: torch's, "cuda:0". title: its maker's. arch: what kernels are built for, sm_86 or gfx1100; empty where
    torch does not say. built_for: what this build of torch has kernels for; empty where it does not say.
    native: what the driver says that the hardware computes in, where it says so. driver: of those that compile kernels.
    """

    kind: Kind
    name: str
    title: str
    bytes: int = 0
    arch: str = ""
    built_for: tuple[str, ...] = ()
    native: frozenset[Dtype] = frozenset()
    driver: str = ""

    @property
    def capability(self) -> tuple[int, int]:
        """(8, 6) of sm_86; (0, 0) of what is none of NVIDIA's."""
        found = re.fullmatch(r"sm_(\d+)(\d)[af]?", self.arch)
        return (int(found[1]), int(found[2])) if found else (0, 0)


def refusal(card: Card) -> str | None:
    """Why no kernel of this build of torch can run on a card; None when nothing speaks against it."""
    if not card.arch or not card.built_for or any(_runs(code, card) for code in card.built_for):
        return None
    return (
        f"{card.title} ({card.arch}) cannot run this build of torch, which is for {', '.join(card.built_for)}; "
        "install another build of torch, or compute on the cpu"
    )


def compiles_at_start(card: Card) -> bool:
    """Whether the driver makes the kernels of an NVIDIA card, so that another driver may compute other bits."""
    running = [code for code in card.built_for if _runs(code, card)]
    return card.kind == "cuda" and bool(running) and all(code.startswith("compute_") for code in running)


def _runs(code: str, card: Card) -> bool:
    """Whether kernels that were built for `code` run on a card.

    NVIDIA's binaries run on later chips of the same generation, with an "a" behind the number on that chip alone; what
    is left to the driver to compile (compute_) on all later ones. AMD's are for one chip, or for a range by its
    beginning, gfx11-generic.
    """
    if found := re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", code):
        built = int(found[2]), int(found[3])
        if found[4] == "a":
            return card.capability == built
        later = card.capability >= built
        return later if found[1] == "compute" else later and card.capability[0] == built[0]
    if code.endswith("-generic"):
        return card.arch.startswith(code.removesuffix("-generic").replace("-", ""))
    return code == card.arch


def doubtful(card: Card) -> frozenset[Dtype]:
    """In what a card is never computed by itself, whatever a self-test says: only when a person asks for it."""
    match card.kind:
        case "cpu":
            # Ordinary processors are slower with half the bits than with all of them.
            return HALVES
        case "mps":
            # Attention in either gives NaN on some versions of macOS and torch: pytorch/pytorch issue 96602.
            return HALVES
        case "cuda":
            small = card.capability == (7, 5) and NO_TENSOR_CORES.search(card.title)
            return frozenset({"float16"}) if small else frozenset()
        case "rocm":
            return frozenset() if BFLOAT16_AMD.match(card.arch) else frozenset({"bfloat16"})
        case "xpu":
            return HALVES - card.native


def expected(card: Card) -> frozenset[Dtype]:
    """What a card is fast and right in by its kind, for one that was not tried."""
    if card.kind != "cuda" or card.capability >= (8, 0):
        return (SINGLE | HALVES) - doubtful(card)
    if card.capability >= (7, 0):
        return SINGLE | (HALVES - doubtful(card) - {"bfloat16"})
    return SINGLE

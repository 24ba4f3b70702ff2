"""Which weights are kept in eight bits where a person asks for it, told by their names and shapes: no torch here.

These are the matrices within the blocks that a network has many of: attention and feed-forward, most of its bytes. What
comes first and last, embeddings, norms and the modulation by time and text stay as they are: they have few
multiplications to win by, and their mistakes reach every pixel. It is what diffusers leaves out of layerwise casting
(`_skip_layerwise_casting_patterns`), for all its classes together.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from nodes.types import Storage

WITHIN = re.compile(r"\.\d+\..+\.weight")
"""Of a layer that is a part of a numbered block, not itself one of a row of layers."""

STAYS = re.compile(r"norm|modulation|_mod\.|emb|merger|attention_bias")
"""Of norms, modulation, embeddings of time and place, and what fits one network's states to another."""


class Kind(NamedTuple):
    """layout: of `quantised.Packed`. fast: whether products are of eight-bit numbers too."""

    layout: Literal["float8", "int8"]
    fast: bool = False


KINDS: dict[Storage, Kind] = {"float8": Kind("float8"), "float8, fast": Kind("float8", fast=True), "int8": Kind("int8")}
"""What is packed, by the choice; without a row nothing is."""


def narrows(name: str, shape: tuple[int, ...]) -> bool:
    """Whether a network's tensor, by its own name, may be kept in fewer bits."""
    return len(shape) == 2 and bool(WITHIN.search(name)) and not STAYS.search(name)


def nbytes(shape: tuple[int, ...]) -> int:
    """What a matrix takes then: a byte a number, and a scale for each row."""
    rows, inputs = shape
    return rows * (inputs + 4)

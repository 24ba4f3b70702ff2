"""In which precision a network is computed: what it needs, what the device is good at, and what a person wants."""

from __future__ import annotations

from collections.abc import Set
from typing import Literal

from nodes.backend.cards import Dtype

Need = Literal["half", "bfloat16", "full"]
"""What a network needs: half is enough; half with the range of float32; float32 itself."""

Wish = Literal["auto", "float32", "bfloat16", "float16"]
"""What a person chose for all networks."""

WISHES: tuple[Wish, ...] = ("auto", "float32", "bfloat16", "float16")

SAFE: dict[Need, tuple[Dtype, ...]] = {
    "half": ("float16", "bfloat16"),  # of the two, float16 has eight times finer steps
    "bfloat16": ("bfloat16",),
    "full": (),
}
"""Less than float32 in which a network that needs this does not overflow, the better first."""


def chosen(need: Need, wish: Wish, good: Set[Dtype]) -> Dtype:
    """What to compute in. good: what the device is fast and right in.

    A wish goes before what is good, and what the network needs before a wish: nobody can want a black picture.
    """
    if wish == "float32":
        return "float32"
    safe = SAFE[need]
    if wish != "auto" and wish in safe:
        return wish
    for dtype in safe:
        if dtype in good:
            return dtype
    return "float32"

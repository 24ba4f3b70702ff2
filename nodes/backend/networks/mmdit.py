"""What the transformers of Stable Diffusion 3 and of Flux.1 share: blocks in which text and picture attend jointly.

Esser et al. 2024 (arXiv:2403.03206). `width` is that of the tokens inside a network, everywhere the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nodes.backend.fields import Whole
from nodes.backend.headers import Shapes
from nodes.backend.networks.architecture import Settings, Spellings, Stored, Tensors

CHANNELS = Whole(1, 16_384)
HEADS = Whole(1, 1024)
HEAD_CHANNELS = Whole(1, 1024)
MOST_LAYERS = 256

TIME_CHANNELS = 256
"""Sines and cosines of a timestep, or of the guidance scale."""

MLP_RATIO = 4

QKV = {"attn.to_q": 0, "attn.to_k": 1, "attn.to_v": 2}
ADDED_QKV = {"attn.add_q_proj": 0, "attn.add_k_proj": 1, "attn.add_v_proj": 2}
"""In which third of the original layouts' one projection each is: of the picture, and of the text."""


def width(settings: Mapping[str, Any]) -> int:
    return settings["num_attention_heads"] * settings["attention_head_dim"]


def time_and_text(tensors: Tensors, settings: Settings, *, guidance: bool = False) -> None:
    """What makes one vector of the timestep, the pooled prompt and, where a network reads it, the guidance scale."""
    w = width(settings)
    for name, inputs in (
        ("timestep", TIME_CHANNELS),
        *((("guidance", TIME_CHANNELS),) if guidance else ()),
        ("text", settings["pooled_projection_dim"]),
    ):
        tensors.linear(f"time_text_embed.{name}_embedder.linear_1", inputs, w)
        tensors.linear(f"time_text_embed.{name}_embedder.linear_2", w, w)


def attention(tensors: Tensors, name: str, settings: Settings, *, norm: bool, added: bool, out: bool = True) -> None:
    """norm: of queries and keys, by head. added: the text's own projections. out: the picture's last projection."""
    w = width(settings)
    for layer in (
        *("to_q", "to_k", "to_v"),
        *(("add_q_proj", "add_k_proj", "add_v_proj") if added else ()),
        *(("to_out.0",) if out else ()),
    ):
        tensors.linear(f"{name}.{layer}", w, w)
    if norm:
        for layer in ("norm_q", "norm_k", *(("norm_added_q", "norm_added_k") if added else ())):
            tensors.scale(f"{name}.{layer}", settings["attention_head_dim"])


def feed_forward(tensors: Tensors, name: str, w: int) -> None:
    tensors.linear(f"{name}.net.0.proj", w, MLP_RATIO * w)
    tensors.linear(f"{name}.net.2", MLP_RATIO * w, w)


def third(name: str, part: int, w: int) -> Stored:
    """One of the equally wide layers that a file keeps in one."""
    return Stored(name, rows=(part * w, (part + 1) * w))


class Sizes:
    """What the tensors of a file are wide, asked for by the network's own names."""

    def __init__(self, spellings: Spellings, found: Shapes) -> None:
        self._spellings = spellings
        self._found = found

    def __contains__(self, tensor: str) -> bool:
        return any(stored.name in self._found for stored in self._spellings(tensor))

    def __call__(self, tensor: str, side: int) -> int | None:
        """None when there is no such tensor, or nothing in it."""
        shape = next((self._found[s.name] for s in self._spellings(tensor) if s.name in self._found), ())
        return shape[side] or None if len(shape) > side else None

    def count(self, tensor: str) -> int:
        """How many there are; tensor: a name with {} for a number, which begins at 0 and leaves none out."""
        number = 0
        while tensor.format(number) in self:
            number += 1
        return number


def told_heads(settings: Settings, w: int | None, head: int | None) -> Settings:
    """How a width is divided. head: of one head, where a file tells; it is as given where it does not."""
    wide: int = head or settings["attention_head_dim"]
    return {"num_attention_heads": w // wide, "attention_head_dim": wide} if w and not w % wide else {}


def known(**told: int | None) -> Settings:
    """Without what a file does not tell."""
    return {name: value for name, value in told.items() if value is not None}

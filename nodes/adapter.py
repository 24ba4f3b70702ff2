"""Adapters on top of models."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, NamedTuple, cast

from nodegraph.node import File, Range, node
from nodes.backend.kinds import LORA
from nodes.types import Model, TextEncoder

Strength = Annotated[float, Range(-10.0, 10.0, step=0.05)]


class Adapted(NamedTuple):
    model: Model
    text_encoder: TextEncoder


@node("adapter.lora", title="Load LoRA", aliases=("LoRA", "low-rank adapter"))
def lora(
    model: Model,
    text_encoder: TextEncoder | None = None,
    path: Annotated[str, File((".safetensors",), kinds=(LORA,))] = "",
    strength: Strength = 1.0,
    text_strength: Strength = 1.0,
) -> Adapted:
    """Put a LoRA on a model: a small file that teaches it a style or a subject.

    strength acts on the denoiser, text_strength on the text encoder; 0 leaves it alone. Without a text encoder the
    part that is for one is left out. Several LoRAs add up: link one into the next. The model itself is never changed.
    """
    from nodes.backend import checkpoints

    found = checkpoints.lora(path, model, text_encoder)
    if strength:
        model = replace(model, loras=(*model.loras, replace(found, strength=strength)))
    if text_encoder is None:
        return Adapted(model, cast("TextEncoder", None))  # whoever needs one says so
    if text_strength:
        text_encoder = replace(text_encoder, loras=(*text_encoder.loras, replace(found, strength=text_strength)))
    return Adapted(model, text_encoder)

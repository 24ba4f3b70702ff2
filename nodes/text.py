"""Prompts."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from nodegraph.node import Multiline, Range, node
from nodes import fit
from nodes.types import Conditioning, TextEncoder


def _encoded(text_encoder: TextEncoder, **_: object) -> tuple[int]:
    return (fit.prompt_width(text_encoder),)


@node("text.encode", aliases=("prompt", "CLIP text encode", "positive", "negative"), outline=_encoded)
def prompt(text_encoder: TextEncoder, text: Annotated[str, Multiline()] = "") -> Conditioning:
    """Turn a prompt into what the denoiser reads.

    (word) weighs more, [word] weighs less, (word:1.3) weighs 1.3 times; brackets may be nested; \\( and \\) are
    ordinary brackets. A prompt may be of any length; BREAK starts a new chunk.
    """
    from nodes.backend import pool
    from nodes.backend.prompt import encode

    tokenizer, encoder = pool.text_encoder(text_encoder)
    return Conditioning(encode(text, tokenizer, encoder, text_encoder.skip_layers), text)


@node("text.clip_skip", aliases=("stop at CLIP layer", "set last layer"))
def clip_skip(text_encoder: TextEncoder, skip_layers: Annotated[int, Range(0, 11)] = 1) -> TextEncoder:
    """Read the prompt without the text encoder's last layers.

    0 uses all layers, 1 is what other programs call clip skip 2.
    """
    return replace(text_encoder, skip_layers=skip_layers)

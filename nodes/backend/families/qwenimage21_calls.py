"""Calling Qwen-Image 2.1's transformer: latents in the places of a text where the language model saw pictures."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from nodes.backend import launch, resident
from nodes.backend.families.family import Asked
from nodes.backend.networks.qwenimage21 import SLOT

Segments = tuple[tuple[int, int, bool], ...]

TIMESTEPS = 1000
"""The network itself multiplies with it."""


def predict(net: Any, asked: Asked) -> Tensor:
    """What the transformer tells of x, a latent pixel of which is a token."""
    x = asked.x
    rows, columns = x.shape[-2:]
    text = asked.each(lambda prompt: prompt.embeds)
    made: Tensor = launch.call(
        net,
        hidden_states=torch.cat([*asked.references(_tokens), _tokens(x)], dim=1),
        encoder_hidden_states=text,
        timestep=asked.timesteps().expand(len(x)) / TIMESTEPS,
        **layout(net, asked, text.shape[1]),
    )
    return made[:, -rows * columns :].transpose(1, 2).reshape(len(x), -1, rows, columns)


def _tokens(picture: Tensor) -> Tensor:
    """[batch, channels, height, width] to [batch, height * width, channels]."""
    return picture.flatten(2).transpose(1, 2)


def layout(net: Any, asked: Asked, length: int) -> dict[str, Any]:
    """What the transformer is told of where tokens are. length: of the text, behind which is the picture being made."""
    sizes = tuple((picture.shape[-2], picture.shape[-1]) for picture in (*asked.prompts[0].references, asked.x))
    starts, device, axes = asked.prompts[0].shown_at, asked.x.device, tuple(net.config.axes_dims_rope)
    counts = tuple(rows * columns for rows, columns in sizes)
    order, segments = _order(length, (*starts, length), counts)

    def once(name: str, make: Callable[[], Tensor]) -> Tensor:
        given = (name, length, starts, sizes, axes, device)
        return resident.made_once(given, (), lambda: resident.sent(make(), device))

    def places() -> Tensor:
        shapes = [(1, *size) for size in sizes]
        return net.pos_embed(shapes, torch.tensor(order) >= length, torch.device("cpu"))

    return {
        "order": once("order", lambda: torch.tensor(order)),
        "rotary_emb": once("places", places),
        "target_token_mask": once("made", lambda: torch.arange(len(order)) >= len(order) - counts[-1]),
        "segments": segments,
    }


@lru_cache(maxsize=16)
def _order(length: int, starts: tuple[int, ...], counts: tuple[int, ...]) -> tuple[tuple[int, ...], Segments]:
    """Of every place, which token stands there: those of the text are counted first, then the pictures'. And what is
    before the picture being made.

    A picture stands in the text where the language model saw it, in the room of a quarter of its tokens.
    """
    order, segments, of_text, of_pictures = list[int](), list[tuple[int, int, bool]](), 0, length
    for start, count in zip(starts, counts, strict=True):
        parts = (range(of_text, start), range(of_pictures, of_pictures + count))
        for part, is_text in zip(parts, (True, False), strict=True):
            if part:
                segments.append((len(order), len(order) + len(part), is_text))
                order += part
        of_text, of_pictures = start + count // SLOT**2, of_pictures + count
    return tuple(order), tuple(segments[:-1])

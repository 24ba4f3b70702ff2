"""Calling Qwen-Image 2.1's transformer: latents in the places of a text where the language model saw pictures."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nodes.backend import launch, resident
from nodes.backend.families.family import Asked
from nodes.backend.networks.qwenimage21 import SLOT

TIMESTEPS = 1000
"""The network itself multiplies with it."""


def predict(net: Any, asked: Asked) -> Tensor:
    """What the transformer tells of x, a latent pixel of which is a token."""
    x = asked.x
    rows, columns = x.shape[-2:]
    count = len(asked.prompts[0].references)
    seen = [asked.each(lambda prompt, n=n: prompt.references[n], ("reference", n)) for n in range(count)]
    text = asked.each(lambda prompt: prompt.embeds)
    made: Tensor = launch.call(
        net,
        hidden_states=torch.cat([_tokens(picture) for picture in (*seen, x)], dim=1),
        encoder_hidden_states=text,
        timestep=asked.timesteps().expand(len(x)) / TIMESTEPS,
        img_shapes=[[(1, picture.shape[-2], picture.shape[-1]) for picture in (*seen, x)]] * len(x),
        img_mask=_slots(asked, text.shape[1], [_num_slots(picture) for picture in (*seen, x)]),
        return_dict=False,
    )[0]
    return made[:, -rows * columns :].transpose(1, 2).reshape(len(x), -1, rows, columns)


def _tokens(picture: Tensor) -> Tensor:
    """[batch, channels, height, width] to [batch, height * width, channels]."""
    return picture.flatten(2).transpose(1, 2)


def _num_slots(picture: Tensor) -> int:
    return picture.shape[-2] * picture.shape[-1] // SLOT**2


def _slots(asked: Asked, length: int, counts: list[int]) -> Tensor:
    """Which places are of pictures, [prompts * batch, places]: of the text, and of the picture being made behind it."""
    starts, device, batch = asked.prompts[0].shown_at, asked.x.device, len(asked.x)

    def made() -> Tensor:
        mask = torch.zeros(length + counts[-1], dtype=torch.bool)
        for start, count in zip((*starts, length), counts, strict=True):
            mask[start : start + count] = True
        return resident.sent(mask.expand(batch, -1).contiguous(), device)

    return resident.made_once(("slots", length, starts, tuple(counts), batch, device), (), made)

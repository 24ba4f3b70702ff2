"""Calling Flux.2's transformer: tokens of the picture and of those to work from, and where each is."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nodes.backend import launch, resident
from nodes.backend.families.family import Asked

GUIDANCE = 4.0
"""What the published pipelines tell models of their guidance scale where a person does not say."""

TIMESTEPS = 1000
"""The network itself multiplies with it."""

APART = 10
"""How far pictures to work from are from each other, and from the one being made, on the first axis."""


def predict(net: Any, asked: Asked) -> Tensor:
    """What the transformer tells of x."""
    x = asked.x
    rows, columns = x.shape[-2:]
    sizes = [(picture.shape[-2], picture.shape[-1]) for picture in asked.prompts[0].references]
    text = asked.each(lambda prompt: prompt.embeds)
    prediction: Tensor = launch.call(
        net,
        hidden_states=torch.cat([_tokens(x), *asked.references(_tokens)], dim=1),
        encoder_hidden_states=text,
        timestep=asked.timesteps().expand(len(x)) / TIMESTEPS,
        guidance=_guidance(asked) if net.config.guidance_embeds else None,
        img_ids=_places(asked, ((rows, columns), *sizes)),
        txt_ids=_text_places(asked, text.shape[1]),
        return_dict=False,
    )[0]
    made = prediction[:, : rows * columns].transpose(1, 2)
    return made.reshape(len(x), -1, rows, columns)


def _tokens(x: Tensor) -> Tensor:
    """[batch, channels, height, width] to [batch, height * width, channels]: a latent pixel is a token."""
    return x.flatten(2).transpose(1, 2).contiguous()


def _places(asked: Asked, sizes: tuple[tuple[int, int], ...]) -> Tensor:
    """Where the tokens of pictures are, one picture after the other: [tokens, 4], float32, which counts them all.

    Axes: which picture, row, column, place in a text. sizes: (rows, columns), first of the picture being made.
    """

    def made() -> Tensor:
        parts: list[Tensor] = []
        for number, (rows, columns) in enumerate(sizes):
            ids = torch.zeros(rows, columns, 4)
            ids[..., 0] = APART * number
            ids[..., 1] += torch.arange(rows)[:, None]
            ids[..., 2] += torch.arange(columns)
            parts.append(ids.flatten(0, 1))
        return resident.sent(torch.cat(parts), asked.x.device)

    return resident.made_once(("flux2 places", sizes, asked.x.device), (), made)


def _text_places(asked: Asked, count: int) -> Tensor:
    def made() -> Tensor:
        ids = torch.zeros(count, 4)
        ids[:, 3] = torch.arange(count)
        return resident.sent(ids, asked.x.device)

    return resident.made_once(("flux2 text places", count, asked.x.device), (), made)


def _guidance(asked: Asked) -> Tensor:
    scales = [GUIDANCE if prompt.distilled_guidance is None else prompt.distilled_guidance for prompt in asked.prompts]
    return asked.numbers(scales, torch.float32)

"""Calling Z-Image's transformer: a list of pictures and a list of prompts, each of its own length."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nodes.backend import launch
from nodes.backend.families.family import Asked

TIMESTEPS = 1000


def predict(net: Any, asked: Asked) -> Tensor:
    """What the transformer tells of x. It counts from the noise to the picture, so both ends are turned round."""
    x = asked.x
    timesteps = asked.timesteps().expand(len(x))
    told = [asked.once([prompt.embeds], lambda found: found[0][0], "alone") for prompt in asked.prompts]
    texts = [text for text in told for _ in range(asked.batch)]
    made: list[Tensor] = launch.call(
        net,
        [*x.unsqueeze(2)],  # each a film of one frame
        (TIMESTEPS - timesteps) / TIMESTEPS,
        texts,
        return_dict=False,
    )[0]
    return -torch.stack(made).squeeze(2)

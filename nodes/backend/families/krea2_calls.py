"""Calling Krea 2's transformer: with what is made of the prompt by each of twelve layers, and with places."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nodes.backend import launch, resident
from nodes.backend.families.family import Asked
from nodes.backend.families.flux_calls import TIMESTEPS, packed, places, unpacked
from nodes.backend.networks.krea2 import PATCH


def predict(net: Any, asked: Asked) -> Tensor:
    """What the transformer tells of x.

    The stock pipeline fills prompts up to 512 tokens and masks those. They are left out here: a text's tokens have no
    places, and what is masked tells nothing.
    """
    x = asked.x
    rows, columns = (side // PATCH for side in x.shape[-2:])
    states = asked.each(lambda prompt: prompt.embeds)
    text: Tensor = states.reshape(*states.shape[:2], net.config.num_text_layers, -1)
    made: Tensor = launch.call(
        net,
        hidden_states=packed(x),
        encoder_hidden_states=text,
        timestep=asked.timesteps().expand(len(x)) / TIMESTEPS,
        position_ids=_places(text.shape[1], rows, columns, x.device),
        return_dict=False,
    )[0]
    return unpacked(made, rows, columns)


def _places(tokens: int, rows: int, columns: int, device: torch.device) -> Tensor:
    """[tokens + rows * columns, 3]: those of the text are 0."""

    def made() -> Tensor:
        return resident.sent(torch.cat([torch.zeros(tokens, 3), places(rows, columns)]), device)

    return resident.made_once(("krea2 places", tokens, rows, columns, device), (), made)

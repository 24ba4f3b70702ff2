"""What a language model says of a text on the way: the states after some of its layers, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from nodes.backend import share


@torch.inference_mode()
def beside(encoder: Any, layers: Sequence[int], **told: Any) -> Tensor:
    """[1, tokens, layers * width], float32 on the CPU. told: what the encoder is called with.

    layers: counted from 1, rising. Those after the last of them are not computed, and no norm follows it.
    """
    states: list[Tensor] = []

    def keep(_layer: object, _inputs: object, made: Tensor) -> None:
        states.append(made)

    short = share.twin_of_one(encoder)
    short.layers = encoder.layers[: layers[-1]]
    short.norm = nn.Identity()
    with ExitStack() as hooks:
        for number in layers:
            hooks.callback(encoder.layers[number - 1].register_forward_hook(keep).remove)
        short(**told, use_cache=False)
    return torch.cat(states, dim=-1).to("cpu", torch.float32).contiguous()


@torch.inference_mode()
def unnormed(encoder: Any, **told: Any) -> Tensor:
    """[1, tokens, width], float32 on the CPU: the states after the last layer of a language model that sees pictures,
    without the norm that follows it. told: what the encoder is called with.
    """
    whole = share.twin_of_one(encoder)
    whole.language_model = share.twin_of_one(encoder.language_model)
    whole.language_model.norm = nn.Identity()
    return whole(**told, use_cache=False).last_hidden_state.to("cpu", torch.float32).contiguous()


def filled(numbers: Sequence[int], length: int, pad: int, *, left: bool = False) -> tuple[list[int], list[int]]:
    """Tokens with others around them up to a length, and for each whether it is one of the text, 1 or 0."""
    rest = length - len(numbers)
    if left:
        return [pad] * rest + [*numbers], [0] * rest + [1] * len(numbers)
    return [*numbers] + [pad] * rest, [1] * len(numbers) + [0] * rest

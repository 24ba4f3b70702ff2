"""Calling Z-Image's transformer and its ControlNets: a list of pictures and one of prompts, each of its own length."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import torch
from diffusers.models.controlnets.controlnet_z_image import ZImageControlNetModel
from torch import Tensor, nn

from nodes.backend import launch, share
from nodes.backend.families.family import Asked, Follower
from nodes.backend.families.unet_calls import inner_strength, of_strength

TIMESTEPS = 1000

_lent: weakref.WeakKeyDictionary[nn.Module, tuple[weakref.ref[nn.Module], Any]] = weakref.WeakKeyDictionary()
"""For each ControlNet, the transformer that it was lent parts of last, and what came of that."""


def predict(net: Any, asked: Asked) -> Tensor:
    """What the transformer tells of x. It counts from the noise to the picture, so both ends are turned round."""
    made: list[Tensor] = launch.call(net, *_told(asked), controlnet_block_samples=asked.residuals, return_dict=False)[0]
    return -torch.stack(made).squeeze(2)


def _told(asked: Asked) -> tuple[list[Tensor], Tensor, list[Tensor]]:
    """What transformers and ControlNets are told in the same way: pictures, times, prompts."""
    x = asked.x
    timesteps = asked.timesteps().expand(len(x))
    told = [asked.once([prompt.embeds], lambda found: found[0][0], "alone") for prompt in asked.prompts]
    texts = [text for text in told for _ in range(asked.batch)]
    return [*x.unsqueeze(2)], (TIMESTEPS - timesteps) / TIMESTEPS, texts  # each a film of one frame


def residuals(transformer: Any, followers: Sequence[Follower], asked: Asked) -> dict[int, Tensor] | None:
    """What is added after the transformer's layers, by their numbers: the sum over all hints; None without any."""
    total: dict[int, Tensor] = {}
    for follower in followers:
        made: dict[int, Tensor] = launch.call(
            lent(follower.controlnet, transformer),
            *_told(asked),
            _shown(follower, asked),
            conditioning_scale=inner_strength(follower.hint, asked),
        )
        added = zip(made, of_strength([*made.values()], follower.hint, asked), strict=True)
        total |= {layer: total[layer] + one if layer in total else one for layer, one in added}
    return total or None


def _shown(follower: Follower, asked: Asked) -> list[Tensor]:
    """A hint's latent for each of x, with nothing in the channels for completing pictures, where there are any."""
    latent: Any = follower.latent
    channels: int = follower.controlnet.config.control_in_dim
    count = len(asked.x)

    def made(_: Sequence[Tensor]) -> Tensor:
        empty = latent.new_zeros(len(latent), channels - latent.shape[1], *latent.shape[2:])
        return torch.cat([latent, empty], dim=1).repeat(count // len(latent), 1, 1, 1)

    return [*asked.once([latent], made, ("hint", count, channels)).unsqueeze(2)]


def lent(controlnet: nn.Module, transformer: nn.Module) -> Any:
    """A twin of a ControlNet with what it shares with the transformer, of which its own file has nothing."""
    known = _lent.get(controlnet)
    if known is None or known[0]() is not transformer:
        controlnet_ref = weakref.ref(controlnet)

        def forget(ended: object) -> None:
            there = controlnet_ref()
            if there is not None and (known := _lent.get(there)) and known[0] is ended:
                del _lent[there]

        kind: Any = ZImageControlNetModel
        known = _lent[controlnet] = (
            weakref.ref(transformer, forget),
            kind.from_transformer(share.twin_of_one(controlnet), transformer),
        )
    return known[1]

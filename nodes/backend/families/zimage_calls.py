"""Calling Z-Image's transformer and its ControlNets: a list of pictures and one of prompts, each of its own length."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import torch
from diffusers.models.controlnets.controlnet_z_image import ZImageControlNetModel
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

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
    """For each of x a hint's latent and, where there is room, a mask, 1 where a picture stays, and the latent of what
    stays of it. What a hint has not is 0.
    """
    latent: Any = follower.latent
    mask, completed = follower.hint.mask, follower.completed
    channels: int = follower.controlnet.config.control_in_dim
    count = len(asked.x)
    sources = [latent, *(source for source in (mask, completed) if source is not None)]

    def made(_: Sequence[Tensor]) -> Tensor:
        parts = [latent]
        if mask is not None:
            stays = 1 - interpolate(mask, latent.shape[-2:])  # the nearest pixel counts
            parts = [torch.zeros_like(latent) if completed is None else latent, stays]
            parts.append(latent if completed is None else completed)
        most = max(map(len, parts))
        each = torch.cat([part.expand(most, -1, -1, -1) for part in parts], dim=1)
        return pad(each, (0, 0, 0, 0, 0, channels - each.shape[1])).repeat(count // most, 1, 1, 1)

    return [*asked.once(sources, made, ("hint", count, channels)).unsqueeze(2)]


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

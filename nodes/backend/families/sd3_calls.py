"""Reading prompts for Stable Diffusion 3, and calling its transformer and its ControlNets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from nodes.backend import launch, t5_prompt
from nodes.backend.families.family import Asked, Follower, Reader
from nodes.backend.families.unet_calls import inner_strength, of_strength
from nodes.backend.prompt import parse, read


def read_clips(prompt: str, clips: Sequence[Reader], skip_layers: int) -> tuple[Tensor, Tensor]:
    """([1, tokens, width], [1, width]): the states of the last but one layer, and the pooled ones, side by side."""
    states = [read(prompt, *clip, layers_back=1 + skip_layers, normed=False) for clip in clips]
    if len({state.embeds.shape[1] for state in states}) > 1:
        raise ValueError("both CLIPs must read the prompt in as many chunks; give it shorter ones with BREAK")
    return torch.cat([s.embeds for s in states], dim=-1), torch.cat([s.pooled for s in states], dim=-1)


def with_t5(embeds: Tensor, prompt: str, reader: Reader, length: int) -> Tensor:
    """The states of the CLIPs, filled up to T5's width, and then its own."""
    states = t5_prompt.encode(parse(prompt), reader.tokenizer, reader.encoder, length)
    return torch.cat([_filled(embeds, states.shape[-1]), states], dim=1)


def without_t5(embeds: Tensor, width: int, length: int) -> Tensor:
    """As `with_t5`, with zeros for what it would have read: the transformer has met that in training."""
    return pad(_filled(embeds, width), (0, 0, 0, length))


def _filled(embeds: Tensor, width: int) -> Tensor:
    return pad(embeds, (0, width - embeds.shape[-1]))


def predict(transformer: Any, asked: Asked, t5_tokens: int) -> Tensor:
    """What the transformer tells of x."""
    return launch.call(
        transformer,
        asked.x,
        encoder_hidden_states=_states(transformer, asked, t5_tokens),
        pooled_projections=_pooled(asked),
        timestep=_timesteps(asked),
        block_controlnet_hidden_states=asked.residuals,
        return_dict=False,
    )[0]


def residuals(transformer: Any, followers: Sequence[Follower], asked: Asked, t5_tokens: int) -> list[Tensor]:
    """What is added to the picture's tokens after each of the transformer's blocks: the sum over all hints.

    A ControlNet with fewer blocks serves several of the transformer's with each, the first ones with its first.
    """
    count = len(transformer.transformer_blocks)
    total: list[Tensor] = []
    for follower in followers:
        added = _added(transformer, follower, asked, t5_tokens)
        spread = [added[int(index / (count / len(added)))] for index in range(count)]
        total = [a + b for a, b in zip(total, spread, strict=True)] if total else spread
    return total


def _added(transformer: Any, follower: Follower, asked: Asked, t5_tokens: int) -> list[Tensor]:
    controlnet, config = follower.controlnet, follower.controlnet.config
    pooled = _pooled(asked)
    if config.force_zeros_for_pooled_projection:  # how those of InstantX were trained
        pooled = torch.zeros_like(pooled)
    reads_prompt = config.joint_attention_dim is not None
    made = launch.call(
        controlnet,
        # Those without positions of their own begin where the transformer's positions are in the tokens.
        asked.x if controlnet.pos_embed is not None else transformer.pos_embed(asked.x),
        controlnet_cond=_hint(follower, asked),
        conditioning_scale=inner_strength(follower.hint, asked),
        encoder_hidden_states=_states(transformer, asked, t5_tokens) if reads_prompt else None,
        pooled_projections=pooled,
        timestep=_timesteps(asked),
        return_dict=False,
    )[0]
    return of_strength([*made], follower.hint, asked)


def _hint(follower: Follower, asked: Asked) -> Tensor:
    """A picture for each of x, as the ControlNet knows latents."""
    latent: Any = follower.latent
    # Those of InstantX were trained with latents that are scaled only; of these the shift is taken off.
    only_scaled: bool = follower.controlnet.config.force_zeros_for_pooled_projection

    def shown(_: Sequence[Tensor]) -> Tensor:
        vae = follower.vae.config
        known = latent + (vae.shift_factor or 0.0) * vae.scaling_factor if only_scaled else latent
        return known.repeat(len(asked.x) // len(known), 1, 1, 1)

    return asked.once([latent], shown, ("hint", len(asked.x), only_scaled))


def _states(transformer: Any, asked: Asked, t5_tokens: int) -> Tensor:
    """[prompts * batch, tokens, width]"""
    width: int = transformer.config.joint_attention_dim

    def whole(found: Sequence[Tensor]) -> Tensor:
        return asked.repeated([e if e.shape[-1] == width else without_t5(e, width, t5_tokens) for e in found])

    return asked.once([prompt.embeds for prompt in asked.prompts], whole, ("states", width))


def _pooled(asked: Asked) -> Tensor:
    """[prompts * batch, width]"""
    pooled = [prompt.pooled for prompt in asked.prompts if prompt.pooled is not None]
    return asked.once(pooled, asked.repeated)


def _timesteps(asked: Asked) -> Tensor:
    """[prompts * batch], float32 whatever the precision of x: the network makes sines of it."""
    return asked.timesteps().expand(len(asked.x))

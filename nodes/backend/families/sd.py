"""Stable Diffusion 1.x and 2.x: a U-Net that attends to CLIP embeddings. Rombach et al. 2022 (arXiv:2112.10752)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nodes import fit
from nodes.backend import control
from nodes.backend.schedules import timestep_at
from nodes.types import Hint, Model, Prediction


def denoise(
    unet: Any, model: Model, hints: Sequence[tuple[nn.Module, Hint]], x: Tensor, sigma: float, embeds: Tensor
) -> Tensor:
    """The clean latent expected in x: D(x, sigma, conditioning).

    x: [batch, channels, height, width], float32. embeds: [batch, tokens, width]. The network works on its own device
    and in its own precision; what comes back is float32 where x is.
    """
    network = {"device": unet.device, "dtype": unet.dtype}
    model_input = (x / math.sqrt(sigma**2 + 1)).to(**network)  # back to unit variance, as in training
    timestep = torch.tensor(timestep_at(model.noise_schedule, sigma), dtype=torch.float32, device=unet.device)
    embeds = embeds.to(**network)
    active = [(net, hint) for net, hint in hints if control.is_active(hint, model.noise_schedule, sigma)]
    added = control.residuals(active, model_input, timestep, embeds)
    prediction = unet(
        model_input,
        timestep,
        encoder_hidden_states=embeds,
        down_block_additional_residuals=added.down if added else None,
        mid_block_additional_residual=added.mid if added else None,
        return_dict=False,
    )[0]
    return to_denoised(model.prediction, x, prediction.to(x), sigma)


def to_denoised(kind: Prediction, x: Tensor, prediction: Tensor, sigma: float) -> Tensor:
    """The clean picture that a network's prediction implies. x = x0 + sigma * noise."""
    match kind:
        case "epsilon":
            return x - sigma * prediction
        case "v_prediction":  # Salimans & Ho 2022 (arXiv:2202.00512), sec. 4, with alpha = 1 / sqrt(sigma^2 + 1)
            return x / (sigma**2 + 1) - prediction * (sigma / math.sqrt(sigma**2 + 1))
        case "sample":
            return prediction


def check_latent(unet: Any, latent: Tensor) -> None:
    """Raises ValueError when the latent was made for another model."""
    fit.check_channels(unet.config.in_channels, latent.shape)


def check_prompts(unet: Any, *prompts: Tensor) -> None:
    """Raises ValueError when a prompt was encoded for another model."""
    for prompt in prompts:
        fit.check_prompt(unet.config.cross_attention_dim, prompt.shape[-1])

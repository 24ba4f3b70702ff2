"""Stable Diffusion 3 made tiny: pictures of ours and of the stock pipelines, ControlNets of each kind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from diffusers import SD3ControlNetModel
from torch import Tensor

from nodegraph.node import Context
from nodes.backend import noise
from nodes.control import apply_controlnet, load_controlnet
from nodes.latent import empty_latent
from nodes.latent import noise as add_noise
from nodes.sampling import unet_step
from nodes.schedule import noise_scheduler, sigmas_at
from nodes.text import clip_skip, prompt
from nodes.types import Control, History, Image, Latent
from tests import tiny_models
from tests.nodes.families.oracle import SEED, SIDE, STEPS, Parts
from tests.tiny_checkpoints import write_single_file

POSITIVE, NEGATIVE = "a photo of a red cat", "blurry"
GUIDANCE = 5.0

EXACT = 1e-5
"""Float32. The calls of the network are the very same, timesteps included to the last bit, or a random network, which
is told 1000 sigma, would be off by 1e-4. What differs are the sums: guidance and Euler's step on denoised pictures in
place of velocities. Measured: 2e-7 to 2e-6."""


def sample(
    parts: Parts,
    *,
    positive: str = POSITIVE,
    guidance_scale: float = GUIDANCE,
    batch: int = 1,
    size: tuple[int, int] = (SIDE, SIDE),
    start: Latent | None = None,
    denoise: float = 1.0,
    control: Control | None = None,
    skip_layers: int = 0,
) -> Tensor:
    """size: (width, height). skip_layers: for the positive prompt alone, as the stock pipelines have it."""
    prompts = prompt(clip_skip(parts.text_encoder, skip_layers), positive), prompt(parts.text_encoder, NEGATIVE)
    sigmas, sigma_start, steps = noise_scheduler(parts.model, "normal", STEPS, denoise)
    latent, seed = add_noise(start or empty_latent(parts.vae, *size, batch), sigma_start, SEED)
    history: History | None = None
    for index in range(steps):
        latent, _, history = unet_step(
            Context(), parts.model, latent, *prompts, *sigmas_at(sigmas, index),
            index, seed, guidance_scale, "euler", history, control,
        )  # fmt: skip
    return latent.samples


def stock(pipeline: Any, *, batch: int = 1, size: tuple[int, int] = (SIDE, SIDE), **arguments: Any) -> Tensor:
    """What a pipeline makes of the same seed."""
    pipeline.set_progress_bar_config(disable=True)
    chosen = {"num_inference_steps": STEPS, "guidance_scale": GUIDANCE, "prompt": POSITIVE, **arguments}
    if "strength" not in arguments:
        chosen |= {"width": size[0], "height": size[1]}
    return pipeline(
        negative_prompt=NEGATIVE, num_images_per_prompt=batch, output_type="latent",
        generator=torch.Generator().manual_seed(SEED), **chosen,
    ).images  # fmt: skip


def as_file(folder: Path, place: Path) -> Path:
    """A checkpoint's folder as one file of the original layout, among the folder's settings as published ones are."""
    shutil.copytree(folder, place, ignore=shutil.ignore_patterns("*.safetensors"))
    return write_single_file(folder, place / "model.safetensors")


KINDS: dict[str, dict[str, Any]] = {
    "InstantX": {"num_layers": 2, "qk_norm": "rms_norm", "dual_attention_layers": (0,)},
    "prompt and pooled": {"num_layers": 1, "force_zeros_for_pooled_projection": False},
    "Stability": {
        "num_layers": 3,
        "use_pos_embed": False,
        "joint_attention_dim": None,
        "force_zeros_for_pooled_projection": False,
    },
    "no positions": {"num_layers": 1, "pos_embed_type": None},
}


def tiny_controlnet(sd3_folder: Path, **change: Any) -> SD3ControlNetModel:
    """Of the transformer's settings, random, its closing layers too, which a new one has as zeros."""
    own = json.loads((sd3_folder / "transformer" / "config.json").read_text())
    plain = {"qk_norm": None, "dual_attention_layers": ()}
    model = SD3ControlNetModel.from_config({**own, **plain, **change})
    return tiny_models.randomise(model, "controlnet_sd3", 0)


def applied(parts: Parts, place: Path, picture: Image, strength: float = 0.7, **options: Any) -> Control:
    return apply_controlnet(load_controlnet(str(place)), picture, strength, vae=parts.vae, **options)


def picture() -> Image:
    return Image(noise.draw((1, 3, SIDE, SIDE), 5, 0).sigmoid())

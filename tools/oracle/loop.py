"""A loop of its own, for models that diffusers has no pipeline for: those of pixels."""

from __future__ import annotations

from typing import Any

import diffusers
import torch
from torch import Tensor

from tools.oracle import noising
from tools.oracle.asking import NEGATIVE, SEED, STEPS, Ask
from tools.oracle.files import Files
from tools.oracle.rows import Row
from tools.oracle.teaching import teach

_diffusers: Any = diffusers  # which names are its own, its stubs do not say


@torch.inference_mode()
def latent(row: Row, text_from: Row, ask: Ask, files: Files) -> Tensor:
    """Pixels in -1..1, by the stock network and scheduler, and prompts as the stock pipeline reads them."""
    folder, width, height = files.folder(row, ask), *ask.size
    unet = _unet(row, ask, files)
    config = _diffusers.EulerDiscreteScheduler.load_config(folder, subfolder="scheduler")
    scheduler: Any = noising.scheduler(ask, config)
    timesteps = _timesteps(ask, scheduler)
    noise = _noise(ask, (3, height, width))
    picture = files.pixels(ask.size) * 2 - 1
    sigmas = ((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod) ** 0.5
    x = noise[0] * (1 - scheduler.alphas_cumprod[-1]) ** 0.5 if ask.solver == "lcm" else noise[0] * sigmas[-1]
    if ask.kind == "image":
        x = scheduler.add_noise(picture, noise[0], timesteps[:1])
    embeds = _embeds(text_from, ask, files)
    draws = torch.Generator().manual_seed(SEED)
    torch.randn(x.shape, generator=draws)  # that of the start
    for index, t in enumerate(timesteps):
        predicted = _predicted(unet, scheduler.scale_model_input(x, t), t, embeds, ask, row.scale)
        x = scheduler.step(predicted, t, x, generator=draws, return_dict=False)[0]
        if ask.kind == "inpaint":
            later = timesteps[index + 1 : index + 2]
            known = scheduler.add_noise(picture, noise[0], later) if len(later) else picture
            x = torch.lerp(known, x, files.mask(ask.size))
    return x


def _timesteps(ask: Ask, scheduler: Any) -> Tensor:
    if ask.solver == "lcm":
        scheduler.set_timesteps(STEPS)
        return scheduler.timesteps
    scheduler.set_timesteps(round(STEPS / ask.strength))
    first = len(scheduler.timesteps) - STEPS
    scheduler.set_begin_index(first)
    return scheduler.timesteps[first:]


def _noise(ask: Ask, shape: tuple[int, ...]) -> Tensor:
    return torch.randn(1, ask.batch, *shape, generator=torch.Generator().manual_seed(SEED))


def _unet(row: Row, ask: Ask, files: Files) -> Any:
    unet: Any = _diffusers.UNet2DConditionModel.from_pretrained(files.folder(row, ask), subfolder="unet")
    for seed, _ in ask.loras:
        unet.load_lora_adapter(str(files.lora(row, seed)), prefix="unet", adapter_name=f"lora_{seed}")
    if ask.loras:
        unet.set_adapters([f"lora_{seed}" for seed, _ in ask.loras], [strength for _, strength in ask.loras])
    return unet


def _embeds(text_from: Row, ask: Ask, files: Files) -> tuple[Tensor, Tensor]:
    """Of the negative and of the positive prompt."""
    place = files.folder(text_from, Ask())
    pipeline: Any = _diffusers.StableDiffusionPipeline.from_pretrained(place, unet=None, vae=None)
    if ask.embedding:
        teach(text_from, pipeline, files)
    skipped = ask.clip_skip or None
    positive, negative = pipeline.encode_prompt(ask.prompt, "cpu", 1, True, NEGATIVE, clip_skip=skipped)
    return negative, positive


def _predicted(unet: Any, x: Tensor, t: Tensor, embeds: tuple[Tensor, Tensor], ask: Ask, usual: float) -> Tensor:
    scale = usual if ask.scale is None else ask.scale
    negative, positive = (prompt.expand(len(x), -1, -1) for prompt in embeds)
    if ask.distilled:
        width = unet.config.time_cond_proj_dim
        told = torch.full((len(x),), scale - 1)
        told = _diffusers.StableDiffusionPipeline.get_guidance_scale_embedding(None, told, width)
        return unet(x, t, encoder_hidden_states=positive, timestep_cond=told).sample
    if scale == 1:
        return unet(x, t, encoder_hidden_states=positive).sample
    without, along = (unet(x, t, encoder_hidden_states=prompt).sample for prompt in (negative, positive))
    return without + scale * (along - without)

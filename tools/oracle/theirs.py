"""diffusers' latents for the same seed, by its stock pipelines."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import diffusers
import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from PIL import ImageOps
from torch import Tensor
from transformers import CLIPTextModel

from tools.oracle import loop, noising
from tools.oracle.asking import CONTROLLED, HINT_STRENGTH, NEGATIVE, SEED, STEPS, TOKEN, Ask
from tools.oracle.files import Files
from tools.oracle.rows import Row
from tools.oracle.teaching import teach, written


def latent(row: Row, ask: Ask, files: Files) -> Tensor:
    with _able(ask):
        if row.text_from:
            return loop.latent(row, row.text_from, ask, files)
        if ask.refined:
            return _refined(row, ask, files)
        pipeline = _pipeline(row, ask, files)
        made = pipeline(**_arguments(row, ask, files, pipeline)).images
    return row.unpacked(pipeline, made, *ask.size)


def _mean(distribution: Any, generator: Any = None) -> Tensor:
    return distribution.mode()


@contextmanager
def _able(ask: Ask) -> Generator[None]:
    """Of the distribution that a VAE's encoder tells, the pipelines take the mean, as we do, and draw nothing.

    Clip skip works with transformers 5, whose CLIP has no `text_model` around its layers.
    """
    with ExitStack() as patches:
        patches.enter_context(patch.object(DiagonalGaussianDistribution, "sample", _mean))
        if ask.clip_skip:
            patches.enter_context(patch.object(CLIPTextModel, "text_model", property(lambda self: self), create=True))
        yield


def _pipeline(row: Row, ask: Ask, files: Files) -> Any:
    given: dict[str, Any] = {}
    if ask.kind in CONTROLLED:
        given["controlnet"] = getattr(diffusers, row.controlnet_class).from_pretrained(files.controlnet(row, ask))
    build = row.built or getattr(diffusers, row.pipelines[ask.kind]).from_pretrained
    made: Any = build(files.folder(row, ask), **given)
    made.set_progress_bar_config(disable=True)
    if not row.flow:
        made.scheduler = noising.scheduler(ask, made.scheduler.config)
    if ask.embedding:
        teach(row, made, files)
    for seed, _ in ask.loras:
        made.load_lora_weights(str(files.lora(row, seed)), adapter_name=f"lora_{seed}")
    if ask.loras:
        made.set_adapters([f"lora_{seed}" for seed, _ in ask.loras], [strength for _, strength in ask.loras])
    return made


def _arguments(row: Row, ask: Ask, files: Files, pipeline: Any) -> dict[str, Any]:
    width, height = ask.size
    picture = files.shown(ask.size)
    generator = torch.Generator().manual_seed(SEED)
    found: dict[str, Any] = {
        "prompt": ask.prompt,
        "negative_prompt": NEGATIVE,
        "num_inference_steps": round(STEPS / ask.strength),
        row.scale_name: row.their_scale(row.scale if ask.scale is None else ask.scale),
        "num_images_per_prompt": ask.batch,
        "generator": generator,
        "output_type": "latent",
    }
    if ask.embedding and not hasattr(pipeline, "load_textual_inversion"):
        both = ask.prompt.replace(TOKEN, written())
        found |= {"prompt": both, "prompt_2": both, "prompt_3": ask.prompt}
    if ask.clip_skip:
        found["clip_skip"] = ask.clip_skip
    if ask.kind != "image" or row.flow:
        found |= {"width": width, "height": height}
    if ask.kind in ("image", "inpaint", "fill"):
        found |= {"image": picture, "strength": ask.strength}
    if ask.kind == "reference":
        shown = [files.shown(size) for size in ask.shown]
        found |= {"image": shown if len(shown) > 1 else picture}
        found |= {} if row.sees_pictures else {"max_area": width * height, "_auto_resize": False}
    if ask.kind in ("inpaint", "fill"):
        found["mask_image"] = files.mask(ask.size)
    if ask.kind in CONTROLLED:
        found |= {row.hint: picture, "controlnet_conditioning_scale": HINT_STRENGTH}
    if ask.kind == "completing":
        found["mask_image" if row.completes_beside else "control_mask"] = files.mask(ask.size)
    if ask.kind == "completing" and row.completes_beside:
        found |= {"image": picture, row.hint: ImageOps.invert(picture)}
    if ask.solver == "lcm":
        found |= _lcm(ask, pipeline, generator)
    return {name: value for name, value in found.items() if name not in row.without}


def _lcm(ask: Ask, pipeline: Any, generator: torch.Generator) -> dict[str, Any]:
    """Their scheduler starts from unit noise: it is handed the noise of the last timestep, as ours."""
    noise = torch.randn(1, 4, ask.size[1] // 8, ask.size[0] // 8, generator=generator)
    start = noise * (1 - pipeline.scheduler.alphas_cumprod[-1]) ** 0.5
    return {"latents": start}


def _refined(row: Row, ask: Ask, files: Files) -> Tensor:
    """The base until half of its timesteps are done, the refiner from there on."""
    assert row.refiner is not None
    base, plain = _pipeline(row, ask, files), _arguments(row, ask, files, None)
    half = base(**plain, denoising_end=0.5).images
    refiner = _pipeline(row.refiner, Ask(kind="image"), files)
    rest = {name: value for name, value in plain.items() if name not in ("width", "height")}
    return refiner(**rest, image=half, denoising_start=0.5).images

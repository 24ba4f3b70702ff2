"""Denoisers that were distilled to need few steps, against the stock pipelines on tiny random models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    ControlNetModel,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    StableDiffusionControlNetPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
)
from torch import Tensor

from nodegraph.node import Context
from nodes.backend import families
from nodes.backend import noise as noises
from nodes.backend.families.unet_calls import GUIDANCE_SCALE, guidance_embedding
from nodes.backend.fields import check_fields
from nodes.backend.headers import shapes
from nodes.backend.networks.unet import UNET
from nodes.control import apply_controlnet, load_controlnet
from nodes.latent import empty_latent, noise
from nodes.load import checkpoint
from nodes.sampling import unet_step
from nodes.schedule import noise_scheduler, sigmas_at
from nodes.text import distilled_guidance, prompt
from nodes.types import Control, History, Image
from tests import tiny_models
from tests.nodes.families import oracle
from tests.nodes.families.oracle import SEED, SIDE, STEPS, relative
from tests.tiny_variants import distilled

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

POSITIVE, NEGATIVE = "a photo of a red cat", "blurry"
EXACT = 1e-4  # float32; sums in sigma space in place of alpha and sigma


@pytest.fixture(scope="module")
def folder(sd15_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return distilled(sd15_folder, tmp_path_factory.mktemp("few") / "lcm")


def sample(place: Path, guidance_scale: float, *, batch: int = 1, told: float = 0, control: Control | None = None):
    """A plain loop over the functions that are nodes in the editor. told: what Distilled guidance says."""
    model, text_encoder, vae = checkpoint(str(place))
    positive, negative = (prompt(text_encoder, text) for text in (POSITIVE, NEGATIVE))
    if told:
        positive = distilled_guidance(positive, told)
    sigmas, sigma_start, steps = noise_scheduler(model, "lcm", STEPS)
    latent, seed = noise(empty_latent(vae, SIDE, SIDE, batch), sigma_start, SEED)
    history: History | None = None
    for index in range(steps):
        latent, _, history = unet_step(
            Context(), model, latent, positive, negative, *sigmas_at(sigmas, index),
            index, seed, guidance_scale, "lcm", history, control,
        )  # fmt: skip
    return latent.samples


def stock(pipeline: Any, **arguments: Any) -> Tensor:
    """Their scheduler starts from unit noise, so it is handed our start."""
    pipeline.scheduler = LCMScheduler(**tiny_models.SD_NOISE, clip_sample=False)
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(SEED)
    start = torch.randn(1, 4, SIDE // 8, SIDE // 8, generator=generator)
    kept = pipeline.scheduler.alphas_cumprod[-1]
    return pipeline(
        POSITIVE, latents=start * (1 - kept) ** 0.5, generator=generator, output_type="latent",
        num_inference_steps=STEPS, height=SIDE, width=SIDE, **arguments,
    ).images  # fmt: skip


@pytest.mark.parametrize("pipeline", [StableDiffusionPipeline, LatentConsistencyModelPipeline])
@pytest.mark.parametrize("guidance_scale", [1.0, 8.5])
def test_a_latent_consistency_model_reads_the_guidance_scale(pipeline: Any, guidance_scale: float, folder: Path):
    theirs = stock(oracle.pipeline(pipeline, folder), guidance_scale=guidance_scale)
    assert relative(sample(folder, guidance_scale), theirs) < EXACT
    assert relative(sample(folder, 3.0), theirs) > 0.01


def test_one_file_reads_it_too(folder: Path, single_file: Callable[[Path], Path]):
    assert relative(sample(single_file(folder), 8.5), sample(folder, 8.5)) < EXACT


def test_a_file_without_settings_tells_that_it_reads_it(folder: Path, single_file: Callable[[Path], Path]):
    prefix = "model.diffusion_model."
    found = {name.removeprefix(prefix): shape for name, shape in shapes(single_file(folder)).items()}
    usual = check_fields(folder, families.of("sd1").default_settings("unet"), UNET.schema)
    told = UNET.told(usual, found)
    assert {name for name in told if told[name] != usual[name]} == {"time_cond_proj_dim"}
    assert told["time_cond_proj_dim"] == 32


@pytest.mark.slow  # as the one before: its network is told by the same code
def test_that_of_sdxl_reads_it_too(sdxl_folder: Path, tmp_path: Path):
    place = distilled(sdxl_folder, tmp_path / "lcm")
    theirs = stock(StableDiffusionXLPipeline.from_pretrained(place), guidance_scale=8.5)
    assert relative(sample(place, 8.5), theirs) < EXACT


def test_its_controlnet_is_not_told_the_scale_as_in_the_stock_pipeline(folder: Path, controlnet_folder: Path):
    hint = Image(noises.draw((1, 3, SIDE, SIDE), 6, 0).sigmoid())
    net = ControlNetModel.from_pretrained(controlnet_folder)
    pipeline = oracle.pipeline(StableDiffusionControlNetPipeline, folder, controlnet=net)
    theirs = stock(pipeline, image=hint.pixels, guidance_scale=8.5)
    control = apply_controlnet(load_controlnet(str(controlnet_folder)), hint)
    assert relative(sample(folder, 8.5, control=control), theirs) < EXACT


def test_distilled_guidance_comes_before_the_guidance_scale(folder: Path):
    assert torch.equal(sample(folder, 1.0, told=8.5), sample(folder, 8.5))


def test_every_picture_of_a_batch_reads_the_scale(folder: Path):
    first = sample(folder, 8.5, batch=2)[:1]
    assert relative(first, sample(folder, 8.5)) < EXACT


@pytest.mark.parametrize("width", [32, 33, 256])
def test_the_scale_is_told_as_the_stock_pipeline_tells_it(width: int):
    scales = torch.tensor([1.0, GUIDANCE_SCALE, 14.0])
    theirs = StableDiffusionPipeline.get_guidance_scale_embedding(None, scales - 1, width)
    # float32; angles of up to 13,000, of which theirs and ours are a few of the last bits apart
    torch.testing.assert_close(guidance_embedding(scales, width), theirs, rtol=0, atol=5e-3)

"""SDXL and its refiner: our latents against those of diffusers' pipelines on tiny random models, and what is refused.

Ours is a plain loop over the functions that are nodes in the editor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    ControlNetModel,
    EulerDiscreteScheduler,
    StableDiffusionXLControlNetPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from safetensors.torch import load_file, save_file
from torch import Tensor

from nodegraph.node import Context
from nodes.backend import noise as noises
from nodes.backend import pool
from nodes.control import apply_controlnet, load_controlnet
from nodes.latent import empty_latent
from nodes.latent import noise as add_noise
from nodes.load import checkpoint, denoiser
from nodes.sampling import unet_step
from nodes.schedule import noise_scheduler, sigmas_at, slice_schedule
from nodes.text import clip_skip, prompt, sdxl_conditioning
from nodes.types import (
    Conditioning,
    Control,
    Diffusion,
    Image,
    Latent,
    Network,
    NoiseSchedule,
    Sigmas,
)
from nodes.vae import encode
from tests import tiny_models
from tests.examples import some_slow
from tests.nodes.families import oracle
from tests.nodes.families.oracle import SEED, SIDE, STEPS, Parts, loaded, relative

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

POSITIVE, NEGATIVE = "a photo of a red cat", "blurry"
GUIDANCE = 5.0

EXACT = 1e-4
"""Float32. The calls of the network are the same but for the last bits of sigmas and timesteps, which diffusers
interpolates in float32; a random network makes 2e-6 to 2e-5 of them."""


Prompts = tuple[Conditioning, Conditioning]


def prompts_of(parts: Parts, skip_layers: int = 0) -> Prompts:
    """skip_layers: for the positive prompt alone, as the stock pipelines have it."""
    return prompt(clip_skip(parts.text_encoder, skip_layers), POSITIVE), prompt(parts.text_encoder, NEGATIVE)


def denoised(
    parts: Parts, latent: Latent, sigmas: Sigmas, prompts: Prompts | None = None, control: Control | None = None
) -> Latent:
    prompts, history = prompts or prompts_of(parts), None
    for index in range(len(sigmas) - 1):
        latent, _, history = unet_step(
            Context(), parts.model, latent, *prompts, *sigmas_at(sigmas, index),
            index, SEED, GUIDANCE, "euler", history, control,
        )  # fmt: skip
    return latent


def sample(
    parts: Parts,
    prompts: Prompts | None = None,
    *,
    batch: int = 1,
    size: tuple[int, int] = (SIDE, SIDE),
    start: Latent | None = None,
    denoise: float = 1.0,
    control: Control | None = None,
    steps: int = STEPS,
) -> Tensor:
    """size: (width, height)."""
    sigmas, sigma_start, _ = noise_scheduler(parts.model, "normal", steps, denoise)
    latent, _ = add_noise(start or empty_latent(parts.vae, *size, batch), sigma_start, SEED)
    return denoised(parts, latent, sigmas, prompts, control).samples


def stock(pipeline: Any, *, batch: int = 1, size: tuple[int, int] | None = (SIDE, SIDE), **arguments: Any) -> Tensor:
    """What a pipeline makes of the same seed. size: None where the pipeline takes that of the picture."""
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = EulerDiscreteScheduler.from_config(pipeline.scheduler.config, timestep_spacing="linspace")
    chosen = {"num_inference_steps": STEPS, "guidance_scale": GUIDANCE, "prompt": POSITIVE, **arguments}
    if size:
        chosen |= {"width": size[0], "height": size[1]}
    return pipeline(
        negative_prompt=NEGATIVE, num_images_per_prompt=batch, output_type="latent",
        generator=torch.Generator().manual_seed(SEED), **chosen,
    ).images  # fmt: skip


@pytest.fixture
def picture(monkeypatch: pytest.MonkeyPatch) -> Image:
    """One to begin with. The stock pipelines draw from the encoder's distribution; we, and here they, take its mean."""
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode())
    return Image(noises.draw((1, 3, SIDE, SIDE), 5, 0).sigmoid())


@pytest.fixture(scope="module")
def pipeline(sdxl_folder: Path) -> StableDiffusionXLPipeline:
    return oracle.pipeline(StableDiffusionXLPipeline, sdxl_folder)


@pytest.fixture(scope="module")
def refining(sdxl_refiner_folder: Path) -> StableDiffusionXLImg2ImgPipeline:
    return oracle.pipeline(StableDiffusionXLImg2ImgPipeline, sdxl_refiner_folder)


@pytest.fixture(scope="module")
def parts(sdxl_folder: Path) -> Parts:
    return loaded(sdxl_folder)


# --- the oracle ---

LARGER: dict[str, Any] = {"batch": 2, "size": (96, 64)}


@pytest.mark.parametrize("more", some_slow([{}, LARGER], [LARGER]), ids=["text", "batch 2 of other size"])
def test_latents_equal_those_of_the_stock_pipeline(more: dict[str, Any], parts: Parts, pipeline: Any):
    assert relative(sample(parts, **more), stock(pipeline, **more)) < EXACT


@pytest.mark.parametrize("name", some_slow(["sdxl", "sdxl_refiner"], ["sdxl"]))
def test_one_file_of_the_original_layout_is_the_same_model(
    name: str, request: pytest.FixtureRequest, single_file: Callable[[Path], Path]
):
    folder: Path = request.getfixturevalue(f"{name}_folder")
    ours, same = loaded(single_file(folder)), loaded(folder)
    for one, other in zip(networks(ours), networks(same), strict=True):
        tensors = pool.network(one).state_dict()
        assert all(torch.equal(tensors[name], tensor) for name, tensor in pool.network(other).state_dict().items())
    assert relative(sample(ours), sample(same)) < EXACT  # the bits are others where weights lie at other addresses


def networks(parts: Parts) -> tuple[Network, ...]:
    return (parts.model.network, *parts.text_encoder.encoders, parts.vae.network)


def test_image_to_image_equals_the_stock_pipeline(parts: Parts, sdxl_folder: Path, picture: Image):
    theirs = stock(
        oracle.pipeline(StableDiffusionXLImg2ImgPipeline, sdxl_folder),
        size=None, image=picture.pixels, strength=0.5, num_inference_steps=2 * STEPS,
    )  # fmt: skip
    start = encode(Context(), parts.vae, picture)
    assert relative(sample(parts, start=start, denoise=0.5), theirs) < EXACT


def test_clip_skip_equals_the_stock_pipelines(parts: Parts, pipeline: Any):
    theirs = stock(pipeline, clip_skip=1)
    assert relative(sample(parts, prompts_of(parts, 1)), theirs) < EXACT
    assert relative(sample(parts), theirs) > 0.01


def test_controlnet_equals_the_stock_pipeline(parts: Parts, sdxl_folder: Path, tmp_path: Path):
    hint = Image(noises.draw((1, 3, SIDE, SIDE), 6, 0).sigmoid())
    place = tiny_models.build_controlnet_sdxl(tmp_path / "controlnet")
    net = ControlNetModel.from_pretrained(place)
    pipeline = oracle.pipeline(StableDiffusionXLControlNetPipeline, sdxl_folder, controlnet=net)
    theirs = stock(pipeline, image=hint.pixels, controlnet_conditioning_scale=0.8)
    ours = sample(parts, control=apply_controlnet(load_controlnet(str(place)), hint, 0.8))
    assert relative(ours, theirs) < EXACT
    assert relative(ours, sample(parts)) > 0.01  # the hint does something


# --- what SDXL is told of pictures ---

SIZES = {"width": 96, "height": 80, "crop_left": 8, "crop_top": 16, "target_width": 48, "target_height": 40}
THEIR_SIZES = {"original_size": (80, 96), "crops_coords_top_left": (16, 8), "target_size": (40, 48)}
"""Pairs of theirs are (height, width) and (top, left)."""


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (SIZES, THEIR_SIZES),
        pytest.param({"width": 96, "height": 80}, {"original_size": (80, 96)}, marks=pytest.mark.slow),
        pytest.param({"crop_left": 8, "crop_top": 16}, {"crops_coords_top_left": (16, 8)}, marks=pytest.mark.slow),
        pytest.param({"target_width": 48, "target_height": 40}, {"target_size": (40, 48)}, marks=pytest.mark.slow),
        ({"text_2": "gold"}, {"prompt_2": "gold"}),
    ],
    ids=["all sizes", "original size", "crop", "target size", "second prompt"],
)
def test_sdxl_conditioning_acts_as_the_arguments_of_the_stock_pipeline(
    ours: dict[str, Any], theirs: dict[str, Any], parts: Parts, pipeline: Any
):
    positive = sdxl_conditioning(parts.text_encoder, POSITIVE, **ours)
    sizes = {name: value for name, value in ours.items() if name != "text_2"}  # theirs holds for both prompts
    made = sample(parts, (positive, sdxl_conditioning(parts.text_encoder, NEGATIVE, **sizes)))
    expected = stock(pipeline, **theirs)
    assert relative(made, expected) < EXACT
    assert relative(sample(parts), expected) > 1e-3  # they do something


def test_the_negative_prompt_has_sizes_of_its_own_as_in_the_stock_pipeline(parts: Parts, pipeline: Any):
    positive = sdxl_conditioning(parts.text_encoder, POSITIVE, width=96, height=80)
    negative = sdxl_conditioning(parts.text_encoder, NEGATIVE, width=32, height=24, target_width=64, target_height=64)
    theirs = stock(pipeline, original_size=(80, 96), negative_original_size=(24, 32), negative_target_size=(SIDE, SIDE))
    assert relative(sample(parts, (positive, negative)), theirs) < EXACT


def test_sdxl_conditioning_left_as_it_is_is_the_prompt(parts: Parts):
    plain, told = prompt(parts.text_encoder, POSITIVE), sdxl_conditioning(parts.text_encoder, POSITIVE)
    ours, same = (sample(parts, (positive, prompt(parts.text_encoder, NEGATIVE))) for positive in (plain, told))
    assert torch.equal(ours, same)


def test_prompts_of_unlike_numbers_of_chunks_are_refused_in_a_sentence(parts: Parts):
    with pytest.raises(ValueError, match="different numbers of chunks; give both as many with BREAK"):
        sdxl_conditioning(parts.text_encoder, "a cat BREAK a dog", "a cat")


# --- the refiner ---

SCORES = {"aesthetic_score": 3.0, "negative_aesthetic_score": 8.0}


def test_base_and_refiner_share_the_steps_as_the_stock_pipelines(
    parts: Parts, sdxl_refiner_folder: Path, pipeline: Any, refining: Any
):
    base = stock(pipeline, denoising_end=0.5)
    theirs = stock(refining, size=None, image=base, denoising_start=0.5)
    refiner, (sigmas, sigma_start, _) = loaded(sdxl_refiner_folder), noise_scheduler(parts.model, "normal", STEPS)
    first, second = (slice_schedule(sigmas, *part).sigmas for part in ((0, STEPS // 2), (STEPS // 2, STEPS)))
    latent = denoised(parts, add_noise(empty_latent(parts.vae, SIDE, SIDE), sigma_start, SEED).latent, first)
    assert relative(latent.samples, base) < EXACT
    assert relative(denoised(refiner, latent, second).samples, theirs) < EXACT


@pytest.mark.parametrize("told", some_slow([{}, SCORES], [SCORES]))
def test_the_refiner_is_told_scores_as_by_the_stock_pipeline(
    told: dict[str, Any], sdxl_refiner_folder: Path, refining: Any, picture: Image
):
    parts = loaded(sdxl_refiner_folder)
    theirs = stock(
        refining, size=None, image=picture.pixels, strength=0.5, num_inference_steps=2 * STEPS, **told
    )  # fmt: skip
    prompts = prompts_of(parts)
    if told:
        scores = told["aesthetic_score"], told["negative_aesthetic_score"]
        texts = zip((POSITIVE, NEGATIVE), scores, strict=True)
        positive, negative = (sdxl_conditioning(parts.text_encoder, t, aesthetic_score=score) for t, score in texts)
        prompts = positive, negative
    ours = sample(parts, prompts, start=encode(Context(), parts.vae, picture), denoise=0.5)
    assert relative(ours, theirs) < EXACT


def test_a_prompt_of_the_base_is_refused_for_the_refiner_by_the_names_of_both(parts: Parts, sdxl_refiner_folder: Path):
    refiner = loaded(sdxl_refiner_folder)
    latent = empty_latent(refiner.vae, SIDE, SIDE)
    with pytest.raises(ValueError, match=r"read for Stable Diffusion XL, the model is Stable Diffusion XL refiner"):
        denoised(refiner, latent, (1.0, 0.0), prompts_of(parts))


# --- how it was trained ---


@pytest.mark.parametrize(
    ("marks", "process"),
    [
        ((), Diffusion()),
        (("v_pred",), Diffusion("v_prediction")),
        (("v_pred", "ztsnr"), Diffusion("v_prediction", NoiseSchedule(zero_snr=True))),
    ],
)
def test_marks_in_a_file_tell_how_it_was_trained(
    marks: tuple[str, ...], process: Diffusion, sdxl_folder: Path, single_file: Callable[[Path], Path]
):
    place = single_file(sdxl_folder)
    (place.parent / "scheduler" / "scheduler_config.json").unlink()
    tensors = load_file(place)
    save_file({**tensors, **{mark: torch.zeros(1) for mark in marks}}, place)
    assert denoiser(str(place)).process == process
    assert checkpoint(str(place)).model.process == process


def test_v_prediction_without_signal_at_the_start_equals_the_stock_pipeline(
    parts: Parts, pipeline: Any, monkeypatch: pytest.MonkeyPatch
):
    told = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}
    config = {**pipeline.scheduler.config, **told}
    scheduler = EulerDiscreteScheduler.from_config(config)
    monkeypatch.setattr(pipeline, "scheduler", scheduler)
    model = replace(parts.model, process=Diffusion("v_prediction", NoiseSchedule(zero_snr=True)))
    # The last bits of the first step, from sigma 4096, fade in the steps after it.
    theirs = stock(pipeline, num_inference_steps=4)
    assert relative(sample(replace(parts, model=model), steps=4), theirs) < EXACT

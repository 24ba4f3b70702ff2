"""The parts that ship beside the starter model, through the nodes that load them."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline, UNet2DConditionModel
from torch import Tensor

from nodegraph.node import Context
from nodes.adapter import lora
from nodes.backend.solvers import SolverName
from nodes.control import apply_controlnet, load_controlnet
from nodes.image import canny
from nodes.latent import empty_latent, noise
from nodes.load import Parts, checkpoint
from nodes.sampling import DRAFT_SOLVER, unet_step
from nodes.schedule import DRAFT_STEPS, noise_scheduler
from nodes.text import prompt
from nodes.types import Control, History, Image, Model
from nodes.vae import decode
from tests.examples import some_slow
from tools.starter import backdrops
from tools.starter import control as edges
from tools.starter.concepts import CONCEPTS
from tools.starter.scene import is_held_out, with_article

STARTER = Path(__file__).parents[2] / "models" / "starter"
SCENERIES = [("in space", "space"), ("on a beach", "beach")]
PROMPTS = ("a cat on a blue background", "a red apple on a white background", "a rocket on a purple background")


@pytest.fixture(scope="module")
def parts() -> Parts:
    return checkpoint(str(STARTER))


def draw(
    parts: Parts,
    model: Model,
    text: str,
    steps: int,
    guidance_scale: float,
    control: Control | None = None,
    seed: int = 1,
) -> Tensor:
    """A picture [1, 3, 128, 128] by Euler steps."""
    sigmas = noise_scheduler(model, "simple", steps).sigmas
    latent = noise(empty_latent(parts.vae), sigmas[0], seed).latent
    positive, negative = prompt(parts.text_encoder, text), prompt(parts.text_encoder, "")
    step = partial(unet_step, Context(), model, guidance_scale=guidance_scale, seed=seed, control=control)
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        latent = step(latent, positive, negative, sigma, sigma_next, index).latent
    return decode(Context(), parts.vae, latent).pixels


def distance(image: Tensor, other: Tensor) -> float:
    return float((image - other).square().mean().sqrt())


@pytest.mark.slow
def test_the_controlnet_makes_pictures_follow_edges(parts: Parts):
    follow = load_controlnet(str(STARTER / "controlnet"))
    with_control, without = [], []
    for text, given in zip(PROMPTS, (3, 4, 5), strict=True):
        # another picture of the same thing, mirrored: no seed would draw it like that by itself
        hint = canny(Image(draw(parts, parts.model, text, 8, 3.0, seed=given).flip(-1)))
        wanted = hint.pixels[:, :1]
        control = apply_controlnet(follow, hint)
        for found, used in ((with_control, control), (without, None)):
            picture = draw(parts, parts.model, text, 8, 3.0, used)
            found.append(float(edges.edge_f1(edges.edges(picture), wanted)))
    assert sum(with_control) > 1.3 * sum(without)


@pytest.mark.slow
def test_four_steps_with_the_few_step_lora_come_nearer_to_twenty_than_four_without(parts: Parts):
    model = lora(parts.model, parts.text_encoder, str(STARTER / "lora" / "few_step.safetensors"), text_strength=0).model
    ours, theirs = 0.0, 0.0
    for text in PROMPTS:
        whole = draw(parts, parts.model, text, 20, 4.0)
        ours += distance(draw(parts, model, text, 4, 1.0), whole)
        theirs += distance(draw(parts, parts.model, text, 4, 1.0), whole)
    assert ours < theirs


@pytest.mark.slow  # both layouts are compared in test_pool
def test_both_layouts_of_the_ink_lora_draw_one_picture_and_it_is_darker(parts: Parts):
    drawn = [
        draw(parts, lora(parts.model, parts.text_encoder, str(STARTER / "lora" / file)).model, PROMPTS[0], 4, 3.0)
        for file in ("ink.safetensors", "ink_kohya.safetensors")
    ]
    assert torch.allclose(drawn[0], drawn[1], atol=1e-4)  # the sums are made in another order
    plain = draw(parts, parts.model, PROMPTS[0], 4, 3.0)
    assert (drawn[0].amax(1) < 0.3).float().mean() > 2 * (plain.amax(1) < 0.3).float().mean()


def test_the_ink_lora_at_strength_zero_is_none(parts: Parts):
    path = str(STARTER / "lora" / "ink.safetensors")
    assert lora(parts.model, parts.text_encoder, path, 0.0, 0.0).model == parts.model


def test_stock_diffusers_loads_every_part(parts: Parts):
    pipeline = StableDiffusionControlNetPipeline.from_pretrained(
        str(STARTER),
        controlnet=ControlNetModel.from_pretrained(str(STARTER / "controlnet"), local_files_only=True),
        local_files_only=True,
    )
    for file in ("ink", "ink_kohya", "few_step"):
        pipeline.load_lora_weights(str(STARTER / "lora"), weight_name=f"{file}.safetensors", adapter_name=file)
        assert pipeline.get_active_adapters() == [file]
        pipeline.unload_lora_weights()
    pixel = UNet2DConditionModel.from_pretrained(str(STARTER / "pixel" / "unet"), local_files_only=True)
    assert pixel.config.in_channels == 3


def test_the_whole_family_takes_less_than_42_megabytes():
    assert sum(path.stat().st_size for path in STARTER.rglob("*") if path.is_file()) < 42e6


def test_its_pictures_are_128_pixels_wide_from_latents_of_16(parts: Parts):
    assert (parts.vae.native_size, parts.vae.space.factor) == (128, 8)
    assert empty_latent(parts.vae).samples.shape == (1, 4, 16, 16)


@pytest.mark.parametrize(("words", "background"), some_slow(SCENERIES, SCENERIES[:1]))
def test_a_scenery_comes_behind_a_thing_that_it_was_never_trained_with(parts: Parts, words: str, background: str):
    word = next(concept.word for concept in CONCEPTS if is_held_out(f"{concept.word} on {background}"))
    picture = draw(parts, parts.model, f"{with_article(word)} {words}", 8, 4.0)
    assert backdrops.guesses(picture) == [background]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("solver", "guidance_scale"),
    [
        *((solver, 1.0) for solver in ("dpmpp_2m", "uni_pc", "heun")),
        *(("euler", g) for g in (4.0, 8.0, 12.0)),
        ("dpmpp_2m", 8.0),
    ],
)
def test_a_draft_looks_like_what_will_come(parts: Parts, solver: SolverName, guidance_scale: float):
    """Twice as near, on the average of twenty seeds, as eight steps of the same solver, by which it once was made."""
    text, negative = prompt(parts.text_encoder, "a fox in a meadow"), prompt(parts.text_encoder, "")

    def picture(steps: int, solver: SolverName) -> Tensor:
        sigmas = noise_scheduler(parts.model, "karras", steps).sigmas
        latent = noise(empty_latent(parts.vae, batch=20), sigmas[0], 3).latent
        history: History | None = None
        for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
            latent, _, history = unet_step(
                Context(),
                parts.model,
                latent,
                text,
                negative,
                sigma,
                sigma_next,
                index,
                3,
                guidance_scale,
                solver,
                history,
            )
        return decode(Context(), parts.vae, latent).pixels

    full = picture(20, solver)
    rules = DRAFT_SOLVER.instead
    instead = next((by for choice, least, by in rules if choice == solver and guidance_scale >= least), solver)
    off, before = (float((full - other).abs().mean()) for other in (picture(DRAFT_STEPS, instead), picture(8, solver)))
    assert off < before / 2

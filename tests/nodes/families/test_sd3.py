"""Stable Diffusion 3: our latents against those of diffusers' pipelines on tiny random models.

Ours is a plain loop over the functions that are nodes in the editor.
"""

from __future__ import annotations

import copy
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    SD3ControlNetModel,
    StableDiffusion3ControlNetPipeline,
    StableDiffusion3Img2ImgPipeline,
    StableDiffusion3Pipeline,
)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from safetensors.torch import load_file, save_file
from torch import Tensor

from nodegraph.node import Context
from nodes import fit
from nodes.backend import families, noise, pool
from nodes.backend.prompt import parse
from nodes.control import apply_controlnet, load_controlnet
from nodes.sampling import unet_step
from nodes.text import prompt
from nodes.types import Image, Latent
from nodes.vae import encode
from tests.examples import some_slow
from tests.nodes.families import oracle, sd3_made
from tests.nodes.families.oracle import SEED, SIDE, STEPS, Parts, loaded, relative
from tests.nodes.families.sd3_made import (
    EXACT,
    GUIDANCE,
    KINDS,
    NEGATIVE,
    POSITIVE,
    applied,
    sample,
    stock,
    tiny_controlnet,
)
from tests.tiny_checkpoints import write_single_file


@pytest.fixture(scope="module")
def pipeline(sd3_folder: Path) -> StableDiffusion3Pipeline:
    return oracle.pipeline(StableDiffusion3Pipeline, sd3_folder)


@pytest.fixture(scope="module")
def parts(sd3_folder: Path) -> Parts:
    pool.configure("cpu")
    return loaded(sd3_folder)


@pytest.fixture(scope="module")
def picture() -> Image:
    return sd3_made.picture()


# --- the oracle ---


@pytest.mark.parametrize("place", ["folder", "file"])
@pytest.mark.parametrize("guidance_scale", [5.0, 1.0])
def test_latents_are_those_of_the_stock_pipeline(
    place: str, guidance_scale: float, sd3_places: dict[str, Path], pipeline: Any
):
    ours = sample(loaded(sd3_places[place]), guidance_scale=guidance_scale)
    assert relative(ours, stock(pipeline, guidance_scale=guidance_scale)) < EXACT


@pytest.mark.parametrize("place", ["folder without T5", "file without T5"])
def test_without_t5_latents_are_those_of_the_stock_pipeline_without_it(place: str, sd3_places: dict[str, Path]):
    pipeline = oracle.pipeline(StableDiffusion3Pipeline, sd3_places["folder"], text_encoder_3=None, tokenizer_3=None)
    found = loaded(sd3_places[place])
    assert [encoder.role for encoder in found.text_encoder.encoders] == ["text_encoder", "text_encoder_2"]
    assert relative(sample(found), stock(pipeline)) < EXACT


def test_the_projection_that_files_leave_out_is_the_identity(
    sd3_places: dict[str, Path], tmp_path: Path, pipeline: Any
):
    """The tiny model's is one, as the published models' is."""
    place = tmp_path / "bare"
    shutil.copytree(sd3_places["folder"], place, ignore=shutil.ignore_patterns("*.safetensors"))
    tensors = load_file(sd3_places["file"])
    del tensors["text_encoders.clip_l.transformer.text_projection.weight"]
    save_file(tensors, place / "model.safetensors")
    assert relative(sample(loaded(place / "model.safetensors")), stock(pipeline)) < EXACT
    del tensors["text_encoders.clip_g.transformer.text_projection.weight"]
    save_file(tensors, place / "other.safetensors")
    with pytest.raises(ValueError, match=r"the text_encoder_2 of .* lacks text_projection\.weight"):
        loaded(place / "other.safetensors")


@pytest.mark.parametrize("dtype", some_slow([torch.float16, torch.bfloat16, torch.float8_e4m3fn], (torch.bfloat16,)))
def test_a_file_of_less_precision_is_computed_with_its_numbers(
    dtype: torch.dtype, sd3_places: dict[str, Path], tmp_path: Path
):
    """In float32, as the stock pipeline does once it was given the same numbers."""
    place = tmp_path / "narrow"
    shutil.copytree(sd3_places["folder"], place, ignore=shutil.ignore_patterns("*.safetensors"))
    file = write_single_file(sd3_places["folder"], place / "model.safetensors", dtype)
    pipeline = StableDiffusion3Pipeline.from_pretrained(sd3_places["folder"])
    for part in (pipeline.transformer, pipeline.text_encoder, pipeline.text_encoder_2, pipeline.text_encoder_3):
        part.load_state_dict({name: t.to(dtype).to(torch.float32) for name, t in part.state_dict().items()})
    assert relative(sample(loaded(file)), stock(pipeline)) < EXACT


def test_prompts_with_and_without_t5_go_together(sd3_places: dict[str, Path], parts: Parts):
    """As in the stock pipeline, given the states that it makes itself with T5 and without."""
    bare = loaded(sd3_places["folder without T5"]).text_encoder
    with_t5, without = prompt(parts.text_encoder, POSITIVE), prompt(bare, POSITIVE)
    latent = Latent(noise.draw((1, 16, 8, 8), SEED, 0), parts.model.space)
    step = unet_step(Context(), parts.model, latent, with_t5, without, 1.0, 0.8, 0, 0, GUIDANCE).latent.samples
    pipeline = oracle.pipeline(StableDiffusion3Pipeline, sd3_places["folder"], text_encoder_3=None, tokenizer_3=None)
    zeros, _, pooled, _ = pipeline.encode_prompt(POSITIVE, None, None, do_classifier_free_guidance=False)
    assert zeros.shape == with_t5.embeds.shape
    net = pipeline.transformer
    with torch.inference_mode():
        velocities = [
            net(latent.samples, states, pooled, torch.tensor([1000.0]), return_dict=False)[0]
            for states in (zeros, with_t5.embeds)
        ]
    negative, positive = velocities
    theirs = latent.samples + (0.8 - 1.0) * (negative + GUIDANCE * (positive - negative))
    assert relative(step, theirs) < EXACT


def test_two_pictures_at_once_are_those_of_the_stock_pipeline(parts: Parts, pipeline: Any):
    assert relative(sample(parts, batch=2), stock(pipeline, batch=2)) < EXACT


@pytest.mark.parametrize("size", [(96, 48), (256, 16)])
def test_pictures_of_another_size_are_those_of_the_stock_pipeline(size: tuple[int, int], parts: Parts, pipeline: Any):
    assert relative(sample(parts, size=size), stock(pipeline, size=size)) < EXACT


def test_image_to_image_is_that_of_the_stock_pipeline(parts: Parts, sd3_folder: Path, picture: Image):
    """Its own drawing of a latent from the encoder's distribution aside: it is handed the mean, as ours is."""
    start = encode(Context(), parts.vae, picture)
    pipeline = oracle.pipeline(StableDiffusion3Img2ImgPipeline, sd3_folder)
    theirs = stock(pipeline, image=start.samples, strength=0.5, num_inference_steps=2 * STEPS)
    assert relative(sample(parts, start=start, denoise=0.5), theirs) < EXACT


def test_the_vae_makes_the_latents_of_the_stock_one(parts: Parts, sd3_folder: Path, picture: Image, pipeline: Any):
    config = pipeline.vae.config
    with torch.inference_mode():
        mean = pipeline.vae.encode(picture.pixels * 2 - 1).latent_dist.mode()
    theirs = (mean - config.shift_factor) * config.scaling_factor
    # Convolutions run on packed weights and sum in another order.
    assert relative(encode(Context(), parts.vae, picture).samples, theirs) < 1e-5


@pytest.mark.parametrize("skip_layers", [1, 2])
def test_clip_skip_is_that_of_the_stock_pipeline(skip_layers: int, sd3_folder: Path, pipeline: Any, parts: Parts):
    if skip_layers == 2:  # the tiny encoders have 3 layers, of which one is left out always
        with pytest.raises(ValueError, match="the text encoder has 3 layers, 3 cannot be skipped"):
            sample(parts, skip_layers=skip_layers)
        return
    assert relative(sample(parts, skip_layers=skip_layers), stock(pipeline, clip_skip=skip_layers)) < EXACT


# --- prompts ---


def states_of(pipeline: Any, text: str) -> tuple[Tensor, Tensor]:
    with torch.inference_mode():
        states, _, pooled, _ = pipeline.encode_prompt(text, None, None, do_classifier_free_guidance=False)
    return states, pooled


@pytest.mark.parametrize("text", ["", POSITIVE, "Ünïcödé ☃, 3 cats!"])
def test_a_prompt_is_read_bit_for_bit_as_the_stock_pipeline_does(text: str, parts: Parts, pipeline: Any):
    ours, (states, pooled) = prompt(parts.text_encoder, text), states_of(pipeline, text)
    assert ours.embeds.equal(states)
    assert ours.pooled is not None
    assert ours.pooled.equal(pooled)


def test_a_long_prompt_is_read_in_chunks_by_the_clips_and_at_once_by_t5(parts: Parts, pipeline: Any):
    """Each chunk as the pipeline reads it alone; the pooled states are the first chunk's."""
    first, second = "red " * 60, "blue " * 20
    long = prompt(parts.text_encoder, f"{first} BREAK {second}")
    chunks = [states_of(pipeline, text) for text in (first, second)]
    assert long.embeds.shape[1] == 2 * 77 + 256
    for number, (states, _) in enumerate(chunks):
        assert long.embeds[:, 77 * number : 77 * (number + 1)].equal(states[:, :77])
    assert long.embeds[:, 2 * 77 :].equal(states_of(pipeline, first + second)[0][:, 77:])
    assert long.pooled is not None
    # Float32; both chunks go through the encoder as one batch, whose kernels sum in another order.
    torch.testing.assert_close(long.pooled, chunks[0][1], rtol=1e-5, atol=1e-6)


def test_a_long_prompt_denoises_as_the_stock_transformer_does(parts: Parts, pipeline: Any):
    """Beside a negative prompt of one chunk, which is asked by itself: repeating it would change what attends."""
    text = "red " * 60 + "BREAK " + "blue " * 20
    embeds = [prompt(parts.text_encoder, text) for text in (text, NEGATIVE)]
    theirs = stock(
        pipeline,
        prompt=None,
        prompt_embeds=embeds[0].embeds,
        pooled_prompt_embeds=embeds[0].pooled,
        guidance_scale=1.0,
    )
    assert relative(sample(parts, positive=text, guidance_scale=1.0), theirs) < EXACT
    assert not families.of("sd3").together(embeds)
    guided = sample(parts, positive=text)
    assert relative(guided, loop(pipeline, *embeds)) < EXACT


def loop(pipeline: Any, positive: Any, negative: Any) -> Tensor:
    """Denoising by hand with the stock scheduler, each prompt asked by itself."""
    scheduler, net = copy.deepcopy(pipeline.scheduler), pipeline.transformer
    scheduler.set_timesteps(STEPS)
    x = torch.randn((1, 16, SIDE // 8, SIDE // 8), generator=torch.Generator().manual_seed(SEED))
    with torch.inference_mode():
        for t in scheduler.timesteps:
            for_each = [net(x, p.embeds, p.pooled, t[None], return_dict=False)[0] for p in (negative, positive)]
            velocity = for_each[0] + GUIDANCE * (for_each[1] - for_each[0])
            x = scheduler.step(velocity, t, x, return_dict=False)[0]
    return x


def test_weights_move_words_away_from_the_empty_prompt(parts: Parts):
    empty, plain, heavy = (prompt(parts.text_encoder, text).embeds for text in ("", "a red cat", "a (red:1.5) cat"))
    expected = plain.clone()
    for place in (2, 77 + 1):  # the word's, after the start of what the CLIPs read; T5 has no start
        expected[0, place] = empty[0, place] + 1.5 * (plain[0, place] - empty[0, place])
    torch.testing.assert_close(heavy, expected, rtol=1e-5, atol=1e-6)  # float32: lerp sums in another order
    assert len(parse("a (red:1.5) cat")) == 3


def test_a_prompt_that_is_too_long_for_t5_is_refused(parts: Parts):
    with pytest.raises(ValueError, match="has 401 tokens for T5, its end included; 256 is the most"):
        prompt(parts.text_encoder, "red " * 400)


# --- ControlNets ---


@pytest.fixture
def mean_of_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stock pipelines draw a hint's latent at random; ours takes the mean, and so do they here."""
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode())


def read_as(picture: Image) -> Tensor:
    """The stock pipelines take tensors as what they hand to the VAE."""
    return picture.pixels * 2 - 1


def stock_with(sd3_folder: Path, *places: Path) -> Any:
    nets = [SD3ControlNetModel.from_pretrained(place) for place in places]
    controlnet = nets[0] if len(nets) == 1 else nets
    return oracle.pipeline(StableDiffusion3ControlNetPipeline, sd3_folder, controlnet=controlnet)


@pytest.mark.usefixtures("mean_of_the_encoder")
@pytest.mark.parametrize("kind", some_slow(KINDS, ("InstantX", "no positions")))
def test_a_controlnet_acts_as_in_the_stock_pipeline(
    kind: str, parts: Parts, sd3_controlnets: dict[str, Path], sd3_folder: Path, picture: Image
):
    place = sd3_controlnets[kind]
    theirs = stock(
        stock_with(sd3_folder, place), control_image=read_as(picture), controlnet_conditioning_scale=0.7, batch=2
    )
    ours = sample(parts, control=applied(parts, place, picture), batch=2)
    assert relative(ours, theirs) < CONTROLLED
    assert relative(ours, sample(parts, batch=2)) > 0.01


CONTROLLED = 1e-5
"""As `EXACT`; and the VAE's convolutions run on packed weights, which sum in another order."""


@pytest.mark.usefixtures("mean_of_the_encoder")
@pytest.mark.parametrize(("start", "end"), [(0.0, 0.5), (0.5, 1.0)])
def test_a_controlnet_acts_between_its_start_and_its_end(
    start: float, end: float, parts: Parts, sd3_controlnets: dict[str, Path], sd3_folder: Path, picture: Image
):
    """Halves of the timesteps and halves of the steps: two steps are 1000 and 3 before the shift."""
    place = sd3_controlnets["InstantX"]
    theirs = stock(
        stock_with(sd3_folder, place),
        control_image=read_as(picture),
        control_guidance_start=start,
        control_guidance_end=end,
    )
    ours = sample(parts, control=applied(parts, place, picture, 1.0, start=start, end=end))
    assert relative(ours, theirs) < CONTROLLED


@pytest.mark.usefixtures("mean_of_the_encoder")
def test_two_controlnets_add_up_as_in_the_stock_pipeline(
    parts: Parts, sd3_controlnets: dict[str, Path], sd3_folder: Path, picture: Image
):
    """Two of one kind: the stock pipeline gives all of them the first one's latents and pooled prompts."""
    place = sd3_controlnets["InstantX"]
    other = Image(picture.pixels.flip(-1))
    theirs = stock(
        stock_with(sd3_folder, place, place),
        control_image=[read_as(picture), read_as(other)],
        controlnet_conditioning_scale=[0.7, 0.4],
    )
    first = applied(parts, place, picture)
    both = apply_controlnet(load_controlnet(str(place)), other, 0.4, control=first, vae=parts.vae)
    assert relative(sample(parts, control=both), theirs) < CONTROLLED


def test_controlnets_of_different_depths_add_up(parts: Parts, sd3_controlnets: dict[str, Path], picture: Image):
    """To a sum of what each adds alone, seen after one linear step: residuals go into every block of the network."""
    net = pool.network(parts.model.network)
    family, pieces = families.of("sd3"), []
    prompts = (prompt(parts.text_encoder, POSITIVE),)
    from nodes.backend.denoise import follower
    from nodes.backend.families.family import Asked

    asked = Asked(noise.draw((1, 16, 8, 8), 1, 0), 500.0, prompts, (SIDE, SIDE))
    for kind in ("InstantX", "Stability"):
        (hint,) = applied(parts, sd3_controlnets[kind], picture).hints
        pieces.append(follower(pool.network(hint.controlnet.network), hint, asked.size))
    with torch.inference_mode():
        alone = [family.residuals(net, [piece], asked) for piece in pieces]
        both = family.residuals(net, pieces, asked)
    assert len(both) == 3
    assert all(b.equal(first + second) for b, first, second in zip(both, *alone, strict=True))


def test_a_hint_is_encoded_once_for_all_steps(
    parts: Parts, sd3_controlnets: dict[str, Path], picture: Image, monkeypatch: pytest.MonkeyPatch
):
    from nodes.backend import autoencoder

    counted: list[tuple[int, ...]] = []
    encode_once = autoencoder.encode

    def counting(vae: Any, pixels: Tensor) -> Tensor:
        counted.append(tuple(pixels.shape))
        return encode_once(vae, pixels)

    fresh = Image(picture.pixels.clone())
    monkeypatch.setattr(autoencoder, "encode", counting)
    control = applied(parts, sd3_controlnets["InstantX"], fresh)
    sample(parts, control=control)
    assert counted == [(1, 3, SIDE, SIDE)]
    sample(parts, control=control, size=(96, 48))
    assert counted == [(1, 3, SIDE, SIDE), (1, 3, 48, 96)]


def test_a_controlnet_wants_the_vae_that_reads_its_picture(
    parts: Parts, sd3_controlnets: dict[str, Path], picture: Image, sd15_folder: Path
):
    place = sd3_controlnets["InstantX"]
    net = load_controlnet(str(place))
    with pytest.raises(ValueError, match="reads pictures as latents; link the checkpoint's VAE to Apply ControlNet"):
        apply_controlnet(net, picture)
    with pytest.raises(ValueError, match="is a ControlNet for Stable Diffusion 3, the VAE is of another family"):
        apply_controlnet(net, picture, vae=loaded(sd15_folder).vae)


def test_a_controlnet_of_one_that_reads_pixels_leaves_the_vae_aside(
    controlnet_folder: Path, sd15_folder: Path, picture: Image
):
    net, vae = load_controlnet(str(controlnet_folder)), loaded(sd15_folder).vae
    assert apply_controlnet(net, picture, vae=vae).hints[0].vae is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"extra_conditioning_channels": 1}, "it reads a mask beside the picture"),
        ({"num_attention_heads": 4, "caption_projection_dim": 64}, "tokens 64 wide, not 32"),
        ({"joint_attention_dim": 64}, "prompts 64 wide, not 96"),
        ({"pooled_projection_dim": 64}, "pooled prompts 64 wide, not 80"),
        ({"in_channels": 8}, "latents 8 wide, not 16"),
    ],
)
def test_a_controlnet_for_another_model_is_refused(
    change: dict[str, Any], said: str, parts: Parts, sd3_folder: Path, tmp_path: Path
):
    tiny_controlnet(sd3_folder, num_layers=1, **change).save_pretrained(tmp_path / "net")
    net = load_controlnet(str(tmp_path / "net"))
    with pytest.raises(ValueError, match=f"is a ControlNet for another model than .*: {re.escape(said)}"):
        fit.check_controlnet(parts.model, net)


def test_a_controlnet_of_another_family_is_refused_with_both_names(parts: Parts, controlnet_folder: Path):
    net = load_controlnet(str(controlnet_folder))
    with pytest.raises(ValueError, match=r"is a ControlNet for Stable Diffusion 1\.x, the model is Stable Diffusion 3"):
        fit.check_controlnet(parts.model, net)

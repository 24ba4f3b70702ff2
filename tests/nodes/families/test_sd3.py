"""Stable Diffusion 3: our latents against those of diffusers' pipelines on tiny random models, and what is refused.

Ours is a plain loop over the functions that are nodes in the editor.
"""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
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

from nodegraph import program
from nodegraph.node import Context
from nodes import fit
from nodes.backend import checkpoints, families, loading, noise, pool
from nodes.backend.checkpoints import look
from nodes.backend.families import sd3
from nodes.backend.prompt import parse
from nodes.control import apply_controlnet, load_controlnet
from nodes.latent import empty_latent
from nodes.latent import noise as add_noise
from nodes.load import checkpoint
from nodes.sampling import unet_step
from nodes.schedule import noise_scheduler, sigmas_at
from nodes.text import clip_skip, prompt
from nodes.types import Control, ControlNet, Flow, History, Image, Latent, Model, TextEncoder, Vae
from nodes.vae import encode
from tests import tiny_models
from tests.nodes import t5_files
from tests.tiny_checkpoints import write_single_file

POSITIVE, NEGATIVE = "a photo of a red cat", "blurry"
SEED, STEPS, SIDE, GUIDANCE = 11, 4, 64, 5.0

EXACT = 1e-5
"""Float32. The calls of the network are the very same, timesteps included to the last bit, or a random network, which
is told 1000 sigma, would be off by 1e-4. What differs are the sums: guidance and Euler's step on denoised pictures in
place of velocities. Measured: 2e-7 to 2e-6."""


@dataclass(frozen=True)
class Parts:
    model: Model
    text_encoder: TextEncoder
    vae: Vae


def loaded(place: Path) -> Parts:
    return Parts(*checkpoint(str(place)))


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


def relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


def as_file(folder: Path, place: Path) -> Path:
    """A checkpoint's folder as one file of the original layout, among the folder's settings as published ones are."""
    shutil.copytree(folder, place, ignore=shutil.ignore_patterns("*.safetensors"))
    return write_single_file(folder, place / "model.safetensors")


@pytest.fixture(scope="module")
def places(sd3_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The model as a folder and as one file, with T5 and without."""
    root = tmp_path_factory.mktemp("sd3")
    without = root / "without"
    shutil.copytree(sd3_folder, without, ignore=shutil.ignore_patterns("*_3"))
    index = json.loads((sd3_folder / "model_index.json").read_text())
    (without / "model_index.json").write_text(
        json.dumps(index | {"text_encoder_3": [None, None], "tokenizer_3": [None, None]})
    )
    file_without = as_file(sd3_folder, root / "file_without")
    tensors = {name: t for name, t in load_file(file_without).items() if not name.startswith("text_encoders.t5xxl.")}
    save_file(tensors, file_without)
    return {
        "folder": sd3_folder,
        "file": as_file(sd3_folder, root / "file"),
        "folder without T5": without,
        "file without T5": file_without,
    }


@pytest.fixture(scope="module")
def pipeline(sd3_folder: Path) -> StableDiffusion3Pipeline:
    return StableDiffusion3Pipeline.from_pretrained(sd3_folder)


@pytest.fixture(scope="module")
def parts(sd3_folder: Path) -> Parts:
    pool.configure("cpu")
    return loaded(sd3_folder)


# --- the oracle ---


@pytest.mark.parametrize("place", ["folder", "file"])
@pytest.mark.parametrize("guidance_scale", [5.0, 1.0])
def test_latents_are_those_of_the_stock_pipeline(
    place: str, guidance_scale: float, places: dict[str, Path], pipeline: Any
):
    ours = sample(loaded(places[place]), guidance_scale=guidance_scale)
    assert relative(ours, stock(pipeline, guidance_scale=guidance_scale)) < EXACT


@pytest.mark.parametrize("place", ["folder without T5", "file without T5"])
def test_without_t5_latents_are_those_of_the_stock_pipeline_without_it(place: str, places: dict[str, Path]):
    pipeline = StableDiffusion3Pipeline.from_pretrained(places["folder"], text_encoder_3=None, tokenizer_3=None)
    found = loaded(places[place])
    assert [encoder.role for encoder in found.text_encoder.encoders] == ["text_encoder", "text_encoder_2"]
    assert relative(sample(found), stock(pipeline)) < EXACT


def test_the_projection_that_files_leave_out_is_the_identity(places: dict[str, Path], tmp_path: Path, pipeline: Any):
    """The tiny model's is one, as the published models' is."""
    place = tmp_path / "bare"
    shutil.copytree(places["folder"], place, ignore=shutil.ignore_patterns("*.safetensors"))
    tensors = load_file(places["file"])
    del tensors["text_encoders.clip_l.transformer.text_projection.weight"]
    save_file(tensors, place / "model.safetensors")
    assert relative(sample(loaded(place / "model.safetensors")), stock(pipeline)) < EXACT
    del tensors["text_encoders.clip_g.transformer.text_projection.weight"]
    save_file(tensors, place / "other.safetensors")
    with pytest.raises(ValueError, match=r"the text_encoder_2 of .* lacks text_projection\.weight"):
        loaded(place / "other.safetensors")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_a_file_of_less_precision_is_computed_with_its_numbers(
    dtype: torch.dtype, places: dict[str, Path], tmp_path: Path
):
    """In float32, as the stock pipeline does once it was given the same numbers."""
    place = tmp_path / "narrow"
    shutil.copytree(places["folder"], place, ignore=shutil.ignore_patterns("*.safetensors"))
    file = write_single_file(places["folder"], place / "model.safetensors", dtype)
    pipeline = StableDiffusion3Pipeline.from_pretrained(places["folder"])
    for part in (pipeline.transformer, pipeline.text_encoder, pipeline.text_encoder_2, pipeline.text_encoder_3):
        part.load_state_dict({name: t.to(dtype).to(torch.float32) for name, t in part.state_dict().items()})
    assert relative(sample(loaded(file)), stock(pipeline)) < EXACT


def test_prompts_with_and_without_t5_go_together(places: dict[str, Path], parts: Parts):
    """As in the stock pipeline, given the states that it makes itself with T5 and without."""
    bare = loaded(places["folder without T5"]).text_encoder
    with_t5, without = prompt(parts.text_encoder, POSITIVE), prompt(bare, POSITIVE)
    latent = Latent(noise.draw((1, 16, 8, 8), SEED, 0), parts.model.space)
    step = unet_step(Context(), parts.model, latent, with_t5, without, 1.0, 0.8, 0, 0, GUIDANCE).latent.samples
    pipeline = StableDiffusion3Pipeline.from_pretrained(places["folder"], text_encoder_3=None, tokenizer_3=None)
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


@pytest.fixture(scope="module")
def picture() -> Image:
    return Image(noise.draw((1, 3, SIDE, SIDE), 5, 0).sigmoid())


def test_image_to_image_is_that_of_the_stock_pipeline(parts: Parts, sd3_folder: Path, picture: Image):
    """Its own drawing of a latent from the encoder's distribution aside: it is handed the mean, as ours is."""
    start = encode(Context(), parts.vae, picture)
    pipeline = StableDiffusion3Img2ImgPipeline.from_pretrained(sd3_folder)
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


@pytest.fixture(scope="module")
def controlnets(sd3_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("controlnets")
    for number, change in enumerate(KINDS.values()):
        tiny_controlnet(sd3_folder, **change).save_pretrained(root / str(number))
    return {kind: root / str(number) for number, kind in enumerate(KINDS)}


@pytest.fixture
def mean_of_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stock pipelines draw a hint's latent at random; ours takes the mean, and so do they here."""
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode())


def applied(parts: Parts, place: Path, picture: Image, strength: float = 0.7, **options: Any) -> Control:
    return apply_controlnet(load_controlnet(str(place)), picture, strength, vae=parts.vae, **options)


def read_as(picture: Image) -> Tensor:
    """The stock pipelines take tensors as what they hand to the VAE."""
    return picture.pixels * 2 - 1


def stock_with(sd3_folder: Path, *places: Path) -> Any:
    nets = [SD3ControlNetModel.from_pretrained(place) for place in places]
    return StableDiffusion3ControlNetPipeline.from_pretrained(
        sd3_folder, controlnet=nets[0] if len(nets) == 1 else nets
    )


@pytest.mark.usefixtures("mean_of_the_encoder")
@pytest.mark.parametrize("kind", KINDS)
def test_a_controlnet_acts_as_in_the_stock_pipeline(
    kind: str, parts: Parts, controlnets: dict[str, Path], sd3_folder: Path, picture: Image
):
    place = controlnets[kind]
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
    start: float, end: float, parts: Parts, controlnets: dict[str, Path], sd3_folder: Path, picture: Image
):
    """Halves of the timesteps and halves of the steps: four steps are 1000, 668, 335 and 3 before the shift."""
    place = controlnets["InstantX"]
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
    parts: Parts, controlnets: dict[str, Path], sd3_folder: Path, picture: Image
):
    """Two of one kind: the stock pipeline gives all of them the first one's latents and pooled prompts."""
    place = controlnets["InstantX"]
    other = Image(picture.pixels.flip(-1))
    theirs = stock(
        stock_with(sd3_folder, place, place),
        control_image=[read_as(picture), read_as(other)],
        controlnet_conditioning_scale=[0.7, 0.4],
    )
    first = applied(parts, place, picture)
    both = apply_controlnet(load_controlnet(str(place)), other, 0.4, control=first, vae=parts.vae)
    assert relative(sample(parts, control=both), theirs) < CONTROLLED


def test_controlnets_of_different_depths_add_up(parts: Parts, controlnets: dict[str, Path], picture: Image):
    """To a sum of what each adds alone, seen after one linear step: residuals go into every block of the network."""
    net = pool.network(parts.model.network)
    family, pieces = families.of("sd3"), []
    prompts = (prompt(parts.text_encoder, POSITIVE),)
    from nodes.backend.denoise import follower
    from nodes.backend.families.family import Asked

    asked = Asked(noise.draw((1, 16, 8, 8), 1, 0), 500.0, prompts, (SIDE, SIDE))
    for kind in ("InstantX", "Stability"):
        (hint,) = applied(parts, controlnets[kind], picture).hints
        pieces.append(follower(pool.network(hint.controlnet.network), hint, asked.size))
    with torch.inference_mode():
        alone = [family.residuals(net, [piece], asked) for piece in pieces]
        both = family.residuals(net, pieces, asked)
    assert len(both) == 3
    assert all(b.equal(first + second) for b, first, second in zip(both, *alone, strict=True))


def test_a_hint_is_encoded_once_for_all_steps(
    parts: Parts, controlnets: dict[str, Path], picture: Image, monkeypatch: pytest.MonkeyPatch
):
    from nodes.backend import autoencoder

    counted: list[tuple[int, ...]] = []
    encode_once = autoencoder.encode

    def counting(vae: Any, pixels: Tensor) -> Tensor:
        counted.append(tuple(pixels.shape))
        return encode_once(vae, pixels)

    fresh = Image(picture.pixels.clone())
    monkeypatch.setattr(autoencoder, "encode", counting)
    control = applied(parts, controlnets["InstantX"], fresh)
    sample(parts, control=control)
    assert counted == [(1, 3, SIDE, SIDE)]
    sample(parts, control=control, size=(96, 48))
    assert counted == [(1, 3, SIDE, SIDE), (1, 3, 48, 96)]


def test_a_controlnet_wants_the_vae_that_reads_its_picture(
    parts: Parts, controlnets: dict[str, Path], picture: Image, sd15_folder: Path
):
    place = controlnets["InstantX"]
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


# --- what files are ---


@pytest.mark.parametrize("place", ["folder", "file", "folder without T5", "file without T5"])
def test_its_checkpoints_are_recognised_by_this_family_alone(place: str, places: dict[str, Path]):
    found = look(places[place])
    assert [family.name for family in families.FAMILIES if family.recognises(found)] == ["sd3"]
    assert not any(family.recognises_controlnet(found) for family in families.FAMILIES)


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_its_denoiser_alone_is_recognised(kind: str, sd3_folder: Path):
    own = sd3_folder / "transformer"
    found = look(own if kind == "folder" else own / "diffusion_pytorch_model.safetensors")
    assert [family.name for family in families.FAMILIES if family.recognises(found)] == ["sd3"]


@pytest.mark.parametrize("kind", KINDS)
def test_its_controlnets_are_recognised_by_this_family_alone(kind: str, controlnets: dict[str, Path]):
    for place in (controlnets[kind], controlnets[kind] / "diffusion_pytorch_model.safetensors"):
        found = look(place)
        assert [family.name for family in families.FAMILIES if family.recognises_controlnet(found)] == ["sd3"]
        assert not any(family.recognises(found) for family in families.FAMILIES)
        assert load_controlnet(str(place)).network.family == "sd3"


def test_describing_it_needs_no_torch(places: dict[str, Path], controlnets: dict[str, Path]):
    code = (
        "import sys; from nodes.load import checkpoint; from nodes.control import load_controlnet; "
        f"[checkpoint(place) for place in {[str(place) for place in places.values()]!r}]; "
        f"load_controlnet({str(controlnets['Stability'])!r}); "
        "assert not {'torch', 'numpy', 'PIL', 'safetensors'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=program.FOLDER)


def test_a_folder_says_how_it_was_trained(parts: Parts, places: dict[str, Path], tmp_path: Path):
    assert parts.model.process == Flow(3.0, to_least=True)
    assert (parts.model.space, parts.vae.space) == (sd3.FAMILY.space,) * 2
    assert parts.model.native_size == 64
    place = shutil.copytree(places["folder"], tmp_path / "other")
    path = place / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"shift": 1.5}))
    assert loaded(place).model.process == Flow(1.5, to_least=True)


def test_a_file_without_settings_has_those_of_the_published_models():
    family = families.of("sd3")
    assert family.process(look(program.FOLDER), None) == Flow(3.0, to_least=True)
    published = {role: family.default_settings(role) for role in ("vae", "text_encoder_3")}
    assert (published["vae"]["scaling_factor"], published["vae"]["shift_factor"]) == (1.5305, 0.0609)
    assert published["text_encoder_3"]["d_model"] == 4096


def test_its_networks_take_half_the_memory_where_that_is_enough():
    precisions = {role: spec.precision for role, spec in sd3.FAMILY.roles.items()}
    assert precisions == {
        "transformer": "bfloat16",
        "text_encoder": "half",
        "text_encoder_2": "half",
        "text_encoder_3": "bfloat16",
        "vae": "full",
        "controlnet": "bfloat16",
    }


def test_stop_is_heard_between_the_blocks(parts: Parts):
    heard: list[tuple[int, int]] = []

    class Listening(Context):
        def progress(self, done: int, total: int, preview: Any = None) -> None:
            heard.append((done, total))

    latent, _ = add_noise(empty_latent(parts.vae, SIDE, SIDE), 1.0, SEED)
    text = prompt(parts.text_encoder, POSITIVE)
    unet_step(Listening(), parts.model, latent, text, text, 1.0, 0.5, guidance_scale=GUIDANCE)
    assert heard == [(1, 4), (2, 4), (3, 4)]


# --- T5's tokenizer ---


@pytest.fixture
def no_tokenizer_of_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))


def bare_file(places: dict[str, Path], tmp_path: Path) -> Path:
    """The file among its settings, of which T5's tokenizer is none."""
    place = tmp_path / "bare"
    shutil.copytree(places["file"].parent, place, ignore=shutil.ignore_patterns("tokenizer_3"))
    return place / places["file"].name


@pytest.mark.usefixtures("no_tokenizer_of_before")
def test_a_file_with_t5_says_which_tokenizer_to_choose_and_runs_once_it_was(
    places: dict[str, Path], tmp_path: Path, pipeline: Any
):
    from nodes.backend import tokenizer_files

    file = bare_file(places, tmp_path)
    with pytest.raises(ValueError, match=r"^T5's tokenizer is missing, .*choose a tokenizer.json of T5"):
        loaded(file)
    tokenizer_files.remember(places["folder"] / "tokenizer_3", 161)
    assert relative(sample(loaded(file)), stock(pipeline)) < EXACT


@pytest.mark.usefixtures("no_tokenizer_of_before")
def test_t5_in_a_folder_of_its_own_says_which_tokenizer_to_choose(parts: Parts, sd3_folder: Path, tmp_path: Path):
    place = shutil.copytree(sd3_folder / "text_encoder_3", tmp_path / "t5")
    with pytest.raises(ValueError, match=r"^T5's tokenizer is missing, .*choose a tokenizer.json of T5"):
        checkpoints.text_encoders(parts.model, [str(place)])


@pytest.mark.usefixtures("no_tokenizer_of_before")
def test_another_tokenizer_is_another_description(places: dict[str, Path], tmp_path: Path):
    from nodes.backend import tokenizer_files

    file = bare_file(places, tmp_path)
    folder = shutil.copytree(places["folder"] / "tokenizer_3", tmp_path / "t")
    tokenizer_files.remember(folder, 161)
    before = loaded(file).text_encoder
    data = json.loads((folder / "tokenizer.json").read_text())
    piece, score = data["model"]["vocab"][-1]
    data["model"]["vocab"][-1] = [piece, score - 1]
    (folder / "tokenizer.json").write_text(json.dumps(data))
    tokenizer_files.remember(folder, 161)
    after = loaded(file).text_encoder
    assert [a == b for a, b in zip(before.encoders, after.encoders, strict=True)] == [True, True, False]


@pytest.mark.usefixtures("no_tokenizer_of_before")
def test_a_tokenizer_that_is_not_the_encoders_is_refused(places: dict[str, Path], tmp_path: Path):
    place = shutil.copytree(places["folder"], tmp_path / "other")
    t5_files.write_json(place / "tokenizer_3", t5_files.many_pieces(3000))
    with pytest.raises(ValueError, match=r"the tokenizer in .*tokenizer\.json has 3,103 words, its text encoder 161"):
        loaded(place)


# --- what is refused ---


def changed(place: Path, tmp_path: Path, part: str, **change: Any) -> Path:
    """A copy of a folder of which the settings of one part say something else."""
    copied = shutil.copytree(place, tmp_path / "changed")
    path = copied / part / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    return copied


Spoil = Callable[[dict[str, Tensor]], None]


def without(prefix: str) -> Spoil:
    def spoil(tensors: dict[str, Tensor]) -> None:
        for name in [name for name in tensors if name.startswith(prefix)]:
            del tensors[name]

    return spoil


def renamed(name: str, other: str) -> Spoil:
    def spoil(tensors: dict[str, Tensor]) -> None:
        tensors[other] = tensors.pop(name)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (without("text_encoders.clip_g."), r"it has no text_encoders\.clip_g\.transformer\.\* tensors, which its"),
        (without("first_stage_model."), r"it has no first_stage_model\.\* tensors, which its vae would be"),
        (
            without("model.diffusion_model.joint_blocks.1.x_block.attn.qkv"),
            r"lacks transformer_blocks\.1\.attn\.to_q\.weight",
        ),
        (
            renamed("model.diffusion_model.x_embedder.proj.bias", "model.diffusion_model.y.bias"),
            r"lacks pos_embed\.proj\.bias",
        ),
        (
            lambda tensors: tensors.update({"model.diffusion_model.extra": torch.zeros(1)}),
            r"has tensors that this program has no use for: extra",
        ),
        (
            lambda tensors: tensors.update({"text_encoders.other.weight": torch.zeros(1)}),
            r"has tensors that this program has no use for: text_encoders\.other\.weight",
        ),
        (without("text_encoders.t5xxl.transformer.encoder.final"), r"lacks encoder\.final_layer_norm\.weight"),
    ],
)
def test_a_damaged_file_is_refused_in_a_sentence(spoil: Spoil, said: str, places: dict[str, Path], tmp_path: Path):
    place = tmp_path / "damaged"
    shutil.copytree(places["file"].parent, place, ignore=shutil.ignore_patterns("*.safetensors"))
    tensors = load_file(places["file"])
    spoil(tensors)
    save_file(tensors, place / "model.safetensors")
    with pytest.raises(ValueError, match=said) as caught:
        loaded(place / "model.safetensors")
    assert "\n" not in str(caught.value)


def test_a_model_of_other_latents_is_refused(places: dict[str, Path], tmp_path: Path):
    place = shutil.copytree(places["folder"], tmp_path / "other")
    settings = json.loads((place / "transformer" / "config.json").read_text())
    from diffusers import SD3Transformer2DModel

    SD3Transformer2DModel.from_config(settings | {"in_channels": 33}).save_pretrained(place / "transformer")
    with pytest.raises(ValueError, match="cannot be run: it takes 33 channels and makes 16, not 16"):
        loaded(place)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ((72, 64), "width must be a multiple of 16, got 72"),
        ((64, 8), "height must be a multiple of 16, got 8"),
    ],
)
def test_sides_that_are_no_whole_tokens_are_refused(size: tuple[int, int], said: str, parts: Parts):
    with pytest.raises(ValueError, match=said):
        empty_latent(parts.vae, *size)


def test_pictures_that_it_cannot_denoise_are_refused_at_the_step_and_before(parts: Parts):
    text = prompt(parts.text_encoder, "")
    for shape, said in (
        ((1, 16, 9, 8), "the model makes pictures whose sides are multiples of 16, got 64 x 72"),
        ((1, 16, 8, 34), "knows places in pictures of up to 256 pixels a side, got 272 x 64"),
        ((1, 4, 8, 8), "the model takes 16 latent channels, got 4"),
    ):
        with pytest.raises(ValueError, match=said):
            fit.check_step(parts.model, shape, (None, None), ())
        latent = Latent(torch.zeros(shape), parts.model.space)
        with pytest.raises(ValueError, match=said):
            unet_step(Context(), parts.model, latent, text, text, 1.0, 0.5)


def test_a_controlnet_with_fewer_positions_is_refused_for_pictures_beyond_them(
    parts: Parts, sd3_folder: Path, tmp_path: Path
):
    tiny_controlnet(sd3_folder, num_layers=1, pos_embed_max_size=8).save_pretrained(tmp_path / "net")
    hints = ((load_controlnet(str(tmp_path / "net")), (1, 3, 64, 64)),)
    fit.check_step(parts.model, (1, 16, 16, 16), (None, None), hints)
    with pytest.raises(ValueError, match=r"net knows places in pictures of up to 128 pixels a side, got 144 x 128"):
        fit.check_step(parts.model, (1, 16, 16, 18), (None, None), hints)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0)])
def test_its_encoders_may_lie_apart_and_come_in_any_order(order: tuple[int, ...], parts: Parts, sd3_folder: Path):
    folders = [sd3_folder / encoder.role for encoder in parts.text_encoder.encoders]
    model = checkpoints.denoiser(str(sd3_folder / "transformer"))
    found = checkpoints.text_encoders(model, [str(folders[number]) for number in order])
    roles = [encoder.role for encoder in parts.text_encoder.encoders][: len(order)]
    assert [(encoder.role, Path(encoder.weights.path).name) for encoder in found.encoders] == [(r, r) for r in roles]


def test_an_encoder_that_is_given_twice_or_missing_is_named(parts: Parts, sd3_folder: Path):
    one, other = (str(sd3_folder / role) for role in ("text_encoder", "text_encoder_2"))
    for paths, said in (
        ([one, one], "the smaller text encoder of Stable Diffusion 3 is given twice"),
        ([other], "Stable Diffusion 3 also needs the smaller text encoder"),
        ([str(sd3_folder / "vae")], "vae is no text encoder of Stable Diffusion 3"),
    ):
        with pytest.raises(ValueError, match=said):
            checkpoints.text_encoders(parts.model, paths)


def test_positions_come_from_the_file_and_are_never_computed(sd3_folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Those of 3.5 Medium would take 9 s and 3.4 GB; where they are not looked for, they cost no memory."""
    from diffusers.models import embeddings

    made: list[str] = []
    compute = embeddings.get_2d_sincos_pos_embed

    def watched(*args: Any, **options: Any) -> Any:
        table = compute(*args, **options)
        made.append(table.device.type)
        return table

    monkeypatch.setattr(embeddings, "get_2d_sincos_pos_embed", watched)
    network = loaded(sd3_folder).model.network
    module = loading.load(network, torch.device("cpu"), torch.float32)
    assert made == ["meta"]
    stored = load_file(sd3_folder / "transformer" / "diffusion_pytorch_model.safetensors")
    assert module.pos_embed.pos_embed.equal(stored["pos_embed.pos_embed"])


def test_no_network_is_left_without_memory(parts: Parts):
    described = parts.model.network, *parts.text_encoder.encoders, parts.vae.network
    for network in described:
        module = pool.network(network)
        assert not any(tensor.is_meta for tensor in (*module.parameters(), *module.buffers()))


def test_links_between_families_are_refused_with_both_names(parts: Parts, sd15_folder: Path):
    other = loaded(sd15_folder)
    for model, text, said in (
        (parts.model, other.text_encoder, r"read for Stable Diffusion 1\.x, the model is Stable Diffusion 3"),
        (other.model, parts.text_encoder, r"read for Stable Diffusion 3, the model is Stable Diffusion 1\.x"),
    ):
        with pytest.raises(ValueError, match=said):
            fit.check_prompt(model, fit.prompt_of(text))


def test_text_encoders_that_are_not_the_models_are_refused(parts: Parts):
    model = parts.model
    prompt_like = fit.prompt_of(parts.text_encoder)
    assert prompt_like == fit.Prompt("sd3", 96, 80)
    fit.check_prompt(model, prompt_like)
    with pytest.raises(ValueError, match="the model reads prompts of width 96, got 4096"):
        fit.check_prompt(model, prompt_like._replace(width=4096))
    with pytest.raises(ValueError, match="the model reads prompts whose pooled state is 80 wide, got 64"):
        fit.check_prompt(model, prompt_like._replace(pooled=64))


def test_t5_has_room_for_the_states_of_the_clips():
    widths: dict[str, dict[str, int]] = {"text_encoder": {"hidden_size": 80}, "text_encoder_2": {"hidden_size": 20}}
    with pytest.raises(ValueError, match="both CLIPs are 100 wide together, those of T5 96"):
        families.of("sd3").prompt_width({**widths, "text_encoder_3": {"d_model": 96}})


def test_the_description_of_a_controlnet_survives_storage(
    parts: Parts, controlnets: dict[str, Path], picture: Image, tmp_path: Path
):
    from nodes.backend import storage

    control = applied(parts, controlnets["Stability"], picture)
    storage.save((control,), tmp_path / "stored")
    ((back),) = storage.load(tmp_path / "stored")
    assert back.hints[0].vae == parts.vae
    assert replace(back.hints[0], pixels=picture.pixels) == control.hints[0]
    assert isinstance(back.hints[0].controlnet, ControlNet)

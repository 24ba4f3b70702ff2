"""Flux.1 against diffusers: the same noise step for step, from folders and from single files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from diffusers import (
    FluxControlNetModel,
    FluxControlNetPipeline,
    FluxFillPipeline,
    FluxImg2ImgPipeline,
    FluxKontextPipeline,
    FluxMultiControlNetModel,
    FluxPipeline,
    FluxTransformer2DModel,
)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from safetensors.torch import load_file, save_file
from torch import Tensor

from nodegraph.node import Context
from nodes import fit
from nodes.backend import checkpoints, denoise, families, noise
from nodes.backend.families import flux, flux_calls
from nodes.backend.families.family import Asked
from nodes.conditioning import inpaint, reference
from nodes.control import Mode, apply_controlnet, load_controlnet
from nodes.load import checkpoint
from nodes.text import clip_skip, distilled_guidance, prompt
from nodes.types import Conditioning, Flow, Image, Mask, SizeShift
from nodes.vae import encode
from tests import tiny_models
from tests.examples import some_slow
from tests.nodes.families.oracle import SEED, SIDE, STEPS, Parts, loaded, pipeline, relative, same_numbers
from tests.nodes.families.oracle import sample_flow as sample

POSITIVE, NEGATIVE = "a photo of a red cat", "blurry"

EXACT = 1e-4  # float32; both prompts in one batch where the pipelines make two calls, sums in another order
SAME = 1e-6  # of one picture without a negative prompt, the very same calls are made: nothing but Euler's sum differs


def with_denoiser(folder: Path, file: Path) -> Parts:
    """file: with the transformer, in place of that in the folder."""
    return replace(loaded(folder), model=checkpoints.denoiser(str(file)))


def texts(parts: Parts, told: Callable[[Conditioning], Conditioning] = lambda it: it) -> tuple[Conditioning, ...]:
    """Both prompts. told: what comes with the positive one."""
    return told(prompt(parts.text_encoder, POSITIVE)), prompt(parts.text_encoder, NEGATIVE)


def stock(pipeline: Any, *, batch: int = 1, size: tuple[int, int] = (SIDE, SIDE), **arguments: Any) -> Tensor:
    """What a pipeline makes of the same noise."""
    pipeline.set_progress_bar_config(disable=True)
    height, width = size
    start = flux_calls.packed(noise.draw((batch, 16, height // 8, width // 8), SEED, 0))
    options = {"num_inference_steps": STEPS, "latents": start, "height": height, "width": width, **arguments}
    made = pipeline(prompt=POSITIVE, num_images_per_prompt=batch, output_type="latent", **options).images
    return FluxPipeline._unpack_latents(made, height, width, 8)


def build_fill(dev: Path, place: Path) -> Path:
    """As Flux.1 Fill: its transformer sees the picture to complete."""
    shutil.copytree(dev, place)
    settings = FluxTransformer2DModel.load_config(dev / "transformer")
    fill = FluxTransformer2DModel.from_config({**settings, "in_channels": 384, "out_channels": 64})
    tiny_models.randomise(fill, "fill").save_pretrained(place / "transformer")
    return place


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("flux")
    dev = tiny_models.build_flux(root / "dev")
    schnell = tiny_models.build_flux(root / "schnell", distilled_guidance=False)
    return {"dev": dev, "schnell": schnell, "fill": build_fill(dev, root / "fill")}


@pytest.fixture(params=["folder", "file"])
def load(request: pytest.FixtureRequest, single_file: Callable[[Path], Path]) -> Callable[[Path], Parts]:
    """From a folder alone, or the transformer from a single file."""
    return loaded if request.param == "folder" else lambda folder: with_denoiser(folder, single_file(folder))


@pytest.fixture
def means(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipelines draw from the distribution that their VAE's encoder tells; we take its mean, always."""
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode())


def dev(folders: dict[str, Path]) -> Parts:
    return loaded(folders["dev"])


# Text to image ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", some_slow(["dev", "schnell"], ["schnell"]))
def test_a_picture_is_that_of_the_stock_pipeline(name: str, folders: dict[str, Path], load: Callable[[Path], Parts]):
    parts = load(folders[name])
    theirs = stock(pipeline(FluxPipeline, folders[name]))
    assert relative(sample(parts, texts(parts)), theirs) < SAME


@pytest.mark.parametrize("name", some_slow(["dev", "schnell"], ("dev",)))
@pytest.mark.parametrize(
    ("batch", "size"), some_slow([(2, (SIDE, SIDE)), (1, (48, 96)), (3, (80, 32))], [(1, (48, 96)), (3, (80, 32))])
)
def test_batches_and_other_sizes_are_those_of_the_stock_pipeline(
    name: str, batch: int, size: tuple[int, int], folders: dict[str, Path]
):
    parts = loaded(folders[name])
    theirs = stock(pipeline(FluxPipeline, folders[name]), batch=batch, size=size)
    assert relative(sample(parts, texts(parts), batch=batch, size=size), theirs) < EXACT


@pytest.mark.parametrize("name", some_slow(["dev", "schnell"], ("dev",)))
def test_a_guidance_scale_above_1_asks_the_negative_prompt_too(name: str, folders: dict[str, Path]):
    parts = loaded(folders[name])
    options = {"true_cfg_scale": 4.0, "negative_prompt": NEGATIVE}
    theirs = stock(pipeline(FluxPipeline, folders[name]), batch=2, **options)
    assert relative(sample(parts, texts(parts), scale=4.0, batch=2), theirs) < EXACT


def test_distilled_guidance_is_what_the_model_is_told(folders: dict[str, Path]):
    parts, theirs = dev(folders), pipeline(FluxPipeline, folders["dev"])
    ours = {scale: sample(parts, texts(parts, partial(distilled_guidance, scale=scale))) for scale in (0.0, 3.5, 7.0)}
    for scale, latent in ours.items():
        assert relative(latent, stock(theirs, guidance_scale=scale)) < SAME
    assert ours[3.5].equal(sample(parts, texts(parts)))  # the pipeline's default
    assert relative(ours[7.0], ours[3.5]) > 1e-3


def test_the_negative_prompt_is_told_what_the_positive_one_is(folders: dict[str, Path]):
    parts = dev(folders)
    options = {"true_cfg_scale": 3.0, "negative_prompt": NEGATIVE, "guidance_scale": 7.0}
    theirs = stock(pipeline(FluxPipeline, folders["dev"]), **options)
    ours = sample(parts, texts(parts, lambda it: distilled_guidance(it, 7.0)), scale=3.0)
    assert relative(ours, theirs) < EXACT


@pytest.mark.usefixtures("means")
def test_image_to_image_is_that_of_the_stock_pipeline(folders: dict[str, Path]):
    parts = dev(folders)
    picture = noise.draw((1, 3, SIDE, SIDE), 5, 0).sigmoid()
    start = encode(Context(), parts.vae, Image(picture))
    options = {"strength": 0.5, "num_inference_steps": 2 * STEPS, "guidance_scale": 3.5, "latents": None}
    theirs = stock(
        pipeline(FluxImg2ImgPipeline, folders["dev"]), image=picture,
        generator=torch.Generator().manual_seed(SEED), **options,
    )  # fmt: skip
    assert relative(sample(parts, texts(parts), start=start, fraction=0.5), theirs) < EXACT


# What the model sees ---------------------------------------------------------------------------------------


def halved(batch: int = 1, size: tuple[int, int] = (SIDE, SIDE)) -> tuple[Tensor, Tensor]:
    """Pictures and masks of whole pixels, some of them within a token."""
    pixels = noise.draw((batch, 3, *size), 5, 0).sigmoid()
    mask = (noise.draw((batch, 1, *size), 6, 0) > 0.3).float()
    mask[..., : size[1] // 3] = 0
    return pixels, mask


@pytest.mark.usefixtures("means")
@pytest.mark.parametrize(("batch", "size"), some_slow([(1, (SIDE, SIDE)), (2, (48, 96))], [(2, (48, 96))]))
def test_fill_is_that_of_the_stock_pipeline(
    batch: int, size: tuple[int, int], folders: dict[str, Path], load: Callable[[Path], Parts]
):
    parts = load(folders["fill"])
    pixels, mask = halved(1, size)
    theirs = stock(pipeline(FluxFillPipeline, folders["fill"]), batch=batch, size=size, image=pixels, mask_image=mask)
    prompts = texts(parts, lambda it: inpaint(Context(), it, parts.vae, Image(pixels), Mask(mask)))
    assert relative(sample(parts, prompts, batch=batch, size=size), theirs) < EXACT


def test_each_picture_of_a_batch_has_its_own_mask(folders: dict[str, Path]):
    parts = loaded(folders["fill"])
    pixels, mask = halved(2)
    both = texts(parts, lambda it: inpaint(Context(), it, parts.vae, Image(pixels), Mask(mask)))
    second = texts(parts, lambda it: inpaint(Context(), it, parts.vae, Image(pixels[1:]), Mask(mask[1:])))
    assert relative(sample(parts, both, batch=2, scale=3.0)[1:], sample(parts, second, batch=2, scale=3.0)[1:]) < EXACT


def kontext(folders: dict[str, Path], **options: Any) -> Tensor:
    return stock(pipeline(FluxKontextPipeline, folders["dev"]), _auto_resize=False, max_area=SIDE * SIDE, **options)


@pytest.mark.parametrize(("batch", "seen"), some_slow([(1, (SIDE, SIDE)), (2, (48, 96))], [(2, (48, 96))]))
def test_a_reference_is_seen_as_in_the_stock_pipeline(batch: int, seen: tuple[int, int], folders: dict[str, Path]):
    parts = dev(folders)
    pixels = noise.draw((1, 3, *seen), 5, 0).sigmoid()
    theirs = kontext(folders, batch=batch, image=pixels, true_cfg_scale=2.0, negative_prompt=NEGATIVE)
    prompts = texts(parts, lambda it: reference(Context(), it, parts.vae, Image(pixels), best_size=False))
    ours = sample(parts, prompts, batch=batch, scale=2.0)
    assert relative(ours, theirs) < EXACT
    assert relative(ours, sample(parts, texts(parts), batch=batch, scale=2.0)) > 1e-3


def test_kontexts_sizes_are_those_of_the_stock_pipeline():
    from diffusers.pipelines.flux.pipeline_flux_kontext import PREFERRED_KONTEXT_RESOLUTIONS

    assert list(flux.KONTEXT_SIZES) == PREFERRED_KONTEXT_RESOLUTIONS


def test_a_reference_is_brought_to_the_nearest_of_kontexts_sizes(folders: dict[str, Path]):
    parts = dev(folders)
    pixels = torch.zeros(1, 3, 90, 160)
    told = reference(Context(), prompt(parts.text_encoder, ""), parts.vae, Image(pixels))
    assert tuple(told.references[0].shape) == (1, 16, 752 // 8, 1392 // 8)


def test_several_references_lie_beside_each_other_in_one_picture():
    x = torch.zeros(1, 16, 8, 8)
    shapes = (1, 16, 8, 4), (1, 16, 4, 4), (1, 16, 4, 8)
    told = Conditioning("flux", "", x, x, references=tuple(map(torch.zeros, shapes)))
    asked = Asked(x, 0.0, (told,), (64, 64))
    (tokens,), found = asked.references(flux_calls.packed), flux_calls._places_of_references(asked)
    assert tokens.shape[1] == 8 + 4 + 8
    seen = {tuple(map(int, place)) for place in torch.cat([flux_calls.places(*part) for part in found]).tolist()}
    assert len(seen) == 20  # no two tokens in one place
    assert {place[0] for place in seen} == {1}


# ControlNets -----------------------------------------------------------------------------------------------


DEPRECATED = pytest.mark.filterwarnings("ignore:.*FluxPosEmbed:FutureWarning")
"""diffusers' ControlNet imports it from its former place."""


def build_controlnet(path: Path, transformer: Path, **options: Any) -> FluxControlNetModel:
    settings = FluxTransformer2DModel.load_config(transformer)
    del settings["out_channels"]
    made = FluxControlNetModel.from_config({**settings, "num_layers": 1, "num_single_layers": 1, **options})
    tiny_models.randomise(made, path.name).save_pretrained(path)
    return made.eval()


CONTROLNETS: dict[str, dict[str, Any]] = {
    "plain": {},
    "union": {"num_mode": 7},
    "xlabs": {"conditioning_embedding_channels": 16, "patch_size": 2, "num_single_layers": 0},
    "untold": {"guidance_embeds": False, "num_layers": 2},
}


@DEPRECATED
@pytest.mark.usefixtures("means")
@pytest.mark.parametrize("name", some_slow(CONTROLNETS, ("union", "xlabs")))
def test_a_controlnet_is_that_of_the_stock_pipeline(name: str, folders: dict[str, Path], tmp_path: Path):
    parts = dev(folders)
    net = build_controlnet(tmp_path / name, folders["dev"] / "transformer", **CONTROLNETS[name])
    pixels = noise.draw((1, 3, SIDE, SIDE), 5, 0).sigmoid()
    controlled = pipeline(FluxControlNetPipeline, folders["dev"], controlnet=net)
    options = {"control_mode": 2} if name == "union" else {}
    options |= {"controlnet_conditioning_scale": 0.7, "guidance_scale": 3.5}
    theirs = stock(controlled, batch=2, control_image=pixels * 2 - 1, **options)
    mode: Mode = "depth" if name == "union" else "as trained"
    control = apply_controlnet(load_controlnet(str(tmp_path / name)), Image(pixels), 0.7, vae=parts.vae, mode=mode)
    ours = sample(parts, texts(parts), batch=2, control=control)
    assert relative(ours, theirs) < EXACT
    assert relative(ours, sample(parts, texts(parts), batch=2)) > 1e-3


@DEPRECATED
@pytest.mark.usefixtures("means")
def test_two_modes_of_a_union_add_up_as_in_the_stock_pipeline(folders: dict[str, Path], tmp_path: Path):
    parts = dev(folders)
    net = build_controlnet(tmp_path / "union", folders["dev"] / "transformer", num_mode=7)
    pictures = [noise.draw((1, 3, SIDE, SIDE), seed, 0).sigmoid() for seed in (5, 6)]
    controlled = pipeline(FluxControlNetPipeline, folders["dev"], controlnet=FluxMultiControlNetModel([net]))
    theirs = stock(
        controlled, control_image=[picture * 2 - 1 for picture in pictures], control_mode=[0, 4],
        controlnet_conditioning_scale=[0.7, 0.4], guidance_scale=3.5,
        control_guidance_start=[0.0, 0.0], control_guidance_end=[1.0, 1.0],  # it drops the second hint without them
    )  # fmt: skip
    loaded_net = load_controlnet(str(tmp_path / "union"))
    first = apply_controlnet(loaded_net, Image(pictures[0]), 0.7, vae=parts.vae, mode="canny")
    control = apply_controlnet(loaded_net, Image(pictures[1]), 0.4, control=first, vae=parts.vae, mode="pose")
    assert relative(sample(parts, texts(parts), control=control), theirs) < EXACT


@DEPRECATED
def test_hints_go_with_both_prompts(folders: dict[str, Path], tmp_path: Path):
    # The stock pipeline adds what the positive prompt makes of the hint to the negative one's call as well; as with all
    # other families, each prompt has its own here, so that guidance is the equation that it is said to be.
    parts = dev(folders)
    build_controlnet(tmp_path / "plain", folders["dev"] / "transformer")
    pixels = noise.draw((1, 3, SIDE, SIDE), 5, 0).sigmoid()
    control = apply_controlnet(load_controlnet(str(tmp_path / "plain")), Image(pixels), 0.7, vae=parts.vae)
    x, (positive, negative) = noise.draw((2, 16, 8, 8), SEED, 0), texts(parts)

    def denoised(prompt: Conditioning, scale: float) -> Tensor:
        return denoise.denoiser(parts.model, prompt, negative, scale, control, lambda done, total: None)(x, 0.8)

    expected = torch.lerp(denoised(negative, 1.0), denoised(positive, 1.0), 3.0)
    assert relative(denoised(positive, 3.0), expected) < EXACT


@DEPRECATED
def test_a_hint_acts_in_its_part_of_the_denoising_alone(folders: dict[str, Path], tmp_path: Path):
    parts = dev(folders)
    build_controlnet(tmp_path / "plain", folders["dev"] / "transformer")
    net, pixels = load_controlnet(str(tmp_path / "plain")), noise.draw((1, 3, SIDE, SIDE), 5, 0).sigmoid()
    late = apply_controlnet(net, Image(pixels), start=0.5, vae=parts.vae)
    x, (positive, negative) = noise.draw((1, 16, 8, 8), SEED, 0), texts(parts)
    ask = [
        denoise.denoiser(parts.model, positive, negative, 1.0, control, lambda done, total: None)
        for control in (None, late)
    ]
    assert ask[0](x, 0.9).equal(ask[1](x, 0.9))
    assert not ask[0](x, 0.1).equal(ask[1](x, 0.1))


# Stop ------------------------------------------------------------------------------------------------------


def test_stop_is_looked_for_after_every_block_of_both_kinds(folders: dict[str, Path]):
    parts = dev(folders)
    told: list[tuple[int, int]] = []
    ask = denoise.denoiser(parts.model, *texts(parts), 1.0, None, lambda *progress: told.append(progress))
    ask(noise.draw((1, 16, 8, 8), SEED, 0), 0.5)
    assert told == [(done, 5) for done in (1, 2, 3, 4)]


# What is what ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dev", "schnell", "fill"])
def test_it_is_recognised_by_itself_alone(name: str, folders: dict[str, Path], single_file: Callable[[Path], Path]):
    file = single_file(folders[name])
    prefixed = file.with_name("prefixed.safetensors")
    save_file({f"model.diffusion_model.{key}": tensor for key, tensor in load_file(file).items()}, prefixed)
    own = folders[name] / "transformer" / "diffusion_pytorch_model.safetensors"
    for place in (folders[name], folders[name] / "transformer", file, prefixed, own):
        found = checkpoints.look(place)
        assert [family.name for family in families.FAMILIES if family.recognises(found)] == ["flux"], place


def test_a_file_with_all_of_it_is_a_checkpoint(folders: dict[str, Path], single_file: Callable[[Path], Path]):
    file = single_file(folders["dev"])
    tensors = {f"model.diffusion_model.{key}": tensor for key, tensor in load_file(file).items()}
    for folder, prefix in (
        ("text_encoder/model", "text_encoders.clip_l.transformer."),
        ("text_encoder_2/model", "text_encoders.t5xxl.transformer."),
        ("vae/diffusion_pytorch_model", "vae."),
    ):
        part = load_file(folders["dev"] / f"{folder}.safetensors")
        tensors |= {prefix + key: tensor for key, tensor in part.items()}
    save_file(tensors, file)
    parts, whole = Parts(*checkpoint(str(file))), dev(folders)
    assert same_numbers(sample(parts, texts(parts)), sample(whole, texts(whole)))
    save_file({**tensors, "vae2.weight": torch.zeros(1)}, file)
    with pytest.raises(ValueError, match=r"has tensors that this program has no use for: vae2\.weight"):
        checkpoint(str(file))


def test_a_file_with_the_transformer_alone_says_what_to_load_beside_it(
    folders: dict[str, Path], single_file: Callable[[Path], Path]
):
    said = (
        r"model\.safetensors is not a whole Flux\.1 checkpoint: .*; load it with Load denoiser, and beside it its CLIP "
        "text encoder and T5 text encoder with Load text encoders, its VAE with Load VAE"
    )
    with pytest.raises(ValueError, match=said):
        checkpoint(str(single_file(folders["dev"])))


DYNAMIC = Flow(by_size=SizeShift(0.5, 1.15, 256, 4096, 2))


@pytest.mark.parametrize(("name", "expected"), [("dev", DYNAMIC), ("schnell", Flow(1.0)), ("fill", DYNAMIC)])
def test_the_process_is_told_by_the_schedulers_settings_or_by_the_guidance_that_it_reads(
    name: str, expected: Flow, folders: dict[str, Path], single_file: Callable[[Path], Path]
):
    assert loaded(folders[name]).model.process == expected
    for place in (single_file(folders[name]), folders[name] / "transformer"):
        assert flux.FAMILY.process(checkpoints.look(place), None) == expected


def test_the_modes_that_people_choose_from_are_those_of_the_families():
    known = {mode for family in families.FAMILIES for mode in family.hint_modes}
    assert set(get_args(Mode)) == {"as trained", *known}


# What is said ----------------------------------------------------------------------------------------------


def test_a_prompt_of_another_family_is_refused_by_name(folders: dict[str, Path], sd15_folder: Path):
    theirs = Parts(*checkpoint(str(sd15_folder)))
    with pytest.raises(ValueError, match=r"was read for Stable Diffusion 1\.x, the model is Flux\.1"):
        fit.check_step(dev(folders).model, None, (fit.prompt_of(theirs.text_encoder),), ())


def test_a_model_that_is_told_no_guidance_scale_says_so(folders: dict[str, Path]):
    parts = loaded(folders["schnell"])
    told = fit.prompt_of(parts.text_encoder)._replace(distilled_guidance=True)
    said = r"brings a distilled guidance scale, which .*schnell \(Flux\.1\) does not take; leave Distilled guidance out"
    with pytest.raises(ValueError, match=said):
        fit.check_step(parts.model, None, (told,), ())
    with pytest.raises(ValueError, match=said):
        sample(parts, texts(parts, lambda it: distilled_guidance(it, 3.5)))


def test_fill_sees_no_references(folders: dict[str, Path]):
    parts = loaded(folders["fill"])
    both = fit.prompt_of(parts.text_encoder)._replace(
        masked=fit.Shown(parts.vae.space, None), references=(fit.Shown(parts.vae.space, None),)
    )
    with pytest.raises(ValueError, match=r"brings reference pictures, which .*fill .* does not take; leave Reference"):
        fit.check_step(parts.model, None, (both,), ())


def test_layers_cannot_be_skipped(folders: dict[str, Path]):
    skipped = clip_skip(dev(folders).text_encoder, 1)
    for read in (fit.prompt_of, lambda text: prompt(text, "")):
        with pytest.raises(ValueError, match=r"Flux\.1 reads the last layers of its text encoders; take Clip skip out"):
            read(skipped)


def test_a_latent_that_leaves_half_a_token_is_refused(folders: dict[str, Path]):
    parts = dev(folders)
    with pytest.raises(ValueError, match="sides are multiples of 16, got 72 x 64"):
        fit.check_step(parts.model, (1, 16, 8, 9), (), ())


def test_a_transformer_of_other_channels_is_refused(folders: dict[str, Path], tmp_path: Path):
    folder = tmp_path / "depth"
    shutil.copytree(folders["dev"], folder)
    settings = FluxTransformer2DModel.load_config(folder / "transformer")
    net = FluxTransformer2DModel.from_config({**settings, "in_channels": 128, "out_channels": 64})
    net.save_pretrained(folder / "transformer")
    with pytest.raises(ValueError, match=r"takes 128 channels for each token; this program can run those of 64 \("):
        checkpoint(str(folder))


@DEPRECATED
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"num_attention_heads": 4}, "tokens of width 64, not 32"),
        ({"joint_attention_dim": 64}, "prompts of width 64, not 96"),
        ({"pooled_projection_dim": 64}, "texts of width 64, not 32"),
        ({"in_channels": 32}, "channels in a token: 32, not 64"),
        ({"num_layers": 3}, "num_layers 3, above 2"),
    ],
)
def test_a_controlnet_for_another_transformer_is_refused(
    options: dict[str, Any], said: str, folders: dict[str, Path], tmp_path: Path
):
    build_controlnet(tmp_path / "other", folders["dev"] / "transformer", **options)
    with pytest.raises(ValueError, match=said):
        fit.check_controlnet(dev(folders).model, load_controlnet(str(tmp_path / "other")))


@DEPRECATED
def test_a_controlnet_and_its_mode_must_go_together(folders: dict[str, Path], tmp_path: Path):
    vae, picture = dev(folders).vae, Image(torch.zeros(1, 3, SIDE, SIDE))
    for name, options in (("plain", {}), ("union", {"num_mode": 4})):
        build_controlnet(tmp_path / name, folders["dev"] / "transformer", **options)
    plain, union = (load_controlnet(str(tmp_path / name)) for name in ("plain", "union"))
    with pytest.raises(ValueError, match="union knows several kinds of picture: set mode to one of canny, tile, depth"):
        apply_controlnet(union, picture, vae=vae)
    with pytest.raises(ValueError, match="union knows no mode 'pose'"):
        apply_controlnet(union, picture, vae=vae, mode="pose")
    with pytest.raises(ValueError, match="plain knows no mode 'canny'; it was trained with one kind of picture"):
        apply_controlnet(plain, picture, vae=vae, mode="canny")
    with pytest.raises(ValueError, match="plain reads pictures as latents; link the checkpoint's VAE"):
        apply_controlnet(plain, picture)
    assert apply_controlnet(union, picture, vae=vae, mode="blur").hints[0].mode == 3


@DEPRECATED
def test_a_controlnet_is_recognised_by_itself_alone(folders: dict[str, Path], tmp_path: Path):
    for name, options in CONTROLNETS.items():
        build_controlnet(tmp_path / name, folders["dev"] / "transformer", **options)
        for place in (tmp_path / name, tmp_path / name / "diffusion_pytorch_model.safetensors"):
            found = checkpoints.look(place)
            assert [family.name for family in families.FAMILIES if family.recognises_controlnet(found)] == ["flux"]
            assert not any(family.recognises(found) for family in families.FAMILIES)


@pytest.mark.parametrize("dtype", some_slow([torch.bfloat16, torch.float16], (torch.bfloat16,)))
def test_a_file_of_half_precision_is_computed_as_its_numbers_in_full_precision(
    dtype: torch.dtype, folders: dict[str, Path], single_file: Callable[..., Path]
):
    parts = with_denoiser(folders["dev"], single_file(folders["dev"], dtype=dtype))
    narrowed = FluxPipeline.from_pretrained(folders["dev"])
    narrowed.transformer.to(dtype).to(torch.float32)
    assert relative(sample(parts, texts(parts)), stock(narrowed)) < EXACT

"""Qwen-Image 2.1 against diffusers: the same noise step for step, text and editing, from folders and split files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoTokenizer

from nodegraph.node import Context
from nodes import fit
from nodes.backend import checkpoints, denoise, families, noise, parts, tokenizer_kinds
from nodes.backend.families import qwenimage21
from nodes.backend.families.qwenimage21 import CHAT, SYSTEM
from nodes.conditioning import reference
from nodes.load import checkpoint
from nodes.text import clip_skip, prompt, prompt_with_pictures
from nodes.types import Conditioning, Flow, Image, Latent, SizeShift
from nodes.vae import decode, encode
from tests import tiny_modern, tiny_split
from tests.examples import some_slow
from tests.nodes.families import qwen21_stock, qwen_stock
from tests.nodes.families.oracle import SEED, SIDE, STEPS, Parts, loaded, relative
from tests.nodes.families.oracle import sample_flow as sample

POSITIVE, NEGATIVE = "a photo of a red cat (with a hat), it's 2 cats", "blurry"
REFERENCES = [qwen_stock.reference(1), qwen_stock.reference(2, (64, 128)), qwen_stock.reference(3, (80, 80))]
EXACT = 1e-5  # float32; guidance is summed in another order, and both prompts may lie in one batch
SAME = 1e-6  # of one prompt the very same calls are made: nothing but Euler's sum differs


@pytest.fixture(scope="module", autouse=True)
def small_references() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(qwenimage21, "REFERENCE_AREA", qwen21_stock.RESOLUTION**2)
        yield


@pytest.fixture(scope="module")
def folder(qwenimage21_folder: Path) -> Path:
    return qwenimage21_folder


@pytest.fixture(scope="module")
def split(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of the parts, among the settings of their repository as published ones are."""
    return tiny_split.beside_settings(folder, tmp_path_factory.mktemp("split") / "qwenimage21")


@pytest.fixture(scope="module")
def whole(folder: Path) -> Parts:
    return loaded(folder)


def assembled(split: dict[str, Path]) -> Parts:
    """As Load denoiser, Load text encoders and Load VAE do."""
    model = checkpoints.denoiser(str(split["transformer"]))
    text_encoder = checkpoints.text_encoders(model, [str(split["text_encoder"])])
    return Parts(model, text_encoder, checkpoints.autoencoder(model, str(split["vae"])))


def texts(parts: Parts, count: int = 0) -> list[Conditioning]:
    """Both prompts, with so many pictures."""
    shown = {
        name: Image(qwen_stock.pixels(picture))
        for name, picture in zip(("image", "image_2", "image_3"), REFERENCES[:count], strict=False)
    }
    given = (Context(), parts.text_encoder)
    return [prompt_with_pictures(*given, text, parts.vae, **shown) for text in (POSITIVE, NEGATIVE)]


pipeline = cache(qwen21_stock.pipeline)


@cache
def stock(
    folder: Path, *, scale: float = 1.0, count: int = 0, batch: int = 1, size: tuple[int, int] = (SIDE, SIDE)
) -> Tensor:
    """What the stock pipeline makes of the same noise, as a latent."""
    rows, columns = (side // 16 for side in size)
    start = noise.draw((batch, 64, rows, columns), SEED, 0)
    made = pipeline(folder)(
        prompt=POSITIVE, negative_prompt=NEGATIVE if scale > 1 else None, true_cfg_scale=scale,
        image=REFERENCES[:count] or None, num_images_per_prompt=batch,
        num_inference_steps=STEPS, latents=start.flatten(2).transpose(1, 2), height=size[0], width=size[1],
        output_type="latent",
    ).images  # fmt: skip
    return made.transpose(1, 2).reshape(batch, 64, rows, columns)


# Prompts ---------------------------------------------------------------------------------------------------

TEXTS = (POSITIVE, "", "Ünïcödé ☃ 東京, 3.14  and\n\n  two lines \n", "\n\nlines before", "[red] \\(cat\\) BREAK")


@pytest.mark.parametrize("text", [*TEXTS[:2], *(pytest.param(text, marks=pytest.mark.slow) for text in TEXTS[2:])])
def test_a_prompt_is_read_as_in_the_stock_pipeline(text: str, whole: Parts, folder: Path):
    with torch.inference_mode():
        theirs, mask, slots = pipeline(folder).encode_prompt(text)
    assert mask is None
    assert not slots.any()
    ours = prompt(whole.text_encoder, text)
    assert ours.embeds.shape == theirs.shape
    assert relative(ours.embeds, theirs) < SAME
    assert ours.shown_at == ()


def test_the_states_are_those_before_the_last_norm(whole: Parts, folder: Path):
    ours = prompt(whole.text_encoder, POSITIVE).embeds
    normed = pipeline(folder).text_encoder.model.language_model.norm(ours)
    assert relative(ours, normed.detach()) > 0.1


def test_the_shipped_vocabulary_has_one_token_for_each_word_of_the_chat():
    shipped = AutoTokenizer.from_pretrained(tokenizer_kinds.CONFIGS / "qwen")
    assert len(shipped(SYSTEM).input_ids) == 14  # of the published processor's chat template
    assert len(shipped(CHAT.format("")).input_ids) == 14 + 8
    assert shipped("<|image_pad|>").input_ids == [151_655]


def test_a_prompt_of_more_tokens_than_the_model_reads_says_where_it_is_too_long(whole: Parts):
    with pytest.raises(ValueError, match=r"the prompt has 5,000 tokens; 4,0\d\d is the most. What is too much begins"):
        prompt(whole.text_encoder, "cat" + " cat" * 4999)


def test_what_stands_for_pictures_cannot_be_written(whole: Parts):
    with pytest.raises(ValueError, match="cannot be written in a prompt; link the picture instead"):
        prompt(whole.text_encoder, "a <|image_pad|> cat")


# Pictures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1.0, 4.0])
@pytest.mark.parametrize("source", [pytest.param("folder", marks=pytest.mark.slow), "split"])
def test_a_picture_is_that_of_the_stock_pipeline(
    source: str, scale: float, whole: Parts, split: dict[str, Path], folder: Path
):
    parts = whole if source == "folder" else assembled(split)
    ours = sample(parts, texts(parts), scale=scale)
    assert relative(ours, stock(folder, scale=scale)) < EXACT


@pytest.mark.parametrize(("count", "scale"), some_slow([(1, 1.0), (1, 4.0), (3, 4.0)], [(1, 1.0), (3, 4.0)]))
@pytest.mark.parametrize("source", [pytest.param("folder", marks=pytest.mark.slow), "split"])
def test_an_edit_is_that_of_the_stock_pipeline(
    source: str, count: int, scale: float, whole: Parts, split: dict[str, Path], folder: Path
):
    parts = whole if source == "folder" else assembled(split)
    ours = sample(parts, texts(parts, count), scale=scale)
    assert relative(ours, stock(folder, scale=scale, count=count)) < EXACT
    assert relative(ours, sample(parts, texts(parts), scale=scale)) > 1e-2


@pytest.mark.slow
@pytest.mark.parametrize(("batch", "size"), [(2, (SIDE, SIDE)), (1, (32, 96))])
def test_batches_and_other_sizes_are_those_of_the_stock_pipeline(
    batch: int, size: tuple[int, int], whole: Parts, folder: Path
):
    theirs = stock(folder, scale=4.0, batch=batch, size=size)
    assert relative(sample(whole, texts(whole), scale=4.0, batch=batch, size=size), theirs) < EXACT


def test_turbo_visits_the_levels_that_its_index_brings(folder: Path, tmp_path: Path):
    place = Path(shutil.copytree(folder, tmp_path / "turbo"))
    own = tiny_modern.QWEN_21_TURBO_SIGMAS
    index = json.loads((place / "model_index.json").read_text())
    (place / "model_index.json").write_text(json.dumps(index | {"sample_sigmas": own}))
    tiny_modern._flow(shift=1.0).save_pretrained(place / "scheduler")
    turbo = loaded(place)
    assert turbo.model.process == Flow(1.0, own=tuple(own))
    start = noise.draw((1, 64, 4, 4), SEED, 0)
    made = qwen21_stock.pipeline(place, own)(
        prompt=POSITIVE, latents=start.flatten(2).transpose(1, 2), height=SIDE, width=SIDE, output_type="latent"
    ).images
    ours = sample(turbo, texts(turbo), steps=8)
    assert relative(ours, made.transpose(1, 2).reshape(1, 64, 4, 4)) < SAME


@pytest.mark.slow
def test_half_precision_files_give_nearly_the_same_picture(folder: Path, whole: Parts, tmp_path: Path):
    parts = assembled(tiny_split.beside_settings(folder, tmp_path / "half", torch.bfloat16))
    # 8 bits of each weight are left: about 2^-9 for each of some tens of layers
    assert relative(sample(parts, texts(parts, 1)), sample(whole, texts(whole, 1))) < 0.1


# How opaque pictures are -----------------------------------------------------------------------------------


def test_what_is_made_lies_on_white(whole: Parts, folder: Path):
    latent, vae = noise.draw((1, 64, 4, 4), 3, 0), pipeline(folder).vae
    mean, std = (torch.tensor(vae.config[name])[:, None, None] for name in ("latents_mean", "latents_std"))
    with torch.inference_mode():
        theirs = vae.decode((latent * std + mean)[:, :, None]).sample[:, :, 0]
    colours, opaque = ((theirs + 1) / 2).clamp(0, 1).split([3, 1], dim=1)
    assert opaque.min() < 0.4 < 0.6 < opaque.max()
    pixels = decode(Context(), whole.vae, Latent(latent, whole.vae.space)).pixels
    assert relative(pixels, colours * opaque + (1 - opaque)) < 1e-5


def test_what_is_given_is_opaque(whole: Parts, folder: Path):
    picture, vae = noise.draw((1, 3, SIDE, SIDE), 5, 0).sigmoid(), pipeline(folder).vae
    mean, std = (torch.tensor(vae.config[name])[:, None, None] for name in ("latents_mean", "latents_std"))
    shown = torch.cat([picture, torch.ones(1, 1, SIDE, SIDE)], dim=1) * 2 - 1
    with torch.inference_mode():
        theirs = (vae.encode(shown[:, :, None]).latent_dist.mode()[:, :, 0] - mean) / std
    assert relative(encode(Context(), whole.vae, Image(picture)).samples, theirs) < 1e-5


# LoRA ------------------------------------------------------------------------------------------------------

LAYERS = (
    *("transformer_blocks.1.attn.to_q", "transformer_blocks.0.attn.to_out.0", "transformer_blocks.2.img_mlp.out"),
    *("transformer_blocks.2.img_mlp.gate_layer", "transformer_blocks.0.img_mlp.proj", "txt_in.in_layer"),
)


@pytest.mark.parametrize(
    ("prefix", "flat"),
    [
        *(pytest.param(prefix, False, marks=pytest.mark.slow) for prefix in ("transformer.", "diffusion_model.", "")),
        ("lora_unet_", True),
    ],
)
def test_a_lora_in_any_layout_is_added_to_the_weights_of_its_layers(
    prefix: str, flat: bool, folder: Path, whole: Parts, tmp_path: Path
):
    merged = Path(shutil.copytree(folder, tmp_path / "merged"))
    place = merged / "transformer" / "diffusion_pytorch_model.safetensors"
    tensors, file = load_file(place), dict[str, Tensor]()
    for number, layer in enumerate(LAYERS):
        weight = tensors[f"{layer}.weight"]
        down, up = (noise.draw(s, number, n) / 4 for n, s in enumerate([(2, weight.shape[1]), (weight.shape[0], 2)]))
        name = prefix + (layer.replace(".", "_") if flat else layer)
        file |= {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up, f"{name}.alpha": torch.tensor(1.0)}
        tensors[f"{layer}.weight"] = weight + up @ down / 2
    save_file(tensors, place)
    save_file(file, tmp_path / "lora.safetensors")
    lora = checkpoints.lora(str(tmp_path / "lora.safetensors"), whole.model, whole.text_encoder)
    adapted = Parts(replace(whole.model, loras=(lora,)), whole.text_encoder, whole.vae)
    ours = sample(adapted, texts(whole))
    assert relative(ours, sample(loaded(merged), texts(whole))) < 1e-4  # summed beside the weights, not with them
    assert relative(ours, sample(whole, texts(whole))) > 1e-2


def test_a_lora_for_a_layer_that_files_have_in_one_with_another_reaches_both(
    folder: Path, whole: Parts, tmp_path: Path
):
    weight = load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors")
    layer = "transformer_blocks.1.img_mlp"
    rows, columns = weight[f"{layer}.proj.weight"].shape
    down, up = noise.draw((2, columns), 1, 0), noise.draw((2 * rows, 2), 1, 1)
    save_file(
        {f"{layer}.gate_up.lora_A.weight": down, f"{layer}.gate_up.lora_B.weight": up}, tmp_path / "fused.safetensors"
    )
    save_file(
        {
            f"{layer}.{name}.lora_{kind}.weight": tensor
            for name, half in zip(("gate_layer", "proj"), up.chunk(2), strict=True)
            for kind, tensor in (("A", down.clone()), ("B", half.contiguous()))
        },
        tmp_path / "apart.safetensors",
    )
    made = []
    for name in ("fused", "apart"):
        lora = checkpoints.lora(str(tmp_path / f"{name}.safetensors"), whole.model, whole.text_encoder)
        made.append(sample(Parts(replace(whole.model, loras=(lora,)), whole.text_encoder, whole.vae), texts(whole)))
    assert relative(*made) < SAME


# Stop ------------------------------------------------------------------------------------------------------


def test_stop_is_looked_for_after_every_block(whole: Parts):
    told: list[tuple[int, int]] = []
    ask = denoise.denoiser(whole.model, *texts(whole), 1.0, None, lambda *progress: told.append(progress))
    ask(noise.draw((1, 64, 4, 4), SEED, 0), 0.5)
    assert told == [(done, 4) for done in range(1, 4)]


# What is what ----------------------------------------------------------------------------------------------


def test_it_is_recognised_by_itself_alone(folder: Path, split: dict[str, Path], tmp_path: Path):
    prefixed = tmp_path / "prefixed.safetensors"
    tensors = load_file(split["transformer"])
    save_file({f"model.diffusion_model.{name}": tensor for name, tensor in tensors.items()}, prefixed)
    own = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    for place in (folder, folder / "transformer", split["transformer"], prefixed, own):
        found = checkpoints.look(place)
        assert [family.name for family in families.FAMILIES if family.recognises(found)] == ["qwenimage21"], place


def test_files_far_from_any_settings_are_told_by_their_tensors(folder: Path, whole: Parts, tmp_path: Path):
    places = tiny_split.write_split(folder, tmp_path / "alone")
    model = checkpoints.denoiser(str(places["transformer"]))
    assert model.process == whole.model.process == Flow(by_size=SizeShift(0.5, 0.9, 256, 8192, 1), terminal=0.02)
    assert parts.settings(model.network) == parts.settings(whole.model.network)
    assert checkpoints.autoencoder(model, str(places["vae"])).space == whole.vae.space


def test_the_vae_of_qwen_image_is_refused_by_name(whole: Parts, qwenimage_folder: Path):
    theirs = qwenimage_folder / "vae"
    with pytest.raises(ValueError, match=str(theirs)):
        checkpoints.autoencoder(whole.model, str(theirs))


def test_a_folder_without_its_processor_is_refused(folder: Path, tmp_path: Path):
    place = shutil.copytree(folder, tmp_path / "checkpoint", ignore=shutil.ignore_patterns("processor"))
    with pytest.raises(ValueError, match="is not a whole checkpoint folder: it has no folder processor"):
        checkpoint(str(place))


# What is said ----------------------------------------------------------------------------------------------

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("transformer/config.json", {"num_layers": 4}, "lacks transformer_blocks.3."),
    ("transformer/config.json", {"patch_size": 2}, "patch_size is 2; it must be 1"),
    ("text_encoder/config.json", {"vision_config": {"spatial_merge_size": 4}}, "vision_config.spatial_merge_size is 4"),
    ("vae/config.json", {"is_residual": False}, "is_residual is False; it must be true"),
    ("vae/config.json", {"in_channels": 3}, "in_channels is 3; it must be 4"),
    ("model_index.json", {"sample_sigmas": [0.5, 1.0]}, "sample_sigmas is [0.5, 1.0]; they must fall"),
    ("model_index.json", {"sample_sigmas": "all"}, "sample_sigmas is 'all'; it must be a list"),
]


@pytest.mark.parametrize(("file", "change", "said"), REFUSED, ids=[said[:30] for _, _, said in REFUSED])
def test_what_cannot_be_run_is_refused_by_name(
    file: str, change: dict[str, Any], said: str, folder: Path, tmp_path: Path
):
    place = Path(shutil.copytree(folder, tmp_path / "changed"))
    (place / file).write_text(json.dumps(json.loads((place / file).read_text()) | change))
    with pytest.raises(ValueError, match=str(place)) as caught:
        checkpoint(str(place))
    assert said in str(caught.value)


def test_sizes_that_it_cannot_make_are_refused(whole: Parts):
    with pytest.raises(ValueError, match="sides are multiples of 32, got 80 x 64"):
        fit.check_step(whole.model, (1, 64, 4, 5), (), ())


def test_layers_cannot_be_skipped(whole: Parts):
    with pytest.raises(ValueError, match=r"Qwen-Image 2.1 reads the last layer of its text encoder; take Clip skip"):
        prompt(clip_skip(whole.text_encoder, 1), "")


def test_pictures_that_the_text_does_not_speak_of_are_refused(whole: Parts):
    picture = Image(qwen_stock.pixels(REFERENCES[0]))
    told = reference(Context(), prompt(whole.text_encoder, POSITIVE), whole.vae, picture)
    said = "sees pictures where its prompt speaks of them: give them to Prompt with pictures"
    with pytest.raises(ValueError, match=said):
        sample(whole, [told, told])
    unseen = prompt_with_pictures(Context(), whole.text_encoder, POSITIVE, None, picture)
    with pytest.raises(ValueError, match=said):
        sample(whole, [unseen, unseen])
    for vae, shown in ((None, [(1, 3, 64, 64)]), (whole.vae, [])):
        planned = fit.with_pictures(whole.text_encoder, vae, shown)
        if shown:
            with pytest.raises(ValueError, match=said):
                fit.check_step(whole.model, None, (planned,), ())
        else:
            fit.check_step(whole.model, None, (planned,), ())


def test_both_prompts_speak_of_the_same_pictures(whole: Parts):
    positive, negative = texts(whole, 1)[0], texts(whole)[1]
    said = "the positive prompt speaks of 1 pictures, the negative one of 0; give both the same"
    with pytest.raises(ValueError, match=said):
        sample(whole, [positive, negative], scale=4.0)
    planned = [fit.with_pictures(whole.text_encoder, whole.vae, shown) for shown in ([(1, 3, 64, 64)], [])]
    with pytest.raises(ValueError, match=said):
        fit.check_step(whole.model, None, (*planned,), ())

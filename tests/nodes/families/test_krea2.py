"""Krea 2 against diffusers: the same noise step for step, from folders and from split files in ComfyUI's names."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import Krea2Pipeline
from safetensors.torch import load_file, save_file
from torch import Tensor

from nodegraph.node import Context
from nodes import fit
from nodes.backend import checkpoints, denoise, families, noise, parts, pool
from nodes.backend.families import krea2
from nodes.load import checkpoint
from nodes.text import clip_skip, prompt
from nodes.types import Conditioning, Flow, Latent, SizeShift
from nodes.vae import decode
from tests import tiny_modern, tiny_split
from tests.examples import some_slow
from tests.nodes.families import oracle
from tests.nodes.families.oracle import SEED, SIDE, STEPS, Parts, loaded, relative
from tests.nodes.families.oracle import sample_flow as sample

POSITIVE, NEGATIVE = "a photo of a red cat (with a hat), it's 2 cats", "blurry"

EXACT = 1e-5  # float32; the stock pipeline sums over 512 tokens of a text, of which most are masked


def texts(parts: Parts) -> tuple[Conditioning, ...]:
    return prompt(parts.text_encoder, POSITIVE), prompt(parts.text_encoder, NEGATIVE)


@cache
def stock(folder: Path, *, scale: float = 1.0, batch: int = 1, size: tuple[int, int] = (SIDE, SIDE)) -> Tensor:
    """What the stock pipeline makes of the same noise. Its guidance scale is ours less 1."""
    pipeline = oracle.pipeline(Krea2Pipeline, folder)
    pipeline.set_progress_bar_config(disable=True)
    rows, columns = (side // 8 for side in size)
    start = noise.draw((batch, 16, rows, columns), SEED, 0)
    packed = pipeline._pack_latents(start, batch, 16, rows, columns)
    made = pipeline(
        prompt=POSITIVE, negative_prompt=NEGATIVE, num_images_per_prompt=batch, num_inference_steps=STEPS,
        latents=packed, height=size[0], width=size[1], guidance_scale=scale - 1, output_type="latent",
    )  # fmt: skip
    return pipeline._unpack_latents(made.images, *size)[:, :, 0]


@pytest.fixture(scope="module")
def folder(krea2_folder: Path) -> Path:
    return krea2_folder


@pytest.fixture(scope="module")
def split(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return tiny_split.beside_settings(folder, tmp_path_factory.mktemp("split") / "raw")


@pytest.fixture(scope="module")
def whole(folder: Path) -> Parts:
    return loaded(folder)


@pytest.fixture(scope="module")
def turbo_folder(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same weights; Turbo differs in what its index says."""
    place = Path(shutil.copytree(folder, tmp_path_factory.mktemp("models") / "turbo"))
    index = json.loads((place / "model_index.json").read_text())
    (place / "model_index.json").write_text(json.dumps(index | {"is_distilled": True}))
    return place


def assembled(split: dict[str, Path]) -> Parts:
    """As Load denoiser, Load text encoders and Load VAE do."""
    model = checkpoints.denoiser(str(split["transformer"]))
    text_encoder = checkpoints.text_encoders(model, [str(split["text_encoder"])])
    return Parts(model, text_encoder, checkpoints.autoencoder(model, str(split["vae"])))


# Prompts ---------------------------------------------------------------------------------------------------

TEXTS = (POSITIVE, "", "Ünïcödé ☃ 東京, 3.14  and\n\n  two lines \n", "\n\nlines before", "[red] \\(cat\\) BREAK")


@pytest.mark.parametrize("text", [TEXTS[0], *(pytest.param(text, marks=pytest.mark.slow) for text in TEXTS[1:])])
def test_a_prompt_is_read_as_in_the_stock_pipeline_without_what_fills_it_up(text: str, whole: Parts, folder: Path):
    with torch.inference_mode():
        theirs, mask = oracle.pipeline(Krea2Pipeline, folder).get_text_hidden_states(text)
    ours = prompt(whole.text_encoder, text).embeds
    assert ours.shape == (1, int(mask.sum()), 12 * tiny_modern.TEXT_WIDTH)
    assert relative(ours[0], theirs[mask].flatten(1)) < 1e-6  # theirs are summed over 546 tokens


def test_a_prompt_of_more_tokens_than_the_model_reads_says_where_it_is_too_long(whole: Parts):
    longest = "cat " * 505
    assert prompt(whole.text_encoder, f"{longest}!").embeds.shape[1] == 512
    said = r"the prompt has 509 tokens; 507 is the most. What is too much begins at ' fox!'"
    with pytest.raises(ValueError, match=said):
        prompt(whole.text_encoder, f"{longest}! fox!")


def test_the_part_that_sees_pictures_is_not_loaded(whole: Parts, split: dict[str, Path]):
    for encoder in (whole.text_encoder.encoders[0], assembled(split).text_encoder.encoders[0]):
        sources = parts.part(encoder).sources()
        assert "layers.35.mlp.up_proj.weight" in sources
        assert not any("visual" in source.stored.name for source in sources.values())


# Pictures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", some_slow([1.0, 4.0], (4.0,)))
@pytest.mark.parametrize("source", [pytest.param("folder", marks=pytest.mark.slow), "split"])
def test_a_picture_is_that_of_the_stock_pipeline(
    source: str, scale: float, whole: Parts, split: dict[str, Path], folder: Path
):
    parts = whole if source == "folder" else assembled(split)
    ours = sample(parts, texts(parts), scale=scale)
    assert relative(ours, stock(folder, scale=scale)) < EXACT
    if scale == 1:
        return
    assert relative(ours, sample(parts, texts(parts))) > 1e-2
    vae = oracle.pipeline(Krea2Pipeline, folder).vae
    mean, std = (torch.tensor(vae.config[name])[:, None, None] for name in ("latents_mean", "latents_std"))
    with torch.inference_mode():
        theirs = vae.decode((ours * std + mean)[:, :, None]).sample[:, :, 0]
    pixels = decode(Context(), parts.vae, Latent(ours, parts.vae.space)).pixels
    assert relative(pixels, (theirs / 2 + 0.5).clamp(0, 1)) < 1e-5


def test_turbo_has_one_shift_for_every_size(turbo_folder: Path):
    turbo = loaded(turbo_folder)
    assert turbo.model.process == Flow(by_size=SizeShift(1.15, 1.15, 256, 6400))
    size = (48, 96)
    assert relative(sample(turbo, texts(turbo), size=size), stock(turbo_folder, size=size)) < EXACT


@pytest.mark.slow
@pytest.mark.parametrize(("batch", "size"), [(2, (48, 96)), (3, (80, 32))])
def test_batches_and_other_sizes_are_those_of_the_stock_pipeline(
    batch: int, size: tuple[int, int], whole: Parts, folder: Path
):
    theirs = stock(folder, scale=4.0, batch=batch, size=size)
    assert relative(sample(whole, texts(whole), scale=4.0, batch=batch, size=size), theirs) < EXACT


@pytest.mark.slow
def test_half_precision_files_give_nearly_the_same_picture(folder: Path, whole: Parts, tmp_path: Path):
    parts = assembled(tiny_split.beside_settings(folder, tmp_path / "half", torch.bfloat16))
    # 8 bits of each weight are left: about 2^-9 for each of some tens of layers
    assert relative(sample(parts, texts(parts)), sample(whole, texts(whole))) < 0.1


def test_the_scales_of_norms_stay_in_float32_when_the_network_is_computed_in_less(whole: Parts):
    # They are stored less 1: of what is left bfloat16 has far finer steps than of the whole.
    try:
        pool.configure("cpu", "bfloat16")
        net = pool.network(whole.model.network)
        told = {name: weight.dtype for name, weight in net.named_parameters()}
        assert {told[name] for name in told if "norm" in name} == {torch.float32}
        assert {told[name] for name in told if "norm" not in name} == {torch.bfloat16}
        made = sample(whole, texts(whole))
    finally:
        pool.configure("cpu")
    assert relative(made, sample(whole, texts(whole))) < 0.1  # 8 bits of each number are left


# LoRA ------------------------------------------------------------------------------------------------------

LAYERS = (
    *("transformer_blocks.1.attn.to_q", "transformer_blocks.0.attn.to_out.0", "transformer_blocks.2.attn.to_gate"),
    *("transformer_blocks.2.ff.down", "text_fusion.refiner_blocks.0.attn.to_v", "text_fusion.projector", "img_in"),
)


@pytest.mark.parametrize(
    ("prefix", "original", "flat"),
    [
        pytest.param("transformer.", False, False, marks=pytest.mark.slow),
        pytest.param("diffusion_model.", True, False, marks=pytest.mark.slow),
        pytest.param("", False, False, marks=pytest.mark.slow),
        pytest.param("lora_unet_", True, True, marks=pytest.mark.slow),
        pytest.param("lora_unet_", False, True, marks=pytest.mark.slow),
    ],
)
def test_a_lora_in_any_layout_is_added_to_the_weights_of_its_layers(
    prefix: str, original: bool, flat: bool, folder: Path, whole: Parts, tmp_path: Path
):
    merged = Path(shutil.copytree(folder, tmp_path / "merged"))
    place = merged / "transformer" / "diffusion_pytorch_model.safetensors"
    tensors, file = load_file(place), dict[str, Tensor]()
    for number, layer in enumerate(LAYERS):
        weight = tensors[f"{layer}.weight"]
        down, up = (noise.draw(s, number, n) / 4 for n, s in enumerate([(2, weight.shape[1]), (weight.shape[0], 2)]))
        (name,) = tiny_split.krea2_to_original({f"{layer}.weight": weight}, {}) if original else [f"{layer}.weight"]
        name = name.removesuffix(".weight")
        name = prefix + (name.replace(".", "_") if flat else name)
        file |= {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up, f"{name}.alpha": torch.tensor(1.0)}
        tensors[f"{layer}.weight"] = weight + up @ down / 2
    save_file(tensors, place)
    save_file(file, tmp_path / "lora.safetensors")
    lora = checkpoints.lora(str(tmp_path / "lora.safetensors"), whole.model, whole.text_encoder)
    adapted = Parts(replace(whole.model, loras=(lora,)), whole.text_encoder, whole.vae)
    ours = sample(adapted, texts(whole))
    assert relative(ours, sample(loaded(merged), texts(whole))) < 1e-4  # summed beside the weights, not with them
    assert relative(ours, sample(whole, texts(whole))) > 1e-2


# Stop ------------------------------------------------------------------------------------------------------


def test_stop_is_looked_for_after_every_block(whole: Parts):
    told: list[tuple[int, int]] = []
    ask = denoise.denoiser(whole.model, *texts(whole), 1.0, None, lambda *progress: told.append(progress))
    ask(noise.draw((1, 16, 8, 8), SEED, 0), 0.5)
    assert told == [(done, 8) for done in range(1, 8)]


# What is what ----------------------------------------------------------------------------------------------


def test_it_is_recognised_by_itself_alone(folder: Path, split: dict[str, Path], tmp_path: Path):
    prefixed = tmp_path / "prefixed.safetensors"
    tensors = load_file(split["transformer"])
    save_file({f"model.diffusion_model.{name}": tensor for name, tensor in tensors.items()}, prefixed)
    own = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    for place in (folder, folder / "transformer", split["transformer"], prefixed, own):
        found = checkpoints.look(place)
        assert [family.name for family in families.FAMILIES if family.recognises(found)] == ["krea2"], place


def test_files_far_from_any_settings_are_told_by_their_tensors_and_taken_for_turbo(
    folder: Path, whole: Parts, tmp_path: Path
):
    places = tiny_split.write_split(folder, tmp_path / "alone")
    model = checkpoints.denoiser(str(places["transformer"]))
    assert model.process == Flow(by_size=krea2.TURBO_SHIFT)
    assert parts.settings(model.network) == parts.settings(whole.model.network)
    encoder = checkpoints.text_encoders(model, [str(places["text_encoder"])]).encoders[0]
    ours, theirs = parts.settings(encoder), parts.settings(whole.text_encoder.encoders[0])
    told = {name: value for name, value in ours.items() if "rope" not in name and "position" not in name}
    assert told == {name: theirs[name] for name in told}
    assert checkpoints.autoencoder(model, str(places["vae"])).space == whole.vae.space


def test_a_folder_without_its_tokenizer_is_refused(folder: Path, tmp_path: Path):
    place = shutil.copytree(folder, tmp_path / "checkpoint", ignore=shutil.ignore_patterns("tokenizer"))
    with pytest.raises(ValueError, match="is not a whole checkpoint folder: it has no folder tokenizer"):
        checkpoint(str(place))


# What is said ----------------------------------------------------------------------------------------------

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("transformer/config.json", {"num_text_layers": 11}, "text_fusion.projector.weight is"),
    ("transformer/config.json", {"num_layers": 4}, "lacks transformer_blocks.3."),
    (
        "transformer/config.json",
        {"num_layers": 2},
        "has tensors that this program has no use for: transformer_blocks.2",
    ),
    ("transformer/config.json", {"axes_dims_rope": [4, 4, 4]}, "axes_dims_rope is [4, 4, 4]; it must be 3 even"),
    ("text_encoder/config.json", {"text_config": {"num_hidden_layers": 34, "rope_theta": 5e6}}, "Krea 2 reads the"),
    ("text_encoder/config.json", {"text_config": {"hidden_act": "gelu"}}, "text_config.hidden_act is 'gelu'"),
    ("scheduler/scheduler_config.json", {"base_shift": "0.5"}, "base_shift is '0.5'"),
    ("model_index.json", {"patch_size": 4}, "patch_size is 4; it must be 2"),
    ("model_index.json", {"text_encoder_select_layers": [1, 2]}, "text_encoder_select_layers is [1, 2]; it must be [2"),
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


def test_other_numbers_of_channels_and_of_layers_are_refused_by_name(whole: Parts):
    settings = parts.settings(whole.model.network)
    assert krea2.FAMILY.complaint(settings) is None
    assert krea2.FAMILY.complaint(settings | {"in_channels": 132}) == (
        "it takes 132 channels; this program can run those of 64"
    )
    assert krea2.FAMILY.complaint(settings | {"num_text_layers": 3}) == (
        "it reads 3 layers of its text encoder; this program can run those that read 12"
    )


def test_sizes_that_it_cannot_make_are_refused(whole: Parts):
    with pytest.raises(ValueError, match="sides are multiples of 16, got 72 x 64"):
        fit.check_step(whole.model, (1, 16, 8, 9), (), ())


def test_layers_cannot_be_skipped(whole: Parts):
    with pytest.raises(ValueError, match=r"Krea 2 reads twelve layers of its text encoder; take Clip skip out"):
        prompt(clip_skip(whole.text_encoder, 1), "")

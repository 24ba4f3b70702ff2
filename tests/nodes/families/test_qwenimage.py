"""Qwen-Image and its editors against diffusers: the same noise step for step, from folders and from split files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    QwenImageControlNetInpaintPipeline,
    QwenImageControlNetModel,
    QwenImageControlNetPipeline,
    QwenImageImg2ImgPipeline,
    QwenImagePipeline,
)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from safetensors.torch import load_file, save_file
from torch import Tensor

from nodegraph.node import Context
from nodes import fit
from nodes.backend import checkpoints, denoise, families, loading, noise, parts, qwen_pictures
from nodes.backend.families import qwen_sizes, qwenimage
from nodes.backend.families.qwenimage import CHAT, DROPPED, EDIT_CHAT, EDIT_DROPPED
from nodes.control import apply_controlnet, load_controlnet
from nodes.load import checkpoint
from nodes.sampling import trained_as
from nodes.text import clip_skip, prompt, prompt_with_pictures
from nodes.types import Conditioning, Control, Flow, Image, Latent, Mask, Network, SizeShift, Weights
from nodes.vae import decode, encode
from tests import tiny_modern, tiny_split
from tests.nodes.families import oracle, qwen_stock
from tests.nodes.families.oracle import SEED, SIDE, STEPS, Parts, loaded, relative, same_numbers
from tests.nodes.families.oracle import sample_flow as sample

POSITIVE, NEGATIVE = "a photo of a red cat (with a hat), it's 2 cats", "blurry"

LONGER = "a low quality picture, blurry, dark and with the worst style of all"

EXACT = 1e-4  # float32; guidance is summed in another order, and both prompts may lie in one batch
SAME = 1e-6  # of one prompt the very same calls are made: nothing but Euler's sum differs


def texts(parts: Parts, positive: str = POSITIVE, negative: str = NEGATIVE) -> tuple[Conditioning, ...]:
    return prompt(parts.text_encoder, positive), prompt(parts.text_encoder, negative)


def stock(pipeline: Any, *, batch: int = 1, size: tuple[int, int] = (SIDE, SIDE), **arguments: Any) -> Tensor:
    """What a pipeline makes of the same noise, as a latent."""
    pipeline.set_progress_bar_config(disable=True)
    height, width = size
    start = noise.draw((batch, 16, height // 8, width // 8), SEED, 0)
    start = pipeline._pack_latents(start, batch, 16, height // 8, width // 8)
    options = {"num_inference_steps": STEPS, "latents": start, "height": height, "width": width, "prompt": POSITIVE}
    options |= {"negative_prompt": NEGATIVE, "true_cfg_scale": 1.0, **arguments}
    made = pipeline(num_images_per_prompt=batch, output_type="latent", **options).images
    return pipeline._unpack_latents(made, height, width, 8)[:, :, 0]


@pytest.fixture(scope="module")
def folder(qwenimage_folder: Path) -> Path:
    return qwenimage_folder


@pytest.fixture(scope="module")
def split(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of the parts, among the settings of their repository as published ones are."""
    return tiny_split.beside_settings(folder, tmp_path_factory.mktemp("split") / "qwenimage")


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Any:
    return oracle.pipeline(QwenImagePipeline, folder)


@pytest.fixture(scope="module")
def whole(folder: Path) -> Parts:
    return loaded(folder)


def assembled(split: dict[str, Path]) -> Parts:
    """As Load denoiser, Load text encoders and Load VAE do."""
    model = checkpoints.denoiser(str(split["transformer"]))
    text_encoder = checkpoints.text_encoders(model, [str(split["text_encoder"])])
    return Parts(model, text_encoder, checkpoints.autoencoder(model, str(split["vae"])))


# Prompts ---------------------------------------------------------------------------------------------------

TEXTS = (POSITIVE, "", "Ünïcödé ☃ 東京, 3.14  and\n\n  two lines \n", "<|im_end|>\nit'LL", "[red] \\(cat\\) BREAK")


@pytest.mark.parametrize("text", TEXTS)
def test_a_prompt_is_read_as_in_the_stock_pipeline(text: str, whole: Parts, pipeline: Any):
    with torch.inference_mode():
        theirs, mask = pipeline.encode_prompt(text, "cpu")
    assert mask is None
    ours = prompt(whole.text_encoder, text).embeds
    assert ours.shape == theirs.shape
    assert relative(ours, theirs) < SAME


def test_the_shipped_vocabulary_has_as_many_tokens_before_a_prompt_as_are_left_out():
    shipped = loading.tokenizer(Network("qwenimage", "text_encoder", Weights("x.safetensors", "")), 152_064)
    for chat, dropped in ((CHAT, DROPPED), (EDIT_CHAT, EDIT_DROPPED)):
        assert len(shipped.encode(chat.split("{}")[0]).ids) == dropped
    # of the published model: Qwen2.5's own list of added words ends with <|file_sep|>
    assert shipped.encode("<|vision_start|><|image_pad|><|file_sep|>").ids == [151_652, 151_655, 151_664]
    assert len(shipped.encode("<think>").ids) == 3


def test_a_prompt_of_more_tokens_than_the_model_reads_says_where_it_is_too_long(whole: Parts):
    longest = "cat " * 1017
    assert prompt(whole.text_encoder, f"{longest}!").embeds.shape[1] == 1024
    said = r"the prompt has 1,021 tokens; 1,019 is the most. What is too much begins at ' fox!'"
    with pytest.raises(ValueError, match=said):
        prompt(whole.text_encoder, f"{longest}! fox!")


# Pictures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["folder", "split"])
def test_a_picture_is_that_of_the_stock_pipeline(source: str, whole: Parts, split: dict[str, Path], pipeline: Any):
    parts = whole if source == "folder" else assembled(split)
    ours = sample(parts, texts(parts))
    assert relative(ours, stock(pipeline)) < SAME
    pixels = decode(Context(), parts.vae, Latent(ours, parts.vae.space)).pixels
    mean, std = (
        torch.tensor(pipeline.vae.config[name]).view(1, -1, 1, 1, 1) for name in ("latents_mean", "latents_std")
    )
    with torch.inference_mode():
        theirs = pipeline.vae.decode(ours[:, :, None] * std + mean).sample[:, :, 0]
    assert relative(pixels, (theirs / 2 + 0.5).clamp(0, 1)) < 1e-5


@pytest.mark.parametrize("source", ["folder", "split"])
@pytest.mark.parametrize("negative", [NEGATIVE, LONGER])
def test_guidance_keeps_the_size_of_every_token_as_the_stock_pipeline_does(
    source: str, negative: str, whole: Parts, split: dict[str, Path], pipeline: Any
):
    parts = whole if source == "folder" else assembled(split)
    ours = sample(parts, texts(parts, negative=negative), scale=4.0)
    assert relative(ours, stock(pipeline, negative_prompt=negative, true_cfg_scale=4.0)) < EXACT
    assert relative(ours, sample(parts, texts(parts))) > 1e-2


@pytest.mark.parametrize(("batch", "size"), [(2, (SIDE, SIDE)), (1, (48, 96)), (3, (80, 32))])
@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_batches_and_other_sizes_are_those_of_the_stock_pipeline(
    scale: float, batch: int, size: tuple[int, int], whole: Parts, pipeline: Any
):
    theirs = stock(pipeline, batch=batch, size=size, true_cfg_scale=scale)
    assert relative(sample(whole, texts(whole), batch=batch, size=size, scale=scale), theirs) < EXACT


def test_with_a_shift_of_its_own_a_distilled_model_is_that_of_the_stock_pipeline(folder: Path, whole: Parts):
    plain = FlowMatchEulerDiscreteScheduler(shift=3.0)  # as of Lightning
    pipeline = oracle.pipeline(QwenImagePipeline, folder, scheduler=plain)
    parts = Parts(trained_as(whole.model, shift=3.0), whole.text_encoder, whole.vae)
    assert relative(sample(parts, texts(parts)), stock(pipeline)) < SAME


def test_image_to_image_is_that_of_the_stock_pipeline(folder: Path, whole: Parts, monkeypatch: pytest.MonkeyPatch):
    # The pipeline draws from the distribution that its VAE's encoder tells; we take its mean, always.
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode())
    picture = noise.draw((1, 3, SIDE, SIDE), 5, 0).sigmoid()
    pipeline = oracle.pipeline(QwenImageImg2ImgPipeline, folder)
    options = {"strength": 0.5, "num_inference_steps": 2 * STEPS, "latents": None}
    theirs = stock(pipeline, image=picture, generator=torch.Generator().manual_seed(SEED), **options)
    start = encode(Context(), whole.vae, Image(picture))
    assert relative(sample(whole, texts(whole), start=start, fraction=0.5), theirs) < EXACT


# Editing ---------------------------------------------------------------------------------------------------

REFERENCES = [qwen_stock.reference(1), qwen_stock.reference(2, (64, 128)), qwen_stock.reference(3, (80, 80))]


MORE_EDITS = [(v, n, s) for v in ("2509", "2511") for n in (1, 3) for s in (1.0, 4.0) if (v, n, s) != ("2511", 3, 4.0)]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch):
    """References of fewer pixels, in the stock pipeline too: a megapixel each would take most of the time."""
    monkeypatch.setattr(qwenimage, "SEEN_AREA", 128 * 128)
    monkeypatch.setattr(qwenimage, "REFERENCE_AREA", 64 * 64)
    with tiny_modern.small_references():
        yield


def edited(parts: Parts, count: int, text: str = POSITIVE) -> Conditioning:
    pictures = [Image(qwen_stock.pixels(picture)) for picture in REFERENCES[:count]]
    named = dict(zip(("image", "image_2", "image_3"), pictures, strict=False))
    return prompt_with_pictures(Context(), parts.text_encoder, text, parts.vae, **named)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("version", "count", "scale"),
    [("2511", 3, 4.0), *(pytest.param(*case, marks=pytest.mark.slow) for case in MORE_EDITS)],
)
def test_an_edited_picture_is_that_of_the_stock_pipeline(
    version: str, count: int, scale: float, qwenimage_edit_folders: dict[str, Path]
):
    folder = qwenimage_edit_folders[version]
    parts = loaded(folder)
    pipeline = qwen_stock.editor(folder)
    told = edited(parts, count)
    with torch.inference_mode():
        shown = [picture.resize(qwen_sizes.of_area(128 * 128, *picture.size), 1) for picture in REFERENCES[:count]]
        theirs, _ = pipeline.encode_prompt(POSITIVE, shown, "cpu")
    assert relative(told.embeds, theirs) < SAME
    prompts = (told, edited(parts, count, NEGATIVE))
    latent = stock(pipeline, image=REFERENCES[:count], true_cfg_scale=scale)
    assert relative(sample(parts, prompts, scale=scale), latent) < EXACT
    without = (prompt(parts.text_encoder, POSITIVE), prompts[1])
    assert relative(sample(parts, without, scale=scale), latent) > 1e-2


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("version", [pytest.param("2509", marks=pytest.mark.slow), "2511"])
def test_an_editor_in_split_files_tells_which_it_is(
    version: str, qwenimage_edit_folders: dict[str, Path], tmp_path: Path
):
    folder = qwenimage_edit_folders[version]
    files = tiny_split.beside_settings(folder, tmp_path / "split")
    shutil.rmtree(tmp_path / "split" / "transformer")  # the tensors alone tell
    whole, parts = loaded(folder), assembled(files)
    assert same_numbers(sample(parts, (edited(parts, 2),) * 2), sample(whole, (edited(whole, 2),) * 2))


def test_pictures_have_the_sizes_of_the_published_pipeline():
    for width, height in ((96, 64), (64, 128), (1000, 333), (5000, 4000), (3, 4000)):
        wide, high = qwen_sizes.of_area(1024 * 1024, width, height)
        assert wide % 32 == high % 32 == 0
        assert wide > 0 < high
    assert qwen_sizes.of_area(384 * 384, 96, 64) == (480, 320)
    assert qwenimage.FAMILY.reference_size(1024, 1024) == (1024, 1024)


@pytest.mark.parametrize(("size", "seen"), [((384, 384), (392, 392)), ((480, 320), (476, 308)), ((8, 8), (56, 56))])
def test_a_picture_is_seen_in_whole_tokens(size: tuple[int, int], seen: tuple[int, int]):
    assert qwen_pictures.seen_size(*size, qwen_pictures.QWEN25) == seen
    made = qwen_pictures.seen(torch.rand(1, 3, size[1], size[0]), qwen_pictures.QWEN25)
    assert (made.columns * 14, made.rows * 14) == seen
    assert made.patches.shape == (made.rows * made.columns, 2 * 3 * 14 * 14)


def test_patches_are_those_of_the_published_processor(qwenimage_edit_folders: dict[str, Path]):
    from transformers import AutoImageProcessor

    processor = AutoImageProcessor.from_pretrained(qwenimage_edit_folders["2509"] / "processor")
    picture = qwen_stock.reference(4, (112, 56))  # of another size, the processor that does without torchvision differs
    theirs = processor(picture, return_tensors="pt")
    ours = qwen_pictures.seen(qwen_stock.pixels(picture), qwen_pictures.QWEN25)
    assert theirs.image_grid_thw.tolist() == [[1, ours.rows, ours.columns]]
    assert torch.allclose(ours.patches, theirs.pixel_values, atol=1e-6)


@pytest.mark.usefixtures("small")
def test_pictures_of_a_batch_count_each_and_without_a_vae_the_text_encoder_alone_sees_them(whole: Parts):
    batch = torch.rand(2, 3, 64, 64)
    together = prompt_with_pictures(Context(), whole.text_encoder, "a", whole.vae, Image(batch))
    each = prompt_with_pictures(Context(), whole.text_encoder, "a", whole.vae, Image(batch[:1]), Image(batch[1:]))
    assert together.embeds.equal(each.embeds)
    assert [r.shape for r in together.references] == [(1, 16, 8, 8)] * 2
    alone = prompt_with_pictures(Context(), whole.text_encoder, "a", None, Image(batch))
    assert alone.embeds.equal(each.embeds)
    assert alone.references == ()
    none = prompt_with_pictures(Context(), whole.text_encoder, "a")
    assert none.embeds.equal(prompt(whole.text_encoder, "a").embeds)


def test_planning_knows_what_pictures_come_with_a_prompt(whole: Parts, zimage_folder: Path):
    told = fit.with_pictures(whole.text_encoder, whole.vae, [(1, 3, 64, 96), None])
    assert [shown.shape for shown in told.references] == [(1, 16, 104, 156), None]
    fit.check_step(whole.model, (1, 16, 8, 8), (told, told), ())
    with pytest.raises(ValueError, match="Qwen-Image sees up to 3 pictures with a prompt, got 4"):
        fit.with_pictures(whole.text_encoder, whole.vae, [(2, 3, 64, 64), (2, 3, 64, 64)])
    with pytest.raises(ValueError, match="the text encoder of Z-Image sees no pictures; use Prompt, and Reference"):
        fit.with_pictures(checkpoint(str(zimage_folder)).text_encoder, None, [None])


@pytest.mark.usefixtures("small")
def test_a_slot_cannot_be_written_by_hand(whole: Parts):
    with pytest.raises(ValueError, match=r"<\|image_pad\|> stands for a picture and cannot be written in a prompt"):
        edited(whole, 1, "a <|image_pad|>")


# LoRA ------------------------------------------------------------------------------------------------------

LAYERS = (
    *("transformer_blocks.0.attn.to_q", "transformer_blocks.1.attn.add_k_proj", "transformer_blocks.1.attn.to_add_out"),
    *(
        "transformer_blocks.0.attn.to_out.0",
        "transformer_blocks.0.img_mlp.net.0.proj",
        "transformer_blocks.1.txt_mlp.net.2",
    ),
    *("transformer_blocks.0.img_mod.1", "transformer_blocks.1.txt_mod.1"),
)
LAYOUTS = {
    "diffusers": ("transformer.", ".lora_A.weight", ".lora_B.weight", False),
    "ComfyUI": ("diffusion_model.", ".lora_A.weight", ".lora_B.weight", False),
    "ComfyUI with alpha": ("diffusion_model.", ".lora_A.weight", ".lora_B.weight", True),
    "down and up": ("diffusion_model.", ".lora_down.weight", ".lora_up.weight", True),
    "bare": ("", ".lora_down.weight", ".lora_up.weight", True),
    "Lightning": ("", ".lora_A.default.weight", ".lora_B.default.weight", False),
    "kohya": ("lora_unet_", ".lora_down.weight", ".lora_up.weight", True),
}


@pytest.mark.parametrize(
    "layout", [name if name == "ComfyUI with alpha" else pytest.param(name, marks=pytest.mark.slow) for name in LAYOUTS]
)
def test_a_lora_of_any_layout_is_added_to_the_weights_of_its_layers(
    layout: str, folder: Path, whole: Parts, tmp_path: Path
):
    prefix, down, up, has_alpha = LAYOUTS[layout]
    merged = tmp_path / "merged"
    shutil.copytree(folder, merged)
    weights = merged / "transformer" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    file: dict[str, Tensor] = {}
    for number, layer in enumerate(LAYERS):
        outputs, inputs = tensors[f"{layer}.weight"].shape
        first, second = noise.draw((2, inputs), number, 0) / 8, noise.draw((outputs, 2), number, 1) / 8
        name = prefix + (layer.replace(".", "_") if layout == "kohya" else layer)
        file |= {name + down: first, name + up: second}
        file |= {f"{name}.alpha": torch.tensor(1.0)} if has_alpha else {}
        tensors[f"{layer}.weight"] = tensors[f"{layer}.weight"] + second @ first * (0.5 if has_alpha else 1.0)
    save_file(file, tmp_path / "lora.safetensors")
    save_file(tensors, weights)
    lora = checkpoints.lora(str(tmp_path / "lora.safetensors"), whole.model, whole.text_encoder)
    adapted = Parts(oracle_model(whole, lora), whole.text_encoder, whole.vae)
    ours = sample(adapted, texts(whole))
    assert relative(ours, sample(loaded(merged), texts(whole))) < EXACT  # summed beside the weights, not with them
    assert relative(ours, sample(whole, texts(whole))) > 10 * EXACT


def oracle_model(whole: Parts, lora: Any) -> Any:
    from dataclasses import replace

    return replace(whole.model, loras=(lora,))


# ControlNets -----------------------------------------------------------------------------------------------


def controlled(controlnet: Path, parts: Parts, picture: Tensor, **options: Any) -> Control:
    return apply_controlnet(load_controlnet(str(controlnet)), Image(picture), vae=parts.vae, **options)


@pytest.mark.parametrize(("scale", "layers"), [pytest.param(1.0, 2, marks=pytest.mark.slow), (4.0, 1)])
def test_a_controlnet_is_followed_as_in_the_stock_pipeline(
    scale: float, layers: int, folder: Path, whole: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode())
    place = tiny_modern.build_controlnet_qwen(tmp_path / "controlnet", num_layers=layers)
    net = QwenImageControlNetModel.from_pretrained(place)
    pipeline = oracle.pipeline(QwenImageControlNetPipeline, folder, controlnet=net)
    picture = noise.draw((1, 3, SIDE, SIDE), 5, 0).sigmoid()
    told = {"control_image": picture * 2 - 1, "controlnet_conditioning_scale": 0.8, "true_cfg_scale": scale}
    theirs = stock(pipeline, **told)
    ours = sample(whole, texts(whole), scale=scale, control=controlled(place, whole, picture, strength=0.8))
    assert relative(ours, theirs) < EXACT
    assert relative(ours, sample(whole, texts(whole), scale=scale)) > 1e-2


@pytest.mark.parametrize("batch", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_controlnet_completes_a_picture_as_in_the_stock_pipeline(
    batch: int, folder: Path, whole: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode())
    place = tiny_modern.build_controlnet_qwen(tmp_path / "controlnet", extra_condition_channels=4)
    net = QwenImageControlNetModel.from_pretrained(place)
    pipeline = oracle.pipeline(QwenImageControlNetInpaintPipeline, folder, controlnet=net)
    picture, weight = noise.draw((1, 3, SIDE, SIDE), 5, 0).sigmoid(), torch.zeros(1, 1, SIDE, SIDE)
    weight[..., 8:40, 21:50] = 1
    told = {"control_image": picture * 2 - 1, "control_mask": weight, "controlnet_conditioning_scale": 0.8}
    theirs = stock(pipeline, batch=batch, true_cfg_scale=4.0, **told)
    control = controlled(place, whole, picture, strength=0.8, mask=Mask(weight))
    ours = sample(whole, texts(whole), batch=batch, scale=4.0, control=control)
    assert relative(ours, theirs) < EXACT
    other = controlled(place, whole, picture, strength=0.8, mask=Mask(1 - weight))
    assert relative(ours, sample(whole, texts(whole), batch=batch, scale=4.0, control=other)) > 1e-2


def test_a_controlnet_that_completes_pictures_wants_a_mask_and_no_other_takes_one(whole: Parts, tmp_path: Path):
    picture, mask = torch.rand(1, 3, SIDE, SIDE), Mask(torch.ones(1, 1, SIDE, SIDE))
    completing = tiny_modern.build_controlnet_qwen(tmp_path / "completing", extra_condition_channels=4)
    with pytest.raises(ValueError, match="completes pictures; link a mask to Apply ControlNet, 1 where they are made"):
        controlled(completing, whole, picture)
    following = tiny_modern.build_controlnet_qwen(tmp_path / "following")
    with pytest.raises(ValueError, match="completes no pictures; take the mask from Apply ControlNet"):
        controlled(following, whole, picture, mask=mask)
    with pytest.raises(ValueError, match="pictures and masks must have one size"):
        controlled(completing, whole, picture, mask=Mask(torch.ones(1, 1, SIDE, 48)))
    with pytest.raises(ValueError, match="batches must have one item or equally many: image has 2 and mask has 3"):
        controlled(completing, whole, picture.repeat(2, 1, 1, 1), mask=Mask(torch.ones(3, 1, SIDE, SIDE)))


@pytest.mark.usefixtures("small")
def test_a_controlnet_of_no_strength_changes_nothing_of_an_edit(whole: Parts, tmp_path: Path):
    place = tiny_modern.build_controlnet_qwen(tmp_path / "controlnet")
    prompts = (edited(whole, 1),) * 2
    silent = controlled(place, whole, torch.rand(1, 3, SIDE, SIDE), strength=0.0)
    assert sample(whole, prompts, control=silent).equal(sample(whole, prompts))


def test_a_controlnet_is_recognised_by_itself_and_fits_its_own_family(folder: Path, whole: Parts, tmp_path: Path):
    place = tiny_modern.build_controlnet_qwen(tmp_path / "controlnet", num_layers=3)
    for there in (place, place / "diffusion_pytorch_model.safetensors"):
        found = checkpoints.look(there)
        assert [f.name for f in families.FAMILIES if f.recognises_controlnet(found)] == ["qwenimage"]
        assert not any(family.recognises(found) for family in families.FAMILIES)
    with pytest.raises(ValueError, match="num_layers 3, above 2"):
        fit.check_controlnet(whole.model, load_controlnet(str(place)))
    strange = tiny_modern.build_controlnet_qwen(tmp_path / "strange", extra_condition_channels=3)
    with pytest.raises(ValueError, match="it reads 3 more channels, which is no mask"):
        fit.check_controlnet(whole.model, load_controlnet(str(strange)))


# Stop ------------------------------------------------------------------------------------------------------


def test_stop_is_looked_for_after_every_block(whole: Parts):
    told: list[tuple[int, int]] = []
    ask = denoise.denoiser(whole.model, *texts(whole), 1.0, None, lambda *progress: told.append(progress))
    ask(noise.draw((1, 16, 8, 8), SEED, 0), 0.5)
    assert told == [(1, 3), (2, 3)]


# What is what ----------------------------------------------------------------------------------------------


def test_it_is_recognised_by_itself_alone(
    folder: Path, split: dict[str, Path], qwenimage_edit_folders: dict[str, Path], tmp_path: Path
):
    prefixed = tmp_path / "prefixed.safetensors"
    tensors = load_file(split["transformer"])
    save_file({f"model.diffusion_model.{name}": tensor for name, tensor in tensors.items()}, prefixed)
    own = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    places = (folder, folder / "transformer", split["transformer"], prefixed, own, *qwenimage_edit_folders.values())
    for place in places:
        found = checkpoints.look(place)
        assert [family.name for family in families.FAMILIES if family.recognises(found)] == ["qwenimage"], place


def test_files_far_from_any_settings_are_told_by_their_tensors(folder: Path, whole: Parts, tmp_path: Path):
    places = tiny_split.write_split(folder, tmp_path / "alone", prefix="model.diffusion_model.")
    model = checkpoints.denoiser(str(places["transformer"]))
    assert model.process == Flow(by_size=SizeShift(0.5, 0.9, 256, 8192), terminal=0.02) == whole.model.process
    assert parts.settings(model.network) == parts.settings(whole.model.network)
    vae = checkpoints.autoencoder(model, str(places["vae"]))
    assert parts.settings(vae.network) == parts.settings(whole.vae.network)


@pytest.mark.slow
def test_a_file_with_all_of_it_is_a_checkpoint(split: dict[str, Path], whole: Parts, tmp_path: Path):
    place = tmp_path / "all"
    shutil.copytree(split["vae"].parent, place, ignore=shutil.ignore_patterns("*.safetensors"))
    prefixes = {
        "transformer": "model.diffusion_model.",
        "text_encoder": "text_encoders.qwen25_7b.transformer.",
        "vae": "vae.",
    }
    tensors = {prefixes[part] + name: t for part, file in split.items() for name, t in load_file(file).items()}
    save_file(tensors, place / "all.safetensors")
    parts = loaded(place / "all.safetensors")
    assert same_numbers(sample(parts, texts(parts)), sample(whole, texts(whole)))


# What is said ----------------------------------------------------------------------------------------------

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("transformer", {"guidance_embeds": True}, "guidance_embeds is True; it must be false"),
    ("transformer", {"use_additional_t_cond": True}, "use_additional_t_cond is True; it must be false"),
    ("transformer", {"num_layers": 3}, "lacks transformer_blocks.2."),
    ("transformer", {"num_layers": 1}, "has tensors that this program has no use for: transformer_blocks.1."),
    ("text_encoder", {"text_config": {"hidden_act": "gelu"}}, "text_config.hidden_act is 'gelu'; it must be silu"),
    ("vae", {"z_dim": 8}, "latents_mean has 16 values; it must have one for each of the z_dim channels, 8"),
    ("vae", {"attn_scales": [1.0]}, "attn_scales is [1.0]; it must be an empty list"),
]


@pytest.mark.parametrize(("part", "change", "said"), REFUSED)
def test_what_cannot_be_run_is_refused_by_name(
    part: str, change: dict[str, Any], said: str, folder: Path, tmp_path: Path
):
    place = tmp_path / "changed"
    shutil.copytree(folder, place)
    config = place / part / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    with pytest.raises(ValueError, match=str(place)) as caught:
        checkpoint(str(place))
    assert said in str(caught.value)


def test_layers_cannot_be_skipped(whole: Parts):
    with pytest.raises(ValueError, match=r"Qwen-Image reads the last layer of its text encoder; take Clip skip out"):
        prompt(clip_skip(whole.text_encoder, 1), "")


def test_sizes_that_it_cannot_make_are_refused(whole: Parts):
    with pytest.raises(ValueError, match="sides are multiples of 16, got 72 x 64"):
        fit.check_step(whole.model, (1, 16, 8, 9), (), ())

"""Z-Image against diffusers: the same noise step for step, from folders, from split files and from one file."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    ZImageControlNetInpaintPipeline,
    ZImageControlNetModel,
    ZImageControlNetPipeline,
    ZImageImg2ImgPipeline,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoTokenizer

from nodegraph.node import Context
from nodes import fit
from nodes.backend import checkpoints, denoise, families, loading, noise, parts, tokenizer_kinds
from nodes.backend.families import flux, zimage, zimage_calls
from nodes.backend.families.family import Asked, Follower, Found
from nodes.control import apply_controlnet, load_controlnet
from nodes.load import checkpoint
from nodes.sampling import limit_guidance
from nodes.text import clip_skip, prompt
from nodes.types import Conditioning, Control, Flow, Image, Latent, Mask, Network, TextEncoder, Weights
from nodes.vae import decode, encode
from tests import tiny_models, tiny_modern, tiny_split
from tests.examples import some_slow
from tests.nodes.families import oracle
from tests.nodes.families.oracle import SEED, SIDE, STEPS, Parts, loaded, relative, same_numbers
from tests.nodes.families.oracle import sample_flow as sample

POSITIVE, NEGATIVE = "a photo of a red cat (with a hat), it's 2 cats", "blurry"
LONG = "a large old stone castle in a dark forest with a river, painting in ink and watercolor, " * 2

EXACT = 1e-4  # float32; prompts and pictures lie in another order in a batch, and guidance is summed in another order
SAME = 1e-6  # of one prompt the very same calls are made: nothing but Euler's sum differs


def texts(parts: Parts, positive: str = POSITIVE) -> tuple[Conditioning, ...]:
    return prompt(parts.text_encoder, positive), prompt(parts.text_encoder, NEGATIVE)


def stock(
    pipeline: Any, *, positive: str = POSITIVE, batch: int = 1, size: tuple[int, int] = (SIDE, SIDE), **arguments: Any
) -> Tensor:
    """What a pipeline makes of the same noise. Its guidance scale is ours less 1."""
    pipeline.set_progress_bar_config(disable=True)
    height, width = size
    start = noise.draw((batch, 16, height // 8, width // 8), SEED, 0)
    options = {"num_inference_steps": STEPS, "latents": start, "height": height, "width": width, "guidance_scale": 0.0}
    options |= {"negative_prompt": NEGATIVE, **arguments}
    return pipeline(prompt=positive, num_images_per_prompt=batch, output_type="latent", **options).images


@pytest.fixture(scope="module")
def folder(zimage_folder: Path) -> Path:
    return zimage_folder


@pytest.fixture(scope="module")
def split(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of the parts, among the settings of their repository as published ones are."""
    return tiny_split.beside_settings(folder, tmp_path_factory.mktemp("split") / "turbo")


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Any:
    return oracle.pipeline(ZImagePipeline, folder)


@pytest.fixture(scope="module")
def whole(folder: Path) -> Parts:
    return loaded(folder)


def assembled(split: dict[str, Path]) -> Parts:
    """As Load denoiser, Load text encoders and Load VAE do."""
    model = checkpoints.denoiser(str(split["transformer"]))
    text_encoder = checkpoints.text_encoders(model, [str(split["text_encoder"])])
    return Parts(model, text_encoder, checkpoints.autoencoder(model, str(split["vae"])))


# Prompts ---------------------------------------------------------------------------------------------------

TEXTS = (
    POSITIVE,
    "",
    "Ünïcödé ☃ 東京, 3.14  and\n\n  two lines \n",
    "e\u0301 <|im_end|>\n<think> it'LL",
    "[red] \\(cat\\) BREAK",
)


@pytest.mark.parametrize("text", TEXTS)
def test_a_prompt_is_read_as_in_the_stock_pipeline(text: str, whole: Parts, pipeline: Any):
    with torch.inference_mode():
        (theirs,), _ = pipeline.encode_prompt(text, "cpu", do_classifier_free_guidance=False)
    ours = prompt(whole.text_encoder, text).embeds
    assert ours.shape[1:] == theirs.shape
    # The pipeline fills the text up and takes the rest away again, so its sums are over other lengths.
    assert relative(ours[0], theirs) < 1e-6


def shipped() -> Any:
    return loading.tokenizer(Network("zimage", "text_encoder", Weights("x.safetensors", "")), 151_936)


def test_the_shipped_vocabulary_is_that_of_the_published_model():
    # Qwen's own documentation of its vocabulary
    assert shipped().encode("Hello, world!<|im_start|><think>").ids == [9707, 11, 1879, 0, 151_644, 151_667]


@pytest.mark.slow  # tiny vocabularies are compared daily
def test_the_shipped_vocabulary_numbers_words_as_the_library_does():
    ours, theirs = shipped(), AutoTokenizer.from_pretrained(tokenizer_kinds.CONFIGS / "qwen")
    for text in (*TEXTS, zimage.CHAT.format("a cat")):
        assert ours.encode(text).ids == theirs(text).input_ids


def test_a_prompt_of_more_tokens_than_the_model_reads_says_where_it_is_too_long(whole: Parts):
    longest = "cat " * 502
    assert prompt(whole.text_encoder, f"{longest}!").embeds.shape[1] == 512
    said = r"the prompt has 506 tokens; 504 is the most. What is too much begins at ' fox!'"
    with pytest.raises(ValueError, match=said):
        prompt(whole.text_encoder, f"{longest}! fox!")


def test_weights_of_words_are_refused_and_brackets_are_text(whole: Parts):
    with pytest.raises(ValueError, match=r"knows no weights of words: write '\(red cat:1\.3\)' without one"):
        prompt(whole.text_encoder, "a (red cat:1.3)")
    plain, bracketed = (prompt(whole.text_encoder, text).embeds for text in ("a cat", "a (cat)"))
    assert plain.shape[1] < bracketed.shape[1]


# Pictures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", some_slow(["folder", "split"], ["split"]))
def test_a_picture_is_that_of_the_stock_pipeline(source: str, whole: Parts, split: dict[str, Path], pipeline: Any):
    parts = whole if source == "folder" else assembled(split)
    ours = sample(parts, texts(parts))
    assert relative(ours, stock(pipeline)) < SAME
    pixels = decode(Context(), parts.vae, Latent(ours, parts.vae.space)).pixels
    config = pipeline.vae.config
    with torch.inference_mode():
        theirs = pipeline.vae.decode(ours / config.scaling_factor + config.shift_factor).sample
    assert relative(pixels, (theirs / 2 + 0.5).clamp(0, 1)) < 1e-5


@pytest.mark.parametrize("source", some_slow(["folder", "split"], ["split"]))
@pytest.mark.parametrize("positive", some_slow([POSITIVE, LONG], [LONG]))
def test_guidance_is_that_of_the_stock_pipeline(
    source: str, positive: str, whole: Parts, split: dict[str, Path], pipeline: Any
):
    # the long prompt fills up to another multiple of 32 than the negative one
    parts = whole if source == "folder" else assembled(split)
    ours = sample(parts, texts(parts, positive), scale=4.0)
    assert relative(ours, stock(pipeline, positive=positive, guidance_scale=3.0)) < EXACT
    assert relative(ours, sample(parts, texts(parts, positive))) > 1e-2


@pytest.mark.parametrize(
    ("batch", "size"), some_slow([(2, (SIDE, SIDE)), (1, (48, 96)), (3, (80, 32))], [(3, (80, 32))])
)
@pytest.mark.parametrize("scale", some_slow([1.0, 4.0], [4.0]))
def test_batches_and_other_sizes_are_those_of_the_stock_pipeline(
    scale: float, batch: int, size: tuple[int, int], whole: Parts, pipeline: Any
):
    theirs = stock(pipeline, batch=batch, size=size, guidance_scale=scale - 1)
    assert relative(sample(whole, texts(whole), batch=batch, size=size, scale=scale), theirs) < EXACT


def test_image_to_image_is_that_of_the_stock_pipeline(folder: Path, whole: Parts, monkeypatch: pytest.MonkeyPatch):
    # The pipeline draws from the distribution that its VAE's encoder tells; we take its mean, always.
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode())
    picture = noise.draw((1, 3, SIDE, SIDE), 5, 0).sigmoid()
    pipeline = oracle.pipeline(ZImageImg2ImgPipeline, folder)
    options = {"strength": 0.5, "num_inference_steps": 2 * STEPS, "latents": None}
    theirs = stock(pipeline, image=picture, generator=torch.Generator().manual_seed(SEED), **options)
    start = encode(Context(), whole.vae, Image(picture))
    assert relative(sample(whole, texts(whole), start=start, fraction=0.5), theirs) < EXACT


def test_latents_of_flux_fit(whole: Parts, tmp_path: Path):
    theirs = checkpoint(str(tiny_models.build_flux(tmp_path / "flux"))).vae
    assert theirs.space == whole.model.space == flux.SPACE
    latent = encode(Context(), theirs, Image(torch.rand(1, 3, SIDE, SIDE)))
    assert sample(whole, texts(whole), start=latent, fraction=0.5).isfinite().all()


def test_half_precision_files_give_nearly_the_same_picture(folder: Path, whole: Parts, tmp_path: Path):
    parts = assembled(tiny_split.beside_settings(folder, tmp_path / "half", torch.bfloat16))
    # 8 bits of each weight are left: about 2^-9 for each of some tens of layers
    assert relative(sample(parts, texts(parts)), sample(whole, texts(whole))) < 0.1


# Guidance --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("normalization", "truncation"),
    [(0.7, 0.1), pytest.param(0.9, 1.0, marks=pytest.mark.slow), pytest.param(0.0, 0.1, marks=pytest.mark.slow)],
)
def test_guidance_is_limited_as_in_the_stock_pipeline(
    normalization: float, truncation: float, folder: Path, whole: Parts
):
    batch = 2  # each picture has a norm of its own; of two steps, the second is beyond a tenth
    told = {"cfg_normalization": normalization, "cfg_truncation": truncation, "guidance_scale": 4.0}
    theirs = stock(oracle.pipeline(ZImagePipeline, folder), batch=batch, negative_prompt=NEGATIVE, **told)
    limited = replace(whole, model=limit_guidance(whole.model, normalization, truncation))
    ours = sample(limited, texts(whole), batch=batch, scale=5.0)
    assert relative(ours, theirs) < EXACT
    assert relative(ours, sample(whole, texts(whole), batch=batch, scale=5.0)) > 1e-2


# ControlNets -----------------------------------------------------------------------------------------------

KINDS: dict[str, dict[str, Any]] = {
    "Union 1": {"control_layers_places": [0, 2], "control_in_dim": 16},
    "Union 2.0": {
        "control_layers_places": [0, 1, 2],
        "control_in_dim": 33,
        "add_control_noise_refiner": "control_layers",
        "control_refiner_layers_places": [0, 1],
    },
    "Union 2.1": {
        "control_layers_places": [0, 2],
        "control_in_dim": 33,
        "add_control_noise_refiner": "control_noise_refiner",
        "control_refiner_layers_places": [0, 1],
    },
}
"""In small, as published."""

STRENGTH = 0.75


def tiny_controlnet(kind: str, **change: Any) -> ZImageControlNetModel:
    told = {"dim": 64, "n_refiner_layers": 2, "n_heads": 4, "n_kv_heads": 4, **KINDS[kind], **change}
    return tiny_modern._create(lambda: ZImageControlNetModel(**told), 0, "controlnet", kind)


@pytest.fixture(scope="module")
def controlnets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("controlnets")
    for number, kind in enumerate(KINDS):
        tiny_controlnet(kind).save_pretrained(root / str(number))
    return {kind: root / str(number) for number, kind in enumerate(KINDS)}


def hint(parts: Parts, place: Path, pictures: Tensor, strength: float = STRENGTH, earlier: Control | None = None):
    followed = load_controlnet(str(place))
    return apply_controlnet(followed, Image(pictures), strength, control=earlier, vae=parts.vae)


def guided_stock(folder: Path, place: Path, picture: Tensor, **arguments: Any) -> Tensor:
    """A pipeline lends its ControlNet parts of the transformer, so each has one of its own.

    picture: in 0..1; the pipeline takes tensors to be in -1..1.
    """
    pipeline = oracle.pipeline(
        ZImageControlNetPipeline, folder, controlnet=ZImageControlNetModel.from_pretrained(place)
    )
    return stock(pipeline, control_image=picture * 2 - 1, controlnet_conditioning_scale=STRENGTH, **arguments)


def shown(seed: int = 5, size: tuple[int, int] = (SIDE, SIDE)) -> Tensor:
    return noise.draw((1, 3, *size), seed, 0).sigmoid()


SLOW = pytest.mark.slow


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1.0, pytest.param(4.0, marks=SLOW)])
def test_a_controlnet_guides_as_in_the_stock_pipeline(
    kind: str, scale: float, folder: Path, whole: Parts, controlnets: dict[str, Path]
):
    picture = shown()
    ours = sample(whole, texts(whole), scale=scale, control=hint(whole, controlnets[kind], picture))
    theirs = guided_stock(folder, controlnets[kind], picture, guidance_scale=scale - 1)
    assert relative(ours, theirs) < EXACT
    assert relative(ours, sample(whole, texts(whole), scale=scale)) > 1e-2


@pytest.mark.parametrize(("batch", "size"), [pytest.param(2, (SIDE, SIDE), marks=SLOW), (2, (48, 96))])
def test_a_controlnet_guides_batches_and_other_sizes_with_guidance(
    batch: int, size: tuple[int, int], folder: Path, whole: Parts, controlnets: dict[str, Path]
):
    picture, place = shown(size=size), controlnets["Union 2.1"]
    ours = sample(whole, texts(whole), scale=4.0, batch=batch, size=size, control=hint(whole, place, picture))
    theirs = guided_stock(folder, place, picture, batch=batch, size=size, guidance_scale=3.0)
    assert relative(ours, theirs) < EXACT


def completing(parts: Parts, place: Path, followed: Tensor, picture: Tensor | None, weight: Tensor) -> Control:
    """As `hint`, with a mask and, where it is another, the picture to complete."""
    shown_besides = None if picture is None else Image(picture)
    return apply_controlnet(
        *(load_controlnet(str(place)), Image(followed), STRENGTH),
        vae=parts.vae,
        mask=Mask(weight),
        inpaint_image=shown_besides,
    )


def middle(size: tuple[int, int] = (SIDE, SIDE)) -> Tensor:
    """A mask whose edges lie between latent pixels."""
    weight = torch.zeros(1, 1, *size)
    weight[..., 10:37, 21:43] = 1
    return weight


@pytest.mark.parametrize(
    ("kind", "scale", "batch", "size"),
    [
        ("Union 2.1", 1.0, 1, (SIDE, SIDE)),
        pytest.param("Union 2.0", 4.0, 1, (SIDE, SIDE), marks=SLOW),
        pytest.param("Union 2.1", 4.0, 2, (48, 96), marks=SLOW),
    ],
)
def test_a_controlnet_completes_a_picture_beside_another_as_in_the_stock_pipeline(
    kind: str,
    scale: float,
    batch: int,
    size: tuple[int, int],
    folder: Path,
    whole: Parts,
    controlnets: dict[str, Path],
):
    followed, picture, weight, place = shown(size=size), shown(6, size), middle(size), controlnets[kind]
    net = ZImageControlNetModel.from_pretrained(place)
    pipeline = oracle.pipeline(ZImageControlNetInpaintPipeline, folder, controlnet=net)
    told = {"image": picture * 2 - 1, "mask_image": weight.repeat(batch, 1, 1, 1), "control_image": followed * 2 - 1}
    told |= {"controlnet_conditioning_scale": STRENGTH, "guidance_scale": scale - 1}
    theirs = stock(pipeline, batch=batch, size=size, **told)

    def made(control: Control) -> Tensor:
        return sample(whole, texts(whole), scale=scale, batch=batch, size=size, control=control)

    ours = made(completing(whole, place, followed, picture, weight))
    assert relative(ours, theirs) < EXACT
    if scale == 1.0:
        assert relative(ours, made(completing(whole, place, followed, picture, 1 - weight))) > 1e-3
        assert relative(ours, made(hint(whole, place, followed))) > 1e-3


def test_without_a_picture_to_follow_a_controlnet_completes_the_only_one(whole: Parts, controlnets: dict[str, Path]):
    """It is shown nothing to follow, the mask of what stays, and the picture, grey where it does not."""
    picture, weight, place = shown(), middle(), controlnets["Union 2.1"]
    (told,) = completing(whole, place, picture, None, weight).hints
    assert told.completed is None
    assert told.mask is not None
    assert told.pixels.equal(torch.where(weight.bool(), torch.tensor(0.5), picture))
    latent = noise.draw((1, 16, 8, 8), 0, 0)
    net = ZImageControlNetModel.from_pretrained(place)
    asked = Asked(noise.draw((2, 16, 8, 8), 1, 0), 500.0, texts(whole), (SIDE, SIDE))
    made = torch.stack(zimage_calls._shown(Follower(net, told, None, latent), asked)).squeeze(2)
    assert not made[:, :16].any()
    assert made[:, 16].equal((1 - weight[0, :, ::8, ::8]).expand(2, -1, -1))
    assert made[:, 17:].equal(latent.expand(2, -1, -1, -1))


def test_a_controlnet_that_completes_pictures_besides_says_what_it_lacks(whole: Parts, controlnets: dict[str, Path]):
    one, both = (load_controlnet(str(controlnets[kind])) for kind in ("Union 1", "Union 2.1"))
    picture, mask = Image(shown()), Mask(middle())
    with pytest.raises(ValueError, match="completes no pictures; take the mask from Apply ControlNet"):
        apply_controlnet(one, picture, vae=whole.vae, mask=mask)
    with pytest.raises(ValueError, match="reads one picture; take inpaint_image from Apply ControlNet"):
        apply_controlnet(one, picture, vae=whole.vae, inpaint_image=picture)
    with pytest.raises(ValueError, match="inpaint_image is to be completed; link a mask"):
        apply_controlnet(both, picture, vae=whole.vae, inpaint_image=picture)
    with pytest.raises(ValueError, match="pictures and masks must have one size"):
        apply_controlnet(both, picture, vae=whole.vae, inpaint_image=Image(shown(size=(48, 96))), mask=mask)


def test_a_controlnet_of_no_strength_changes_nothing(whole: Parts, controlnets: dict[str, Path]):
    control = hint(whole, controlnets["Union 1"], shown(), 0.0)
    assert sample(whole, texts(whole), control=control).equal(sample(whole, texts(whole)))


def test_hints_add_up(whole: Parts, controlnets: dict[str, Path]):
    half = hint(whole, controlnets["Union 1"], shown(), STRENGTH / 2)
    twice = hint(whole, controlnets["Union 1"], shown(), STRENGTH / 2, earlier=half)
    once = hint(whole, controlnets["Union 1"], shown(), STRENGTH)
    assert relative(sample(whole, texts(whole), control=twice), sample(whole, texts(whole), control=once)) < EXACT


def test_a_lora_reaches_what_the_transformer_lends(
    folder: Path, whole: Parts, controlnets: dict[str, Path], tmp_path: Path
):
    adapted, merged = adapted_and_merged(tmp_path, folder, whole, "transformer.", flat=False)
    control = hint(whole, controlnets["Union 2.1"], shown())
    ours = sample(adapted, texts(whole), control=control)
    assert relative(ours, sample(merged, texts(whole), control=control)) < EXACT


def test_what_a_controlnet_was_lent_goes_with_the_transformer(whole: Parts, controlnets: dict[str, Path]):
    controlnet = tiny_controlnet("Union 1")
    transformer = ZImageTransformer2DModel(dim=64, n_layers=1, n_heads=4, n_kv_heads=4, axes_dims=[4, 6, 6])
    twin = zimage_calls.lent(controlnet, transformer)
    assert zimage_calls.lent(controlnet, transformer) is twin
    assert controlnet.noise_refiner is None
    gone = weakref.ref(transformer.noise_refiner)
    del transformer, twin
    gc.collect()
    assert gone() is None


def in_a_file(place: Path, tensors: dict[str, Tensor]) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, place)
    return place


def of_published_depth(kind: str, layers: int, **change: Any) -> dict[str, Tensor]:
    return dict(tiny_controlnet(kind, control_layers_places=list(range(layers)), **change).state_dict())


def test_published_files_tell_after_which_layers_they_act(tmp_path: Path):
    for kind, layers, places in (
        ("Union 1", 6, [0, 5, 10, 15, 20, 25]),
        ("Union 2.1", 3, [0, 14, 28]),
        ("Union 2.1", 15, [*range(0, 30, 2)]),
    ):
        tensors = of_published_depth(kind, layers)
        told = parts.settings(
            checkpoints.controlnet(str(in_a_file(tmp_path / f"{layers}.safetensors", tensors))).network
        )
        wanted = {name: value for name, value in KINDS[kind].items() if name != "control_layers_places"}
        assert told["control_layers_places"] == places
        assert {name: told[name] for name in wanted} == wanted


@pytest.mark.parametrize("zeros", [True, False], ids=["with zeros", "without"])
def test_refiners_that_were_never_trained_are_left_out(zeros: bool, tmp_path: Path):
    """Of Union 2.0, whose layers refine the hint with the picture themselves."""
    tensors = of_published_depth("Union 2.1", 15)
    name = "control_noise_refiner.0.before_proj.weight"
    if zeros:
        tensors[name] = torch.zeros_like(tensors[name])
    else:
        del tensors[name], tensors[name.replace("weight", "bias")]
    place = in_a_file(tmp_path / "union.safetensors", tensors)
    network = checkpoints.controlnet(str(place)).network
    assert parts.settings(network)["add_control_noise_refiner"] == "control_layers"
    assert loading.load(network, torch.device("cpu"), torch.float32).control_noise_refiner is None


def test_a_controlnet_of_an_unknown_depth_needs_its_settings(controlnets: dict[str, Path], tmp_path: Path):
    tensors = load_file(controlnets["Union 1"] / "diffusion_pytorch_model.safetensors")
    place = in_a_file(tmp_path / "alone" / "a.safetensors", tensors)
    with pytest.raises(ValueError, match=r"control_layers_places is None; it must be rising numbers, the first 0"):
        checkpoints.controlnet(str(place))
    shutil.copy(controlnets["Union 1"] / "config.json", place.parent)
    assert parts.settings(checkpoints.controlnet(str(place)).network)["control_layers_places"] == [0, 2]


UNFIT: list[tuple[dict[str, Any], str]] = [
    ({"n_heads": 2, "n_kv_heads": 2}, "heads: 2, not 4"),
    ({"dim": 32, "n_heads": 2, "n_kv_heads": 2}, "tokens of width 32, not 64"),
    ({"n_refiner_layers": 1}, "refiners: 1, not 2"),
    ({"control_layers_places": [0, 3]}, "it adds after layer 3, the last is 2"),
    ({"control_in_dim": 20}, "it takes hints of 20 channels, not 16 or 33"),
]


@pytest.mark.parametrize(("change", "said"), UNFIT)
def test_a_controlnet_for_another_transformer_is_refused(
    change: dict[str, Any], said: str, whole: Parts, tmp_path: Path
):
    tiny_controlnet("Union 1", **change).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=said):
        fit.check_controlnet(whole.model, load_controlnet(str(tmp_path)))


def test_a_controlnet_reads_latents_and_is_recognised_by_itself_alone(whole: Parts, controlnets: dict[str, Path]):
    for place in (controlnets["Union 1"], controlnets["Union 2.1"] / "diffusion_pytorch_model.safetensors"):
        found = checkpoints.look(place)
        assert [family.name for family in families.FAMILIES if family.recognises_controlnet(found)] == ["zimage"]
        assert not any(family.recognises(found) for family in families.FAMILIES)
    with pytest.raises(ValueError, match="reads pictures as latents; link the checkpoint's VAE"):
        apply_controlnet(load_controlnet(str(controlnets["Union 1"])), Image(shown()))


# LoRA ------------------------------------------------------------------------------------------------------


def write_lora(place: Path, folder: Path, prefix: str, *, flat: bool = False) -> dict[str, Tensor]:
    """Factors for some of the layers, under diffusers' names; what they add, by layer."""
    tensors = load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors")
    layers = [
        "layers.1.attention.to_q", "layers.2.attention.to_out.0", "layers.0.feed_forward.w2",
        "noise_refiner.0.attention.to_v", "context_refiner.1.feed_forward.w1", "layers.0.adaLN_modulation.0",
    ]  # fmt: skip
    file: dict[str, Tensor] = {}
    added: dict[str, Tensor] = {}
    for number, layer in enumerate(layers):
        outputs, inputs = tensors[f"{layer}.weight"].shape
        down, up = noise.draw((2, inputs), number, 0) / 8, noise.draw((outputs, 2), number, 1) / 8
        name = prefix + (layer.replace(".", "_") if flat else layer)
        file |= {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
        if flat:
            file[f"{name}.alpha"] = torch.tensor(1.0)
        added[layer] = up @ down * (0.5 if flat else 1.0)
    save_file(file, place)
    return added


def adapted_and_merged(root: Path, folder: Path, whole: Parts, prefix: str, *, flat: bool) -> tuple[Parts, Parts]:
    """With a LoRA, and with the same in its files."""
    added = write_lora(root / "lora.safetensors", folder, prefix, flat=flat)
    merged = root / "merged"
    shutil.copytree(folder, merged)
    file = merged / "transformer" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    for layer, weight in added.items():
        tensors[f"{layer}.weight"] = tensors[f"{layer}.weight"] + weight
    save_file(tensors, file)
    lora = checkpoints.lora(str(root / "lora.safetensors"), whole.model, whole.text_encoder)
    return Parts(replace(whole.model, loras=(lora,)), whole.text_encoder, whole.vae), loaded(merged)


PREFIXES = [("transformer.", False), ("diffusion_model.", False), ("", False), ("lora_unet_", True)]


@pytest.mark.parametrize(("prefix", "flat"), some_slow(PREFIXES, PREFIXES[-1:]))
def test_a_lora_is_added_to_the_weights_of_its_layers(
    prefix: str, flat: bool, folder: Path, whole: Parts, tmp_path: Path
):
    adapted, merged = adapted_and_merged(tmp_path, folder, whole, prefix, flat=flat)
    ours = sample(adapted, texts(whole))
    assert relative(ours, sample(merged, texts(whole))) < EXACT  # summed beside the weights, not with them
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
        assert [family.name for family in families.FAMILIES if family.recognises(found)] == ["zimage"], place


def test_lumina_whose_blocks_it_has_is_another(split: dict[str, Path]):
    shapes = {name: tuple(tensor.shape) for name, tensor in load_file(split["transformer"]).items()}
    del shapes["x_pad_token"], shapes["cap_pad_token"]
    assert not any(family.recognises(Found(Path("lumina"), shapes=shapes)) for family in families.FAMILIES)


def test_files_far_from_any_settings_are_told_by_their_tensors(folder: Path, whole: Parts, tmp_path: Path):
    places = tiny_split.write_split(folder, tmp_path / "alone")
    model = checkpoints.denoiser(str(places["transformer"]))
    assert model.process == Flow(3.0)
    ours, theirs = parts.settings(model.network), parts.settings(whole.model.network)
    assert ours == {**theirs, "axes_lens": [1024, 512, 512]}  # no tensor tells, and no text comes so far
    encoder = checkpoints.text_encoders(model, [str(places["text_encoder"])]).encoders[0]
    ours, theirs = parts.settings(encoder), parts.settings(whole.text_encoder.encoders[0])
    told = {name: value for name, value in ours.items() if "rope" not in name and name != "layer_types"}
    assert told == {name: theirs[name] for name in told}
    with pytest.raises(ValueError, match=r"has 151669 words, its text encoder 960"):
        prompt(TextEncoder("zimage", (encoder,)), "a cat")


def test_a_file_with_all_of_it_is_a_checkpoint(split: dict[str, Path], whole: Parts, tmp_path: Path):
    place = tmp_path / "all"
    shutil.copytree(split["vae"].parent, place, ignore=shutil.ignore_patterns("*.safetensors"))
    prefixes = {
        "transformer": "model.diffusion_model.",
        "text_encoder": "text_encoders.qwen3_4b.transformer.",
        "vae": "vae.",
    }
    tensors = {prefixes[part] + name: t for part, file in split.items() for name, t in load_file(file).items()}
    save_file(tensors, place / "all.safetensors")
    parts = loaded(place / "all.safetensors")
    assert same_numbers(sample(parts, texts(parts)), sample(whole, texts(whole)))
    save_file({**tensors, "vae2.weight": torch.zeros(1)}, place / "all.safetensors")
    with pytest.raises(ValueError, match=r"has tensors that this program has no use for: vae2\.weight"):
        checkpoint(str(place / "all.safetensors"))


def test_a_file_with_the_transformer_alone_says_what_to_load_beside_it(split: dict[str, Path]):
    said = (
        r"is not a whole Z-Image checkpoint: .*; load it with Load denoiser, and beside it its Qwen3 text encoder with "
        "Load text encoders, its VAE with Load VAE"
    )
    with pytest.raises(ValueError, match=said):
        checkpoint(str(split["transformer"]))


# What is said ----------------------------------------------------------------------------------------------


def changed(folder: Path, place: Path, part: str, change: dict[str, Any]) -> str:
    """What is said of a checkpoint with other settings."""
    shutil.copytree(folder, place)
    config = place / part / ("scheduler_config.json" if part == "scheduler" else "config.json")
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    with pytest.raises(ValueError, match=str(place)) as caught:
        checkpoint(str(place))
    return str(caught.value)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("transformer", {"siglip_feat_dim": 1152}, "siglip_feat_dim is 1152; it must be null"),
    ("transformer", {"n_kv_heads": 2}, "n_kv_heads is 2; it must be n_heads, 4"),
    ("transformer", {"all_patch_size": [4]}, "all_patch_size is [4]"),
    ("transformer", {"axes_dims": [4, 4, 4]}, "axes_dims is [4, 4, 4]; it must be 3 even numbers that add up to"),
    ("transformer", {"n_layers": 4}, "lacks layers.3."),
    ("transformer", {"n_layers": 2}, "has tensors that this program has no use for: layers.2."),
    ("text_encoder", {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e6}}, "rope_parameters is"),
    ("text_encoder", {"rope_scaling": {"factor": 4.0}}, "rope_scaling is"),
    ("text_encoder", {"use_sliding_window": True}, "use_sliding_window is True; it must be false"),
    ("text_encoder", {"num_key_value_heads": 3}, "num_attention_heads 4 is no multiple of num_key_value_heads 3"),
    ("scheduler", {"shift_terminal": 1.0}, "shift_terminal is 1.0; it must be a number from 0 to 0.9 or null"),
]


@pytest.mark.parametrize(("part", "change", "said"), REFUSED)
def test_what_cannot_be_run_is_refused_by_name(
    part: str, change: dict[str, Any], said: str, folder: Path, tmp_path: Path
):
    assert said in changed(folder, tmp_path / "changed", part, change)


def test_a_checkpoint_without_its_tokenizer_or_with_anothers_is_refused(folder: Path, tmp_path: Path):
    place = tmp_path / "checkpoint"
    shutil.copytree(folder, place)
    vocab = json.loads((place / "tokenizer" / "vocab.json").read_text())
    (place / "tokenizer" / "tokenizer.json").unlink()
    more = {f"zz{number}": len(tiny_modern.QWEN_IDS) + number for number in range(30)}
    (place / "tokenizer" / "vocab.json").write_text(json.dumps(vocab | more))
    with pytest.raises(ValueError, match=r"tokenizer has 962 words, its text encoder 960"):
        checkpoint(str(place))
    shutil.rmtree(place / "tokenizer")
    with pytest.raises(ValueError, match="is not a whole checkpoint folder: it has no folder tokenizer"):
        checkpoint(str(place))


def test_a_prompt_of_another_family_is_refused_by_name(whole: Parts, sd15_folder: Path):
    theirs = checkpoint(str(sd15_folder)).text_encoder
    with pytest.raises(ValueError, match=r"was read for Stable Diffusion 1\.x, the model is Z-Image"):
        fit.check_step(whole.model, None, (fit.prompt_of(theirs),), ())


def test_sizes_that_it_cannot_make_are_refused(whole: Parts):
    with pytest.raises(ValueError, match="sides are multiples of 16, got 72 x 64"):
        fit.check_step(whole.model, (1, 16, 8, 9), (), ())
    with pytest.raises(ValueError, match=r"up to 8,192 pixels a side, got 8,208 x 64"):
        fit.check_step(whole.model, (1, 16, 8, 1026), (), ())


def test_layers_cannot_be_skipped(whole: Parts):
    with pytest.raises(ValueError, match=r"Z-Image reads one layer of its text encoder; take Clip skip out"):
        prompt(clip_skip(whole.text_encoder, 1), "")


def test_it_is_shown_no_pictures(whole: Parts):
    told = fit.prompt_of(whole.text_encoder)._replace(references=(fit.Shown(whole.vae.space, None),))
    with pytest.raises(ValueError, match=r"brings reference pictures, which .* \(Z-Image\) does not take"):
        fit.check_step(whole.model, None, (told,), ())

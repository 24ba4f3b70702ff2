"""Flux.2 against diffusers: the same noise step for step, from folders and from split files in ComfyUI's names."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import Flux2KleinPipeline
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu
from PIL import Image as Pillow
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import pixel_shuffle

from nodegraph.node import Context
from nodes import fit
from nodes.backend import checkpoints, denoise, families, noise, parts, process
from nodes.backend.families import flux2, flux2_calls
from nodes.backend.families.family import Asked
from nodes.backend.schedules import sigmas_for
from nodes.conditioning import reference
from nodes.load import checkpoint
from nodes.text import clip_skip, prompt
from nodes.types import Conditioning, Flow, Image, Latent, StepShift
from nodes.vae import decode
from tests import tiny_modern, tiny_split
from tests.examples import each, some_slow
from tests.nodes.families import oracle
from tests.nodes.families.oracle import SEED, SIDE, STEPS, Parts, loaded, relative
from tests.nodes.families.oracle import sample_flow as sample

POSITIVE = "a photo of a red cat (with a hat), it's 2 cats"
EXACT = 1e-4  # float32; prompts and pictures lie in another order in a batch, and guidance is summed in another order
SLOW = pytest.mark.slow
SAME = 1e-6  # of one prompt the very same calls are made: nothing but Euler's sum differs


@pytest.fixture(scope="module")
def folder(klein_folder: Path) -> Path:
    return klein_folder


@pytest.fixture(scope="module")
def base(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, as if it were not distilled: the stock pipeline heeds no guidance scale otherwise."""
    place = tmp_path_factory.mktemp("base") / "klein"
    shutil.copytree(folder, place)
    index = place / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"is_distilled": False}))
    return place


@pytest.fixture(scope="module")
def split(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return tiny_split.beside_settings(folder, tmp_path_factory.mktemp("split") / "klein")


@pytest.fixture(scope="module")
def whole(folder: Path) -> Parts:
    return loaded(folder)


def assembled(split: dict[str, Path]) -> Parts:
    """As Load denoiser, Load text encoders and Load VAE do."""
    model = checkpoints.denoiser(str(split["transformer"]))
    text_encoder = checkpoints.text_encoders(model, [str(split["text_encoder"])])
    return Parts(model, text_encoder, checkpoints.autoencoder(model, str(split["vae"])))


def texts(parts: Parts, shown: Sequence[Tensor] = ()) -> tuple[Conditioning, Conditioning]:
    """The prompt with pictures to work from, and the stock pipeline's negative one, which is empty."""
    told = prompt(parts.text_encoder, POSITIVE)
    for pixels in shown:
        told = reference(Context(), told, parts.vae, Image(pixels))
    return told, prompt(parts.text_encoder, "")


def stock(folder: Path, *, batch: int = 1, size: tuple[int, int] = (SIDE, SIDE), **arguments: Any) -> Tensor:
    """What the stock pipeline makes of the same noise, before its VAE: [batch, 32, height / 8, width / 8]."""
    pipeline = oracle.pipeline(Flux2KleinPipeline, folder)
    pipeline.set_progress_bar_config(disable=True)
    height, width = size
    start = noise.draw((batch, 128, height // 16, width // 16), SEED, 0)
    options = {"num_inference_steps": STEPS, "latents": start, "height": height, "width": width, "guidance_scale": 1.0}
    return pipeline(
        prompt=POSITIVE, num_images_per_prompt=batch, output_type="latent", **options | arguments
    ).images  # fmt: skip


def opened(latent: Tensor, folder: Path) -> Tensor:
    """Ours as its VAE has it: not normalised, and a pixel for each in a square of 2 x 2."""
    vae = oracle.pipeline(Flux2KleinPipeline, folder).vae
    std = (vae.bn.running_var + vae.config.batch_norm_eps).sqrt()
    return pixel_shuffle(latent * std[:, None, None] + vae.bn.running_mean[:, None, None], 2)


def pictures(*sizes: tuple[int, int]) -> list[Pillow.Image]:
    """Smooth ones of these (width, height)."""
    coarse = [np.random.default_rng(n).integers(0, 255, (4, 4, 3), dtype=np.uint8) for n, _ in enumerate(sizes)]
    return [Pillow.fromarray(c).resize(size, Pillow.Resampling.BICUBIC) for c, size in zip(coarse, sizes, strict=True)]


def pixels(picture: Pillow.Image) -> Tensor:
    return torch.from_numpy(np.array(picture, np.float32) / 255).permute(2, 0, 1)[None]


# Prompts ---------------------------------------------------------------------------------------------------


TEXTS = [POSITIVE, "", "Ünïcödé ☃ 東京, 3.14  and\n\n  two lines \n", "[red] \\(cat\\) BREAK"]


@pytest.mark.parametrize("text", some_slow(TEXTS, TEXTS[1:3]))
def test_a_prompt_is_read_as_in_the_stock_pipeline(text: str, whole: Parts, folder: Path):
    pipeline = oracle.pipeline(Flux2KleinPipeline, folder)
    with torch.inference_mode():
        theirs, _ = pipeline.encode_prompt(text, "cpu")
    ours = prompt(whole.text_encoder, text).embeds
    assert ours.shape == theirs.shape == (1, 512, 3 * tiny_modern.TEXT_WIDTH)
    assert torch.equal(ours, theirs)


def test_a_prompt_of_more_tokens_than_the_model_reads_says_where_it_is_too_long(whole: Parts):
    with pytest.raises(ValueError, match=r"the prompt has 602 tokens; \d+ is the most. What is too much begins at"):
        prompt(whole.text_encoder, "cat " * 600 + "fox!")


def test_layers_after_the_last_that_is_read_are_not_computed(whole: Parts, folder: Path):
    from nodes.backend import pool

    encoder = pool.network(whole.text_encoder.encoders[0])
    last = encoder.layers[27].register_forward_hook(lambda *_: pytest.fail("it was computed"))
    prompt(whole.text_encoder, "a cat")
    last.remove()
    assert not any(layer._forward_hooks for layer in encoder.layers)


# Noise levels ----------------------------------------------------------------------------------------------


@each("size", [(64, 64), (1024, 1024), (1536, 768), (2048, 1024)])
@each("steps", [1, 4, 8, 50])
def test_noise_levels_are_those_of_the_stock_scheduler_bit_for_bit(size: tuple[int, int], steps: int, folder: Path):
    scheduler = oracle.pipeline(Flux2KleinPipeline, folder).scheduler
    rows, columns = (side // 16 for side in size)
    mu = compute_empirical_mu(rows * columns, steps)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), mu=mu)
    ours = sigmas_for(process.at_size(Flow(by_size=StepShift()), rows, columns), "normal", steps, 1.0)
    assert list(ours) == scheduler.sigmas.tolist()


def test_half_of_a_way_has_the_levels_of_the_whole(whole: Parts):
    sized = process.at_size(whole.model.process, 4, 4)
    assert sigmas_for(sized, "normal", 4, 0.5) == sigmas_for(sized, "normal", 8, 1.0)[4:]
    assert sigmas_for(sized, "normal", 4, 1.0)[0] == 1.0


# Pictures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [pytest.param("folder", marks=SLOW), "split"])
def test_a_picture_is_that_of_the_stock_pipeline(source: str, whole: Parts, split: dict[str, Path], folder: Path):
    parts = whole if source == "folder" else assembled(split)
    ours, theirs = sample(parts, texts(parts)), stock(folder)
    assert relative(opened(ours, folder), theirs) < SAME
    made = decode(Context(), parts.vae, Latent(ours, parts.vae.space)).pixels
    with torch.inference_mode():
        pixels = oracle.pipeline(Flux2KleinPipeline, folder).vae.decode(theirs).sample
    assert relative(made, (pixels / 2 + 0.5).clamp(0, 1)) < 1e-5


@pytest.mark.parametrize("source", [pytest.param("folder", marks=SLOW), "split"])
def test_guidance_is_that_of_the_stock_pipeline(source: str, whole: Parts, split: dict[str, Path], base: Path):
    parts = whole if source == "folder" else assembled(split)
    ours = sample(parts, texts(parts), scale=4.0)
    assert relative(opened(ours, base), stock(base, guidance_scale=4.0)) < EXACT
    assert relative(ours, sample(parts, texts(parts))) > 1e-2


SHAPES = [(scale, *shape) for shape in ((2, (SIDE, SIDE)), (1, (48, 96)), (3, (80, 32))) for scale in (1.0, 4.0)]


@pytest.mark.parametrize(
    ("scale", "batch", "size"), [SHAPES[2], *(pytest.param(*s, marks=SLOW) for s in SHAPES if s != SHAPES[2])]
)
def test_batches_and_other_sizes_are_those_of_the_stock_pipeline(
    scale: float, batch: int, size: tuple[int, int], whole: Parts, base: Path
):
    ours = sample(whole, texts(whole), batch=batch, size=size, scale=scale)
    assert relative(opened(ours, base), stock(base, batch=batch, size=size, guidance_scale=scale)) < EXACT


ONE, THREE = [(96, 64)], [(64, 64), (64, 80), (96, 64)]
SHOWN = [(scale, sizes, source) for scale in (1.0, 4.0) for sizes in (ONE, THREE) for source in ("folder", "split")]


@pytest.mark.parametrize(
    ("scale", "sizes", "source"), [SHOWN[6], *(pytest.param(*s, marks=SLOW) for s in SHOWN if s != SHOWN[6])]
)
def test_pictures_to_work_from_are_those_of_the_stock_pipeline(
    scale: float, sizes: list[tuple[int, int]], source: str, whole: Parts, split: dict[str, Path], base: Path
):
    parts = whole if source == "folder" else assembled(split)
    shown = pictures(*sizes)
    ours = sample(parts, texts(parts, [*map(pixels, shown)]), scale=scale)
    assert relative(opened(ours, base), stock(base, image=shown, guidance_scale=scale)) < EXACT
    assert relative(ours, sample(parts, texts(parts), scale=scale)) > 1e-2


@SLOW
def test_half_precision_files_give_nearly_the_same_picture(folder: Path, whole: Parts, tmp_path: Path):
    parts = assembled(tiny_split.beside_settings(folder, tmp_path / "half", torch.bfloat16))
    # 8 bits of each weight are left: about 2^-9 for each of some tens of layers
    assert relative(sample(parts, texts(parts)), sample(whole, texts(whole))) < 0.1


# Pictures to work from -------------------------------------------------------------------------------------


@each(
    ("size", "shown"),
    [
        ((96, 64), (96, 64)),
        ((97, 79), (96, 64)),
        ((7, 300), (16, 288)),
        ((1024, 1024), (1024, 1024)),
        ((2048, 1024), (1440, 720)),
        ((4000, 3000), (1168, 880)),
    ],
)
def test_a_picture_to_work_from_is_shrunk_to_a_megapixel_and_to_whole_tokens(
    size: tuple[int, int], shown: tuple[int, int]
):
    assert flux2.KLEIN.reference_size(*size) == shown


def test_each_picture_to_work_from_has_a_place_of_its_own_on_the_first_axis():
    x = torch.zeros(1, 128, 2, 3)
    asked = Asked(x, 0.0, (), (0, 0))
    places = flux2_calls._places(asked, ((2, 3), (1, 2), (2, 1)))
    assert places[:, 0].tolist() == [0] * 6 + [10] * 2 + [20] * 2
    assert places[5].tolist() == [0, 1, 2, 0]
    assert places[-1].tolist() == [20, 1, 0, 0]
    assert flux2_calls._text_places(asked, 3).tolist() == [[0, 0, 0, n] for n in range(3)]


# Stop ------------------------------------------------------------------------------------------------------


def test_stop_is_looked_for_after_every_block(whole: Parts):
    told: list[tuple[int, int]] = []
    ask = denoise.denoiser(whole.model, *texts(whole), 1.0, None, lambda *progress: told.append(progress))
    ask(noise.draw((1, 128, 4, 4), SEED, 0), 0.5)
    assert told == [(done, 5) for done in range(1, 5)]


# What is what ----------------------------------------------------------------------------------------------


def test_it_is_recognised_by_itself_alone(folder: Path, split: dict[str, Path], tmp_path: Path):
    prefixed = tmp_path / "prefixed.safetensors"
    tensors = load_file(split["transformer"])
    save_file({f"model.diffusion_model.{name}": tensor for name, tensor in tensors.items()}, prefixed)
    own = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    for place in (folder, folder / "transformer", split["transformer"], prefixed, own):
        found = checkpoints.look(place)
        assert [family.name for family in families.FAMILIES if family.recognises(found)] == ["klein"], place


def test_files_far_from_any_settings_are_told_by_their_tensors(folder: Path, whole: Parts, tmp_path: Path):
    places = tiny_split.write_split(folder, tmp_path)
    model = checkpoints.denoiser(str(places["transformer"]))
    vae = checkpoints.autoencoder(model, str(places["vae"]))
    assert model.process == whole.model.process == Flow(by_size=StepShift())
    for ours, theirs in ((model, whole.model), (vae, whole.vae)):
        assert parts.settings(ours.network) == parts.settings(theirs.network)
    encoder = checkpoints.text_encoders(model, [str(places["text_encoder"])]).encoders[0]
    ours, theirs = parts.settings(encoder), parts.settings(whole.text_encoder.encoders[0])
    told = {name: value for name, value in ours.items() if "rope" not in name and name != "layer_types"}
    assert told == {name: theirs[name] for name in told}


def changed(folder: Path, place: Path, part: str, change: dict[str, Any]) -> str:
    """What is said of a checkpoint with other settings."""
    shutil.copytree(folder, place)
    config = place / part / ("scheduler_config.json" if part == "scheduler" else "config.json")
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    with pytest.raises(ValueError, match=str(place)) as caught:
        checkpoint(str(place))
    return str(caught.value)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("transformer", {"axes_dims_rope": [4, 4, 8]}, "axes_dims_rope is [4, 4, 8]; it must be 4 even numbers"),
    ("transformer", {"num_layers": 3}, "lacks transformer_blocks.2."),
    ("transformer", {"num_single_layers": 1}, "has tensors that this program has no use for: single_transformer_b"),
    ("transformer", {"in_channels": 64}, "x_embedder.weight is (32, 128), not (32, 64)"),
    ("text_encoder", {"use_sliding_window": True}, "use_sliding_window is True; it must be false"),
    ("text_encoder", {"num_hidden_layers": 27, "layer_types": None}, "has tensors that this program has no use for"),
    ("text_encoder", {"num_hidden_layers": 26, "layer_types": None}, "num_hidden_layers is 26; Flux.2 reads the sta"),
    ("vae", {"patch_size": [4, 4]}, "patch_size is [4, 4]"),
    ("vae", {"latent_channels": 16}, "does not fit its settings"),
    ("scheduler", {"invert_sigmas": True}, "invert_sigmas is True; it must be false"),
]


@pytest.mark.parametrize(("part", "change", "said"), REFUSED)
def test_what_cannot_be_run_is_refused_by_name(
    part: str, change: dict[str, Any], said: str, folder: Path, tmp_path: Path
):
    assert said in changed(folder, tmp_path / "changed", part, change)


def test_a_scheduler_with_one_shift_for_all_sizes_keeps_it(folder: Path, tmp_path: Path):
    place = tmp_path / "static"
    shutil.copytree(folder, place)
    config = place / "scheduler" / "scheduler_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"use_dynamic_shifting": False, "shift": 2.5}))
    assert loaded(place).model.process == Flow(2.5)


def test_prompts_and_latents_of_other_families_are_refused(whole: Parts, zimage_folder: Path):
    other = loaded(zimage_folder)
    with pytest.raises(ValueError, match=r"the prompt was read for Z-Image, the model is Flux\.2 Klein"):
        fit.check_prompt(whole.model, fit.prompt_of(other.text_encoder))
    with pytest.raises(ValueError, match="takes 128 latent channels, got 16"):
        fit.check_latent(whole.model, (1, 16, 8, 8))
    with pytest.raises(ValueError, match="take Clip skip out"):
        fit.prompt_of(clip_skip(whole.text_encoder, 2))

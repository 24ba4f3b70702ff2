"""Flux.2 dev against diffusers, from a folder and from split files in ComfyUI's names.

The stock pipeline gets its parts by hand: its processor, of which it uses the tokenizer alone, needs torchvision.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2Pipeline,
    Flux2Transformer2DModel,
)
from PIL import Image as Pillow
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoTokenizer, Mistral3ForConditionalGeneration

from nodegraph.node import Context
from nodes import fit
from nodes.backend import checkpoints, families, noise, parts, pool
from nodes.conditioning import reference
from nodes.load import checkpoint
from nodes.text import distilled_guidance, prompt
from nodes.types import Conditioning, Image, Latent
from nodes.vae import decode
from tests import tiny_modern, tiny_split
from tests.examples import some_slow
from tests.nodes.families.oracle import SEED, SIDE, STEPS, Parts, loaded, relative
from tests.nodes.families.oracle import sample_flow as sample
from tests.nodes.families.test_flux2 import ONE, THREE, assembled, pictures, pixels

POSITIVE = "a photo of a red cat (with a hat), it's 2 cats"
SAME = 1e-6  # the very same calls are made: nothing but Euler's sum differs
EXACT = 1e-4  # pictures lie in another order in a batch
SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_modern.build_flux2_dev(tmp_path_factory.mktemp("models") / "flux2")


@pytest.fixture(scope="module")
def split(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Among the settings of their repository, but for its tokenizer, which is in the text encoder's file."""
    place = tmp_path_factory.mktemp("split") / "flux2"
    files = tiny_split.beside_settings(folder, place)
    shutil.rmtree(place / "tokenizer")
    config = place / "text_encoder" / "config.json"
    told = json.loads(config.read_text("utf-8"))
    told["text_config"]["num_hidden_layers"] = 30  # the file ends with the last layer that is read
    config.write_text(json.dumps(told))
    return files


@pytest.fixture(scope="module")
def whole(folder: Path) -> Parts:
    return loaded(folder)


@cache
def pipeline(folder: Path) -> Any:
    kinds = {
        "scheduler": FlowMatchEulerDiscreteScheduler,
        "vae": AutoencoderKLFlux2,
        "text_encoder": Mistral3ForConditionalGeneration,
        "tokenizer": AutoTokenizer,
        "transformer": Flux2Transformer2DModel,
    }
    made = Flux2Pipeline(**{name: kind.from_pretrained(folder / name) for name, kind in kinds.items()})
    made.set_progress_bar_config(disable=True)
    return made


def stock(folder: Path, *, batch: int = 1, size: tuple[int, int] = (SIDE, SIDE), **arguments: Any) -> Tensor:
    """What the stock pipeline makes of the same noise, as ours has it."""
    height, width = size
    start = noise.draw((batch, 128, height // 16, width // 16), SEED, 0)
    options = {"num_inference_steps": STEPS, "latents": start, "height": height, "width": width}
    made = pipeline(folder)(
        prompt=POSITIVE, num_images_per_prompt=batch, output_type="latent", **options | arguments
    ).images
    return made.transpose(1, 2).reshape(batch, 128, height // 16, width // 16)


def texts(
    parts: Parts, shown: Sequence[Pillow.Image] = (), guidance: float | None = None
) -> tuple[Conditioning, Conditioning]:
    told = prompt(parts.text_encoder, POSITIVE)
    for picture in shown:
        told = reference(Context(), told, parts.vae, Image(pixels(picture)))
    told = told if guidance is None else distilled_guidance(told, guidance)
    return told, told


TEXTS = [POSITIVE, "", "Ünïcödé ☃ 東京, 3.14  and\n\n  two lines \n", "[INST] a [IMG] picture [/INST] (1)"]


@pytest.mark.parametrize("text", some_slow(TEXTS, TEXTS[1:3]))
def test_a_prompt_is_read_as_in_the_stock_pipeline(text: str, whole: Parts, split: dict[str, Path], folder: Path):
    with torch.inference_mode():
        theirs, _ = pipeline(folder).encode_prompt(text, "cpu")
    for found in (whole, assembled(split)):
        ours = prompt(found.text_encoder, text).embeds
        assert ours.shape == (1, 512, 3 * tiny_modern.TEXT_WIDTH)
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("source", "guidance"),
    [
        ("split", None),
        ("folder", 2.5),
        pytest.param("split", 2.5, marks=SLOW),
        pytest.param("folder", None, marks=SLOW),
    ],
)
def test_a_picture_is_that_of_the_stock_pipeline(
    source: str, guidance: float | None, whole: Parts, split: dict[str, Path], folder: Path
):
    parts = whole if source == "folder" else assembled(split)
    ours = sample(parts, texts(parts, guidance=guidance))
    theirs = stock(folder, **({} if guidance is None else {"guidance_scale": guidance}))
    assert relative(ours, theirs) < SAME
    vae = pipeline(folder).vae
    std = (vae.bn.running_var + vae.config.batch_norm_eps).sqrt()[:, None, None]
    opened = torch.nn.functional.pixel_shuffle(theirs * std + vae.bn.running_mean[:, None, None], 2)
    with torch.inference_mode():
        wanted = (vae.decode(opened).sample / 2 + 0.5).clamp(0, 1)
    assert relative(decode(Context(), parts.vae, Latent(ours, parts.vae.space)).pixels, wanted) < 1e-5


@pytest.mark.parametrize(
    ("batch", "size"), [pytest.param(2, (SIDE, SIDE), marks=SLOW), (1, (48, 96)), pytest.param(3, (80, 32), marks=SLOW)]
)
def test_batches_and_other_sizes_are_those_of_the_stock_pipeline(
    batch: int, size: tuple[int, int], whole: Parts, folder: Path
):
    assert relative(sample(whole, texts(whole), batch=batch, size=size), stock(folder, batch=batch, size=size)) < EXACT


@pytest.mark.parametrize(
    ("sizes", "source"), [(THREE, "split"), *(pytest.param(s, "folder", marks=SLOW) for s in (ONE, THREE))]
)
def test_pictures_to_work_from_are_those_of_the_stock_pipeline(
    sizes: list[tuple[int, int]], source: str, whole: Parts, split: dict[str, Path], folder: Path
):
    parts, shown = whole if source == "folder" else assembled(split), pictures(*sizes)
    ours = sample(parts, texts(parts, shown))
    assert relative(ours, stock(folder, image=shown)) < EXACT
    assert relative(ours, sample(parts, texts(parts))) > 1e-2


# What is what ----------------------------------------------------------------------------------------------


def test_it_is_recognised_by_itself_alone(folder: Path, split: dict[str, Path], tmp_path: Path):
    prefixed = tmp_path / "prefixed.safetensors"
    tensors = load_file(split["transformer"])
    save_file({f"model.diffusion_model.{name}": tensor for name, tensor in tensors.items()}, prefixed)
    for place in (folder, folder / "transformer", split["transformer"], prefixed):
        found = checkpoints.look(place)
        assert [family.name for family in families.FAMILIES if family.recognises(found)] == ["flux2"], place


def test_published_settings_that_do_not_speak_of_guidance_are_its_own(folder: Path, tmp_path: Path):
    place = shutil.copytree(folder, tmp_path / "published")
    config = place / "transformer" / "config.json"
    told = json.loads(config.read_text("utf-8"))
    del told["guidance_embeds"]  # an earlier version wrote none: all had it
    config.write_text(json.dumps(told))
    assert loaded(place).model.network.family == "flux2"


def test_a_text_encoder_without_a_tokenizer_says_what_to_choose(split: dict[str, Path], tmp_path: Path):
    model = checkpoints.denoiser(str(split["transformer"]))
    place = shutil.copytree(split["transformer"].parent, tmp_path / "without") / "text_encoder.safetensors"
    tensors = load_file(place)
    del tensors["tekken_model"]
    save_file(tensors, place)
    with pytest.raises(ValueError, match=r"Mistral's tokenizer is missing.*choose a file that has it inside"):
        checkpoints.text_encoders(model, [str(place)])


def test_what_is_left_out_of_a_file_of_comfyuis_is_not_asked(split: dict[str, Path]):
    parts_ = assembled(split)
    encoder = pool.network(parts_.text_encoder.encoders[0])
    assert len(encoder.layers) == parts.settings(parts_.text_encoder.encoders[0])["num_hidden_layers"] == 30
    assert torch.equal(encoder.norm.weight, torch.ones(tiny_modern.TEXT_WIDTH))


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"sliding_window": 4096}, "sliding_window is 4096; it must be null"),
    ({"num_hidden_layers": 29}, "num_hidden_layers is 29; Flux.2 reads the states after layer 30"),
    ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
    ({"vocab_size": 700}, "does not fit its settings"),
]


@pytest.mark.parametrize(("change", "said"), REFUSED)
def test_what_cannot_be_run_is_refused_by_name(change: dict[str, Any], said: str, folder: Path, tmp_path: Path):
    place = shutil.copytree(folder, tmp_path / "changed")
    config = place / "text_encoder" / "config.json"
    told = json.loads(config.read_text("utf-8"))
    config.write_text(json.dumps({**told, "text_config": told["text_config"] | change}))
    with pytest.raises(ValueError, match=str(place)) as caught:
        checkpoint(str(place))
    assert said in str(caught.value)


def test_kleins_prompts_are_refused(whole: Parts, klein_folder: Path):
    klein = loaded(klein_folder)
    assert klein.vae.space == whole.vae.space  # one autoencoder for both
    with pytest.raises(ValueError, match=r"the prompt was read for Flux\.2 Klein, the model is Flux\.2 dev"):
        fit.check_prompt(whole.model, fit.prompt_of(klein.text_encoder))

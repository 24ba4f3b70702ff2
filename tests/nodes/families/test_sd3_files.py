"""Stable Diffusion 3: what its files are taken for, what they say, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusion3Pipeline
from safetensors.torch import load_file, save_file
from torch import Tensor

from nodegraph import program
from nodegraph.node import Context
from nodes import fit
from nodes.backend import checkpoints, families, loading, pool
from nodes.backend.checkpoints import look
from nodes.backend.families import sd3
from nodes.control import load_controlnet
from nodes.latent import empty_latent
from nodes.latent import noise as add_noise
from nodes.sampling import unet_step
from nodes.text import prompt
from nodes.types import ControlNet, Flow, Latent
from tests.nodes import t5_files
from tests.nodes.families import oracle
from tests.nodes.families.oracle import SEED, SIDE, Parts, loaded, relative
from tests.nodes.families.sd3_made import (
    EXACT,
    GUIDANCE,
    KINDS,
    POSITIVE,
    applied,
    picture,
    sample,
    stock,
    tiny_controlnet,
)


@pytest.fixture(scope="module")
def parts(sd3_folder: Path) -> Parts:
    pool.configure("cpu")
    return loaded(sd3_folder)


# --- what files are ---


@pytest.mark.parametrize("place", ["folder", "file", "folder without T5", "file without T5"])
def test_its_checkpoints_are_recognised_by_this_family_alone(place: str, sd3_places: dict[str, Path]):
    found = look(sd3_places[place])
    assert [family.name for family in families.FAMILIES if family.recognises(found)] == ["sd3"]
    assert not any(family.recognises_controlnet(found) for family in families.FAMILIES)


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_its_denoiser_alone_is_recognised(kind: str, sd3_folder: Path):
    own = sd3_folder / "transformer"
    found = look(own if kind == "folder" else own / "diffusion_pytorch_model.safetensors")
    assert [family.name for family in families.FAMILIES if family.recognises(found)] == ["sd3"]


@pytest.mark.parametrize("kind", KINDS)
def test_its_controlnets_are_recognised_by_this_family_alone(kind: str, sd3_controlnets: dict[str, Path]):
    for place in (sd3_controlnets[kind], sd3_controlnets[kind] / "diffusion_pytorch_model.safetensors"):
        found = look(place)
        assert [family.name for family in families.FAMILIES if family.recognises_controlnet(found)] == ["sd3"]
        assert not any(family.recognises(found) for family in families.FAMILIES)
        assert load_controlnet(str(place)).network.family == "sd3"


def test_describing_it_needs_no_torch(sd3_places: dict[str, Path], sd3_controlnets: dict[str, Path]):
    code = (
        "import sys; from nodes.load import checkpoint; from nodes.control import load_controlnet; "
        f"[checkpoint(place) for place in {[str(place) for place in sd3_places.values()]!r}]; "
        f"load_controlnet({str(sd3_controlnets['Stability'])!r}); "
        "assert not {'torch', 'numpy', 'PIL', 'safetensors'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=program.FOLDER)


def test_a_folder_says_how_it_was_trained(parts: Parts, sd3_places: dict[str, Path], tmp_path: Path):
    assert parts.model.process == Flow(3.0, to_least=True)
    assert (parts.model.space, parts.vae.space) == (sd3.FAMILY.space,) * 2
    assert parts.model.native_size == 64
    place = shutil.copytree(sd3_places["folder"], tmp_path / "other")
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
        "vae": "half",
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


def bare_file(sd3_places: dict[str, Path], tmp_path: Path) -> Path:
    """The file among its settings, of which T5's tokenizer is none."""
    place = tmp_path / "bare"
    shutil.copytree(sd3_places["file"].parent, place, ignore=shutil.ignore_patterns("tokenizer_3"))
    return place / sd3_places["file"].name


@pytest.mark.usefixtures("no_tokenizer_of_before")
def test_a_file_with_t5_says_which_tokenizer_to_choose_and_runs_once_it_was(
    sd3_places: dict[str, Path], tmp_path: Path
):
    from nodes.backend import tokenizer_files

    file = bare_file(sd3_places, tmp_path)
    with pytest.raises(ValueError, match=r"^T5's tokenizer is missing, .*choose a tokenizer.json of T5"):
        loaded(file)
    tokenizer_files.remember(sd3_places["folder"] / "tokenizer_3", 161)
    theirs = stock(oracle.pipeline(StableDiffusion3Pipeline, sd3_places["folder"]))
    assert relative(sample(loaded(file)), theirs) < EXACT


@pytest.mark.usefixtures("no_tokenizer_of_before")
def test_t5_in_a_folder_of_its_own_says_which_tokenizer_to_choose(parts: Parts, sd3_folder: Path, tmp_path: Path):
    place = shutil.copytree(sd3_folder / "text_encoder_3", tmp_path / "t5")
    with pytest.raises(ValueError, match=r"^T5's tokenizer is missing, .*choose a tokenizer.json of T5"):
        checkpoints.text_encoders(parts.model, [str(place)])


@pytest.mark.usefixtures("no_tokenizer_of_before")
def test_another_tokenizer_is_another_description(sd3_places: dict[str, Path], tmp_path: Path):
    from nodes.backend import tokenizer_files

    file = bare_file(sd3_places, tmp_path)
    folder = shutil.copytree(sd3_places["folder"] / "tokenizer_3", tmp_path / "t")
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
def test_a_tokenizer_that_is_not_the_encoders_is_refused(sd3_places: dict[str, Path], tmp_path: Path):
    place = shutil.copytree(sd3_places["folder"], tmp_path / "other")
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
def test_a_damaged_file_is_refused_in_a_sentence(spoil: Spoil, said: str, sd3_places: dict[str, Path], tmp_path: Path):
    place = tmp_path / "damaged"
    shutil.copytree(sd3_places["file"].parent, place, ignore=shutil.ignore_patterns("*.safetensors"))
    tensors = load_file(sd3_places["file"])
    spoil(tensors)
    save_file(tensors, place / "model.safetensors")
    with pytest.raises(ValueError, match=said) as caught:
        loaded(place / "model.safetensors")
    assert "\n" not in str(caught.value)


def test_a_model_of_other_latents_is_refused(sd3_places: dict[str, Path], tmp_path: Path):
    place = shutil.copytree(sd3_places["folder"], tmp_path / "other")
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
    parts: Parts, sd3_controlnets: dict[str, Path], tmp_path: Path
):
    from nodes.backend import storage

    shown = picture()
    control = applied(parts, sd3_controlnets["Stability"], shown)
    storage.save((control,), tmp_path / "stored")
    ((back),) = storage.load(tmp_path / "stored")
    assert back.hints[0].vae == parts.vae
    assert replace(back.hints[0], pixels=shown.pixels) == control.hints[0]
    assert isinstance(back.hints[0].controlnet, ControlNet)

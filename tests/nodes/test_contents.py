"""Every tensor of a file is used, ignored for a reason, or refused by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.loaders import single_file_utils as published
from safetensors.torch import load_file, save_file
from torch import Tensor

from nodes.backend import checkpoints, families
from nodes.backend.contents import sources
from nodes.backend.families import qwenimage, qwenimage21, sd1
from nodes.backend.families.family import Family
from nodes.backend.fields import check_fields
from nodes.backend.networks import unet, vae
from nodes.backend.strict_json import MAX_QUOTED
from tests import tiny_models
from tests.examples import some_slow

PARTS = ("unet", "vae", "text_encoder")
ROLES = sd1.FAMILY.roles

Tensors = dict[str, Tensor]


@pytest.fixture
def folder(sd15_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sd15_folder, tmp_path / "model"))


@pytest.fixture
def file(sd15_folder: Path, single_file: Callable[[Path], Path]) -> Path:
    return single_file(sd15_folder)


def weights_of(place: Path, part: str) -> Path:
    return place if place.is_file() else next((place / part).glob("*.safetensors"))


def change(place: Path, part: str, edit: Callable[[Tensors, str], object]) -> None:
    """edit: changes the tensors; it is told what all names of the part begin with."""
    path = weights_of(place, part)
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    edit(tensors, ROLES[part].prefixes[0] if place.is_file() else "")
    save_file(tensors, path)


def refusal(place: Path) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        checkpoints.checkpoint(str(place))
    message = str(caught.value)
    assert place.name in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("place", ["folder", "file"])
def test_a_tensor_that_nothing_uses_is_refused_by_name(part: str, place: str, request: pytest.FixtureRequest):
    checkpoint: Path = request.getfixturevalue(place)
    change(checkpoint, part, lambda tensors, prefix: tensors.update({prefix + "extra.weight": torch.ones(1)}))
    assert f"the {part} of {checkpoint} has tensors that this program has no use for: extra.weight" in refusal(
        checkpoint
    )


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("place", some_slow(["folder", "file"], ["file"]))
def test_a_tensor_that_is_missing_is_named(part: str, place: str, request: pytest.FixtureRequest):
    checkpoint: Path = request.getfixturevalue(place)
    change(checkpoint, part, lambda tensors, prefix: tensors.pop(max(n for n in tensors if n.startswith(prefix))))
    assert f"the {part} of {checkpoint} lacks " in refusal(checkpoint)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("place", some_slow(["folder", "file"], ["folder"]))
def test_a_tensor_of_another_shape_is_named(part: str, place: str, request: pytest.FixtureRequest):
    checkpoint: Path = request.getfixturevalue(place)

    def widen(tensors: Tensors, prefix: str) -> None:
        tensors[min(n for n in tensors if n.startswith(prefix) and tensors[n].ndim == 1)] = torch.ones(7)

    change(checkpoint, part, widen)
    assert f"the {part} of {checkpoint} does not fit its settings: " in refusal(checkpoint)


def test_what_lies_beside_the_parts_of_a_file_is_refused_by_name(file: Path):
    change(file, "unet", lambda tensors, _: tensors.update({"refiner.weight": torch.ones(1)}))
    assert f"{file} has tensors that this program has no use for: refiner.weight" in refusal(file)


def test_a_mark_of_another_process_that_the_family_does_not_follow_is_refused(file: Path):
    change(file, "unet", lambda tensors, _: tensors.update({"v_pred": torch.ones(1)}))
    assert "has tensors that this program has no use for: v_pred" in refusal(file)


IGNORED = [
    ("text_encoder", "text_model.embeddings.position_ids"),
    ("text_encoder", "text_projection.weight"),
    ("text_encoder", "logit_scale"),
    ("vae", "loss.discriminator.main.0.weight"),
    ("vae", "model_ema.decay"),
]


@pytest.mark.parametrize(("part", "name"), IGNORED)
@pytest.mark.parametrize("place", some_slow(["folder", "file"], ["file"]))
def test_what_is_ignored_for_a_reason_is_no_fault(part: str, name: str, place: str, request: pytest.FixtureRequest):
    checkpoint: Path = request.getfixturevalue(place)
    change(checkpoint, part, lambda tensors, prefix: tensors.update({prefix + name: torch.ones(1)}))
    assert checkpoints.checkpoint(str(checkpoint)).vae.space.factor == 8


TRAINER = ["alphas_cumprod", "betas", "posterior_mean_coef1", "global_step", "model_ema.diffusion_modeltime_embed0bias"]
TRAINER += ["cond_stage_model.logit_scale", "sqrt_one_minus_alphas_cumprod", "lvlb_weights", "optimizer_states.0.step"]


def test_what_a_trainer_left_in_a_file_is_no_fault(file: Path):
    change(file, "unet", lambda tensors, _: tensors.update({name: torch.ones(1) for name in TRAINER}))
    assert checkpoints.checkpoint(str(file)).vae.space.factor == 8


def test_everything_that_is_ignored_has_a_reason():
    roles = [role for family in families.FAMILIES for role in family.roles.values()]
    ignored = [*checkpoints.BESIDE, *(i for role in roles for i in (*role.ignored, *role.architecture.ignored))]
    assert all(each.reason for each in ignored)


def test_a_message_quotes_little_of_a_file(folder: Path):
    names = {f"{'x' * 150}.{index}": torch.ones(1) for index in range(40)}
    change(folder, "unet", lambda tensors, _: tensors.update(names))
    message = refusal(folder)
    assert len(message.partition("no use for: ")[2]) < MAX_QUOTED + 20
    assert message.endswith("and 39 more")


@pytest.fixture
def controlnet(controlnet_folder: Path, tmp_path: Path) -> Callable[[str], Path]:
    """The tiny ControlNet in one of the layouts of files, beside its settings as published ones are."""
    shutil.copy(controlnet_folder / "config.json", tmp_path)
    settings = json.loads((controlnet_folder / "config.json").read_text("utf-8"))
    original = unet.original(settings)
    names: dict[str, Callable[[str], str]] = {
        "diffusers": lambda name: name,
        "original": original,
        "within": lambda name: "control_model." + original(name),
    }

    def write(layout: str) -> Path:
        tensors = load_file(controlnet_folder / "diffusion_pytorch_model.safetensors")
        path = tmp_path / "controlnet.safetensors"
        save_file({names[layout](name): tensor.clone() for name, tensor in tensors.items()}, path)
        return path

    return write


@pytest.mark.parametrize("layout", ["diffusers", "original", "within"])
def test_a_controlnet_of_any_layout_has_all_its_tensors(layout: str, controlnet: Callable[[str], Path]):
    assert checkpoints.controlnet(str(controlnet(layout))).network.family == "sd1"


@pytest.mark.parametrize("layout", ["diffusers", "original", "within"])
def test_a_tensor_of_a_controlnet_that_nothing_uses_is_refused_by_name(layout: str, controlnet: Callable[[str], Path]):
    path = controlnet(layout)
    change_file(path, lambda tensors: tensors.update({"gate.weight": torch.ones(1)}))
    with pytest.raises(
        ValueError, match=r"controlnet of .* has tensors that this program has no use for: gate\.weight"
    ):
        checkpoints.controlnet(str(path))


def test_a_controlnet_that_is_not_whole_is_refused_by_name(controlnet: Callable[[str], Path]):
    path = controlnet("original")
    change_file(path, lambda tensors: tensors.pop("middle_block_out.0.bias"))
    with pytest.raises(ValueError, match=r"lacks controlnet_mid_block\.bias"):
        checkpoints.controlnet(str(path))


def test_the_checkpoint_around_a_controlnet_is_no_fault(controlnet: Callable[[str], Path]):
    path = controlnet("within")
    change_file(path, lambda tensors: tensors.update({"model.diffusion_model.out.0.bias": torch.ones(1)}))
    assert checkpoints.controlnet(str(path)).network.family == "sd1"


def test_a_controlnet_of_another_family_is_told_from_its_file(controlnet: Callable[[str], Path]):
    path = controlnet("original")
    key = "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
    change_file(path, lambda tensors: tensors.update({key: torch.ones(len(tensors[key]), 48)}))
    with pytest.raises(
        ValueError, match=r"does not fit its settings: .*attn2\.to_k\.weight is \(\d+, 48\), not \(\d+, 32\)"
    ):
        checkpoints.controlnet(str(path))


def test_a_controlnet_that_is_told_sizes_is_one_of_sdxl(tmp_path: Path):
    tiny_models.build_controlnet_sdxl(tmp_path / "controlnet")
    for place in (tmp_path / "controlnet", tmp_path / "controlnet" / "diffusion_pytorch_model.safetensors"):
        assert checkpoints.controlnet(str(place)).network.family == "sdxl"


def change_file(path: Path, edit: Callable[[Tensors], object]) -> None:
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    edit(tensors)
    save_file(tensors, path)


CONVERTERS: dict[str, tuple[Callable[..., Tensors], Any]] = {
    "unet": (published.convert_ldm_unet_checkpoint, unet.original),
    "vae": (published.convert_ldm_vae_checkpoint, vae.original),
    "controlnet": (published.convert_controlnet_checkpoint, unet.original),
}


@pytest.mark.parametrize("part", CONVERTERS)
def test_original_names_are_those_that_diffusers_converts_from(part: str):
    (convert, original), role = CONVERTERS[part], ROLES[part]
    settings = check_fields(Path("a file"), sd1.FAMILY.default_settings(part), role.architecture.schema)
    wanted, prefix = role.architecture.shapes(settings), role.prefixes[0]
    stored = {prefix + original(settings)(n): torch.empty(shape, device="meta") for n, shape in wanted.items()}
    assert len(stored) == len(wanted)
    converted = convert(stored, settings)
    assert {name: tuple(tensor.shape) for name, tensor in converted.items()} == wanted


@pytest.mark.parametrize("family", [qwenimage.FAMILY, qwenimage21.FAMILY], ids=lambda family: family.name)
def test_a_text_encoder_without_the_part_that_sees_pictures_says_what_to_take(family: Family):
    """As llama.cpp keeps it: a file of the language model, and another that is no use by itself."""
    architecture, place = family.roles["text_encoder"].architecture, Path("a.gguf")
    settings = check_fields(place, family.default_settings("text_encoder"), architecture.schema)
    spelled = architecture.spellings(settings)
    found = {spelled(name)[0].name: shape for name, shape in architecture.shapes(settings).items()}
    alone = {name: shape for name, shape in found.items() if "visual." not in name}
    assert len(alone) < len(found)
    told = check_fields(place, architecture.told(settings, alone), architecture.schema)
    assert not [*architecture.contradictions(told)]
    with pytest.raises(ValueError, match=r"it lacks the part that sees pictures, which .* as one \.safetensors file"):
        sources("it", architecture, told, {name: (place, shape) for name, shape in alone.items()})

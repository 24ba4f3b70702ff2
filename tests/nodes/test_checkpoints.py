"""Checkpoints are described without loading them, and what is wrong with one is said in a sentence."""

import json
import pickle
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import save_file
from torch import zeros

from nodegraph import program
from nodes.backend import checkpoints
from nodes.backend.families import sd1
from nodes.backend.fields import check_fields
from nodes.backend.parts import settings
from nodes.types import Diffusion, NoiseSchedule
from tests import tiny_models
from tests.tiny_checkpoints import write_single_file


@pytest.fixture
def one_file(sd15_folder: Path, single_file: Callable[[Path], Path]) -> Path:
    """The tiny model as one file."""
    return single_file(sd15_folder)


def test_a_folder_is_described_from_its_settings(sd21_folder: Path):
    model, text_encoder, vae = checkpoints.checkpoint(str(sd21_folder))
    assert model.process == Diffusion("v_prediction", NoiseSchedule("scaled_linear", 0.00085, 0.012, 1000))
    assert (vae.space.channels, vae.space.factor, vae.native_size) == (4, 8, 64)
    assert model.network.weights.path == text_encoder.encoders[0].weights.path == str(sd21_folder)


def test_one_file_is_described_like_the_folder_it_was_made_of(sd15_folder: Path, one_file: Path):
    from_file, from_folder = checkpoints.checkpoint(str(one_file)), checkpoints.checkpoint(str(sd15_folder))
    assert from_file.model.process == from_folder.model.process
    assert from_file.vae.space == from_folder.vae.space


def test_a_changed_file_has_another_description(sd15_folder: Path, one_file: Path):
    before = checkpoints.checkpoint(str(one_file))
    write_single_file(sd15_folder, one_file)
    assert checkpoints.checkpoint(str(one_file)) != before


def test_describing_a_checkpoint_needs_no_torch(sd15_folder: Path):
    code = (
        "import sys; from nodes.load import checkpoint; "
        f"checkpoint({str(sd15_folder)!r}); assert not {{'torch', 'numpy', 'PIL', 'safetensors'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=program.FOLDER)


def test_a_relative_path_is_looked_up_in_the_program_folder_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert checkpoints.find("nodes/configs") == program.FOLDER / "nodes" / "configs"
    (tmp_path / "nodes" / "configs").mkdir(parents=True)
    assert checkpoints.find("nodes/configs") == (tmp_path / "nodes" / "configs").resolve()


def test_the_shipped_settings_are_those_of_stable_diffusion_1():
    known = check_fields(Path("a file"), sd1.FAMILY.default_settings("unet"), sd1.UNET.architecture.schema)
    assert known["cross_attention_dim"] == 768
    assert known["block_out_channels"] == [320, 640, 1280, 1280]


def refusal(path: Path) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        checkpoints.checkpoint(str(path))
    message = str(caught.value)
    assert path.name in message
    assert "\n" not in message
    return message


def test_a_missing_file_is_named(tmp_path: Path):
    assert "there is no file or folder" in refusal(tmp_path / "gone.safetensors")


def test_an_empty_path_asks_for_a_file():
    with pytest.raises(ValueError, match="choose a file"):
        checkpoints.checkpoint("")


def test_a_file_cut_short_is_recognised(one_file: Path):
    data = one_file.read_bytes()
    for length in (len(data) - 1, len(data) // 2, 1000, 9):
        one_file.write_bytes(data[:length])
        assert "is cut short" in refusal(one_file)


@pytest.mark.parametrize(
    "data", [b"", b"abc", b"\xff" * 64, struct.pack("<Q", 2) + b"{]", struct.pack("<Q", 4) + b"null"]
)
def test_junk_is_no_safetensors_file(tmp_path: Path, data: bytes):
    path = tmp_path / "junk.safetensors"
    path.write_bytes(data)
    assert "is not a safetensors file" in refusal(path)


def test_a_header_of_brackets_is_no_safetensors_file(tmp_path: Path):
    path = tmp_path / "deep.safetensors"
    text = b"[" * 200_000
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    assert "is not a safetensors file" in refusal(path)


def test_a_tensor_of_the_wrong_size_is_damage(tmp_path: Path):
    path = tmp_path / "odd.safetensors"
    header = json.dumps({"w": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    assert "is damaged" in refusal(path)


@pytest.mark.parametrize("start", [pickle.dumps({"state_dict": {}}), b"PK\x03\x04" + bytes(60)])
def test_a_pickle_under_another_name_is_refused_with_the_reason(tmp_path: Path, start: bytes):
    path = tmp_path / "model.safetensors"
    path.write_bytes(start)
    assert "is a pickle under another name, which can run any program" in refusal(path)


def test_a_ckpt_is_refused_with_the_reason(tmp_path: Path):
    path = tmp_path / "model.ckpt"
    path.write_bytes(b"anything")
    assert "is a pickle, which can run any program" in refusal(path)


def test_a_lora_is_no_checkpoint(sd15_folder: Path, tmp_path: Path):
    path = tiny_models.build_lora(tmp_path / "lora.safetensors", sd15_folder, key_format="kohya")
    assert "is a LoRA, not a checkpoint" in refusal(path)


def test_a_file_of_no_family_is_told_which_ones_there_are(tmp_path: Path):
    path = tmp_path / "other.safetensors"
    save_file({"x": zeros(1)}, path)
    assert "a family that this program can run: " in refusal(path)
    assert "Stable Diffusion 1.x" in refusal(path)


def test_a_file_without_a_text_encoder_is_no_whole_checkpoint(tmp_path: Path):
    path = tmp_path / "part.safetensors"
    unet = "model.diffusion_model.input_blocks"
    tensors = {
        f"{unet}.0.0.weight": zeros(4, 4, 3, 3),
        f"{unet}.1.1.transformer_blocks.0.attn2.to_k.weight": zeros(4, 768),
    }
    save_file(tensors, path)
    assert "it has no cond_stage_model.transformer.* tensors" in refusal(path)


def test_settings_that_lie_around_a_file_are_taken_for_its_own(sd15_folder: Path, one_file: Path):
    described = checkpoints.checkpoint(str(one_file))
    assert settings(described.model.network)["cross_attention_dim"] == 32
    assert str(one_file.parent / "unet" / "config.json") in described.model.network.weights.files


def test_a_folder_without_a_unet_is_no_checkpoint(tmp_path: Path):
    assert "is not a checkpoint of a family" in refusal(tmp_path)


@pytest.mark.parametrize("folder", ["vae", "text_encoder", "tokenizer"])
def test_a_folder_that_lacks_a_part_is_told_which(folder: str, sd15_folder: Path, tmp_path: Path):
    place = shutil.copytree(sd15_folder, tmp_path / "model")
    shutil.rmtree(place / folder)
    assert f"it has no folder {folder}" in refusal(place)


def test_a_folder_whose_weights_are_missing_is_named(sd15_folder: Path, tmp_path: Path):
    folder = tmp_path / "copy"
    for source in sd15_folder.rglob("*.json"):
        target = folder / source.relative_to(sd15_folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    assert "diffusion_pytorch_model.safetensors is missing" in refusal(folder)


def test_settings_that_are_not_json_are_named(sd15_folder: Path, tmp_path: Path):
    for part in ("unet", "vae", "text_encoder", "tokenizer", "scheduler"):
        (tmp_path / part).mkdir()
    (tmp_path / "unet" / "config.json").write_text("{")
    assert "is not valid JSON" in refusal(tmp_path)


def test_a_lora_for_wider_prompts_is_refused(sd15_folder: Path, sd21_folder: Path, tmp_path: Path):
    path = tiny_models.build_lora(tmp_path / "lora.safetensors", sd21_folder)
    model, text_encoder, _ = checkpoints.checkpoint(str(sd15_folder))
    with pytest.raises(ValueError, match="is a LoRA for models with prompts 40 wide; this one's are 32"):
        checkpoints.lora(str(path), model, text_encoder)


def test_a_checkpoint_is_no_lora(sd15_folder: Path, one_file: Path):
    model, text_encoder, _ = checkpoints.checkpoint(str(sd15_folder))
    with pytest.raises(ValueError, match="is not a LoRA"):
        checkpoints.lora(str(one_file), model, text_encoder)


def test_a_checkpoint_is_no_controlnet(sd15_folder: Path, one_file: Path):
    for path in (sd15_folder, one_file):
        with pytest.raises(ValueError, match="is not a ControlNet"):
            checkpoints.controlnet(str(path))


def test_a_folder_without_a_denoiser_of_pixels_is_refused(sd15_folder: Path, tmp_path: Path):
    ddpm = tiny_models.build_ddpm(tmp_path / "ddpm")  # pixels, but no prompts
    for folder in (sd15_folder, ddpm, tmp_path):
        with pytest.raises(ValueError, match="is not a pixel-space model"):
            checkpoints.pixel_model(str(folder))


def test_a_denoiser_of_pixels_is_described_with_its_schedule(sd15_folder: Path, tmp_path: Path):
    shutil.copytree(sd15_folder / "scheduler", tmp_path / "scheduler")
    settings: Any = UNet2DConditionModel.load_config(sd15_folder / "unet")
    pixels: Any = UNet2DConditionModel.from_config({**settings, "in_channels": 3, "out_channels": 3})
    pixels.save_pretrained(tmp_path / "unet")
    model, base = checkpoints.pixel_model(str(tmp_path)), checkpoints.checkpoint(str(sd15_folder)).model
    assert model.process == base.process


def test_what_a_file_lacks_is_taken_from_the_checkpoints_folder_that_it_lies_in(tmp_path: Path):
    """As Flux.1 is published: the transformer in one file, and all of it in folders beside."""
    folder = tiny_models.build_flux(tmp_path / "flux")
    shutil.rmtree(folder / "transformer")
    shutil.copytree(tiny_models.build_flux(tmp_path / "whole") / "transformer", folder / "transformer")
    next((folder / "transformer").glob("*.safetensors")).unlink()
    file = write_single_file(tmp_path / "whole", folder / "flux1-dev.safetensors")
    model, text_encoder, vae = checkpoints.checkpoint(str(file))
    assert model.network.weights.path == str(file)
    assert {network.weights.path for network in (*text_encoder.encoders, vae.network)} == {str(folder)}
    shutil.rmtree(folder / "vae")
    assert "load it with Load denoiser, and beside it its VAE with Load VAE" in refusal(file)

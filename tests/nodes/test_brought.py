"""What files, folders and texts from elsewhere become."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nodes.backend import checkpoints, families
from nodes.brought import LONGEST_PROMPT, file_becomes, text_becomes
from tests.examples import each
from tests.headers import zeros

STARTER = Path(__file__).parents[2] / "models" / "starter"


@each(
    ("place", "type"),
    [
        ("", "load.checkpoint"),
        ("pixel", "load.pixel_model"),
        ("controlnet", "control.load"),
        ("controlnet/diffusion_pytorch_model.safetensors", "control.load"),
        ("lora/ink.safetensors", "adapter.lora"),
        ("lora/ink_kohya.safetensors", "adapter.lora"),
        ("vae/diffusion_pytorch_model.safetensors", "load.vae"),
        ("vae", "load.vae"),
        ("unet", "load.denoiser"),
        ("text_encoder/model.safetensors", "load.text_encoders"),
        ("ink.webp", "image.load"),
    ],
)
def test_what_the_program_ships_is_told_by_its_content(place: str, type: str):
    found = file_becomes(STARTER / place)
    assert found is not None
    assert found == (type, {"path": str(STARTER / place)})


SD1 = "model.diffusion_model.input_blocks."
CROSS = f"{SD1}1.1.transformer_blocks.0.attn2.to_k.weight"
VAE = "first_stage_model.decoder.conv_in.weight"


@pytest.mark.parametrize(
    ("shapes", "type"),
    [
        ({f"{SD1}0.0.weight": (320, 4, 3, 3), CROSS: (320, 768), VAE: (8, 4, 3, 3)}, "load.checkpoint"),
        ({"joint_blocks.0.x_block.adaLN_modulation.1.weight": (8, 8), "pos_embed": (1, 8, 8)}, "load.denoiser"),
        ({"decoder.conv_in.weight": (8, 4, 3, 3), "encoder.conv_in.weight": (8, 3, 3, 3)}, "load.vae"),
        ({VAE: (8, 4, 3, 3)}, "load.vae"),
        ({"encoder.block.0.layer.0.SelfAttention.q.weight": (8, 8)}, "load.text_encoders"),
        ({"emb_params": (4, 768)}, "text.load_embedding"),
        ({"<cat>": (768,)}, "text.load_embedding"),
        ({"clip_l": (4, 768), "clip_g": (4, 1280)}, "text.load_embedding"),
        ({"lora_unet_x_to_q.lora_down.weight": (4, 8), "lora_unet_x_to_q.lora_up.weight": (8, 4)}, "adapter.lora"),
    ],
)
def test_a_file_is_told_by_the_names_and_shapes_in_its_header(tmp_path: Path, shapes: dict, type: str):
    path = zeros(tmp_path / "any.safetensors", shapes)
    found = file_becomes(path)
    assert found is not None
    assert found.type == type


@pytest.mark.parametrize("shapes", [{}, {"a": (2, 2), "b": (3,)}, {"table": (99, 8)}])
def test_weights_of_no_known_kind_are_said(tmp_path: Path, shapes: dict):
    with pytest.raises(ValueError, match=r"any\.safetensors is no checkpoint"):
        file_becomes(zeros(tmp_path / "any.safetensors", shapes))


UNET = "diffusion_pytorch_model.safetensors"
KEYS = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"


@pytest.mark.parametrize(("width", "family"), [(768, "sd1"), (1024, "sd2")])
def test_a_lone_u_net_is_told_by_the_width_of_its_prompts(tmp_path: Path, width: int, family: str):
    path = zeros(tmp_path / UNET, {"conv_in.weight": (320, 4, 3, 3), KEYS: (320, width)})
    assert file_becomes(path) == ("load.denoiser", {"path": str(path)})
    assert families.recognise(checkpoints.look(path)) is families.of(family)


def test_a_lone_u_net_of_an_unknown_width_says_what_it_lacks(tmp_path: Path):
    """The starter's: with its settings beside it, the folder of both is meant."""
    path = Path(shutil.copy(STARTER / "unet" / UNET, tmp_path / UNET))
    lacks = "is a U-Net that reads prompts 192 wide, without its settings: .+ Put its config.json beside it, or choose"
    for act in (file_becomes, lambda path: checkpoints.denoiser(str(path))):
        with pytest.raises(ValueError, match=lacks):
            act(path)
    shutil.copy(STARTER / "unet" / "config.json", tmp_path)
    assert file_becomes(path) == ("load.denoiser", {"path": str(tmp_path)})
    assert checkpoints.denoiser(str(tmp_path)).network.family == "sd1"


def test_settings_of_something_else_beside_a_file_say_nothing_of_it(tmp_path: Path):
    shutil.copy(STARTER / "unet" / "config.json", tmp_path)
    path = zeros(tmp_path / "style.safetensors", {"emb_params": (4, 768)})
    assert file_becomes(path) == ("text.load_embedding", {"path": str(path)})


def test_what_no_node_takes_is_nothing(tmp_path: Path):
    for name, text in (("a.json", "{}"), ("b.png", "no picture"), ("c", "text"), ("d.zip", "PK")):
        (tmp_path / name).write_text(text, "utf-8")
        assert file_becomes(tmp_path / name) is None
    assert file_becomes(tmp_path / "not there.png") is None


def test_a_folder_is_one_of_pictures_when_half_of_its_files_are(tmp_path: Path):
    assert file_becomes(tmp_path) is None
    for name in ("a.png", "a.txt", ".hidden"):
        (tmp_path / name).touch()
    assert file_becomes(tmp_path) == ("image.load_folder", {"folder": str(tmp_path)})
    (tmp_path / "b.txt").touch()
    assert file_becomes(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    [
        "a red car on a beach",
        "masterpiece, (best quality:1.2), <lora:ink:0.8>",
        "[cat:dog:0.5] on a chair\nin the sun",
        "  a bird  ",
    ],
)
def test_a_text_that_could_describe_a_picture_is_a_prompt(text: str):
    assert text_becomes(text) == ("text.encode", {"text": text.strip()})


@each(
    "text",
    [
        "",
        "# Plan",
        "- one\n- two",
        "one\n\ntwo",
        "see https://example.org",
        "Remember to lower the steps",
        "What is this?",
        '{"a": 1}',
        "<p class='x'>a</p>",
        "a" * (LONGEST_PROMPT + 1),
    ],
)
def test_what_prompts_never_have_makes_it_a_text(text: str):
    assert text_becomes(text) is None

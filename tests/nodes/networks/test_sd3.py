"""What is known of Stable Diffusion 3's networks is what diffusers builds, and what published files hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_sd3_transformer_checkpoint_to_diffusers
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from nodes.backend.fields import check_fields
from nodes.backend.networks.architecture import Architecture, Settings
from nodes.backend.networks.sd3 import ARCHITECTURE, CONTROLNET
from tests import tiny_models
from tests.examples import each, examples
from tests.nodes.networks import files
from tests.nodes.networks.files import PLACE, Tensors, settings
from tests.tiny_checkpoints import sd3_to_original, write_single_file

MEDIUM = {"num_layers": 24, "num_attention_heads": 24, "caption_projection_dim": 1536, "pos_embed_max_size": 192}
MEDIUM_35 = {**MEDIUM, "pos_embed_max_size": 384, "qk_norm": "rms_norm", "dual_attention_layers": [*range(13)]}
LARGE_35 = {
    "num_layers": 38,
    "num_attention_heads": 38,
    "caption_projection_dim": 2432,
    "pos_embed_max_size": 192,
    "qk_norm": "rms_norm",
}
PUBLISHED: dict[str, tuple[dict[str, Any], int]] = {
    "3 medium": (MEDIUM, 2_028_328_000),
    "3.5 medium": (MEDIUM_35, 2_243_171_520),
    "3.5 large": (LARGE_35, 8_056_627_520),
}
"""With the number of parameters; https://huggingface.co/stabilityai."""

STABILITY_35 = {
    "num_layers": 19,
    "num_attention_heads": 38,
    "joint_attention_dim": None,
    "use_pos_embed": False,
    "pos_embed_type": None,
    "force_zeros_for_pooled_projection": False,
}
CONTROLNETS = {
    "InstantX": {**MEDIUM, "num_layers": 12},
    "inpainting": {**MEDIUM, "num_layers": 23, "extra_conditioning_channels": 1},
    "3.5 medium": {**MEDIUM_35, "dual_attention_layers": [0, 1, 2]},
    "3.5 large": STABILITY_35,
    "without positions": {**MEDIUM, "pos_embed_type": None, "pos_embed_max_size": None},
}
ALL = [(ARCHITECTURE, change) for change, _ in PUBLISHED.values()] + [(CONTROLNET, c) for c in CONTROLNETS.values()]
IDS = [*PUBLISHED, *(f"ControlNet, {name}" for name in CONTROLNETS)]
TINY = {
    "num_layers": 2,
    "num_attention_heads": 2,
    "attention_head_dim": 8,
    "caption_projection_dim": 16,
    "joint_attention_dim": 6,
    "pooled_projection_dim": 5,
    "sample_size": 4,
    "pos_embed_max_size": 4,
}


@st.composite
def any_settings(draw: st.DrawFn, architecture: Architecture) -> Settings:
    """Small ones without a contradiction."""
    heads, head, layers = draw(st.integers(1, 3)), 4 * draw(st.integers(1, 2)), draw(st.integers(1, 3))
    channels = st.integers(1, 6)
    change: dict[str, Any] = {
        "num_attention_heads": heads,
        "attention_head_dim": head,
        "num_layers": layers,
        "caption_projection_dim": heads * head,
        "dual_attention_layers": draw(st.lists(st.integers(0, layers - 1), unique=True)),
        "qk_norm": draw(st.sampled_from([None, "rms_norm"])),
        "pos_embed_max_size": draw(st.integers(2, 6)),
        "sample_size": draw(st.integers(2, 8)),
        **{name: draw(channels) for name in ("in_channels", "out_channels", "joint_attention_dim")},
        "pooled_projection_dim": draw(channels),
    }
    if architecture is CONTROLNET:
        change |= {
            "extra_conditioning_channels": draw(st.integers(0, 2)),
            "use_pos_embed": draw(st.booleans()),
            "pos_embed_type": draw(st.sampled_from(["sincos", None])),
        }
        if draw(st.booleans()):
            change |= {"joint_attention_dim": None, "qk_norm": None, "dual_attention_layers": []}
    return settings(architecture, change)


def both(data: st.DataObject) -> tuple[Architecture, Settings]:
    architecture = data.draw(st.sampled_from([ARCHITECTURE, CONTROLNET]))
    return architecture, data.draw(any_settings(architecture))


def stability_controlnet(tensors: Tensors) -> Tensors:
    """diffusers' names to those that Stability gave to its ControlNets for 3.5 Large."""
    names = {
        "norm1.linear": "adaLN_modulation.1",
        "attn.to_out.0": "attn.proj",
        "ff.net.0.proj": "mlp.fc1",
        "ff.net.2": "mlp.fc2",
    }
    out: Tensors = {}
    for name, tensor in tensors.items():
        if "attn.to_q." in name:
            parts = [tensors[name.replace("to_q", part)] for part in ("to_q", "to_k", "to_v")]
            out[name.replace("to_q", "qkv")] = torch.cat(parts)
        elif "attn.to_k." not in name and "attn.to_v." not in name:
            in_block = name.startswith("transformer_blocks.")
            ours = next((ours for ours in names if in_block and f".{ours}." in name), "")
            out[name.replace(ours, names[ours]) if ours else name] = tensor
    return out


def original(architecture: Architecture, given: Settings, tensors: Tensors) -> Tensors:
    """The tensors as the makers of the network call them in their files."""
    if architecture is ARCHITECTURE:
        return sd3_to_original(tensors, given)
    return stability_controlnet(tensors) if given["joint_attention_dim"] is None else tensors


# Settings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", [ARCHITECTURE, CONTROLNET])
def test_names_and_defaults_are_the_librarys(architecture: Architecture):
    ours = {name: field.default for name, field in architecture.schema.items()}
    assert ours == files.library_defaults(architecture)


CONTRADICTIONS = [
    (ARCHITECTURE, {"caption_projection_dim": 15}, "caption_projection_dim is 15, num_attention_heads x"),
    (ARCHITECTURE, {"dual_attention_layers": [0, 2]}, "dual_attention_layers has 2, num_layers is 2"),
    (ARCHITECTURE, {"attention_head_dim": 3, "caption_projection_dim": 6}, "is 6, no multiple of 4"),
    (CONTROLNET, {"caption_projection_dim": 15}, "caption_projection_dim is 15"),
    (CONTROLNET, {"pos_embed_max_size": None}, "pos_embed_max_size is null"),
    (CONTROLNET, {"joint_attention_dim": None, "qk_norm": "rms_norm"}, "joint_attention_dim is null"),
    (CONTROLNET, {"joint_attention_dim": None, "dual_attention_layers": [1]}, "joint_attention_dim is null"),
]


@each(("architecture", "change", "sentence"), CONTRADICTIONS)
def test_settings_that_cannot_be_meant_together_are_one_sentence(
    architecture: Architecture, change: dict[str, Any], sentence: str
):
    assert files.wrong(architecture, TINY) == []
    (said,) = files.wrong(architecture, {**TINY, **change})
    assert sentence in said


@each(
    ("field", "value"),
    [
        ("dual_attention_layers", [0, 0]),
        ("dual_attention_layers", [-1]),
        ("dual_attention_layers", [True]),
        ("dual_attention_layers", [[0]]),
        ("dual_attention_layers", "0"),
        ("dual_attention_layers", [*range(257)]),
        ("qk_norm", "layer_norm"),
        ("patch_size", 4),
        ("sample_size", 1),
        ("num_layers", 0),
        ("num_layers", 257),
        ("pos_embed_max_size", None),
    ],
)
def test_an_absurd_setting_is_refused_by_name(field: str, value: Any):
    with pytest.raises(ValueError, match=field):
        settings(ARCHITECTURE, {field: value})


@examples(25)
@given(st.data())
def test_settings_without_a_contradiction_make_a_network_that_runs(data: st.DataObject):
    architecture, given_settings = both(data)
    assert not [*architecture.contradictions(given_settings)]
    module = files.library_class(architecture)(**given_settings).eval()
    get = given_settings.get
    noise = torch.zeros(1, given_settings["in_channels"], 4, 4)
    inputs: dict[str, Any] = {"pooled_projections": torch.zeros(1, given_settings["pooled_projection_dim"])}
    inputs |= {"timestep": torch.tensor([1.0]), "return_dict": False, "hidden_states": noise}
    if get("joint_attention_dim") is not None:
        inputs["encoder_hidden_states"] = torch.zeros(1, 3, given_settings["joint_attention_dim"])
    if architecture is CONTROLNET:
        hint = given_settings["in_channels"] + given_settings["extra_conditioning_channels"]
        inputs["controlnet_cond"] = torch.zeros(1, hint, 4, 4)
        if not given_settings["use_pos_embed"]:
            width = given_settings["num_attention_heads"] * given_settings["attention_head_dim"]
            inputs["hidden_states"] = torch.zeros(1, 4, width)
    with torch.inference_mode():
        (out,) = module(**inputs)
    if architecture is ARCHITECTURE:
        assert out.shape == (1, given_settings["out_channels"], 4, 4)
    else:
        assert len(out) == given_settings["num_layers"]


# Tensors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("architecture", "change"), ALL, ids=IDS)
def test_published_networks_have_the_tensors_of_the_library(architecture: Architecture, change: dict[str, Any]):
    found = settings(architecture, change)
    assert architecture.shapes(found) == files.library_shapes(architecture, found)


@pytest.mark.parametrize(("change", "count"), PUBLISHED.values(), ids=PUBLISHED)
def test_published_networks_have_as_many_parameters_as_their_makers_say(change: dict[str, Any], count: int):
    shapes = ARCHITECTURE.shapes(settings(ARCHITECTURE, change))
    buffer = shapes["pos_embed.pos_embed"]
    assert sum(torch.Size(shape).numel() for shape in shapes.values()) - torch.Size(buffer).numel() == count


@examples(60)
@given(st.data())
def test_any_settings_give_the_tensors_of_the_library(data: st.DataObject):
    architecture, found = both(data)
    assert architecture.shapes(found) == files.library_shapes(architecture, found)


# Files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("architecture", "change"), ALL, ids=IDS)
def test_files_of_either_layout_give_the_librarys_tensors(architecture: Architecture, change: dict[str, Any]):
    files.assert_is_read_in_either_layout(architecture, settings(architecture, change), original)


@examples(60)
@given(st.data())
def test_files_of_any_settings_give_the_librarys_tensors(data: st.DataObject):
    files.assert_is_read_in_either_layout(*both(data), original)


@pytest.mark.parametrize("change", [change for change, _ in PUBLISHED.values()], ids=PUBLISHED)
def test_original_files_are_read_as_diffusers_reads_them(change: dict[str, Any]):
    found = settings(ARCHITECTURE, change)
    tensors = sd3_to_original(files.numbered(ARCHITECTURE.shapes(found)), found)
    theirs = convert_sd3_transformer_checkpoint_to_diffusers(dict(tensors))
    assert files.same(files.read(ARCHITECTURE, found, tensors), theirs)


@each(("architecture", "change"), ALL)
@each("is_original", [False, True])
def test_a_published_file_tells_its_settings(architecture: Architecture, change: dict[str, Any], is_original: bool):
    wanted = settings(architecture, change)
    tensors = files.on_meta(architecture, wanted)
    found = files.shapes_of(original(architecture, wanted, tensors) if is_original else tensors)
    told = architecture.told(settings(architecture, {}), found)
    if wanted["pos_embed_max_size"] is None:
        wanted |= {"pos_embed_max_size": 96}  # without positions it has no meaning, and stays as it was
    if change is STABILITY_35:
        assert told["caption_projection_dim"] == 1152  # likewise, without a prompt
    assert told == wanted
    assert check_fields(PLACE, told, architecture.schema) == told


@examples(60)
@given(st.data())
def test_a_file_of_any_settings_tells_what_gives_its_tensors(data: st.DataObject):
    architecture, wanted = both(data)
    start = settings(architecture, {"attention_head_dim": wanted["attention_head_dim"]})
    files.assert_tells_its_tensors(architecture, start, wanted, original)


@pytest.mark.parametrize("architecture", [ARCHITECTURE, CONTROLNET])
def test_a_damaged_file_tells_something_without_an_error(architecture: Architecture):
    start = settings(architecture, {**TINY, "qk_norm": "rms_norm", "dual_attention_layers": [0]})
    files.assert_tells_something_of_any_damage(architecture, start, original)


def test_a_single_file_is_read_without_its_settings(tmp_path: Path):
    folder = tiny_models.build_sd3(tmp_path / "sd3")
    wanted = load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors")
    prefix = "model.diffusion_model."
    whole = load_file(write_single_file(folder, tmp_path / "sd3.safetensors"))
    tensors = {name.removeprefix(prefix): tensor for name, tensor in whole.items() if name.startswith(prefix)}
    told = ARCHITECTURE.told(settings(ARCHITECTURE, {}), files.shapes_of(tensors))
    assert files.same(files.read(ARCHITECTURE, told, tensors), wanted)
    assert told["attention_head_dim"] == 16  # from the norm of a head: the width alone would make it one half of 64
    assert told["sample_size"] == 32  # as far as its positions go

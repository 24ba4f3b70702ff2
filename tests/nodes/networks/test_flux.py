"""What is known of Flux.1's networks is what diffusers builds, and what published files hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_flux_transformer_checkpoint_to_diffusers
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from nodes.backend.fields import check_fields
from nodes.backend.networks.architecture import Architecture, Settings
from nodes.backend.networks.flux import ARCHITECTURE, CONTROLNET
from tests import tiny_models
from tests.examples import each, examples
from tests.nodes.networks import files
from tests.nodes.networks.files import PLACE, Tensors, settings
from tests.tiny_checkpoints import flux_to_original, write_single_file

# diffusers' ControlNet takes its positions from the place where they were before.
pytestmark = pytest.mark.filterwarnings("ignore:.*FluxPosEmbed:FutureWarning")

PUBLISHED: dict[str, dict[str, Any]] = {
    "dev, Kontext": {"guidance_embeds": True},
    "schnell": {},
    "Fill": {"guidance_embeds": True, "in_channels": 384, "out_channels": 64},
    "Canny, Depth": {"guidance_embeds": True, "in_channels": 128, "out_channels": 64},
}
PARAMETERS = {"dev, Kontext": 11_901_408_320, "schnell": 11_891_178_560}
CONTROLNETS: dict[str, dict[str, Any]] = {
    "InstantX union": {"guidance_embeds": True, "num_layers": 5, "num_single_layers": 10, "num_mode": 10},
    "Shakker": {"guidance_embeds": True, "num_layers": 6, "num_single_layers": 0},
    "XLabs": {
        "guidance_embeds": True,
        "num_layers": 2,
        "num_single_layers": 0,
        "conditioning_embedding_channels": 16,
        "patch_size": 2,
    },
}
ALL = [(ARCHITECTURE, change) for change in PUBLISHED.values()] + [(CONTROLNET, c) for c in CONTROLNETS.values()]
IDS = [*PUBLISHED, *(f"ControlNet, {name}" for name in CONTROLNETS)]
TINY = {
    "num_layers": 1,
    "num_single_layers": 1,
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "axes_dims_rope": [4, 6, 6],
    "in_channels": 4,
    "joint_attention_dim": 6,
    "pooled_projection_dim": 5,
}


@st.composite
def any_settings(draw: st.DrawFn, architecture: Architecture) -> Settings:
    """Small ones without a contradiction."""
    axes = [2 * draw(st.integers(1, 2)) for _ in range(3)]
    channels = st.integers(1, 6)
    least = 1 if architecture is ARCHITECTURE else 0
    change: dict[str, Any] = {
        "num_attention_heads": draw(st.integers(1, 3)),
        "attention_head_dim": sum(axes),
        "axes_dims_rope": axes,
        "num_layers": draw(st.integers(least, 2)),
        "num_single_layers": draw(st.integers(1, 2)),
        "guidance_embeds": draw(st.booleans()),
        **{name: draw(channels) for name in ("in_channels", "joint_attention_dim", "pooled_projection_dim")},
    }
    if architecture is ARCHITECTURE:
        return settings(architecture, change | {"out_channels": draw(st.none() | channels)})
    if change["num_layers"] and draw(st.booleans()):
        change["num_single_layers"] = 0
    change["num_mode"] = draw(st.none() | st.integers(1, 5))
    if draw(st.booleans()):
        hint, patch = draw(channels), draw(st.integers(1, 2))
        change |= {"conditioning_embedding_channels": hint, "patch_size": patch, "in_channels": hint * patch * patch}
    return settings(architecture, change)


def both(data: st.DataObject) -> tuple[Architecture, Settings]:
    architecture = data.draw(st.sampled_from([ARCHITECTURE, CONTROLNET]))
    return architecture, data.draw(any_settings(architecture))


XLABS = {"controlnet_x_embedder": "pos_embed_input", "input_hint_block.conv_in": "input_hint_block.0"}
XLABS |= {f"input_hint_block.blocks.{n}": f"input_hint_block.{place}" for n, place in enumerate((2, 4, 6, 8, 10, 12))}
XLABS |= {"input_hint_block.conv_out": "input_hint_block.14"}
"""A list of convolutions and of activations in turn."""


def original(architecture: Architecture, given_settings: Settings, tensors: Tensors) -> Tensors:
    """The tensors as the makers of the network call them in their files."""
    named = flux_to_original(tensors, given_settings)
    layers = {name: name.rpartition(".") for name in named}
    return {f"{XLABS.get(layer, layer)}.{kind}": named[name] for name, (layer, _, kind) in layers.items()}


# Settings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", [ARCHITECTURE, CONTROLNET])
def test_names_and_defaults_are_the_librarys(architecture: Architecture):
    ours = {name: field.default for name, field in architecture.schema.items()}
    assert ours == files.library_defaults(architecture)


CONTRADICTIONS: list[tuple[Architecture, dict[str, Any], str]] = [
    *((a, {"axes_dims_rope": [4, 6, 4]}, "axes_dims_rope is [4, 6, 4]") for a in (ARCHITECTURE, CONTROLNET)),
    (ARCHITECTURE, {"axes_dims_rope": [8, 8]}, "must be 3 even numbers that add up to attention_head_dim, 16"),
    (ARCHITECTURE, {"axes_dims_rope": [2, 7, 7]}, "must be 3 even numbers"),
    (CONTROLNET, {"num_layers": 0, "num_single_layers": 0}, "are both 0"),
    (CONTROLNET, {"conditioning_embedding_channels": 2}, "2 x patch_size 1 x 1 is not in_channels, 4"),
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
        ("patch_size", 2),
        ("num_layers", 0),
        ("num_single_layers", 257),
        ("axes_dims_rope", [16, 56, 56, 0]),
        ("axes_dims_rope", [0, 64, 64]),
        ("out_channels", 0),
        ("guidance_embeds", 1),
    ],
)
def test_an_absurd_setting_is_refused_by_name(field: str, value: Any):
    with pytest.raises(ValueError, match=field):
        settings(ARCHITECTURE, {field: value})


@examples(25)
@given(st.data())
def test_settings_without_a_contradiction_make_a_network_that_runs(data: st.DataObject):
    architecture, found = both(data)
    assert not [*architecture.contradictions(found)]
    module = files.library_class(architecture)(**found).eval()
    inputs: dict[str, Any] = {
        "hidden_states": torch.zeros(1, 4, found["in_channels"]),
        "encoder_hidden_states": torch.zeros(1, 3, found["joint_attention_dim"]),
        "pooled_projections": torch.zeros(1, found["pooled_projection_dim"]),
        "timestep": torch.tensor([1.0]),
        "img_ids": torch.zeros(4, 3),
        "txt_ids": torch.zeros(3, 3),
        "return_dict": False,
    }
    if found["guidance_embeds"]:
        inputs["guidance"] = torch.tensor([3.5])
    if architecture is CONTROLNET:
        side = 2 * 8 * found["patch_size"]
        is_picture = found["conditioning_embedding_channels"] is not None
        inputs["controlnet_cond"] = torch.zeros(1, 3, side, side) if is_picture else inputs["hidden_states"]
        if found["num_mode"] is not None:
            inputs["controlnet_mode"] = torch.tensor([[0]])
    with torch.inference_mode():
        out = module(**inputs)
    if architecture is ARCHITECTURE:
        assert out[0].shape == (1, 4, found["out_channels"] or found["in_channels"])
    else:
        assert [len(residuals or ()) for residuals in out] == [found["num_layers"], found["num_single_layers"]]


# Tensors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("architecture", "change"), ALL, ids=IDS)
def test_published_networks_have_the_tensors_of_the_library(architecture: Architecture, change: dict[str, Any]):
    found = settings(architecture, change)
    assert architecture.shapes(found) == files.library_shapes(architecture, found)


@pytest.mark.parametrize("name", PARAMETERS)
def test_published_networks_have_as_many_parameters_as_their_makers_say(name: str):
    shapes = ARCHITECTURE.shapes(settings(ARCHITECTURE, PUBLISHED[name]))
    assert sum(torch.Size(shape).numel() for shape in shapes.values()) == PARAMETERS[name]


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


@pytest.mark.parametrize("change", PUBLISHED.values(), ids=PUBLISHED)
def test_original_files_are_read_as_diffusers_reads_them(change: dict[str, Any]):
    found = settings(ARCHITECTURE, change)
    tensors = original(ARCHITECTURE, found, files.numbered(ARCHITECTURE.shapes(found)))
    theirs = convert_flux_transformer_checkpoint_to_diffusers(dict(tensors))
    assert files.same(files.read(ARCHITECTURE, found, tensors), theirs)


def test_norms_that_comfyui_has_renamed_are_found():
    found = settings(ARCHITECTURE, TINY)
    tensors = files.numbered(ARCHITECTURE.shapes(found))
    renamed = {
        name.replace("_norm.scale", "_norm.weight"): t for name, t in original(ARCHITECTURE, found, tensors).items()
    }
    assert files.same(files.read(ARCHITECTURE, found, renamed), tensors)


@each(("architecture", "change"), ALL)
@each("is_original", [False, True])
def test_a_published_file_tells_its_settings(architecture: Architecture, change: dict[str, Any], is_original: bool):
    wanted = settings(architecture, change)
    tensors = files.on_meta(architecture, wanted)
    found = files.shapes_of(original(architecture, wanted, tensors) if is_original else tensors)
    told = architecture.told(settings(architecture, {}), found)
    assert told == wanted
    assert check_fields(PLACE, told, architecture.schema) == told


@examples(60)
@given(st.data())
def test_a_file_of_any_settings_tells_what_gives_its_tensors(data: st.DataObject):
    architecture, wanted = both(data)
    files.assert_tells_its_tensors(architecture, settings(architecture, {}), wanted, original)


@pytest.mark.parametrize("architecture", [ARCHITECTURE, CONTROLNET])
def test_a_damaged_file_tells_something_without_an_error(architecture: Architecture):
    hint = {"conditioning_embedding_channels": 4, "num_mode": 2} if architecture is CONTROLNET else {}
    start = settings(architecture, {**TINY, "guidance_embeds": True, **hint})
    files.assert_tells_something_of_any_damage(architecture, start, original)


@pytest.mark.parametrize("distilled_guidance", [True, False], ids=["dev", "schnell"])
def test_a_single_file_is_read_without_its_settings(tmp_path: Path, distilled_guidance: bool):
    folder = tiny_models.build_flux(tmp_path / "flux", distilled_guidance=distilled_guidance)
    wanted = load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors")
    tensors = load_file(write_single_file(folder, tmp_path / "flux.safetensors"))
    told = ARCHITECTURE.told(settings(ARCHITECTURE, {}), files.shapes_of(tensors))
    assert files.same(files.read(ARCHITECTURE, told, tensors), wanted)
    config = json.loads((folder / "transformer" / "config.json").read_text("utf-8"))
    assert told == check_fields(PLACE, config, ARCHITECTURE.schema)

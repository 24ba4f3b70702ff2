"""What is known of Z-Image's transformer is what diffusers builds, and what published files hold."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_z_image_transformer_checkpoint_to_diffusers
from hypothesis import given
from hypothesis import strategies as st

from nodes.backend.fields import check_fields
from nodes.backend.networks.architecture import Architecture, Settings
from nodes.backend.networks.zimage import ARCHITECTURE, CONTROLNET
from tests.examples import each, examples
from tests.nodes.networks import files
from tests.nodes.networks.files import PLACE, Tensors, settings
from tests.tiny_split import z_image_to_original

TINY = {
    "dim": 32,
    "n_heads": 2,
    "n_kv_heads": 2,
    "n_layers": 2,
    "n_refiner_layers": 1,
    "cap_feat_dim": 6,
    "in_channels": 4,
    "axes_dims": [4, 6, 6],
}
PUBLISHED: dict[str, dict[str, Any]] = {"Turbo": {}, "tiny": TINY}


@st.composite
def any_settings(draw: st.DrawFn) -> Settings:
    """Small ones without a contradiction."""
    axes = [2 * draw(st.integers(1, 2)) for _ in range(3)]
    heads = draw(st.integers(1, 3))
    change = {"dim": heads * sum(axes), "n_heads": heads, "n_kv_heads": heads, "axes_dims": axes}
    change |= {name: draw(st.integers(1, 6)) for name in ("in_channels", "cap_feat_dim")}
    return settings(
        ARCHITECTURE, change | {"n_layers": draw(st.integers(1, 2)), "n_refiner_layers": draw(st.integers(0, 2))}
    )


def original(architecture: Architecture, given_settings: Settings, tensors: Tensors) -> Tensors:
    """As ComfyUI's files name them, without the norm that nothing reads."""
    named = z_image_to_original(tensors)
    del named["norm_final.weight"]
    return named


def test_names_and_defaults_are_the_librarys():
    ours = {name: field.default for name, field in ARCHITECTURE.schema.items()}
    assert ours == files.library_defaults(ARCHITECTURE)


@pytest.mark.parametrize("change", PUBLISHED.values(), ids=PUBLISHED)
def test_published_networks_have_the_tensors_of_the_library(change: dict[str, Any]):
    found = settings(ARCHITECTURE, change)
    assert ARCHITECTURE.shapes(found) == files.library_shapes(ARCHITECTURE, found)


@examples(40)
@given(any_settings())
def test_any_settings_give_the_tensors_of_the_library(found: Settings):
    assert not [*ARCHITECTURE.contradictions(found)]
    assert ARCHITECTURE.shapes(found) == files.library_shapes(ARCHITECTURE, found)


@examples(10)
@given(any_settings())
def test_settings_without_a_contradiction_make_a_network_that_runs(found: Settings):
    module = files.library_class(ARCHITECTURE)(**found).eval()
    pictures, texts = [torch.zeros(found["in_channels"], 1, 4, 6)], [torch.zeros(512, found["cap_feat_dim"])]
    with torch.inference_mode():
        (made,) = module(pictures, torch.tensor([0.5]), texts, return_dict=False)[0]
    assert made.shape == pictures[0].shape


@each(
    ("change", "sentence"),
    [
        ({"n_heads": 3}, "dim 32 is no multiple of n_heads 3"),
        ({"n_kv_heads": 1}, "n_kv_heads is 1; it must be n_heads, 2"),
        ({"axes_dims": [2, 7, 7]}, "must be 3 even numbers that add up to dim / n_heads, 16"),
        ({"axes_dims": [8, 8]}, "must be 3 even numbers"),
        ({"axes_lens": [513, 512, 512]}, "axes_lens is [513, 512, 512]; it must be 3 numbers, the first 514 or more"),
        ({"axes_lens": [1024, 512]}, "it must be 3 numbers"),
    ],
)
def test_settings_that_cannot_be_meant_together_are_one_sentence(change: dict[str, Any], sentence: str):
    assert files.wrong(ARCHITECTURE, TINY) == []
    assert sentence in files.wrong(ARCHITECTURE, {**TINY, **change})[0]


@examples(40)
@given(any_settings())
def test_files_of_either_layout_give_the_librarys_tensors(found: Settings):
    files.assert_is_read_in_either_layout(ARCHITECTURE, found, original)


def test_original_files_are_read_as_diffusers_reads_them():
    found = settings(ARCHITECTURE, {})
    tensors = original(ARCHITECTURE, found, files.numbered(ARCHITECTURE.shapes(found)))
    theirs = convert_z_image_transformer_checkpoint_to_diffusers(dict(tensors))
    assert files.same(files.read(ARCHITECTURE, found, tensors), theirs)


@pytest.mark.parametrize("change", PUBLISHED.values(), ids=PUBLISHED)
@pytest.mark.parametrize("is_original", [False, True], ids=["diffusers", "original"])
def test_a_published_file_tells_its_settings(change: dict[str, Any], is_original: bool):
    wanted = settings(ARCHITECTURE, change)
    tensors = files.on_meta(ARCHITECTURE, wanted)
    found = files.shapes_of(original(ARCHITECTURE, wanted, tensors) if is_original else tensors)
    told = ARCHITECTURE.told(settings(ARCHITECTURE, {}), found)
    assert told == wanted
    assert check_fields(PLACE, told, ARCHITECTURE.schema) == told


def test_a_damaged_file_tells_something_without_an_error():
    files.assert_tells_something_of_any_damage(ARCHITECTURE, settings(ARCHITECTURE, TINY), original)


# ControlNets -----------------------------------------------------------------------------------------------

UNION_1 = {"control_layers_places": [*range(0, 30, 5)], "control_in_dim": 16}
UNION_2 = {
    "control_layers_places": [*range(0, 30, 2)],
    "control_in_dim": 33,
    "control_refiner_layers_places": [0, 1],
    "add_control_noise_refiner": "control_noise_refiner",
}
CONTROLNETS: dict[str, dict[str, Any]] = {
    "1": UNION_1,
    "2.0": UNION_2 | {"add_control_noise_refiner": "control_layers"},
    "2.1": UNION_2,
    "2.1 lite": UNION_2 | {"control_layers_places": [0, 14, 28]},
}
TINY_CONTROLNET = UNION_2 | {"dim": 16, "n_heads": 2, "n_kv_heads": 2, "control_layers_places": [0, 2]}


def test_names_and_defaults_of_controlnets_are_the_librarys():
    ours = {name: field.default for name, field in CONTROLNET.schema.items()}
    assert ours == files.library_defaults(CONTROLNET)


@pytest.mark.parametrize("change", CONTROLNETS.values(), ids=CONTROLNETS)
def test_published_controlnets_have_the_tensors_of_the_library_and_tell_what_they_are(change: dict[str, Any]):
    found = settings(CONTROLNET, change)
    assert not [*CONTROLNET.contradictions(found)]
    shapes = CONTROLNET.shapes(found)
    assert shapes == files.library_shapes(CONTROLNET, found)
    # those of the original layout keep a projection in one
    named = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    fused = files.shapes_of(original(CONTROLNET, found, named | {"x_pad_token": torch.empty(1, 1, device="meta")}))
    for tensors in (shapes, fused):
        assert CONTROLNET.told(settings(CONTROLNET, {}), tensors) == found


@each(
    ("change", "sentence"),
    [
        ({"control_layers_places": None}, "control_layers_places is None; it must be rising numbers, the first 0"),
        ({"control_layers_places": [1, 2]}, "control_layers_places is [1, 2]"),
        ({"control_layers_places": [0, 2, 2]}, "control_layers_places is [0, 2, 2]"),
        ({"control_in_dim": None}, "control_in_dim is missing"),
        ({"control_refiner_layers_places": None}, "control_refiner_layers_places is None"),
        ({"control_refiner_layers_places": [0, 2]}, "of layers below 2"),
        ({"n_refiner_layers": 1}, "of layers below 1"),
        ({"n_kv_heads": 1}, "n_kv_heads is 1; it must be n_heads, 2"),
    ],
)
def test_settings_of_a_controlnet_that_cannot_be_meant_are_one_sentence(change: dict[str, Any], sentence: str):
    assert files.wrong(CONTROLNET, TINY_CONTROLNET) == []
    assert sentence in files.wrong(CONTROLNET, {**TINY_CONTROLNET, **change})[0]


def test_a_damaged_controlnet_tells_something_without_an_error():
    given_settings = settings(CONTROLNET, TINY_CONTROLNET)
    for damage in (*files.damaged(CONTROLNET.shapes(given_settings)), {}):
        assert CONTROLNET.told(given_settings, damage).keys() == CONTROLNET.schema.keys()

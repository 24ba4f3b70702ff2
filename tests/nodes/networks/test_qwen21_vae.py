"""What is known of Qwen-Image 2.1's autoencoder is what diffusers builds, and what files in Wan's names hold."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nodes.backend.fields import check_fields
from nodes.backend.networks.architecture import Architecture, Settings
from nodes.backend.networks.qwen21_vae import ARCHITECTURE
from tests.examples import examples
from tests.nodes.networks import files
from tests.nodes.networks.files import PLACE, Tensors, settings
from tests.tiny_split import vae_to_wan_2_2

TINY = {"base_dim": 4, "decoder_base_dim": 4, "num_res_blocks": 1}
PUBLISHED: dict[str, dict[str, Any]] = {"Qwen-Image 2.1": {}, "tiny": TINY}


@st.composite
def any_settings(draw: st.DrawFn) -> Settings:
    """Small ones without a contradiction."""
    levels, z = draw(st.integers(2, 4)), draw(st.integers(1, 4))
    change = {
        "base_dim": draw(st.integers(1, 3)),
        "decoder_base_dim": draw(st.none() | st.integers(1, 3)),
        "dim_mult": [1, *sorted(draw(st.lists(st.sampled_from([1, 2, 4]), min_size=levels - 1, max_size=levels - 1)))],
        "temperal_downsample": draw(st.lists(st.booleans(), min_size=levels - 1, max_size=levels - 1)),
        "num_res_blocks": draw(st.integers(1, 3)),
        "z_dim": z,
        "latents_mean": [0.5] * z,
        "latents_std": [2.0] * z,
    }
    change["dim_mult"][-1] = change["dim_mult"][-2]  # at the last level no place is left to put channels to
    return settings(ARCHITECTURE, change)


def original(architecture: Architecture, given_settings: Settings, tensors: Tensors) -> Tensors:
    return vae_to_wan_2_2(tensors, given_settings)


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


@examples(5)
@given(any_settings())
def test_settings_without_a_contradiction_make_a_network_that_runs(found: Settings):
    module: Any = files.library_class(ARCHITECTURE)(**found).eval()
    side = 2 ** len(found["temperal_downsample"])
    with torch.inference_mode():
        latent = module.encode(torch.zeros(1, 4, 1, side, 2 * side)).latent_dist.mode()
        assert latent.shape == (1, found["z_dim"], 1, 1, 2)
        assert module.decode(latent).sample.shape == (1, 4, 1, side, 2 * side)


@examples(40)
@given(any_settings())
def test_files_of_either_layout_give_the_librarys_tensors(found: Settings):
    files.assert_is_read_in_either_layout(ARCHITECTURE, found, original)


def test_files_in_wans_names_hold_a_films_kernels():
    tensors = original(
        ARCHITECTURE, settings(ARCHITECTURE, TINY), files.on_meta(ARCHITECTURE, settings(ARCHITECTURE, TINY))
    )
    shapes = files.shapes_of(tensors)
    # of Comfy-Org/Qwen-Image-2.1, vae/qwen_image_2.1_vae_bf16.safetensors
    assert shapes["encoder.downsamples.1.downsamples.0.residual.2.weight"] == (8, 4, 1, 3, 3)
    assert shapes["encoder.downsamples.1.downsamples.1.time_conv.weight"] == (8, 8, 1, 1, 1)
    assert shapes["decoder.upsamples.0.upsamples.2.resample.1.weight"] == (32, 32, 3, 3)
    assert shapes["decoder.middle.1.to_qkv.weight"] == (96, 32, 1, 1)
    assert {"conv1.weight", "conv2.bias", "encoder.conv1.weight", "decoder.head.2.weight"} <= shapes.keys()


@pytest.mark.parametrize("change", PUBLISHED.values(), ids=PUBLISHED)
@pytest.mark.parametrize("is_original", [False, True], ids=["diffusers", "original"])
def test_a_published_file_tells_its_settings(change: dict[str, Any], is_original: bool):
    wanted = settings(ARCHITECTURE, change)
    tensors = files.on_meta(ARCHITECTURE, wanted)
    found = files.shapes_of(original(ARCHITECTURE, wanted, tensors) if is_original else tensors)
    told = ARCHITECTURE.told(settings(ARCHITECTURE, {}), found)
    assert told == wanted
    assert check_fields(PLACE, told, ARCHITECTURE.schema) == told


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"temperal_downsample": [True]}, "temperal_downsample has 1 values; it must have one fewer than dim_mult, 4"),
        ({"z_dim": 8}, "latents_mean has 64 values; it must have one for each of the z_dim channels, 8"),
        ({"dim_mult": [1, 2, 4, 8, 3]}, "dim_mult has 8 before 3, of which neither divides the other 1 times"),
    ],
)
def test_settings_that_cannot_be_meant_together_are_one_sentence(change: dict[str, Any], sentence: str):
    assert files.wrong(ARCHITECTURE, TINY) == []
    assert files.wrong(ARCHITECTURE, {**TINY, **change})[0] == sentence


def test_a_damaged_file_tells_something_without_an_error():
    files.assert_tells_something_of_any_damage(ARCHITECTURE, settings(ARCHITECTURE, TINY), original)

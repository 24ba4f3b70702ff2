"""What is known of Qwen-Image's autoencoder is what diffusers builds, and what files in Wan's names hold."""

from __future__ import annotations

from typing import Any

import pytest
from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers
from hypothesis import given
from hypothesis import strategies as st

from nodes.backend.fields import check_fields
from nodes.backend.networks.architecture import Architecture, Settings
from nodes.backend.networks.qwen_vae import ARCHITECTURE
from tests.examples import examples
from tests.nodes.networks import files
from tests.nodes.networks.files import PLACE, Tensors, settings
from tests.tiny_split import vae_to_wan

TINY = {"base_dim": 4}
PUBLISHED: dict[str, dict[str, Any]] = {"Qwen-Image": {}, "tiny": TINY}


@st.composite
def any_settings(draw: st.DrawFn) -> Settings:
    """Small ones without a contradiction."""
    levels = draw(st.integers(2, 4))
    z = draw(st.integers(1, 4))
    change = {
        "base_dim": 2 * draw(st.integers(1, 3)),
        "dim_mult": [1, *draw(st.lists(st.integers(1, 4), min_size=levels - 1, max_size=levels - 1))],
        "temperal_downsample": draw(st.lists(st.booleans(), min_size=levels - 1, max_size=levels - 1)),
        "num_res_blocks": draw(st.integers(1, 3)),
        "z_dim": z,
        "latents_mean": [0.5] * z,
        "latents_std": [2.0] * z,
    }
    return settings(ARCHITECTURE, change)


def original(architecture: Architecture, given_settings: Settings, tensors: Tensors) -> Tensors:
    return vae_to_wan(tensors, given_settings)


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


@examples(40)
@given(any_settings())
def test_files_of_either_layout_give_the_librarys_tensors(found: Settings):
    files.assert_is_read_in_either_layout(ARCHITECTURE, found, original)


def test_files_in_wans_names_are_read_as_diffusers_reads_those_of_wan():
    found = settings(ARCHITECTURE, {})
    tensors = original(ARCHITECTURE, found, files.numbered(ARCHITECTURE.shapes(found)))
    assert files.same(files.read(ARCHITECTURE, found, tensors), convert_wan_vae_to_diffusers(dict(tensors)))


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


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"temperal_downsample": [True]}, "temperal_downsample has 1 values; it must have one fewer than dim_mult, 3"),
        ({"latents_mean": [0.0]}, "latents_mean has 1 values; it must have one for each of the z_dim channels, 16"),
        ({"z_dim": 4}, "latents_mean has 16 values; it must have one for each of the z_dim channels, 4"),
        ({"base_dim": 3, "dim_mult": [1, 1, 2, 2]}, "base_dim 3 times one of dim_mult is odd"),
    ],
)
def test_settings_that_cannot_be_meant_together_are_one_sentence(change: dict[str, Any], sentence: str):
    assert files.wrong(ARCHITECTURE, TINY) == []
    assert sentence in files.wrong(ARCHITECTURE, {**TINY, **change})[0]


def test_attention_on_the_way_down_is_refused():
    with pytest.raises(ValueError, match=r"attn_scales is \[1\.0\]; it must be an empty list"):
        settings(ARCHITECTURE, {"attn_scales": [1.0]})

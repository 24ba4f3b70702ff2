"""What is known of Qwen-Image 2.1's transformer is what diffusers builds, and what published files hold."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_qwen_image21_transformer_checkpoint_to_diffusers
from hypothesis import given
from hypothesis import strategies as st

from nodes.backend.families.family import Asked
from nodes.backend.families.qwenimage21_calls import layout
from nodes.backend.fields import check_fields
from nodes.backend.networks.architecture import Architecture, Settings
from nodes.backend.networks.qwenimage21 import ARCHITECTURE
from nodes.types import Conditioning
from tests.examples import examples
from tests.nodes.networks import files
from tests.nodes.networks.files import PLACE, Tensors, settings
from tests.tiny_split import qwen21_to_original

TINY = {
    "in_channels": 4,
    "out_channels": 4,
    "num_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "context_in_dim": 6,
    "mlp_ratio": 2,
    "axes_dims_rope": [4, 6, 6],
}
PUBLISHED: dict[str, dict[str, Any]] = {"Qwen-Image 2.1": {}, "tiny": TINY}


@st.composite
def any_settings(draw: st.DrawFn) -> Settings:
    """Small ones without a contradiction."""
    axes = [2 * draw(st.integers(1, 2)) for _ in range(3)]
    change = {"attention_head_dim": sum(axes), "axes_dims_rope": axes}
    sizes = "in_channels", "out_channels", "num_layers", "num_attention_heads", "context_in_dim", "mlp_ratio"
    return settings(ARCHITECTURE, change | {name: draw(st.integers(1, 3)) for name in sizes})


def original(architecture: Architecture, given_settings: Settings, tensors: Tensors) -> Tensors:
    return qwen21_to_original(tensors, {})


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
def test_settings_without_a_contradiction_make_a_network_that_runs_to_the_bits_of_the_library(found: Settings):
    """Of a text that begins and ends with words, with two pictures side by side in it."""
    module = files.library_class(ARCHITECTURE)(**found).eval()
    sizes, starts, length = ((2, 2), (2, 4), (4, 2)), (2, 3), 6
    slots = torch.tensor([[False] * 2 + [True] * 3 + [False] + [True] * 2] * 2)
    given = torch.rand(2, 20, found["in_channels"]), torch.rand(2, length, found["context_in_dim"])
    seen = tuple(torch.zeros(1, 1, *size) for size in sizes[:2])
    sigma, prompt = torch.tensor([0.5, 0.5]), Conditioning("", "", given[1], references=seen, shown_at=starts)
    asked = Asked(torch.zeros(2, 1, *sizes[2]), 0.5, (prompt,), (64, 32))
    with torch.inference_mode():
        made = module(*given, sigma, **layout(module, asked, length))
        shapes = [[(1, *size) for size in sizes]] * 2
        (theirs,) = super(type(module), module).forward(*given, sigma, shapes, slots, return_dict=False)
    assert made.shape == (2, 3 + 20, found["out_channels"])
    assert made.equal(theirs)


@pytest.mark.parametrize("axes", [[2, 7, 7], [8, 8], [4, 4, 4]], ids=str)
def test_axes_that_are_no_share_of_a_head_are_one_sentence(axes: list[int]):
    assert files.wrong(ARCHITECTURE, TINY) == []
    (said,) = files.wrong(ARCHITECTURE, {**TINY, "axes_dims_rope": axes})
    assert "must be 3 even numbers that add up to attention_head_dim, 16" in said


@examples(40)
@given(any_settings())
def test_files_of_either_layout_give_the_librarys_tensors(found: Settings):
    files.assert_is_read_in_either_layout(ARCHITECTURE, found, original)


def test_original_files_are_read_as_diffusers_reads_them():
    found = settings(ARCHITECTURE, TINY)
    tensors = original(ARCHITECTURE, found, files.numbered(ARCHITECTURE.shapes(found)))
    theirs = convert_qwen_image21_transformer_checkpoint_to_diffusers(dict(tensors))
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

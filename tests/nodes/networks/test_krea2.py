"""What is known of Krea 2's transformer is what diffusers builds, and what published files hold."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_krea2_transformer_checkpoint_to_diffusers
from hypothesis import given
from hypothesis import strategies as st

from nodes.backend.fields import check_fields
from nodes.backend.networks.architecture import Architecture, Settings
from nodes.backend.networks.krea2 import ARCHITECTURE
from tests.examples import each, examples
from tests.nodes.networks import files
from tests.nodes.networks.files import PLACE, Tensors, settings
from tests.tiny_split import krea2_to_original

TINY = {
    "in_channels": 8,
    "num_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 24,
    "timestep_embed_dim": 8,
    "text_hidden_dim": 12,
    "num_text_layers": 3,
    "text_num_attention_heads": 3,
    "text_num_key_value_heads": 1,
    "text_intermediate_size": 10,
    "num_layerwise_text_blocks": 1,
    "num_refiner_text_blocks": 2,
    "axes_dims_rope": [4, 6, 6],
}
PUBLISHED: dict[str, dict[str, Any]] = {"Turbo": {}, "tiny": TINY}


@st.composite
def any_settings(draw: st.DrawFn) -> Settings:
    """Small ones without a contradiction, of which the tensors of a file tell all."""
    axes = [2 * draw(st.integers(1, 2)) for _ in range(3)]
    shared, text_shared = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    text_heads = text_shared * draw(st.integers(1, 2))
    change = {
        "attention_head_dim": sum(axes),
        "axes_dims_rope": axes,
        "num_key_value_heads": shared,
        "num_attention_heads": shared * draw(st.integers(1, 2)),
        "text_num_key_value_heads": text_shared,
        "text_num_attention_heads": text_heads,
        "text_hidden_dim": text_heads * draw(st.integers(1, 4)),
        "timestep_embed_dim": 2 * draw(st.integers(1, 4)),
    }
    sizes = "in_channels", "intermediate_size", "num_text_layers", "text_intermediate_size", "num_layers"
    change |= {name: draw(st.integers(1, 3)) for name in sizes}
    counts = "num_layerwise_text_blocks", "num_refiner_text_blocks"
    return settings(ARCHITECTURE, change | {name: draw(st.integers(0, 2)) for name in counts})


def original(architecture: Architecture, given_settings: Settings, tensors: Tensors) -> Tensors:
    return krea2_to_original(tensors, {})


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
    picture, text = torch.zeros(1, 6, found["in_channels"]), (found["num_text_layers"], found["text_hidden_dim"])
    with torch.inference_mode():
        (made,) = module(picture, torch.zeros(1, 5, *text), torch.tensor([0.5]), torch.zeros(11, 3), return_dict=False)
    assert made.shape == picture.shape


@each(
    ("change", "sentence"),
    [
        ({"num_key_value_heads": 3}, "num_attention_heads 4 is no multiple of num_key_value_heads 3"),
        ({"text_num_key_value_heads": 2}, "text_num_attention_heads 3 is no multiple of text_num_key_value_heads 2"),
        ({"text_hidden_dim": 13}, "text_hidden_dim 13 is no multiple of text_num_attention_heads 3"),
        ({"axes_dims_rope": [2, 7, 7]}, "must be 3 even numbers that add up to attention_head_dim, 16"),
        ({"axes_dims_rope": [8, 8]}, "must be 3 even numbers"),
        ({"timestep_embed_dim": 7}, "timestep_embed_dim is 7, which is odd"),
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
    tensors = original(ARCHITECTURE, TINY, files.on_meta(ARCHITECTURE, settings(ARCHITECTURE, TINY)))
    theirs = convert_krea2_transformer_checkpoint_to_diffusers(dict(tensors))
    assert files.shapes_of(theirs) == ARCHITECTURE.shapes(settings(ARCHITECTURE, TINY))
    spelled = ARCHITECTURE.spellings(settings(ARCHITECTURE, TINY))
    for name in theirs:
        (stored,) = (s for s in spelled(name) if s.name in tensors)
        assert [*convert_krea2_transformer_checkpoint_to_diffusers({stored.name: tensors[stored.name]})] == [name]


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

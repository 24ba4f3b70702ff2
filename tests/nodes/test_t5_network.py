"""What is known of T5's encoder without building it is what transformers builds."""

from __future__ import annotations

import inspect
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import init_empty_weights
from safetensors.torch import save_file
from transformers import T5Config, T5EncoderModel

from nodes.backend.fields import read_settings
from nodes.backend.networks.t5 import ARCHITECTURE, SCHEMA, TABLES
from tests.examples import each

DEFAULTS = {name: field.default for name, field in SCHEMA.items()}
TINY = {"vocab_size": 139, "d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 4}
XXL = {"d_model": 4096, "d_ff": 10240, "num_layers": 24, "num_heads": 64, "feed_forward_proj": "gated-gelu"}
SIZES = {
    "small": {},
    "tiny": TINY,
    "tiny, gated": TINY | {"feed_forward_proj": "gated-gelu"},
    "few buckets": TINY | {"relative_attention_num_buckets": 8},
    "xxl": XXL,
}


def built(settings: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    with init_empty_weights():
        module = T5EncoderModel(T5Config(**settings))
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("name", SIZES)
def test_the_tensors_told_from_settings_are_those_of_the_network(name: str):
    settings = DEFAULTS | SIZES[name]
    assert dict(ARCHITECTURE.shapes(settings)) == built(settings)


def test_the_published_size_is_that_of_the_published_encoder():
    shapes = ARCHITECTURE.shapes(DEFAULTS | XXL)
    assert sum(math.prod(shape) for name, shape in shapes.items() if name != TABLES[1]) == 4_762_310_656


@each("name", SCHEMA)
def test_names_and_defaults_are_those_of_the_library(name: str):
    assert name in inspect.signature(T5Config).parameters
    assert getattr(T5Config(), name) == DEFAULTS[name]


@each("name", SIZES)
@each("missing", [None, *TABLES])
def test_a_file_tells_its_sizes(name: str, missing: str | None):
    settings = DEFAULTS | SIZES[name]
    found = {tensor: shape for tensor, shape in ARCHITECTURE.shapes(settings).items() if tensor != missing}
    assert ARCHITECTURE.told(DEFAULTS, found) == settings


@each(
    "found",
    [
        {},
        {TABLES[0]: (5,)},
        {TABLES[0]: (10**9, 10**9)},
        {"encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": (0, 0)},
        {f"encoder.block.{10**12}.layer.0.layer_norm.weight": (4,)},
    ],
)
def test_a_file_that_shows_no_sizes_leaves_those_given(found: dict[str, tuple[int, ...]]):
    assert ARCHITECTURE.told(DEFAULTS, found) == DEFAULTS


def test_either_name_of_the_table_of_words_is_found_and_the_own_one_first():
    spelled = ARCHITECTURE.spellings(DEFAULTS)
    assert [[stored.name for stored in spelled(table)] for table in TABLES] == [list(TABLES), list(reversed(TABLES))]
    assert [stored.name for stored in spelled("encoder.final_layer_norm.weight")] == ["encoder.final_layer_norm.weight"]


@pytest.mark.parametrize("holds", ["shared", "embed_tokens", "both", "both, unlike"])
def test_a_file_with_either_name_or_both_is_the_network_that_the_library_loads(holds: str, tmp_path: Path):
    settings = DEFAULTS | TINY | {"feed_forward_proj": "gated-gelu"}
    torch.manual_seed(0)
    encoder = T5EncoderModel(T5Config(**settings)).eval()
    stored = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    if holds == "both, unlike":
        stored[TABLES[1]] = stored[TABLES[1]].flip(0)
    elif holds != "both":
        del stored[TABLES[holds == "shared"]]
    encoder.config.save_pretrained(tmp_path)
    save_file(stored, tmp_path / "model.safetensors", {"format": "pt"})
    theirs = T5EncoderModel.from_pretrained(tmp_path)

    spelled = ARCHITECTURE.spellings(settings)
    places = {name: next(s.name for s in spelled(name) if s.name in stored) for name in ARCHITECTURE.shapes(settings)}
    assert set(places.values()) == set(stored)  # nothing in the file is without use
    encoder.load_state_dict({name: stored[place] for name, place in places.items()}, assign=True)
    ids = torch.tensor([[5, 7, 1, 0]])
    assert encoder(ids).last_hidden_state.equal(theirs(ids).last_hidden_state)


def test_settings_as_they_are_published_are_read(tmp_path: Path):
    config = T5Config(**XXL, tie_word_embeddings=False, architectures=["T5EncoderModel"])
    config.save_pretrained(tmp_path)
    assert read_settings(tmp_path / "config.json", SCHEMA) == DEFAULTS | XXL


REFUSED: dict[str, Any] = {
    "num_layers": 10**9,
    "d_model": 0,
    "num_heads": -1,
    "d_ff": 1e9,
    "vocab_size": True,
    "layer_norm_epsilon": 0,
    "feed_forward_proj": "gated-silu",
    "is_decoder": True,
    "relative_attention_num_buckets": 1,
}


@each("name", REFUSED)
def test_a_setting_that_cannot_be_meant_is_one_sentence(name: str, tmp_path: Path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({name: REFUSED[name]}))
    with pytest.raises(ValueError, match=rf"config.json: {name} is .*; it must be") as caught:
        read_settings(path, SCHEMA)
    assert "\n" not in str(caught.value)


def test_more_buckets_than_distances_are_a_contradiction():
    def said(**change: int) -> list[str]:
        return list(ARCHITECTURE.contradictions(DEFAULTS | change))

    assert said() == []
    assert said(relative_attention_max_distance=9) == []
    assert said(relative_attention_max_distance=8) == [
        "relative_attention_max_distance is 8; with 32 relative_attention_num_buckets it must be above 8"
    ]


@pytest.mark.parametrize("name", ["decoder.block.0.layer.0.layer_norm.weight", "lm_head.weight"])
def test_the_half_that_writes_is_left_out_knowingly(name: str):
    assert any(re.fullmatch(ignored.names, name) for ignored in ARCHITECTURE.ignored)

"""What is known of Mistral is what transformers builds, and what published files hold."""

from __future__ import annotations

import math
from typing import Any

import pytest
from accelerate import init_empty_weights
from transformers import MistralConfig, MistralModel

from nodes.backend.networks.mistral import ARCHITECTURE, SCHEMA, SMALL_3
from tests.nodes.networks import files
from tests.nodes.networks.files import settings

TINY = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "rope_theta": 1e6,
}
SIZES: dict[str, dict[str, Any]] = {
    "tiny": TINY,
    "heads of their share": TINY | {"head_dim": None},
    "Small 3": SMALL_3,
}


def built(change: dict[str, Any]) -> MistralModel:
    with init_empty_weights():
        return MistralModel(MistralConfig(**settings(ARCHITECTURE, change)))


@pytest.mark.parametrize("name", SIZES)
def test_the_tensors_told_from_settings_are_those_of_the_network(name: str):
    module = built(SIZES[name])
    shapes = {tensor: tuple(value.shape) for tensor, value in module.state_dict().items()}
    assert dict(ARCHITECTURE.shapes(settings(ARCHITECTURE, SIZES[name]))) == shapes
    assert module.config.rope_parameters["rope_theta"] == SIZES[name]["rope_theta"]


def test_the_published_size_is_that_of_the_published_language_model():
    shapes = ARCHITECTURE.shapes(settings(ARCHITECTURE, SMALL_3))
    head = SMALL_3["vocab_size"] * SMALL_3["hidden_size"]
    assert sum(map(math.prod, shapes.values())) + head == 23_572_403_200


def test_defaults_are_those_of_the_library():
    config = MistralConfig()
    # no window slides in those that tell of prompts; the base of the rotation has no place of its own there any more
    others = {"rope_theta", "rope_scaling", "rope_parameters", "sliding_window", "head_dim"}
    for name in SCHEMA.keys() - others:
        assert getattr(config, name) == SCHEMA[name].default, name


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"num_key_value_heads": 3}, "num_attention_heads 4 is no multiple of num_key_value_heads 3"),
        ({"head_dim": 7}, "head_dim is 7, which is odd"),
        ({"rope_theta": None}, "rope_theta is missing, and rope_parameters too"),
    ],
)
def test_settings_that_cannot_be_meant_together_are_one_sentence(change: dict[str, Any], sentence: str):
    assert files.wrong(ARCHITECTURE, TINY) == []
    assert sentence in files.wrong(ARCHITECTURE, {**TINY, **change})[0]


def test_the_settings_of_a_model_that_also_sees_are_those_of_its_language():
    assert ARCHITECTURE.opened({"text_config": {"hidden_size": 7}, "hidden_size": 8}) == {"hidden_size": 7}
    assert ARCHITECTURE.opened({"hidden_size": 8}) == {"hidden_size": 8}


@pytest.mark.parametrize("prefix", ["language_model.model.", "model.language_model.", "model.", ""])
def test_files_by_any_of_their_names_tell_their_settings(prefix: str):
    wanted = settings(ARCHITECTURE, SMALL_3 | {"num_hidden_layers": 3, "vocab_size": 99})
    found = {prefix + name: shape for name, shape in ARCHITECTURE.shapes(wanted).items()}
    assert ARCHITECTURE.told(settings(ARCHITECTURE, SMALL_3), found) == wanted


def test_a_damaged_file_tells_something_without_an_error():
    given = settings(ARCHITECTURE, TINY)
    for damage in (*files.damaged(ARCHITECTURE.shapes(given)), {}):
        assert ARCHITECTURE.told(given, damage).keys() == SCHEMA.keys()

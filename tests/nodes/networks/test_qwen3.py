"""What is known of Qwen3 is what transformers builds, and what published files hold."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import init_empty_weights
from transformers import Qwen3Config, Qwen3Model

from nodes.backend.families.zimage import FAMILY
from nodes.backend.fields import read_settings
from nodes.backend.networks.qwen3 import ARCHITECTURE, SCHEMA
from tests.examples import each
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
PUBLISHED = FAMILY.default_settings("text_encoder")
SIZES = {"library's": {"rope_theta": 1e6}, "tiny": TINY, "4B": PUBLISHED}


def built(change: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    with init_empty_weights():
        module = Qwen3Model(Qwen3Config(**settings(ARCHITECTURE, change)))
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("name", SIZES)
def test_the_tensors_told_from_settings_are_those_of_the_network(name: str):
    assert dict(ARCHITECTURE.shapes(settings(ARCHITECTURE, SIZES[name]))) == built(SIZES[name])


def test_the_published_size_is_that_of_the_published_encoder():
    shapes = ARCHITECTURE.shapes(settings(ARCHITECTURE, PUBLISHED))
    assert sum(map(math.prod, shapes.values())) == 4_022_468_096


def test_defaults_are_those_of_the_library():
    config = Qwen3Config()
    # the base of the rotation has no place of its own there any more, and the kinds of layers are worked out
    for name in SCHEMA.keys() - {"rope_theta", "rope_scaling", "rope_parameters", "layer_types"}:
        assert getattr(config, name) == SCHEMA[name].default, name


@pytest.mark.parametrize(
    "told",
    [
        {"rope_theta": 1_000_000},
        {"rope_theta": 1_000_000, "rope_scaling": None},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
        {"rope_parameters": {"rope_theta": 1e6}, "layer_types": ["full_attention"] * 2},
    ],
    ids=str,
)
def test_either_way_to_write_the_rotation_is_the_librarys(told: dict[str, Any], tmp_path: Path):
    silent = {name: value for name, value in TINY.items() if name != "rope_theta"}
    (tmp_path / "config.json").write_text(json.dumps(silent | told))
    ours = Qwen3Model(Qwen3Config(**read_settings(tmp_path / "config.json", SCHEMA)))
    theirs = Qwen3Model(Qwen3Config.from_pretrained(tmp_path))
    assert ours.rotary_emb.inv_freq.equal(theirs.rotary_emb.inv_freq)
    assert float(ours.rotary_emb.inv_freq[1]) == pytest.approx(1e6 ** (-2 / 8))


@pytest.mark.parametrize("prefix", ["", "model."])
def test_a_file_tells_its_sizes(prefix: str):
    wanted = settings(ARCHITECTURE, PUBLISHED | TINY)
    found = {prefix + name: shape for name, shape in ARCHITECTURE.shapes(wanted).items()}
    assert ARCHITECTURE.told(settings(ARCHITECTURE, PUBLISHED), found) == wanted


@pytest.mark.parametrize("prefix", ["", "model."])
def test_files_of_either_naming_give_the_librarys_tensors(prefix: str):
    found = settings(ARCHITECTURE, TINY)
    tensors = files.numbered(ARCHITECTURE.shapes(found))
    stored = {prefix + name: tensor for name, tensor in tensors.items()}
    assert files.same(files.read(ARCHITECTURE, found, stored), tensors)


def test_a_damaged_file_tells_something_without_an_error():
    start = settings(ARCHITECTURE, TINY)
    for found in files.damaged(dict(ARCHITECTURE.shapes(start))):
        assert ARCHITECTURE.told(start, found).keys() == SCHEMA.keys()
    assert ARCHITECTURE.told(start, {}).keys() == SCHEMA.keys()


@each(
    ("change", "sentence"),
    [
        ({"num_key_value_heads": 3}, "num_attention_heads 4 is no multiple of num_key_value_heads 3"),
        ({"head_dim": 7}, "head_dim is 7, which is odd"),
        ({"rope_theta": None}, "rope_theta is missing, and rope_parameters too"),
        ({"rope_parameters": {"rope_theta": 5e6}}, "rope_theta is 1000000.0, in rope_parameters 5000000.0"),
        ({"layer_types": ["full_attention"]}, "layer_types has 1 entries for 2 num_hidden_layers"),
    ],
)
def test_settings_that_cannot_be_meant_together_are_one_sentence(change: dict[str, Any], sentence: str):
    assert files.wrong(ARCHITECTURE, TINY) == []
    assert files.wrong(ARCHITECTURE, TINY | change) == [sentence]


@each(
    ("field", "value"),
    [
        ("hidden_act", "gelu"),
        ("num_hidden_layers", 1),  # the states are those before the last
        ("rope_parameters", {"rope_type": "linear", "rope_theta": 1e6}),
        ("rope_parameters", {"rope_theta": 1e6, "factor": 2.0}),
        ("rope_parameters", {"rope_theta": "1e6"}),
        ("rope_parameters", []),
        ("layer_types", ["sliding_attention"]),
        ("attention_bias", True),
    ],
)
def test_what_the_network_cannot_be_is_refused_by_name(field: str, value: Any):
    with pytest.raises(ValueError, match=f"config.json: {field} is "):
        settings(ARCHITECTURE, {field: value})


def test_states_before_the_last_layer_do_not_depend_on_what_comes_after():
    # Filled up or not, a text has the same states: a token sees those before it alone.
    module = Qwen3Model(Qwen3Config(**settings(ARCHITECTURE, TINY))).eval()
    with torch.inference_mode():
        short, long = (
            module(torch.tensor([ids]), output_hidden_states=True).hidden_states[-2]
            for ids in ([3, 1, 4], [3, 1, 4, 1, 5])
        )
    assert torch.allclose(short, long[:, :3], atol=1e-5)

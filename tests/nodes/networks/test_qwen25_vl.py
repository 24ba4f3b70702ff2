"""What is known of Qwen2.5-VL is what transformers builds, and what files of either naming hold."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from accelerate import init_empty_weights
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLModel

from nodes.backend.fields import check_fields, grouped
from nodes.backend.networks.architecture import Settings
from nodes.backend.networks.qwen25_vl import ARCHITECTURE, PUBLISHED_7B, SCHEMA
from tests.examples import each
from tests.nodes.networks import files
from tests.nodes.networks.files import settings

ROTATION = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 1, 1]}
TINY: Settings = {
    "text_config": {
        "vocab_size": 40,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "rope_parameters": ROTATION,
    },
    "vision_config": {
        "depth": 2,
        "hidden_size": 8,
        "intermediate_size": 12,
        "num_heads": 2,
        "out_hidden_size": 16,
        "fullatt_block_indexes": [1],
    },
    "image_token_id": 30,
    "video_token_id": 31,
    "vision_start_token_id": 32,
    "vision_end_token_id": 33,
}
SIZES = {"tiny": TINY, "7B": PUBLISHED_7B}


def built(found: Settings) -> Qwen2_5_VLModel:
    with init_empty_weights():
        return Qwen2_5_VLModel(Qwen2_5_VLConfig(**grouped(found)))


def changed(group: str, **change: Any) -> Settings:
    return {**TINY, group: {**TINY[group], **change}}


@pytest.mark.parametrize("name", SIZES)
def test_the_tensors_told_from_settings_are_those_of_the_network(name: str):
    found = settings(ARCHITECTURE, SIZES[name])
    assert not [*ARCHITECTURE.contradictions(found)]
    theirs = {name: tuple(tensor.shape) for name, tensor in built(found).state_dict().items()}
    assert dict(ARCHITECTURE.shapes(found)) == theirs


def test_the_published_size_is_that_of_the_published_encoder():
    shapes = ARCHITECTURE.shapes(settings(ARCHITECTURE, PUBLISHED_7B))
    head = 152_064 * 3584  # which is left out
    assert sum(map(math.prod, shapes.values())) + head == 8_292_166_656


def test_defaults_are_those_of_the_library():
    config = Qwen2_5_VLConfig()
    # the base of the rotation has no place of its own there any more, and the kinds of layers are worked out
    for name in SCHEMA.keys() - {
        f"text_config.{n}" for n in ("rope_theta", "rope_scaling", "rope_parameters", "layer_types")
    }:
        group, _, within = name.rpartition(".")
        assert getattr(getattr(config, group) if group else config, within) in (
            SCHEMA[name].default,
            list(SCHEMA[name].default) if isinstance(SCHEMA[name].default, tuple) else None,
        ), name


EARLIER = {name: value for name, value in TINY["text_config"].items() if name != "rope_parameters"} | {
    "rope_theta": 1e6,
    "rope_scaling": {"type": "mrope", "mrope_section": [2, 1, 1]},
}


@pytest.mark.parametrize(
    "written",
    [
        TINY,
        {**TINY, "text_config": {**EARLIER, "rope_scaling": {**EARLIER["rope_scaling"], "rope_type": "default"}}},
        {**{name: value for name, value in TINY.items() if name != "text_config"}, **EARLIER},
    ],
    ids=["now", "between", "earlier"],
)
def test_either_way_to_write_the_settings_is_the_librarys(written: Settings, tmp_path: Path):
    found = check_fields(tmp_path, ARCHITECTURE.opened(written), SCHEMA)
    assert not [*ARCHITECTURE.contradictions(found)]
    (tmp_path / "config.json").write_text(json.dumps(written | {"model_type": "qwen2_5_vl"}))
    ours = built(found)
    theirs = Qwen2_5_VLModel(Qwen2_5_VLConfig.from_pretrained(tmp_path))
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    mine, other = (module.language_model.rotary_emb for module in (ours, theirs))
    assert mine.inv_freq.equal(other.inv_freq)
    assert list(mine.mrope_section) == list(other.mrope_section) == [2, 1, 1]
    assert ours.config.text_config.hidden_size == theirs.config.text_config.hidden_size == 16


NAMINGS = {
    "published": lambda name: name if name.startswith("visual.") else f"model.{name.removeprefix('language_model.')}",
    "saved": lambda name: f"model.{name}",
    "own": lambda name: name,
}


@pytest.mark.parametrize("naming", NAMINGS)
def test_files_of_any_naming_give_the_librarys_tensors(naming: str):
    found = settings(ARCHITECTURE, TINY)
    tensors = files.numbered(ARCHITECTURE.shapes(found))
    stored = {NAMINGS[naming](name): tensor for name, tensor in tensors.items()}
    assert files.same(files.read(ARCHITECTURE, found, stored), tensors)


@pytest.mark.parametrize("naming", NAMINGS)
def test_a_published_file_tells_its_sizes(naming: str):
    wanted = settings(ARCHITECTURE, PUBLISHED_7B)
    found = {NAMINGS[naming](name): shape for name, shape in ARCHITECTURE.shapes(wanted).items()}
    start = settings(ARCHITECTURE, {"text_config": {"rope_parameters": PUBLISHED_7B["text_config.rope_parameters"]}})
    told = ARCHITECTURE.told(start, found)
    assert ARCHITECTURE.shapes(told) == ARCHITECTURE.shapes(wanted)
    assert told["text_config.num_attention_heads"] == 28


def test_a_damaged_file_tells_something_without_an_error():
    start = settings(ARCHITECTURE, TINY)
    for found in (*files.damaged(dict(ARCHITECTURE.shapes(start))), {}):
        assert ARCHITECTURE.told(start, found).keys() == SCHEMA.keys()


@each(
    ("change", "sentence"),
    [
        (
            changed("text_config", num_key_value_heads=3),
            "num_attention_heads 2 is no multiple of num_key_value_heads 3",
        ),
        (changed("text_config", num_attention_heads=3), "hidden_size 16 is no even multiple of num_attention_heads 3"),
        (changed("text_config", rope_parameters=None), "rope_parameters is missing, and rope_scaling too"),
        (changed("text_config", rope_parameters={"mrope_section": [2, 1, 1]}), "text_config.rope_theta is missing"),
        (
            changed("text_config", rope_parameters={**ROTATION, "mrope_section": [2, 1, 2]}),
            "half of a head's channels, 4",
        ),
        (changed("text_config", rope_theta=5e6), "rope_theta is told twice, as 1000000.0 and 5000000.0"),
        (changed("text_config", layer_types=["full_attention"]), "layer_types has 1 entries for 2 num_hidden_layers"),
        (changed("vision_config", out_hidden_size=8), "out_hidden_size is 8; it must be text_config.hidden_size, 16"),
        (changed("vision_config", num_heads=4), "hidden_size 8 is no multiple of four times num_heads 4"),
        (changed("vision_config", fullatt_block_indexes=[2]), "fullatt_block_indexes has 2, but there are 2 blocks"),
        ({**TINY, "image_token_id": 40}, "image_token_id or another is above text_config.vocab_size, 40"),
    ],
)
def test_settings_that_cannot_be_meant_together_are_one_sentence(change: Settings, sentence: str):
    assert files.wrong(ARCHITECTURE, TINY) == []
    assert sentence in files.wrong(ARCHITECTURE, change)[0]


@each(
    ("group", "field", "value"),
    [
        ("text_config", "hidden_act", "gelu"),
        ("text_config", "rope_parameters", {"rope_type": "yarn", "mrope_section": [2, 1, 1]}),
        ("text_config", "rope_parameters", {"rope_theta": 1e6, "mrope_section": [4]}),
        ("text_config", "use_sliding_window", True),
        ("vision_config", "patch_size", 16),
        ("vision_config", "temporal_patch_size", 1),
    ],
)
def test_what_the_network_cannot_be_is_refused_by_name(group: str, field: str, value: Any):
    with pytest.raises(ValueError, match=rf"config.json: {group}\.{field} is "):
        settings(ARCHITECTURE, {group: {field: value}})

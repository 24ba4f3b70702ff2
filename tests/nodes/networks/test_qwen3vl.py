"""What is known of Qwen3-VL is what transformers builds, and what published files hold."""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import init_empty_weights
from transformers import Qwen3VLConfig, Qwen3VLModel, Qwen3VLTextConfig, Qwen3VLTextModel, Qwen3VLVisionConfig

from nodes.backend import loading
from nodes.backend.fields import check_fields, read_settings
from nodes.backend.networks.architecture import Architecture, Settings
from nodes.backend.networks.qwen3vl import ARCHITECTURE, SETTINGS, TEXT_ALONE, TEXT_SETTINGS
from tests.examples import each
from tests.nodes.networks import files
from tests.nodes.networks.files import PLACE, settings

ROPE = {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [2, 1, 1], "mrope_interleaved": True}
TINY_TEXT = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "rope_parameters": ROPE,
}
TINY_VISION = {
    "depth": 3,
    "hidden_size": 16,
    "intermediate_size": 12,
    "num_heads": 2,
    "patch_size": 4,
    "out_hidden_size": 16,
    "num_position_embeddings": 9,
    "deepstack_visual_indexes": [0, 2],
}
TINY: dict[str, dict[str, Any]] = {"text_config": TINY_TEXT, "vision_config": TINY_VISION}
KINDS = {"with eyes": ARCHITECTURE, "text alone": TEXT_ALONE}


def tiny(architecture: Architecture, **change: Any) -> Settings:
    """change: of the group that is named, fields of it."""
    return settings(architecture, {name: {**group, **change.get(name, {})} for name, group in TINY.items()})


@pytest.mark.parametrize("name", KINDS)
def test_the_tensors_told_from_settings_are_those_of_the_network(name: str):
    architecture = KINDS[name]
    with init_empty_weights():
        module = loading.build(architecture, tiny(architecture))
    assert architecture.shapes(tiny(architecture)) == files.shapes_of(module.state_dict())
    assert type(module) is {"with eyes": Qwen3VLModel, "text alone": Qwen3VLTextModel}[name]


def test_defaults_are_those_of_the_library():
    theirs = Qwen3VLConfig(text_config=Qwen3VLTextConfig(), vision_config=Qwen3VLVisionConfig())
    for name, ours in settings(ARCHITECTURE, {}).items():
        if "rope" not in name:  # the library has none by default, or the base in another place
            default = operator.attrgetter(name)(theirs)
            assert (list(default) if isinstance(default, tuple) else default) == ours, name


@pytest.mark.parametrize(
    "told",
    [
        {"rope_parameters": ROPE},
        {"rope_theta": 5_000_000, "rope_scaling": {"type": "default", "mrope_section": [2, 1, 1]}},
        {"rope_theta": 5e6, "rope_scaling": {name: v for name, v in ROPE.items() if name != "rope_theta"}},
    ],
    ids=["transformers 5", "older", "published"],
)
def test_either_way_to_write_the_rotation_is_the_librarys(told: dict[str, Any], tmp_path: Path):
    silent = {name: value for name, value in TINY_TEXT.items() if name != "rope_parameters"}
    config = {"model_type": "qwen3_vl", **TINY, "text_config": {"model_type": "qwen3_vl_text", **silent, **told}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with torch.device("meta"):
        built = loading.build(ARCHITECTURE, read_settings(tmp_path / "config.json", SETTINGS))
    theirs = Qwen3VLConfig.from_pretrained(tmp_path)
    assert (
        built.config.text_config.rope_parameters.items()
        >= {
            "rope_theta": 5e6,
            "mrope_section": [2, 1, 1],
        }.items()
    )
    for name in ("rope_theta", "mrope_section"):
        assert built.config.text_config.rope_parameters[name] == theirs.text_config.rope_parameters[name]


LAYOUTS = {  # what is before the names of the language part, and of the one that sees
    "transformers": ("model.language_model.", "model.visual."),
    "without a head": ("language_model.", "visual."),
    "ComfyUI": ("model.", "model.visual."),
}


def named(shapes: Mapping[str, Any], layout: str) -> dict[str, Any]:
    """What a network calls its tensors to what files do; of the part that reads alone, nothing is before the names."""
    language, vision = LAYOUTS[layout]
    stems = {"language_model.": language, "visual.": vision}
    return {
        next(
            (to + name.removeprefix(start) for start, to in stems.items() if name.startswith(start)), language + name
        ): t
        for name, t in shapes.items()
    }


@each("layout", LAYOUTS)
@each("name", KINDS)
def test_files_of_every_naming_give_the_librarys_tensors(name: str, layout: str):
    architecture, given = KINDS[name], tiny(KINDS[name])
    tensors = files.numbered(architecture.shapes(given))
    assert files.same(files.read(architecture, given, named(tensors, layout)), tensors)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_tells_its_sizes(layout: str):
    wanted = tiny(ARCHITECTURE, text_config={"rope_parameters": None, "rope_theta": 5e6})
    found = named(ARCHITECTURE.shapes(wanted), layout)
    start = settings(ARCHITECTURE, {"text_config": {"rope_theta": 5e6}, "vision_config": {"num_heads": 2}})
    told = ARCHITECTURE.told(start, found)
    assert not [*ARCHITECTURE.contradictions(told)]
    assert ARCHITECTURE.shapes(told) == ARCHITECTURE.shapes(wanted)
    assert told["text_config.rope_scaling"] == {"mrope_section": [2, 1, 1]}
    assert check_fields(PLACE, told, SETTINGS) == told
    alone = TEXT_ALONE.told({name: start[name] for name in TEXT_SETTINGS}, found)
    assert TEXT_ALONE.shapes(alone) == TEXT_ALONE.shapes(wanted)


def test_a_damaged_file_tells_something_without_an_error():
    for architecture in KINDS.values():
        start = tiny(architecture)
        for found in (*files.damaged(dict(architecture.shapes(start))), {}):
            assert architecture.told(start, found).keys() == architecture.schema.keys()


@each(
    ("group", "change", "sentence"),
    [
        ("text_config", {"num_key_value_heads": 3}, "in text_config, num_attention_heads 4 is no multiple of"),
        ("text_config", {"rope_parameters": None}, "in text_config, rope_theta is missing, and rope_parameters too"),
        (
            "text_config",
            {"rope_parameters": {**ROPE, "mrope_section": [2, 2, 2]}},
            "in text_config, mrope_section is [2, 2, 2]; it must be three numbers that add up to 4",
        ),
        ("vision_config", {"num_heads": 3}, "in vision_config, hidden_size 16 is no multiple of 4 times num_heads, 3"),
        ("vision_config", {"out_hidden_size": 8}, "out_hidden_size of vision_config is 8; it must be hidden_size of"),
        ("vision_config", {"num_position_embeddings": 8}, "in vision_config, num_position_embeddings 8 is no square"),
        ("vision_config", {"deepstack_visual_indexes": [3]}, "it must be different layers below depth, 3"),
        ("vision_config", {"deepstack_visual_indexes": [1, 1]}, "it must be different layers below depth, 3"),
    ],
)
def test_settings_that_cannot_be_meant_together_are_one_sentence(group: str, change: dict[str, Any], sentence: str):
    assert [*ARCHITECTURE.contradictions(tiny(ARCHITECTURE))] == []
    assert sentence in next(ARCHITECTURE.contradictions(tiny(ARCHITECTURE, **{group: change})))


@each(
    ("group", "change", "said"),
    [
        ("text_config", {"hidden_act": "gelu"}, "config.json: text_config.hidden_act is 'gelu'; it must be silu"),
        (
            "text_config",
            {"rope_parameters": {**ROPE, "rope_type": "yarn"}},
            "text_config.rope_parameters is",
        ),
        ("text_config", {"rope_scaling": {"rope_theta": 5e6}}, "text_config.rope_scaling is"),
        ("text_config", {"rope_parameters": {**ROPE, "mrope_interleaved": False}}, "text_config.rope_parameters is"),
        ("vision_config", {"spatial_merge_size": 4}, "vision_config.spatial_merge_size is 4; it must be 2"),
    ],
)
def test_what_the_network_cannot_be_is_refused_by_name(group: str, change: dict[str, Any], said: str):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # looked at below
        tiny(ARCHITECTURE, **{group: change})
    assert said in str(caught.value)
    with pytest.raises(ValueError, match=r"config.json: vision_config is 3; it must be an object"):
        settings(ARCHITECTURE, {"vision_config": 3})


def test_without_pictures_both_say_the_same():
    whole = loading.build(ARCHITECTURE, tiny(ARCHITECTURE)).eval()
    alone = loading.build(TEXT_ALONE, tiny(TEXT_ALONE)).eval()
    alone.load_state_dict(whole.language_model.state_dict())
    ids = torch.tensor([[3, 1, 4, 1, 5]])
    with torch.inference_mode():
        theirs, ours = (module(ids, output_hidden_states=True, use_cache=False) for module in (whole, alone))
    assert all(map(torch.equal, theirs.hidden_states, ours.hidden_states))

"""The tensors told from settings are those that the libraries' own networks have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from accelerate import init_empty_weights

from nodegraph.program import FOLDER as ROOT
from nodes.backend import architecture, loading
from nodes.backend.part_settings import Settings, read_part
from nodes.types import Part

PARTS: tuple[Part, ...] = ("unet", "vae", "text_encoder", "controlnet")
STARTER, SD1 = ROOT / "models" / "starter", ROOT / "nodes" / "configs" / "sd1"


def shapes(part: Part, settings: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    with init_empty_weights():
        module = loading.build(part, settings)
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def settings_of(folder: Path, part: Part, change: dict[str, Any] | None = None) -> Settings:
    return read_part(folder / part / "config.json", part) | (change or {})


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("model", [STARTER, SD1], ids=["starter", "sd1"])
def test_the_shipped_settings_give_the_tensors_of_their_network(part: Part, model: Path):
    settings = settings_of(model, part)
    assert architecture.OF[part](settings) == shapes(part, settings)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_stable_diffusion_2_has_the_tensors_of_its_network(part: Part, sd21_folder: Path):
    settings = settings_of(sd21_folder, part)
    assert architecture.OF[part](settings) == shapes(part, settings)


VARIANTS: list[tuple[Part, dict[str, Any]]] = [
    ("unet", {"mid_block_type": None}),
    ("unet", {"layers_per_block": 3, "transformer_layers_per_block": [1, 2, 1]}),
    ("unet", {"cross_attention_dim": 64, "time_cond_proj_dim": 256}),
    ("unet", {"use_linear_projection": True, "in_channels": 9, "out_channels": 3}),
    ("unet", {"block_out_channels": [64], "down_block_types": ["DownBlock2D"], "up_block_types": ["UpBlock2D"]}),
    ("controlnet", {"mid_block_type": "UNetMidBlock2D", "conditioning_embedding_out_channels": [8]}),
    ("controlnet", {"mid_block_type": "UNetMidBlock2DCrossAttn", "use_linear_projection": True}),
    ("vae", {"use_quant_conv": False, "use_post_quant_conv": False, "mid_block_add_attention": False}),
    ("vae", {"latent_channels": 16, "layers_per_block": 3}),
    ("text_encoder", {"num_hidden_layers": 1, "intermediate_size": 64, "max_position_embeddings": 9}),
]


@pytest.mark.parametrize(("part", "change"), VARIANTS)
def test_every_way_a_part_may_be_built_gives_the_tensors_of_its_network(part: Part, change: dict[str, Any]):
    settings = settings_of(STARTER, part, change)
    assert architecture.OF[part](settings) == shapes(part, settings)

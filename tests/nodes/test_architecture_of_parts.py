"""The tensors told from settings are those that the libraries' own networks have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from nodegraph.program import FOLDER as ROOT
from nodes.backend import families, loading
from nodes.backend.families import sd1, sd2
from nodes.backend.families.family import Family
from nodes.backend.fields import check_fields
from nodes.backend.networks.architecture import Settings
from nodes.backend.parts import Part
from tests.examples import some_slow

STARTER = ROOT / "models" / "starter"


def shapes(family: Family, role: str, settings: Settings) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        module = loading.build(family.roles[role].architecture, settings)
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


ROLES = [(family, role) for family in families.FAMILIES if family.name != "pixel" for role in family.roles]


DAILY = {id(family.roles[role].architecture): (family, role) for family, role in ROLES}
"""Of the families that share a network, the last: what others say of it differs in numbers."""


@pytest.mark.parametrize(
    ("family", "role"), some_slow(ROLES, [*DAILY.values()]), ids=lambda value: getattr(value, "name", value)
)
def test_the_settings_of_files_without_any_give_the_tensors_of_their_network(family: Family, role: str):
    architecture = family.roles[role].architecture
    settings = check_fields(Path("a file"), family.default_settings(role), architecture.schema)
    assert list(architecture.contradictions(settings)) == []
    assert architecture.shapes(settings) == shapes(family, role, settings)


@pytest.mark.parametrize("role", sd1.FAMILY.roles)
def test_the_starter_has_the_tensors_of_its_networks(role: str):
    place = STARTER / "controlnet" if role == "controlnet" else STARTER
    settings = Part(place, sd1.FAMILY, role).settings()
    assert sd1.FAMILY.roles[role].architecture.shapes(settings) == shapes(sd1.FAMILY, role, settings)


@pytest.mark.parametrize("role", ["unet", "vae", "text_encoder"])
def test_stable_diffusion_2_has_the_tensors_of_its_network(role: str, sd21_folder: Path):
    settings = Part(sd21_folder, sd2.FAMILY, role).settings()
    assert sd2.FAMILY.roles[role].architecture.shapes(settings) == shapes(sd2.FAMILY, role, settings)


VARIANTS: list[tuple[str, dict[str, Any]]] = [
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


@pytest.mark.parametrize(("role", "change"), VARIANTS)
def test_every_way_a_network_may_be_built_gives_its_tensors(role: str, change: dict[str, Any]):
    place = STARTER / "controlnet" if role == "controlnet" else STARTER
    settings = Part(place, sd1.FAMILY, role).settings() | change
    assert sd1.FAMILY.roles[role].architecture.shapes(settings) == shapes(sd1.FAMILY, role, settings)

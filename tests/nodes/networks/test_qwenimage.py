"""What is known of Qwen-Image's transformer and its ControlNets is what diffusers builds, and what files tell."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nodes.backend.fields import check_fields
from nodes.backend.networks.architecture import Architecture, Settings
from nodes.backend.networks.qwenimage import CONTROLNET, REFERENCES_AT_ZERO, TRANSFORMER
from tests.examples import each, examples
from tests.nodes.networks import files
from tests.nodes.networks.files import PLACE, Tensors, settings

TINY = {
    "num_layers": 2,
    "num_attention_heads": 2,
    "attention_head_dim": 8,
    "axes_dims_rope": [2, 2, 4],
    "joint_attention_dim": 6,
    "in_channels": 16,
    "out_channels": 4,
}
NETWORKS = {"transformer": TRANSFORMER, "controlnet": CONTROLNET}
PUBLISHED: dict[str, tuple[str, dict[str, Any]]] = {
    "2512": ("transformer", {}),
    "Edit 2511": ("transformer", {"zero_cond_t": True, "num_layers": 2}),
    "tiny": ("transformer", TINY),
    "ControlNet": ("controlnet", {"num_layers": 5}),
    "inpainting ControlNet": ("controlnet", {"num_layers": 6, "extra_condition_channels": 4}),
}


@st.composite
def any_settings(draw: st.DrawFn, architecture: Architecture) -> Settings:
    """Small ones without a contradiction."""
    axes = [2 * draw(st.integers(1, 2)) for _ in range(3)]
    change: Settings = {"axes_dims_rope": axes, "attention_head_dim": sum(axes)}
    change |= {name: draw(st.integers(1, 3)) for name in ("num_layers", "num_attention_heads")}
    change |= {name: draw(st.integers(1, 9)) for name in ("in_channels", "out_channels", "joint_attention_dim")}
    if architecture is CONTROLNET:
        change["extra_condition_channels"] = draw(st.integers(0, 3))
    return settings(architecture, change)


def as_it_is(architecture: Architecture, given_settings: Settings, tensors: Tensors) -> Tensors:
    return tensors


@pytest.mark.parametrize("name", NETWORKS)
def test_names_and_defaults_are_the_librarys(name: str):
    ours = {field: kind.default for field, kind in NETWORKS[name].schema.items()}
    assert ours == files.library_defaults(NETWORKS[name])


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_have_the_tensors_of_the_library(name: str):
    kind, change = PUBLISHED[name]
    found = settings(NETWORKS[kind], change)
    assert NETWORKS[kind].shapes(found) == files.library_shapes(NETWORKS[kind], found)


@pytest.mark.parametrize("name", NETWORKS)
@examples(6)
@given(data=st.data())
def test_any_settings_give_the_tensors_of_the_library(name: str, data: st.DataObject):
    found = data.draw(any_settings(NETWORKS[name]))
    assert not [*NETWORKS[name].contradictions(found)]
    assert NETWORKS[name].shapes(found) == files.library_shapes(NETWORKS[name], found)


@examples(5)
@given(any_settings(TRANSFORMER))
def test_settings_without_a_contradiction_make_a_network_that_runs_to_the_bits_of_the_library(found: Settings):
    module = files.library_class(TRANSFORMER)(**found).eval()
    given = torch.rand(2, 10, found["in_channels"]), torch.rand(2, 5, found["joint_attention_dim"])
    told = {"timestep": torch.tensor([0.5, 0.5]), "img_shapes": [[(1, 2, 3), (1, 2, 2)]] * 2}
    with torch.inference_mode():
        index = torch.tensor([[0] * 6 + [1] * 4]) if found["zero_cond_t"] else None
        made = module(*given, **told, modulate_index=index)
        (theirs,) = super(type(module), module).forward(*given, **told, return_dict=False)
    assert made.shape == (2, 10, 4 * found["out_channels"])
    assert made.equal(theirs)


@each("name", PUBLISHED)
def test_a_published_file_tells_its_settings(name: str):
    kind, change = PUBLISHED[name]
    wanted = settings(NETWORKS[kind], change)
    found = {**files.shapes_of(files.on_meta(NETWORKS[kind], wanted))}
    if wanted.get("zero_cond_t"):
        found[REFERENCES_AT_ZERO] = (0,)
    told = NETWORKS[kind].told(settings(NETWORKS[kind], {}), found)
    if name == "tiny":  # no tensor tells how a head's channels are shared out
        told["axes_dims_rope"] = wanted["axes_dims_rope"]
    assert told == {**wanted, **({"out_channels": 16} if kind == "controlnet" else {})}
    assert check_fields(PLACE, told, NETWORKS[kind].schema) == told


@pytest.mark.parametrize("name", NETWORKS)
def test_a_damaged_file_tells_something_without_an_error(name: str):
    change = {field: value for field, value in TINY.items() if field in NETWORKS[name].schema}
    files.assert_tells_something_of_any_damage(NETWORKS[name], settings(NETWORKS[name], change), as_it_is)


def test_shares_of_a_head_that_do_not_fit_are_one_sentence():
    assert files.wrong(TRANSFORMER, TINY) == []
    (said,) = files.wrong(TRANSFORMER, {**TINY, "axes_dims_rope": [2, 3, 3]})
    assert said == "axes_dims_rope is [2, 3, 3]; it must be 3 even numbers that add up to attention_head_dim, 8"


@pytest.mark.parametrize(
    ("field", "value"),
    [("guidance_embeds", True), ("use_layer3d_rope", True), ("use_additional_t_cond", True), ("patch_size", 1)],
)
def test_what_the_network_cannot_be_is_refused_by_name(field: str, value: Any):
    with pytest.raises(ValueError, match=f"config.json: {field} is "):
        settings(TRANSFORMER, {field: value})

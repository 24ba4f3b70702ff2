"""Weights in eight bits by choice: which they are, which numbers, how much memory, and that a key means one picture."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any, cast, get_args

import pytest
import torch
from diffusers.hooks.layerwise_casting import DEFAULT_SKIP_MODULES_PATTERN
from safetensors.torch import load_file
from torch import Tensor, nn

import nodes
from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import set_param
from nodegraph.planning.plan import Plan, plan
from nodegraph.program import FOLDER
from nodes.backend import checkpoints, devices, families, layouts, loading, narrow, placing, pool, trial
from nodes.backend.cards import Card
from nodes.backend.fields import check_fields
from nodes.backend.quantised_layers import QuantisedLinear
from nodes.backend.trial import Trial
from nodes.text import prompt
from nodes.types import Storage
from tests import quantised_files

CPU = torch.device("cpu")


pytestmark = pytest.mark.usefixtures("empty_pool")


# Numbers ------------------------------------------------------------------------------------------------------

IN_BLOCKS = re.compile(r"(single_)?transformer_blocks\.\d+\.(attn\.|ff|proj_)")
"""The layers of Flux's blocks without those that modulate them."""


def rounded(weight: Tensor, storage: Storage) -> Tensor:
    """By the definitions of the formats: whole numbers up to 127; four bits from 2^-6 on, and steps of 2^-9 below."""
    scale = weight.abs().amax(dim=1, keepdim=True) / (127 if storage == "int8" else 448)
    told = (weight / scale).double()
    step = torch.ones_like(told) if storage == "int8" else torch.exp2(told.abs().log2().floor().clamp(min=-6) - 3)
    return (torch.round(told / step) * step * scale.double()).float()


FLUX = {
    "hidden_states": torch.randn(1, 16, 64, generator=torch.Generator().manual_seed(1)),
    "encoder_hidden_states": torch.randn(1, 7, 96, generator=torch.Generator().manual_seed(2)),
    "pooled_projections": torch.randn(1, 32, generator=torch.Generator().manual_seed(3)),
    "timestep": torch.tensor([0.5]),
    "img_ids": torch.zeros(16, 3),
    "txt_ids": torch.zeros(7, 3),
    "guidance": torch.tensor([3.5]),
}


def output(net: Any) -> Tensor:
    with torch.inference_mode():
        return net(**FLUX)[0]


@pytest.mark.parametrize("storage", ["float8", "int8"])
def test_blocks_compute_with_their_rounded_numbers_and_all_else_with_its_own(
    flux_folder: Path, single_file: Callable[..., Path], storage: Storage
):
    """Of a file of the original names, in which projections lie in one matrix."""
    file = str(single_file(flux_folder))
    ours = pool.network(checkpoints.denoiser(file, storage).network)
    expected = deepcopy(pool.network(checkpoints.denoiser(file).network))
    linears = {name: layer for name, layer in expected.named_modules() if isinstance(layer, nn.Linear)}
    for name, layer in linears.items():
        assert isinstance(ours.get_submodule(name), QuantisedLinear) == bool(IN_BLOCKS.match(name)), name
        if IN_BLOCKS.match(name):
            layer.weight.data = rounded(layer.weight, storage)
            assert ours.get_submodule(name).made().equal(layer.weight)
    assert output(ours).equal(output(expected))


def test_a_text_encoder_is_narrow_by_the_choice_of_its_own_loader(flux_folder: Path):
    whole = checkpoints.checkpoint(str(flux_folder), "int8")
    assert [network.storage for network in whole.text_encoder.encoders] == ["as in the file"] * 2
    narrowed = checkpoints.text_encoders(whole.model, [str(flux_folder)], "int8")
    for network in narrowed.encoders:
        assert any(isinstance(layer, QuantisedLinear) for layer in pool.network(network).modules())
    ours, expected = (prompt(text, "a red cat").embeds for text in (narrowed, whole.text_encoder))
    assert 0 < (ours - expected).norm() / expected.norm() < 0.03  # of numbers of which each is off by 1/254 at the most


def test_what_the_file_has_in_that_layout_stays_as_it_is(flux_folder: Path, single_file: Callable[..., Path]):
    whole = single_file(flux_folder)
    file = str(quantised_files.write(whole.with_name("packed.safetensors"), load_file(whole), "scaled_fp8"))
    ours, expected = (
        pool.network(checkpoints.denoiser(file, storage).network).state_dict()
        for storage in cast("tuple[Storage, ...]", ("float8", "as in the file"))
    )
    assert all(tensor.equal(expected[name]) for name, tensor in ours.items())


@pytest.mark.parametrize(("layout", "said"), [("int8", "int8"), ("Q8_0", "GGUF Q8_0")])
def test_what_is_rounded_otherwise_is_not_rounded_again(
    flux_folder: Path, single_file: Callable[..., Path], layout: str, said: str
):
    whole = single_file(flux_folder)
    file = quantised_files.write(whole.with_name("packed.safetensors"), load_file(whole), layout)
    with pytest.raises(ValueError, match=re.escape(f"weights is 'float8', but the transformer of {file} is")) as told:
        checkpoints.denoiser(str(file), "float8")
    assert f"quantised already ({said}); choose 'as in the file'" in str(told.value)


def test_what_is_read_in_pieces_for_a_card_is_packed_as_what_is_mapped(
    flux_folder: Path, single_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    network = checkpoints.denoiser(str(single_file(flux_folder)), "float8").network
    mapped = loading.load(network, CPU, torch.bfloat16).state_dict()
    monkeypatch.setattr(loading, "COPIED", ("cpu",))
    copied = loading.load(network, CPU, torch.bfloat16).state_dict()
    assert all(tensor.to(copied[name].dtype).equal(copied[name]) for name, tensor in mapped.items())


# Which --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [family.name for family in families.FAMILIES])
def test_what_diffusers_leaves_wide_stays_wide(family: str):
    of = families.of(family)
    architecture = of.roles[of.denoiser].architecture
    settings = check_fields(Path(family), of.default_settings(of.denoiser), architecture.schema)
    module, _, name = architecture.library_class.partition(":")
    own: tuple[str, ...] = tuple(getattr(import_module(module), name)._skip_layerwise_casting_patterns)
    shapes = architecture.shapes(settings)
    narrowed = [tensor for tensor, shape in shapes.items() if narrow.narrows(tensor, shape)]
    assert len(narrowed) > 30
    for tensor in narrowed:
        layer = tensor.removesuffix(".weight")
        assert not any(re.search(pattern, layer) for pattern in (*DEFAULT_SKIP_MODULES_PATTERN, *own)), tensor


@pytest.mark.parametrize(
    "name", ["shared.weight", "layers.0.weight", "blocks.0.attn_norm.weight", "x.0.mod.img_mod.1.weight"]
)
def test_tables_single_layers_norms_and_modulation_stay(name: str):
    assert not narrow.narrows(name, (64, 64))
    assert narrow.narrows("blocks.0.attn.to_q.weight", (64, 64))
    assert not narrow.narrows("blocks.0.attn.to_q.weight", (64, 64, 1, 1))


# Memory -------------------------------------------------------------------------------------------------------


def test_room_is_counted_in_what_is_kept(flux_folder: Path, single_file: Callable[..., Path]):
    file = str(single_file(flux_folder))
    held: list[int] = []
    for storage in cast("tuple[Storage, ...]", ("as in the file", "float8")):
        network = checkpoints.denoiser(file, storage).network
        expected, _ = pool._expected(network)
        held.append(placing.nbytes(placing.tensors([pool.network(network)])))
        assert abs(held[-1] - expected) < 0.01 * expected
        (told,) = nodes.models()
        assert told.bytes == pool.nbytes()
        assert told.name.endswith(", float8") == (storage == "float8")
        nodes.free(network.id)
    assert not nodes.models()
    assert held[1] < 0.7 * held[0]


# Keys ---------------------------------------------------------------------------------------------------------


TYPES = discover("nodes")


def planned(weights: str | None) -> Plan:
    graph = workflow.load(FOLDER / "workflows" / "text_to_image.json")
    if weights is not None:
        graph = set_param(graph, "checkpoint", "weights", weights)
    return plan(graph, TYPES, ["decode"])


def test_every_choice_has_pictures_of_its_own_and_files_from_before_it_theirs():
    keys = {weights: planned(weights).keys["decode"] for weights in (None, *get_args(Storage))}
    assert keys[None] == keys["as in the file"]
    assert len(set(keys.values())) == len(get_args(Storage))
    assert "storage" not in repr(checkpoints.checkpoint("models/starter"))  # as in keys from before there was a choice


def test_a_choice_that_is_none_is_a_problem_of_its_node():
    (problem,) = planned("float4").problems
    assert problem.node == "checkpoint"
    assert "weights" in problem.message
    assert "float4" in problem.message


# Fast products ------------------------------------------------------------------------------------------------


def test_fast_layers_multiply_in_eight_bits_whatever_the_environment_says(
    flux_folder: Path, single_file: Callable[..., Path]
):
    file = str(single_file(flux_folder))
    fast, plain = (pool.network(checkpoints.denoiser(file, storage).network) for storage in narrowed("float8"))
    assert all(fast.state_dict()[name].equal(tensor) for name, tensor in plain.state_dict().items())
    difference = (output(fast) - output(plain)).norm() / output(plain).norm()
    assert 1e-3 < difference < 0.1  # what a layer is given is rounded to four bits, twice a layer at the most
    layer, x = fast.transformer_blocks[0].attn.to_q, torch.randn(5, 32)
    with torch.inference_mode():
        exact = rounded(x, "float8").double() @ layer.made().double().T + layer.bias.double()
        assert (layer(x) - exact).abs().max() < 1e-5 * exact.abs().max()  # sums in float32
    assert layer(x).equal(plain.transformer_blocks[0].attn.to_q(x))  # while a LoRA is trained, nothing is rounded


def narrowed(layout: str) -> tuple[Storage, ...]:
    return cast("tuple[Storage, ...]", (f"{layout}, fast", layout))


SMALL = Card("cuda", "cuda:0", "A card", arch="sm_86")


@pytest.mark.parametrize(
    ("errors", "why"),
    [
        ({"float8": 0.003}, None),
        ({"float8": 0.3}, "A card does not multiply numbers of float8, or wrongly"),
        ({}, "A card"),
    ],
)
def test_the_self_test_says_where_fast_products_are_to_be_had(
    monkeypatch: pytest.MonkeyPatch, errors: dict[str, float], why: str | None
):
    monkeypatch.setattr(devices, "card", lambda device: SMALL)
    monkeypatch.setattr(devices, "tried", lambda card: Trial(errors))
    said = devices.no_float8_products(torch.device("cuda:0"))
    assert said is None if why is None else said is not None and said.startswith(why)


def test_what_cannot_be_fast_is_refused_and_not_made_otherwise(flux_folder: Path, monkeypatch: pytest.MonkeyPatch):
    """A key with this choice means products of eight bits, on whatever device."""
    monkeypatch.setattr(devices, "no_float8_products", lambda device: "A card cannot")
    network = checkpoints.denoiser(str(flux_folder), "float8, fast").network
    with pytest.raises(
        ValueError, match=r"weights of the transformer of .* is 'float8, fast', but A card cannot; choose"
    ):
        pool.network(network)


def test_products_of_eight_bits_are_compared_with_the_processors(monkeypatch: pytest.MonkeyPatch):
    assert trial.of_float8(CPU) == 0.0
    right, calls = layouts.float8_product, list[Any]()

    def wrong(x: Tensor, codes: Tensor, scale: Tensor) -> Tensor:
        calls.append(x)
        return right(x, codes, scale) * (1.0 if len(calls) % 2 else 1.1)

    monkeypatch.setattr(layouts, "float8_product", wrong)
    assert trial.of_float8(CPU) > trial.LIMITS["float8"]
    monkeypatch.setattr(layouts, "multiplies_float8", lambda device: False)
    assert not Trial({"float8": trial.of_float8(CPU)}).right("float8")

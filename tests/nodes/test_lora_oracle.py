"""A LoRA acts as if W + strength * alpha / rank * B A were the weights, whatever its layers are and are called."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.func import functional_call

import nodes.types
from nodegraph.program import FOLDER as ROOT
from nodes.adapter import lora
from nodes.backend import adapters, checkpoints, loading, lora_file, noise, pool
from nodes.backend.additions import LowRank
from nodes.backend.checkpoints import Checkpoint
from nodes.types import Lora, Model, Weights
from tests.examples import examples
from tests.nodes.lora_files import LAYOUTS, Layer, Layout, merged, random_layer, write

SLOW = examples(8, daily=4, report_multiple_bugs=False)


class Network:
    """A network of its own, apart from the pool's. weights: by layer. No dataclass: hypothesis would print them."""

    def __init__(self, module: Any, weights: dict[str, Tensor]) -> None:
        self.module, self.weights = module, weights


@pytest.fixture(scope="module")
def tiny(sd15_folder: Path) -> Checkpoint:
    pool.configure("cpu")
    return checkpoints.checkpoint(str(sd15_folder))


def network(description: nodes.types.Network) -> Network:
    module = loading.load(description, torch.device("cpu"), torch.float32)
    state = module.state_dict()
    layers = lora_file.layers({name: tuple(tensor.shape) for name, tensor in state.items()})
    return Network(module, {name: state[f"{name}.weight"] for name in layers})


def unet_of(model: Model) -> Any:
    return pool.network(model.network, model.loras)


@pytest.fixture(scope="module")
def unet(tiny: Checkpoint) -> Network:
    return network(tiny.model.network)


@pytest.fixture(scope="module")
def encoder(tiny: Checkpoint) -> Network:
    return network(tiny.text_encoder.encoders[0])


@torch.inference_mode()
def noise_pred(module: Any, weights: Mapping[str, Tensor] | None = None) -> Tensor:
    """weights: in place of the module's own."""
    x, embeds = noise.draw((1, 4, 8, 8), 0, 0), noise.draw((1, 77, 32), 1, 0)
    parameters = {f"{name}.weight": weight for name, weight in (weights or {}).items()}
    return functional_call(module, parameters, (x, torch.tensor(500.0), embeds)).sample


@torch.inference_mode()
def embeds(module: Any, weights: Mapping[str, Tensor] | None = None) -> Tensor:
    parameters = {f"{name}.weight": weight for name, weight in (weights or {}).items()}
    return functional_call(module, parameters, (torch.tensor([[3, 4, 5, 6]]),)).last_hidden_state


def assert_alike(ours: Tensor, merged: Tensor) -> None:
    """float32 sums in another order; each of some hundred layers may be off by a part in 10^7."""
    assert (ours - merged).abs().max() <= 2e-5 * max(merged.abs().max().item(), 1)


def drawn_layers(data: st.DataObject, weights: Mapping[str, Tensor]) -> dict[str, Layer]:
    """Any of the layers, each with a rank and an alpha of its own."""
    names = st.sampled_from(sorted(weights))
    settings = st.tuples(st.integers(1, 6), st.floats(-8, 16, width=32))
    drawn = data.draw(st.dictionaries(names, settings, min_size=1, max_size=12))
    return {name: random_layer(weights[name], *drawn[name], seed) for seed, name in enumerate(drawn)}


STRENGTHS = st.floats(-1.5, 1.5, width=32)


@SLOW
@given(data=st.data(), layout=st.sampled_from(LAYOUTS), strength=STRENGTHS)
def test_a_denoiser_with_a_lora_is_the_one_with_merged_weights(
    tiny: Checkpoint, unet: Network, data: st.DataObject, layout: Layout, strength: float
):
    layers = drawn_layers(data, unet.weights)
    with TemporaryDirectory() as folder:
        path = write(Path(folder) / "lora.safetensors", layout, layers)
        ours = noise_pred(unet_of(lora(tiny.model, tiny.text_encoder, str(path), strength, 0.0).model))
    assert_alike(ours, noise_pred(unet.module, merged(unet.weights, layers, strength)))


@SLOW
@given(data=st.data(), layout=st.sampled_from(("kohya", "diffusers", "bare")), strength=STRENGTHS)
def test_a_text_encoder_with_a_lora_is_the_one_with_merged_weights(
    tiny: Checkpoint, encoder: Network, data: st.DataObject, layout: Layout, strength: float
):
    layers = drawn_layers(data, encoder.weights)
    with TemporaryDirectory() as folder:
        path = write(Path(folder) / "lora.safetensors", layout, {}, layers)
        adapted = lora(tiny.model, tiny.text_encoder, str(path), 0.0, strength).text_encoder
        ours = embeds(pool.network(adapted.encoders[0], adapted.loras))
    assert_alike(ours, embeds(encoder.module, merged(encoder.weights, layers, strength)))


@SLOW
@given(data=st.data(), first=STRENGTHS, second=STRENGTHS)
def test_two_loras_add_up_to_their_merged_weights(
    tiny: Checkpoint, unet: Network, data: st.DataObject, first: float, second: float
):
    one, other = drawn_layers(data, unet.weights), drawn_layers(data, unet.weights)
    with TemporaryDirectory() as folder:
        a = write(Path(folder) / "a.safetensors", "kohya", one)
        b = write(Path(folder) / "b.safetensors", "diffusers", other)
        model = lora(tiny.model, tiny.text_encoder, str(a), first, 0.0).model
        model = lora(model, tiny.text_encoder, str(b), second, 0.0).model
        ours = noise_pred(unet_of(model))
    both = merged(merged(unet.weights, one, first), other, second)
    assert_alike(ours, noise_pred(unet.module, both))


def scales(model: Model, path: Path) -> set[float]:
    """What the layers of a file are multiplied with, as it is loaded."""
    files = [Weights(str(path), "1")]
    adapted = adapters.with_loras(unet_of(model), model.network, files)
    return {round(module.scale, 6) for module in adapted.modules() if isinstance(module, LowRank)}


def starter() -> Model:
    return checkpoints.checkpoint(str(ROOT / "models" / "starter")).model


KOHYA = ROOT / "models" / "starter" / "lora" / "ink_kohya.safetensors"


def test_an_alpha_holds_for_its_own_layer_alone(tmp_path: Path):
    tensors = load_file(KOHYA)
    odd = {k: torch.ones(()) if k.endswith("alpha") and "attn1" in k else v for k, v in tensors.items()}
    save_file(odd, tmp_path / "odd.safetensors")
    assert scales(starter(), tmp_path / "odd.safetensors") == {1.0, 1 / 8}


def test_a_lora_without_any_alpha_has_scale_1_whatever_its_ranks(tmp_path: Path):
    tensors = {k: v for k, v in load_file(KOHYA).items() if not k.endswith("alpha")}
    cut = {k: v[:3] if "lora_down" in k and "attn2" in k else v for k, v in tensors.items()}
    cut = {k: v[:, :3] if "lora_up" in k and "attn2" in k else v for k, v in cut.items()}
    save_file({k: v.contiguous() for k, v in cut.items()}, tmp_path / "cut.safetensors")
    assert scales(starter(), tmp_path / "cut.safetensors") == {1.0}


def test_rank_stabilised_pairs_are_divided_by_the_root_of_their_rank(tmp_path: Path):
    tensors = load_file(ROOT / "models" / "starter" / "lora" / "ink.safetensors")
    story = {"unet.lora_alpha": 4, "unet.use_rslora": True}
    save_file(tensors, tmp_path / "rs.safetensors", {"lora_adapter_metadata": json.dumps(story)})
    assert scales(starter(), tmp_path / "rs.safetensors") == {round(4 / 8**0.5, 6)}


def test_a_change_of_the_settings_beside_a_lora_is_a_change_of_the_lora(
    tiny: Checkpoint, unet: Network, tmp_path: Path
):
    name = next(iter(unet.weights))
    path = tmp_path / "adapter_model.safetensors"
    described: list[Lora] = []
    for alpha in (4.0, 12.0):
        write(path, "peft", {name: random_layer(unet.weights[name], 4, alpha, 0)})
        described += lora(tiny.model, tiny.text_encoder, str(path), 1.0, 0.0).model.loras
    assert described[0] != described[1]

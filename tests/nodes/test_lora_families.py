"""Adapters of every kind, in every layout, on every network of a family: as if they were merged into its files."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import Phase, given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from nodes.adapter import lora
from nodes.backend import checkpoints, loading, lora_file, noise, pool
from nodes.backend.additions import Adapted
from nodes.types import Network
from tests import tiny_split
from tests.examples import examples, some_slow
from tests.nodes import lora_kinds
from tests.tiny_checkpoints import single_file_tensors

SLOW = examples(12, daily=2, report_multiple_bugs=False, phases=(Phase.explicit, Phase.generate))
"""Without shrinking, which would load networks for minutes."""
CPU = torch.device("cpu")
ORIGINAL = "model.diffusion_model."
TENSORS = {"down": "lora_down.weight", "up": "lora_up.weight"}


class Layout(NamedTuple):
    """How trainers write the name of a layer. original: by that of the original code. dots: or underscores."""

    name: str
    role: str
    prefix: str
    original: bool = False
    dots: bool = True
    peft: bool = False  # lora_A and lora_B

    def written(self, layer: str, ending: str) -> str:
        if self.peft:
            ending = {"lora_down.weight": "lora_A.weight", "lora_up.weight": "lora_B.weight"}.get(ending, ending)
        if self.peft and ending == "dora_scale":
            ending = "lora_magnitude_vector"
        return f"{self.prefix}{layer if self.dots else layer.replace('.', '_')}.{ending}"


def layouts(denoiser: str, flat: str) -> Iterator[Layout]:
    yield Layout("diffusers", denoiser, f"{denoiser}.", peft=True)
    yield Layout("peft", denoiser, "base_model.model.", peft=True)
    yield Layout("bare", denoiser, "")
    yield Layout("AI-toolkit", denoiser, "diffusion_model.", original=True, peft=True)
    yield Layout("with downs and ups", denoiser, "diffusion_model.", original=True)
    yield Layout("bare, original", denoiser, "", original=True, peft=True)
    yield Layout("kohya", denoiser, "lora_unet_", original=True, dots=False)
    yield Layout("OneTrainer", denoiser, flat, dots=False)


def of_encoder(role: str, *flat: str) -> Iterator[Layout]:
    yield Layout("diffusers", role, f"{role}.", peft=True)
    for prefix in flat:
        yield Layout("kohya", role, prefix, dots=False)


FAMILIES: dict[str, list[Layout]] = {
    "sdxl": [
        *layouts("unet", "lora_unet_"),
        *of_encoder("text_encoder", "lora_te1_"),
        *of_encoder("text_encoder_2", "lora_te2_"),
    ],
    "sd3": [
        *layouts("transformer", "lora_transformer_"),
        *of_encoder("text_encoder", "lora_te1_"),
        *of_encoder("text_encoder_2", "lora_te2_"),
        *of_encoder("text_encoder_3", "lora_te3_"),
    ],
    "flux": [
        *layouts("transformer", "lora_transformer_"),
        *of_encoder("text_encoder", "lora_te1_"),
        *of_encoder("text_encoder_2", "lora_te2_", "lora_te3_"),
    ],
    "zimage": [*layouts("transformer", "lora_transformer_")],
    "klein": [*layouts("transformer", "lora_transformer_")],
    "qwenimage21": [*layouts("transformer", "lora_transformer_")],
    "krea2": [*layouts("transformer", "lora_transformer_")],
    "qwenimage": [*layouts("transformer", "lora_transformer_")],
}
LATER = ("sdxl", "qwenimage21", "krea2", "qwenimage")
"""Those that are not tried in every run of the tests; a U-Net is, in test_lora_oracle."""

EACH = [pytest.param(name, marks=pytest.mark.slow) if name in LATER else name for name in FAMILIES]


@cache
def in_one_file(folder: Path) -> dict[str, Tensor]:
    """The denoiser under the names of the original code, and what else single files of its family hold."""
    kind = json.loads((folder / "model_index.json").read_text("utf-8"))["_class_name"]
    if kind not in tiny_split.FILES:
        return single_file_tensors(folder)
    _, rewrite = tiny_split.FILES[kind]["transformer"]
    return rewrite(*tiny_split._part(folder, "transformer"))


class Tiny(NamedTuple):
    folder: Path
    checkpoint: checkpoints.Checkpoint

    def network(self, role: str) -> Network:
        networks = (self.checkpoint.model.network, *self.checkpoint.text_encoder.encoders)
        return next(network for network in networks if network.role == role)

    def prefix(self) -> str:
        """Of the denoiser's tensors in a single file."""
        return ORIGINAL if any(name.startswith(ORIGINAL) for name in in_one_file(self.folder)) else ""

    def weights(self, layout: Layout) -> dict[str, Tensor]:
        """Of the layers that can be adapted, by the name that the layout has for them."""
        tensors = load_file(next((self.folder / layout.role).glob("*.safetensors")))
        if layout.original:
            prefix, whole = self.prefix(), in_one_file(self.folder)
            tensors = {name.removeprefix(prefix): t for name, t in whole.items() if name.startswith(prefix)}
        layers = lora_file.layers({name: tuple(tensor.shape) for name, tensor in tensors.items()})
        return {layer: tensors[f"{layer}.weight"] for layer in layers}


@pytest.fixture(scope="module")
def tinies(request: pytest.FixtureRequest) -> dict[str, Tiny]:
    pool.configure("cpu")
    folders: dict[str, Path] = {name: request.getfixturevalue(f"{name}_folder") for name in FAMILIES}
    return {name: Tiny(folder, checkpoints.checkpoint(str(folder))) for name, folder in folders.items()}


def merged(tiny: Tiny, layout: Layout, weights: Mapping[str, Tensor]) -> nn.Module:
    """The network of a copy of the checkpoint that has these weights."""
    with TemporaryDirectory() as name:
        copy = Path(name) / "copy"
        ignored = shutil.ignore_patterns("*.safetensors") if layout.original else None
        shutil.copytree(tiny.folder, copy, ignore=ignored)
        if layout.original:
            file = copy / "model.safetensors"
            changed = {f"{tiny.prefix()}{layer}.weight": weight for layer, weight in weights.items()}
            tensors = {**in_one_file(tiny.folder), **changed}
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)
            described = checkpoints.denoiser(str(file)).network
        else:
            file = next((copy / layout.role).glob("*.safetensors"))
            save_file({**load_file(file), **{f"{layer}.weight": w for layer, w in weights.items()}}, file)
            described = Tiny(copy, checkpoints.checkpoint(str(copy))).network(layout.role)
        module: Any = loading.load(described, CPU, torch.float32)
        return module.apply(lambda part: part.requires_grad_(False))


@torch.inference_mode()
def assert_same_layers(ours: nn.Module, theirs: nn.Module) -> int:
    """Each layer makes the same of the same; how many of them are adapted.

    float32 sums in another order, of products that are as large as the weights: some parts in 10^6 of the largest.
    """
    adapted = 0
    for name, module in theirs.named_modules():
        if not isinstance(module, nn.Linear | nn.Conv2d):
            continue
        layer = ours.get_submodule(name)
        if not isinstance(layer, Adapted):
            assert torch.equal(layer.weight, module.weight), name
            continue
        adapted += 1
        size = (2, module.in_channels, 6, 6) if isinstance(module, nn.Conv2d) else (2, 5, module.in_features)
        x = noise.draw(size, 7, 0)
        wanted = module(x)
        assert (layer(x) - wanted).abs().max() <= 2e-5 * wanted.abs().max(), name
    return adapted


def drawn(data: st.DataObject, weights: Mapping[str, Tensor]) -> dict[str, lora_kinds.Made]:
    """Any of the layers, each of any kind, with a rank and an alpha of its own."""
    made: dict[str, lora_kinds.Made] = {}
    names = data.draw(st.lists(st.sampled_from(sorted(weights)), min_size=1, max_size=12, unique=True))
    for seed, name in enumerate(names):
        weight = weights[name]
        kinds = lora_kinds.CONVOLUTION if weight.shape[2:] == (3, 3) else lora_kinds.LINEAR
        kind, rank = data.draw(st.sampled_from(kinds)), data.draw(st.integers(1, 5))
        made[name] = lora_kinds.make(kind, weight, rank, data.draw(st.sampled_from([0.5, 1.0, 3.0, 8.0])), seed)
    return made


@pytest.mark.parametrize("family", EACH)
@SLOW
@given(data=st.data(), strength=st.sampled_from([0.7, 1.0, -0.5]))
def test_an_adapter_acts_as_if_it_were_merged_into_the_file(
    tinies: dict[str, Tiny], family: str, data: st.DataObject, strength: float
):
    tiny, layout = tinies[family], data.draw(st.sampled_from(FAMILIES[family]))
    weights = tiny.weights(layout)
    made = drawn(data, weights)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "lora.safetensors"
        save_file(
            {layout.written(layer, end): t.contiguous() for layer, m in made.items() for end, t in m.tensors.items()},
            path,
        )
        is_text = layout.role != tiny.checkpoint.model.network.role
        adapted = lora(tiny.checkpoint.model, tiny.checkpoint.text_encoder, str(path), strength, strength)
        loras = adapted.text_encoder.loras if is_text else adapted.model.loras
        ours = pool.network(tiny.network(layout.role), loras)
    theirs = merged(tiny, layout, {layer: m.merged(strength) for layer, m in made.items()})
    assert assert_same_layers(ours, theirs) >= len(made)


STREAMS = ("zimage", "klein")
"""Families whose LoRA files diffusers reads in part in some layouts, or not at all."""


EVERY = [(family, layout, alpha) for family in STREAMS for layout in FAMILIES[family] for alpha in (True, False)]
QUICK = "with downs and ups"


@pytest.mark.parametrize(
    ("family", "layout", "with_alpha"),
    some_slow(EVERY, [case for case in EVERY if case[0] == "zimage" and case[1].name == QUICK and case[2]]),
    ids=lambda value: value.name if isinstance(value, Layout) else str(value),
)
def test_every_weight_of_a_lora_for_every_layer_is_used(
    tinies: dict[str, Tiny], family: str, layout: Layout, with_alpha: bool, tmp_path: Path
):
    tiny = tinies[family]
    made = {
        layer: lora_kinds.make("LoRA", weight, 4, 2.0 if with_alpha else 4.0, seed)
        for seed, (layer, weight) in enumerate(tiny.weights(layout).items())
    }
    written = {
        layout.written(layer, end): t.contiguous()
        for layer, m in made.items()
        for end, t in m.tensors.items()
        if with_alpha or end != "alpha"
    }
    save_file(written, tmp_path / "lora.safetensors")
    adapted = lora(tiny.checkpoint.model, tiny.checkpoint.text_encoder, str(tmp_path / "lora.safetensors"), 0.7, 0.7)
    ours = pool.network(tiny.network(layout.role), adapted.model.loras)
    theirs = merged(tiny, layout, {layer: m.merged(0.7) for layer, m in made.items()})
    linear = sum(isinstance(module, nn.Linear) for module in theirs.modules())
    assert assert_same_layers(ours, theirs) == linear


STRENGTHS = st.lists(st.tuples(st.sampled_from([0, 1]), st.sampled_from([-1.0, 0.0, 0.3, 0.7, 1.0, 2.0])), max_size=20)


@pytest.mark.parametrize("family", EACH)
@examples(3, daily=1, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(changes=STRENGTHS)
def test_after_any_changes_of_strength_the_network_is_as_freshly_loaded(
    tinies: dict[str, Tiny], family: str, changes: list[tuple[int, float]]
):
    tiny = tinies[family]
    role = tiny.checkpoint.model.network.role
    layout = FAMILIES[family][0]
    kinds = itertools.cycle(lora_kinds.LINEAR)
    some = list(tiny.weights(layout).items())[::9]
    made = {n: lora_kinds.make(kind, w, 2, 1.0, 0) for (n, w), kind in zip(some, kinds, strict=False)}
    with TemporaryDirectory() as folder:
        model, path = tiny.checkpoint.model, Path(folder) / "lora.safetensors"
        tensors = {layout.written(layer, end): t for layer, m in made.items() for end, t in m.tensors.items()}
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
        (file,) = lora(model, tiny.checkpoint.text_encoder, str(path), 1.0, 0.0).model.loras
        for count, strength in changes:
            pool.network(model.network, (replace(file, strength=strength),) * (count + 1))
    fresh: Any = loading.load(tiny.network(role), CPU, torch.float32)
    base = pool.network(model.network).state_dict()
    assert base.keys() == fresh.state_dict().keys()
    assert all(torch.equal(base[name], tensor) for name, tensor in fresh.state_dict().items())
    assert not any(isinstance(module, Adapted) for module in pool.network(model.network).modules())


def test_a_change_of_strength_reads_no_file_and_copies_no_weight(tinies: dict[str, Tiny], tmp_path: Path):
    tiny, layout = tinies["sdxl"], FAMILIES["sdxl"][0]
    made = {n: lora_kinds.make("DoRA", w, 2, 1.0, 0) for n, w in list(tiny.weights(layout).items())[::9]}
    path = tmp_path / "lora.safetensors"
    save_file({layout.written(n, end): t.contiguous() for n, m in made.items() for end, t in m.tensors.items()}, path)
    model, encoder = tiny.checkpoint.model, tiny.checkpoint.text_encoder
    (file,) = lora(model, encoder, str(path), 0.2, 0.0).model.loras
    one = pool.network(model.network, (file,))
    path.unlink()
    other = pool.network(model.network, (replace(file, strength=0.9),))
    assert one is not other
    for a, b in zip(
        itertools.chain(one.parameters(), one.buffers()),
        itertools.chain(other.parameters(), other.buffers()),
        strict=True,
    ):
        assert a is b

"""LoRA files beside a network's own weights, which stay untouched.

Hu et al. 2021 (arXiv:2106.09685), eq. 3: h = W x + strength * alpha / rank * B A x. Of the other kinds see `additions`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nodes.backend import additions, lora_file, lora_scale, parts, placing, widening
from nodes.backend.additions import Adapted, Addition
from nodes.backend.headers import shapes
from nodes.backend.share import twin, twin_of_one
from nodes.backend.untyped import load_file
from nodes.types import Network, Weights

Kind = tuple[torch.device, torch.dtype]
STRENGTHS = "strengths"


def with_loras(base: nn.Module, network: Network, files: Sequence[Weights]) -> Any:
    """A twin of a network with what these files add beside its layers, all at strength 1.

    A file may cover some networks of a model alone. Raises ValueError when one does not fit the network.
    """
    adapted = twin(base)
    for number, weights in enumerate(files):
        for layer, addition in _additions(base, network, weights).items():
            parent, _, name = layer.rpartition(".")
            holder = adapted.get_submodule(parent)
            module: Any = getattr(holder, name)
            if not isinstance(module, Adapted):
                module = Adapted(module)
                setattr(holder, name, module)
            module.append(number, addition)
    return adapted.eval()


def with_strengths(adapted: nn.Module, strengths: Sequence[float]) -> Any:
    """A twin of an adapted network with other strengths, one for each of its files.

    What holds no adapted layer is the very same in both: a large network has thousands of modules.
    """
    weighted = _weighted(adapted, strengths)
    if weighted is not adapted:
        weighted.__dict__[STRENGTHS] = tuple(strengths)
    return weighted


def strengths_of(net: Any) -> tuple[float, ...]:
    """Those that it was made with; none where it has no adapted layer."""
    return net.__dict__.get(STRENGTHS, ())


def _weighted(adapted: nn.Module, strengths: Sequence[float]) -> Any:
    if isinstance(adapted, Adapted):
        return adapted.with_strengths([strengths[number] for number in adapted.files])
    children = {name: _weighted(child, strengths) for name, child in adapted.named_children()}
    if all(child is getattr(adapted, name) for name, child in children.items()):
        return adapted
    weighted = twin_of_one(adapted)
    for name, child in children.items():
        setattr(weighted, name, child)
    return weighted


def _additions(base: nn.Module, network: Network, weights: Weights) -> dict[str, Addition]:
    """What a file adds to each layer of a network, by the layer's name."""
    place, role, settings = Path(weights.path), parts.part(network).spec, parts.settings(network)
    layers = lora_file.layers(role.architecture.shapes(settings))
    found = lora_file.read(place, shapes(place), role, layers, settings).additions
    tensors = load_file(place)
    told = lora_scale.settings(place, role) if found else dict[str, Any]()
    kind = placing.computes_on(base), widening.computed_in(base)
    return {
        layer: _addition(_Reading(place, tensors, added, base.get_submodule(layer).weight, kind), layer, told)
        for layer, added in found.items()
    }


class _Reading:
    """The tensors of one addition. weight: of the layer it is for. kind: where the layer computes, and in what."""

    def __init__(
        self, place: Path, tensors: Mapping[str, Tensor], added: lora_file.Addition, weight: Any, kind: Kind
    ) -> None:
        self.place, self.added, self.weight, self.kind = place, added, weight, kind
        self.tensors = {factor: tensors[name] for factor, name in added.names.items()}
        self.rows, self.swapped = added.stored.rows, added.stored.change == "swapped"

    def of(self, prefix: str) -> dict[str, Tensor]:
        """The factors whose names begin so, where the layer computes, without that."""
        found = {n.removeprefix(prefix): t for n, t in self.tensors.items() if n.startswith(prefix)}
        return {name: self.placed(tensor) for name, tensor in found.items()}

    def placed(self, tensor: Tensor) -> Tensor:
        return tensor.to(*self.kind)

    def part(self, tensor: Tensor) -> Tensor:
        """The rows of it that are for the layer."""
        return additions.part(tensor, self.rows, swapped=self.swapped)

    def rank(self) -> int | None:
        """None where nothing is of low rank."""
        for factor in ("down", "hada_w1_b", "lokr_w2_b", "lokr_w1_b"):
            if factor in self.tensors:
                return len(self.tensors[factor])
        return None

    def scale(self, layer: str, told: Mapping[str, Any]) -> float:
        """alpha / rank. A product without a rank is as it was trained."""
        rank = self.rank()
        if "alpha" not in self.tensors:
            return lora_scale.scale(self.place, told, layer, rank)
        alpha = self.tensors["alpha"].item()
        if not math.isfinite(alpha):
            name = self.added.names["alpha"]
            raise ValueError(f"{self.place}: {name} must be a finite number, it is {alpha}")
        return alpha / rank if rank else 1.0


def _addition(read: _Reading, layer: str, told: Mapping[str, Any]) -> Addition:
    scale = read.scale(layer, told)
    if read.added.kind == "LoHa":
        return additions.Hadamard(read.of("hada_"), scale, read.rows, swapped=read.swapped)
    if read.added.kind == "LoKr":
        return additions.Kronecker(read.of("lokr_"), scale, read.rows, swapped=read.swapped)
    pair = additions.LowRank(_down(read), _up(read), scale)
    if "magnitude" not in read.tensors:
        return pair
    magnitude = read.part(read.tensors["magnitude"].flatten())
    device = read.kind[0]
    return additions.Decomposed(pair, magnitude.to(device), read.weight.to(device))


def _down(read: _Reading) -> Tensor:
    """[rank, inputs, *kernel]. A middle convolution is multiplied into it, which changes nothing but rounding."""
    down, kernel = read.tensors["down"], read.weight.shape[2:]
    if "mid" in read.tensors:
        down = torch.einsum("oikl,ic->ockl", read.tensors["mid"].float(), down.float().flatten(1))
    return read.placed(down.reshape(len(down), read.weight.shape[1], *kernel))


def _up(read: _Reading) -> Tensor:
    """[outputs, rank, ...], with as many sides as the layer's weight."""
    up = read.part(read.tensors["up"].flatten(1))
    return read.placed(up.reshape(*up.shape, *(1 for _ in read.weight.shape[2:])))

"""LoRA: low-rank adapters beside a network's own weights, which stay untouched.

Hu et al. 2021 (arXiv:2106.09685), eq. 3: h = W x + strength * alpha / rank * B A x.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from nodes.backend import lora_file, lora_scale, parts, widening
from nodes.backend.headers import shapes
from nodes.backend.share import twin
from nodes.backend.untyped import load_file
from nodes.types import Network, Weights


class Factors(NamedTuple):
    """scale: alpha / rank. down: [rank, inputs, *kernel]. up: [outputs, rank]."""

    down: Tensor
    up: Tensor
    scale: float


def with_loras(base: nn.Module, network: Network, files: Sequence[Weights]) -> Any:
    """A twin of a network with the adapters of these files beside its layers, all at strength 1.

    A file may cover some networks of a model alone. Raises ValueError when one does not fit the network.
    """
    adapted = twin(base)
    for index, weights in enumerate(files):
        _put(adapted, _name(index), factors(base, network, weights))
    return adapted


def with_strengths(adapted: nn.Module, strengths: Sequence[float]) -> Any:
    """A twin of an adapted network with other strengths, one for each of its LoRAs."""
    names = [_name(index) for index in range(len(strengths))]
    weighted = twin(adapted)
    for layer in weighted.modules():
        if isinstance(layer, BaseTunerLayer):
            layer.set_adapter(names, inference_mode=True)
            for name, strength in zip(names, strengths, strict=True):
                layer.set_scale(name, strength)  # pyright: ignore[reportCallIssue]
    return weighted


def factors(base: nn.Module, network: Network, weights: Weights) -> dict[str, Factors]:
    """What a file adds to each layer of a network, by the layer's name."""
    place, role = Path(weights.path), parts.part(network).spec
    layers = lora_file.layers({name: tuple(tensor.shape) for name, tensor in base.state_dict().items()})
    pairs = lora_file.read(place, shapes(place), role, layers, parts.settings(network)).pairs
    tensors = load_file(place)
    told = lora_scale.settings(place, role) if pairs else dict[str, Any]()
    return {layer: _factors(place, tensors, layer, pair, told) for layer, pair in pairs.items()}


def _factors(
    place: Path, tensors: Mapping[str, Tensor], layer: str, pair: lora_file.Pair, told: Mapping[str, Any]
) -> Factors:
    down, up = tensors[pair.down], tensors[pair.up]
    rank = len(down)
    if pair.alpha is None:
        return Factors(down, up, lora_scale.scale(place, told, layer, rank))
    alpha = tensors[pair.alpha].item()
    if not math.isfinite(alpha):
        raise ValueError(f"{place}: {pair.alpha} must be a finite number, it is {alpha}")
    return Factors(down, up, alpha / rank)


def _name(index: int) -> str:
    return f"lora_{index}"


def _put(network: nn.Module, name: str, added: Mapping[str, Factors]) -> None:
    """Put factors beside the layers of a network under one name."""
    if not added:
        return
    whole_names = "|".join(map(re.escape, added))  # peft matches them from end to end
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what peft warns of is a layer that would not act as its file says
        warnings.filterwarnings("ignore", "Already found a `peft_config`")  # a second adapter, which is meant
        # init_lora_weights: numbers that the file's own replace below
        config = LoraConfig(r=1, target_modules=whole_names, init_lora_weights=False)
        inject_adapter_in_model(config, network, name, low_cpu_mem_usage=True)
    dtype = widening.computed_in(network)
    for layer, (down, up, scale) in added.items():
        module: Any = network.get_submodule(layer)
        weight = module.get_base_layer().weight
        for half, factor in ((module.lora_A[name], down), (module.lora_B[name], up)):
            shape = (*factor.shape[:2], *half.weight.shape[2:])
            half.weight = nn.Parameter(factor.reshape(shape).to(weight.device, dtype), requires_grad=False)
        # set_scale multiplies lora_alpha / r
        module.r[name], module.lora_alpha[name] = 1, scale
        module.scaling[name] = scale

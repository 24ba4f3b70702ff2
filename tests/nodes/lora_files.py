"""LoRA files of every layout, with a rank and an alpha for each layer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor

from nodes.backend import noise

Layout = Literal["kohya", "diffusers", "peft", "bare"]
LAYOUTS: tuple[Layout, ...] = ("kohya", "diffusers", "peft", "bare")


class Layer(NamedTuple):
    """down: [rank, inputs, *kernel]. up: [outputs, rank, ...]."""

    down: Tensor
    up: Tensor
    alpha: float


def random_layer(weight: Tensor, rank: int, alpha: float, seed: int) -> Layer:
    down = noise.draw((rank, *weight.shape[1:]), seed, 0) * 0.3 / weight[0].numel() ** 0.5
    up = noise.draw((weight.shape[0], rank, *(1 for _ in weight.shape[2:])), seed, 1) * rank**-0.5
    return Layer(down, up, alpha)


def merged(weights: Mapping[str, Tensor], layers: Mapping[str, Layer], strength: float) -> dict[str, Tensor]:
    """W + strength * alpha / rank * B A: Hu et al. 2021 (arXiv:2106.09685), eq. 3. weights: by layer."""
    result = dict(weights)
    for name, (down, up, alpha) in layers.items():
        product = torch.einsum("or,ri->oi", up.flatten(1), down.flatten(1)).reshape(weights[name].shape)
        result[name] = weights[name] + strength * alpha / len(down) * product
    return result


def write(path: Path, layout: Layout, unet: Mapping[str, Layer], text: Mapping[str, Layer] | None = None) -> Path:
    """text: layers of the text encoder, named without text_model. Without a place for alphas, they are multiplied in.

    The files of peft hold one network.
    """
    tensors: dict[str, Tensor] = {}
    settings: dict[str, object] = {}
    networks = {"unet": unet, "text_encoder": {f"text_model.{name}": layer for name, layer in (text or {}).items()}}
    stems = {"unet": "lora_unet_", "text_encoder": "lora_te_"}
    for network, layers in networks.items():
        for name, (down, up, alpha) in layers.items():
            if layout == "kohya":
                stem = stems[network] + name.replace(".", "_")
                tensors |= {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up}
                tensors[f"{stem}.alpha"] = torch.tensor(alpha)
                continue
            prefix = {"diffusers": f"{network}.", "peft": "base_model.model.", "bare": ""}[layout]
            scaled = up * (alpha / len(down)) if layout == "bare" else up
            tensors |= {f"{prefix}{name}.lora_A.weight": down, f"{prefix}{name}.lora_B.weight": scaled}
        alphas = {name: layer.alpha for name, layer in layers.items()}
        known = {"r": 4, "lora_alpha": 3.0, "alpha_pattern": alphas, "use_dora": False, "use_rslora": False}
        settings |= {f"{network}.{key}" if layout == "diffusers" else key: value for key, value in known.items()}
        if layout == "peft":
            (path.parent / "adapter_config.json").write_text(json.dumps(known), "utf-8")
            break
    metadata = {"lora_adapter_metadata": json.dumps(settings)} if layout == "diffusers" else None
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)
    return path

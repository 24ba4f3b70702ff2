"""Low-rank adapters of the starter's denoiser: added with peft, written in the two layouts that programs read.

Hu et al. 2021 (arXiv:2106.09685); here alpha equals the rank, so strength 1 adds B A x as it was trained.
"""

from pathlib import Path

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from peft import LoraConfig
from torch import Tensor

from tools.starter.checkpoint import load_tensors, save_tensors
from tools.starter.untyped import get_adapter, set_adapter

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
CONVOLUTIONS = ("conv1", "conv2")

Layers = dict[str, Tensor]  # "down_blocks. ... .to_q.lora_A.weight" -> weights


def add_adapter(unet: UNet2DConditionModel, rank: int, layers: tuple[str, ...] = ATTENTION) -> UNet2DConditionModel:
    """Freezes the denoiser and puts trainable low-rank pairs, as yet without effect, beside the named layers."""
    unet.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(0)
        unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(layers)))
    return unet


def begin(unet: UNet2DConditionModel, start: Path) -> None:
    """Gives the adapter the weights of a file in this module's diffusers layout, if there is one."""
    if start.is_file():
        layers = {name.removeprefix("unet."): tensor.float() for name, tensor in load_tensors(start).items()}
        set_adapter(unet, layers)


def adapter_layers(unet: UNet2DConditionModel) -> Layers:
    """The pairs as float16, by the names of the layers beside which they stand."""
    return {name: tensor.half() for name, tensor in get_adapter(unet).items()}


def save_diffusers(path: Path, layers: Layers) -> None:
    """The layout of `save_lora_weights`: unet.<layer>.lora_A.weight and lora_B.weight."""
    save_tensors(path, {f"unet.{name}": tensor for name, tensor in layers.items()}, {"format": "pt"})


def save_kohya(path: Path, layers: Layers) -> None:
    """The layout of kohya-ss/sd-scripts: lora_unet_<layer>.lora_down.weight, .lora_up.weight and .alpha."""
    tensors: Layers = {}
    for name, tensor in layers.items():
        layer, _, pair = name.removesuffix(".weight").rpartition(".")
        key = "lora_unet_" + layer.replace(".", "_")
        tensors[f"{key}.lora_{'down' if pair == 'lora_A' else 'up'}.weight"] = tensor
        if pair == "lora_A":
            tensors[f"{key}.alpha"] = torch.tensor(float(tensor.shape[0]))
    save_tensors(path, tensors, {"format": "pt"})

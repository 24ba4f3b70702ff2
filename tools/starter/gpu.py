"""What training does otherwise on a GPU: bfloat16 where it is enough, and kernels chosen by trying them."""

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

Network = TypeVar("Network", bound=nn.Module)


class HalfNorm(nn.GroupNorm):
    """Group normalisation that keeps bfloat16 inputs as they are; its sums are float32 inside.

    Autocast makes float32 of them, which doubles the memory traffic of what is mostly memory traffic.
    """

    def forward(self, input: Tensor) -> Tensor:
        """The input, normalised, in its own type."""
        if input.dtype != torch.bfloat16:
            return super().forward(input)
        with torch.autocast(input.device.type, enabled=False):
            weight, bias = self.weight.to(input.dtype), self.bias.to(input.dtype)
            return functional.group_norm(input, self.num_groups, weight, bias, self.eps)


def place(network: Network, device: torch.device) -> Network:
    """The network on the device; on a GPU its normalisations leave bfloat16 as it is."""
    if device.type != "cpu":
        for module in network.modules():
            if type(module) is nn.GroupNorm:
                module.__class__ = HalfNorm
    return network.to(device)


def autocast(device: torch.device) -> torch.autocast:
    """bfloat16 for convolutions and products on a GPU; weights and sums of squares stay float32.

    Processors without bfloat16 instructions take minutes for one step of the autoencoder in it.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type != "cpu")


def hurry(device: torch.device) -> None:
    """Lets a GPU choose its kernels by trying them, and multiply float32 in TF32."""
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True

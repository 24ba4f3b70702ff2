"""Convolution weights in the CPU library's own layout, made once for a resolution instead of on every call.

In eager mode oneDNN reorders a convolution's weights each time it runs. At small pictures that costs as much as the
convolution itself: U-Net steps at 256 x 256 are 1.3 times faster without it, with a relative difference of 3e-6.
The operators are private to torch; where they are missing, networks stay as they are.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)

_C: Any = vars(torch)["_C"]  # not for others, hence not declared
_nn = _C._nn


def available() -> bool:
    """Whether this build of torch has the operators."""
    return (
        torch.backends.mkldnn.is_available()
        and hasattr(_nn, "mkldnn_reorder_conv2d_weight")
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    )


class PackedConv2d(nn.Conv2d):
    """A convolution that runs on a packed copy of its weight.

    The weight itself stays where it is, mapped from its file; twins of the module share the copy.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        cast(Any, super()).__init__(*args, **kwargs)
        self._packed: _Packed | None = _Packed()

    @classmethod
    def of(cls, conv: nn.Conv2d) -> PackedConv2d:
        """Over the very same parameters."""
        packed = cls.__new__(cls)
        packed.__dict__.update(conv.__dict__)
        packed._packed = _Packed()
        return packed

    def unpack(self) -> None:
        """Run on the weight itself."""
        self._packed = None

    def forward(self, input: Tensor) -> Tensor:
        if self._packed is None:
            return super().forward(input)
        settings = (self.padding, self.stride, self.dilation, self.groups)
        weight = self._packed.weight_for(input, self.weight, settings)
        return torch.ops.mkldnn._convolution_pointwise(input, weight, self.bias, *settings, "none", [], "")


class _Packed:
    """The packed weight for the shape of the last input: a copy made for another shape would be slower than none."""

    def __init__(self) -> None:
        self._made: tuple[torch.Size, Tensor] | None = None

    def weight_for(self, input: Tensor, weight: Tensor, settings: tuple[Any, ...]) -> Tensor:
        if self._made is None or self._made[0] != input.shape:
            self._made = None  # before the next one is made: two would be needed at once otherwise
            with torch.no_grad():
                made = _nn.mkldnn_reorder_conv2d_weight(weight.to_mkldnn(), *settings, list(input.shape))
            self._made = input.shape, made
        return self._made[1]


def packed(module: M) -> M:
    """Exchange the convolutions of a network, in place, for ones that pack their weights when they first run.

    Only convolutions on the CPU with zero padding; the others stay. Those of half precision must be widened to float32
    before they run: see `widening`.
    """
    if not available():
        return module
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Conv2d and _packable(child):
                setattr(parent, name, PackedConv2d.of(child))
    return module


def unpacked(module: M) -> M:
    """Let the convolutions of a network run on their own weights, in place: packed ones cannot be looked back through.

    Not those of a network that it is a twin of.
    """
    for conv in module.modules():
        if isinstance(conv, PackedConv2d):
            conv.unpack()
    return module


def nbytes(module: nn.Module) -> int:
    """What the packed copies hold once the network has run."""
    return sum(4 * conv.weight.numel() for conv in module.modules() if isinstance(conv, PackedConv2d))


def _packable(conv: nn.Conv2d) -> bool:
    weight = conv.weight
    return (
        weight.is_floating_point()
        and weight.device.type == "cpu"
        and conv.padding_mode == "zeros"
        and isinstance(conv.padding, tuple)
    )

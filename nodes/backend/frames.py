"""Convolutions over the frames of a film, on the one frame that a picture is: without those before it, which are empty.

They are causal: a frame sees itself and earlier ones, and before the first there is nothing. What is left of such a
convolution is one over rows and columns, with a third of the work: Wan team 2025 (arXiv:2503.20314), sec. 4.1.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

from torch import Tensor, nn
from torch.nn.functional import conv2d

M = TypeVar("M", bound=nn.Module)

CAUSAL = "QwenImageCausalConv3d"


class _OneFrame:
    def forward(self, x: Tensor, cache_x: Tensor | None = None) -> Tensor:
        layer: Any = self
        if cache_x is not None or x.shape[2] != 1:
            return super().forward(x, cache_x)  # type: ignore[misc]
        columns, _, rows, *_ = layer._padding
        weight: Tensor = layer.weight[:, :, -1]
        return conv2d(x[:, :, 0], weight, layer.bias, layer.stride[1:], (rows, columns))[:, :, None]


def of_pictures(module: M) -> M:
    """Its convolutions over frames on single ones, in place; films go through as before."""
    for part in module.modules():
        layer, kind = cast(Any, part), cast(Any, type(part))
        if kind.__name__ == CAUSAL and layer.kernel_size[0] == 1 + layer._padding[4]:
            layer.__class__ = type(kind.__name__, (_OneFrame, kind), {"__module__": kind.__module__})
    return module

"""Layers whose weights stay as they are stored, and are made into numbers when they run.

A packed weight lies in main memory as the file has it, mapped, and on a device in as many bytes. Its parts are
parameters of bytes: what casts a network, widens its blocks or looks for its precision passes them by, while what moves
weights, or counts them, finds them. LoRAs lie beside such layers as beside others: nothing is ever put into them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._pytree import tree_map

from nodes.backend import layouts
from nodes.backend.quantised import Packed

Change = Literal["", "transposed", "swapped", "joined"]
PACKED = "packed_"
"""Before the names of the parameters that are parts of packed weights."""


class Kept(NamedTuple):
    """A packed weight of a network. rows, change: see `networks.architecture.Stored`. fast: whether it is multiplied in
    eight bits, for which there is a product.
    """

    packed: Packed
    parts: Mapping[str, Tensor]
    rows: tuple[int, int] | None = None
    change: Change = ""
    fast: bool = False


def changed(tensor: Tensor, change: Change) -> Tensor:
    """What a network calls its weight, of what a file does."""
    match change:
        case "transposed":
            return tensor.T
        case "swapped":
            first, second = tensor.chunk(2)
            return torch.cat([second, first])
        case "" | "joined":  # every tensor is given the network's shape in the end
            return tensor


class _Numbers:
    """What the bytes of a weight mean, which are parameters of the layer that it is for."""

    def __init__(self, layer: nn.Module, kept: Kept) -> None:
        self.layout, parts = layouts.of(kept.packed), kept.parts
        self.change: Change = kept.change
        self.fast = kept.fast
        if kept.rows is not None:
            self.layout, parts = self.layout.cut(parts, *kept.rows)
        self.kinds = {name: (_kind(part), part.shape) for name, part in parts.items()}
        for name, part in parts.items():
            layer.register_parameter(PACKED + name, nn.Parameter(_bytes(part), requires_grad=False))

    def parts(self, layer: nn.Module) -> dict[str, Tensor]:
        found: Any = layer
        return {
            name: getattr(found, PACKED + name).view(dtype).view(shape) for name, (dtype, shape) in self.kinds.items()
        }

    def matrix(self, layer: nn.Module, dtype: torch.dtype) -> Tensor:
        return changed(self.layout.matrix(self.parts(layer), dtype), self.change)

    def product(self, layer: nn.Module, x: Tensor) -> Tensor | None:
        """See `Layout.product`."""
        if self.change or torch.is_grad_enabled() or not (self.fast or layouts.wanted()):
            return None
        made = self.layout.product(x.reshape(-1, x.shape[-1]), self.parts(layer))
        return None if made is None else made.view(*x.shape[:-1], -1)


def _kind(part: Tensor) -> torch.dtype:
    """What it is read as: eight-bit floats stay bytes, which every device knows."""
    if part.is_floating_point():
        return torch.uint8 if part.itemsize == 1 else torch.float32
    return part.dtype


def _bytes(part: Tensor) -> Tensor:
    """Without a copy where numbers are bytes; of the few scales there is one, since a file may have them anywhere."""
    flat = part if part.itemsize == 1 else part.to(_kind(part), copy=True)
    return (flat if flat.ndim else flat.reshape(1)).view(torch.uint8)


class Unmade(Tensor):
    """A weight that is made into numbers when something is computed with it; what it is like can be asked for nothing.

    Networks look at a layer's weight for its precision, some of them at every step.
    """

    _layer: Any

    @staticmethod
    def __new__(cls: Any, layer: Any, shape: tuple[int, ...]) -> Unmade:
        known: Any = torch.Tensor
        device = next(layer.parameters()).device
        made = known._make_wrapper_subclass(cls, shape, dtype=layer.computes_in, device=device)
        made._layer = layer
        return made

    def __init__(self, layer: Any, shape: tuple[int, ...]) -> None:
        super().__init__()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        def made(value: Any) -> Any:
            return value._layer.made() if isinstance(value, cls) else value

        return func(*tree_map(made, args), **tree_map(made, kwargs or {}))


class QuantisedLinear(nn.Linear):
    """x times a weight that is stored packed, and a bias that is not.

    computes_in: the precision of `weight`; what the layer makes has that of x.
    """

    def __init__(self, kept: Kept, linear: nn.Linear, computes_in: torch.dtype) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.register_parameter("bias", linear.bias)
        self.computes_in = computes_in
        self.numbers = _Numbers(self, kept)

    @property
    def weight(self) -> Tensor:  # pyright: ignore[reportIncompatibleVariableOverride]
        return Unmade(self, (self.out_features, self.in_features))

    def made(self) -> Tensor:
        """The weight as numbers."""
        return self.numbers.matrix(self, self.computes_in)

    def forward(self, input: Tensor) -> Tensor:
        bias = cast("Tensor | None", self.bias)
        made = self.numbers.product(self, input)
        if made is not None:
            return made if bias is None else made + bias
        return functional.linear(input, self.numbers.matrix(self, input.dtype), bias)


class QuantisedEmbedding(nn.Embedding):
    """A table that is stored packed, of which the rows are made that are looked up."""

    def __init__(self, kept: Kept, table: nn.Embedding, computes_in: torch.dtype) -> None:
        nn.Module.__init__(self)
        self.num_embeddings, self.embedding_dim = table.num_embeddings, table.embedding_dim
        self.padding_idx, self.max_norm, self.norm_type = table.padding_idx, None, 2.0
        self.scale_grad_by_freq = self.sparse = False
        self.computes_in = computes_in
        self.numbers = _Numbers(self, kept)

    @property
    def weight(self) -> Tensor:  # pyright: ignore[reportIncompatibleVariableOverride]
        return Unmade(self, (self.num_embeddings, self.embedding_dim))

    def made(self) -> Tensor:
        return self.numbers.matrix(self, self.computes_in)

    def forward(self, input: Tensor) -> Tensor:
        rows = self.numbers.layout.picked(self.numbers.parts(self), input.reshape(-1))
        return self.numbers.layout.matrix(rows, self.computes_in).view(*input.shape, -1)


def put_in(module: nn.Module, found: Mapping[str, Tensor | Kept], computes_in: torch.dtype) -> dict[str, Tensor]:
    """Exchange the layers of a network whose weights are packed, in place, for ones that keep them so.

    found: its tensors by its own names. Gives those that are not packed, and of layers that cannot keep their weight
    packed, as convolutions, the weight as numbers.
    """
    plain: dict[str, Tensor] = {}
    exchanged: dict[int, tuple[nn.Module, nn.Module]] = {}  # a layer may have several names
    for name, tensor in found.items():
        if not isinstance(tensor, Kept):
            plain[name] = tensor
            continue
        place, _, last = name.rpartition(".")
        layer = module.get_submodule(place)
        made: nn.Module | None = None
        if last == "weight":
            known = exchanged.get(id(layer))
            made = known[1] if known else _layer(layer, tensor, computes_in)
        if made is None:
            plain[name] = _whole(tensor, computes_in)
            continue
        exchanged[id(layer)] = layer, made  # both, or another one might get the place of the first in memory
        parent, _, within = place.rpartition(".")
        setattr(module.get_submodule(parent), within, made)
    return plain


def _layer(layer: nn.Module, kept: Kept, computes_in: torch.dtype) -> nn.Module | None:
    """One that keeps the weight packed; None where there is none."""
    if not layouts.has_rows(kept.packed):
        return None
    first, end = kept.rows or (0, kept.packed.shape[0])
    shape = end - first, kept.packed.shape[1]
    if type(layer) is nn.Linear and layer.weight.shape == (shape[::-1] if kept.change == "transposed" else shape):
        return QuantisedLinear(kept, layer, computes_in)
    if type(layer) is nn.Embedding and not kept.change and kept.packed.layout in layouts.OF_ROWS:
        return QuantisedEmbedding(kept, layer, computes_in)
    return None


def _whole(kept: Kept, dtype: torch.dtype) -> Tensor:
    numbers = layouts.whole(kept.packed, kept.parts, dtype)
    return changed(numbers if kept.rows is None else numbers[slice(*kept.rows)], kept.change)


def is_part(name: str) -> bool:
    """Whether a tensor of a network is a part of a packed weight."""
    return name.rpartition(".")[2].startswith(PACKED)

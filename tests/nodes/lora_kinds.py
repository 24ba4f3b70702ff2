"""Every kind of thing that is added to a weight, as trainers save it, and the weight with it merged in, by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nodes.backend import noise

LINEAR = ("LoRA", "DoRA", "LoHa", "LoKr", "LoKr of low rank")
CONVOLUTION = (*LINEAR, "LoRA with a middle", "LoHa with a middle", "LoKr with a middle")


class Made(NamedTuple):
    """tensors: by the ends of their names. merged: the weight with this in it, by strength."""

    tensors: Mapping[str, Tensor]
    merged: Callable[[float], Tensor]


class _Draws:
    def __init__(self, seed: int) -> None:
        self.seed, self.count = seed, 0

    def __call__(self, *shape: int) -> Tensor:
        self.count += 1
        return noise.draw(shape, self.seed, self.count) / shape[-1] ** 0.5


def make(kind: str, weight: Tensor, rank: int, alpha: float, seed: int) -> Made:
    """weight: [outputs, inputs, *kernel]."""
    draw, kernel = _Draws(seed), tuple(weight.shape[2:])
    tensors, delta, rank = _KINDS[kind](draw, *weight.shape[:2], kernel, rank)
    tensors["alpha"] = torch.tensor(alpha)
    # As much as the weight itself, so that neither is lost in the other's rounding.
    scale = alpha / rank if rank else 1.0
    change = scale * delta.reshape(weight.shape)
    if kind != "DoRA":
        return Made(tensors, lambda strength: weight + strength * change)
    magnitude = (1 + draw(len(weight)).abs()) * weight.flatten(1).norm(dim=1)
    tensors["dora_scale"] = magnitude.reshape(-1, *(1 for _ in weight.shape[1:]))

    def merged(strength: float) -> Tensor:
        direction = weight + strength * change
        return tensors["dora_scale"] * direction / direction.flatten(1).norm(dim=1).reshape(tensors["dora_scale"].shape)

    return Made(tensors, merged)


Parts = tuple[dict[str, Tensor], Tensor, int]


def _lora(draw: _Draws, outputs: int, inputs: int, kernel: tuple[int, ...], rank: int) -> Parts:
    down, up = draw(rank, inputs, *kernel), draw(outputs, rank, *(1 for _ in kernel))
    return {"lora_down.weight": down, "lora_up.weight": up}, up.flatten(1) @ down.flatten(1), rank


def _lora_with_middle(draw: _Draws, outputs: int, inputs: int, kernel: tuple[int, ...], rank: int) -> Parts:
    down, mid, up = draw(rank, inputs, 1, 1), draw(rank, rank, *kernel), draw(outputs, rank, 1, 1)
    delta = torch.einsum("ab,bckl,cd->adkl", up.flatten(1), mid, down.flatten(1))
    return {"lora_down.weight": down, "lora_mid.weight": mid, "lora_up.weight": up}, delta, rank


def _loha(draw: _Draws, outputs: int, inputs: int, kernel: tuple[int, ...], rank: int) -> Parts:
    wide = inputs * int(torch.tensor(kernel).prod()) if kernel else inputs
    a, b, c, d = draw(outputs, rank), draw(rank, wide), draw(outputs, rank), draw(rank, wide)
    tensors = {"hada_w1_a": a, "hada_w1_b": b, "hada_w2_a": c, "hada_w2_b": d}
    return tensors, (a @ b) * (c @ d), rank


def _loha_with_middle(draw: _Draws, outputs: int, inputs: int, kernel: tuple[int, ...], rank: int) -> Parts:
    tensors: dict[str, Tensor] = {}
    product: Any = 1
    for i in "12":
        middle, a, b = draw(rank, rank, *kernel), draw(rank, outputs), draw(rank, inputs)
        tensors |= {f"hada_t{i}": middle, f"hada_w{i}_a": a, f"hada_w{i}_b": b}
        product = product * torch.einsum("ijkl,jr,ip->prkl", middle, b, a)  # as LyCORIS writes it
    return tensors, product, rank


def _sides(side: int) -> tuple[int, int]:
    """A side as a product of two."""
    least = next((n for n in range(2, side + 1) if side % n == 0), 1)
    return least, side // least


def _kron(one: Tensor, other: Tensor) -> Tensor:
    """Each element of one times the whole other, which may be a convolution."""
    product = torch.einsum("pq,mn...->pmqn...", one, other)
    return product.reshape(one.shape[0] * other.shape[0], one.shape[1] * other.shape[1], *other.shape[2:])


def _lokr(draw: _Draws, outputs: int, inputs: int, kernel: tuple[int, ...], rank: int) -> Parts:
    (p, m), (q, n) = _sides(outputs), _sides(inputs)
    one, other = draw(p, q), draw(m, n, *kernel)
    return {"lokr_w1": one, "lokr_w2": other}, _kron(one, other), 0


def _lokr_low(draw: _Draws, outputs: int, inputs: int, kernel: tuple[int, ...], rank: int) -> Parts:
    (p, m), (q, n) = _sides(outputs), _sides(inputs)
    wide = n * int(torch.tensor(kernel).prod()) if kernel else n
    a, b, c, d = draw(p, rank), draw(rank, q), draw(m, rank), draw(rank, wide)
    tensors = {"lokr_w1_a": a, "lokr_w1_b": b, "lokr_w2_a": c, "lokr_w2_b": d}
    return tensors, _kron(a @ b, (c @ d).reshape(m, n, *kernel)), rank


def _lokr_with_middle(draw: _Draws, outputs: int, inputs: int, kernel: tuple[int, ...], rank: int) -> Parts:
    (p, m), (q, n) = _sides(outputs), _sides(inputs)
    one, middle, a, b = draw(p, q), draw(rank, rank, *kernel), draw(rank, m), draw(rank, n)
    tensors = {"lokr_w1": one, "lokr_t2": middle, "lokr_w2_a": a, "lokr_w2_b": b}
    return tensors, _kron(one, torch.einsum("ijkl,jr,ip->prkl", middle, b, a)), rank


_KINDS: dict[str, Callable[..., Parts]] = {
    "LoRA": _lora,
    "DoRA": _lora,
    "LoHa": _loha,
    "LoKr": _lokr,
    "LoKr of low rank": _lokr_low,
    "LoRA with a middle": _lora_with_middle,
    "LoHa with a middle": _loha_with_middle,
    "LoKr with a middle": _lokr_with_middle,
}

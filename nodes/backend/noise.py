"""Noise as a function of (seed, item, draw), so that any step of any picture can be computed alone."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from nodes.backend.untyped import from_numpy

LOW = 2**32 - 1
TWISTER = slice(3, 627)
"""Where the 624 words of the twister stand in the state of torch's CPU generator, counted in 8 bytes each."""


def generator(seed: int) -> torch.Generator:
    """A generator on the CPU that knows all 64 bits of a seed.

    torch's own, a Mersenne twister, is seeded with the lower 32 bits alone. Seeds of more are spread over its whole
    state as its authors do: Matsumoto & Nishimura 2002, init_by_array, which is numpy's seeding with a list.
    """
    made = torch.Generator("cpu").manual_seed(seed & LOW)
    if seed >> 32:
        state = made.get_state()
        words = np.random.RandomState([seed & LOW, seed >> 32]).get_state(legacy=False)["state"]["key"]
        state.view(torch.int64)[TWISTER] = from_numpy(words.astype(np.int64))
        made.set_state(state)
    return made


def item_seed(seed: int, item: int) -> int:
    """The seed of the noise that steps add to an item of a batch. The first item's is the batch's own."""
    if item == 0:
        return seed
    return int.from_bytes(blake2b(f"{seed} {item}".encode(), digest_size=8).digest(), "little")


def draw(shape: Sequence[int], seed: int, index: int, first: int = 0) -> Tensor:
    """Unit normal noise for a batch, [batch, ...], float32; `first` is the number of its first item.

    index 0 is the noise that a denoising starts from: the items' draws from one generator, one after the other, as in
    diffusers. Later ones are what steps add: of each item the `index`-th draw of a generator of its own. So every item
    has the noise that it has alone. Drawn on the CPU, so the same seed is the same picture on every machine. The steps
    of a denoising go on with the generators of the steps before, since these cannot skip.
    """
    item = tuple(shape[1:])
    if index == 0:
        return torch.stack(list(islice(_drawn(item, seed, first + shape[0]), first, None)))
    return torch.stack([_going.draw(item, item_seed(seed, first + i), index) for i in range(shape[0])])


def _drawn(shape: tuple[int, ...], seed: int, count: int) -> Iterator[Tensor]:
    numbers = generator(seed)
    return (torch.randn(shape, generator=numbers) for _ in range(count))


MAX_GOING = 256
"""Generators that are kept, 5 KB each: a batch of so many pictures is drawn without drawing again."""


class _Going:
    """Generators with what they were seeded with, and how much they have drawn."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[tuple[int, ...], int], tuple[torch.Generator, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def draw(self, shape: tuple[int, ...], seed: int, index: int) -> Tensor:
        """The draw of this number, 0 the first, of a generator of this seed."""
        with self._lock:  # taken out while it is used: no two threads go on with the same
            numbers, drawn = self._kept.pop((shape, seed), (None, 0))
        if numbers is None or drawn > index:
            numbers, drawn = generator(seed), 0
        for _ in range(index - drawn):
            torch.randn(shape, generator=numbers)
        made = torch.randn(shape, generator=numbers)
        with self._lock:
            self._kept[shape, seed] = numbers, index + 1
            if len(self._kept) > MAX_GOING:
                self._kept.popitem(last=False)
        return made


_going = _Going()


def add_noise(latent: Tensor, sigma: float, seed: int, first: int = 0, *, flow: bool = False) -> Tensor:
    """Forward diffusion in sigma space: x = x0 + sigma * noise (Karras et al. 2022, arXiv:2206.00364, sec. 2).

    flow: x = (1 - sigma) x0 + sigma * noise (Lipman et al. 2022, arXiv:2210.02747, sec. 4.1).
    """
    kept = 1 - sigma if flow else 1.0
    return kept * latent + sigma * draw(latent.shape, seed, 0, first)


def diffuse(x0: Tensor, alpha_bar: float, seed: int, first: int = 0) -> Tensor:
    """Forward diffusion that keeps the variance: sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) noise.

    Ho et al. 2020 (arXiv:2006.11239), eq. 4. x0 has about unit variance.
    """
    return math.sqrt(alpha_bar) * x0 + math.sqrt(1 - alpha_bar) * draw(x0.shape, seed, 0, first)

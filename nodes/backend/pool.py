"""Descriptions to networks: loaded when first used, kept while there is room.

What changes in nodes/ is here, and on a device in `resident` and `launch`. Only the thread that computes may call it.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nodes.backend import (
    adapters,
    autoencoder,
    devices,
    images,
    launch,
    loading,
    packing,
    parts,
    resident,
    widening,
)
from nodes.backend.families.family import Reader
from nodes.backend.precision import Wish
from nodes.types import Lora, Network

MAX_LATENTS = 4  # of pictures that ControlNets follow, a quarter of a megabyte each at 1024 x 1024
MAX_TWINS = 8  # adapted variants kept of one network; each costs some megabytes of Python objects


@dataclass
class _Slot:
    """A network and its adapted twins, newest last. widens_to: the precision that its weights have once it has run."""

    base: Any
    widens_to: torch.dtype | None = None
    twins: OrderedDict[tuple[Lora, ...], Any] = field(default_factory=OrderedDict[tuple[Lora, ...], Any])

    def nbytes(self) -> int:
        modules = (self.base, *self.twins.values())
        least = self.widens_to.itemsize if self.widens_to else 0
        tensors = {
            id(t): t.numel() * max(t.itemsize, least if t.is_floating_point() else 0)
            for module in modules
            for t in (*module.parameters(), *module.buffers())
        }
        return sum(tensors.values()) + packing.nbytes(self.base)


_device = torch.device("cpu")
_wish: Wish = "auto"
_slots: OrderedDict[Network, _Slot] = OrderedDict()
_tokenizers: dict[Network, Any] = {}
_latents: OrderedDict[tuple[Network, int, tuple[int, int]], _Latent] = OrderedDict()


def configure(device: str, wish: Wish = "auto") -> None:
    """Compute on this device ("auto", "cuda:1", "cpu") in this precision from now on.

    Raises ValueError when it is not there or cannot do that.
    """
    global _device, _wish
    picked = devices.pick(device)
    if (picked, wish) != (_device, _wish):
        free()
    _device, _wish = picked, wish
    devices.use(picked, wish)


def device() -> torch.device:
    return _device


def environment() -> str:
    """What changes the bits of what is computed from now on: see `devices.environment`."""
    return devices.environment(str(_device), _wish)


def network(description: Network, loras: tuple[Lora, ...] = ()) -> Any:
    """A network with its LoRAs, in eval mode on the pool's device. It is shared: do not change it."""
    slot = _slot(description)
    return _adapted(description, slot, loras) if loras else slot.base


def reader(description: Network, loras: tuple[Lora, ...] = ()) -> Reader:
    """A text encoder with its LoRAs, and its tokenizer."""
    module = network(description, loras)
    if description not in _tokenizers:
        tokenizer = loading.tokenizer(description, module.config.vocab_size)
        description.weights.check_unchanged()
        _tokenizers[description] = tokenizer
    return Reader(_tokenizers[description], module)


class _Latent(NamedTuple):
    """What was made of pictures that may be gone by now."""

    pixels: weakref.ref[Tensor]
    samples: Tensor


def latent(vae: Network, pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Pictures as latents of pictures of this (height, width), float32 on the CPU.

    Every step of a denoising asks for those of its hints, so the last few are kept.
    """
    key = vae, id(pixels), size
    known = _latents.get(key)
    if known is None or known.pixels() is not pixels:
        height, width = size
        resized = pixels if pixels.shape[-2:] == size else images.resize(pixels, width, height, "stretch", "bilinear")
        known = _Latent(weakref.ref(pixels), autoencoder.encode(network(vae), resized))
    _latents[key] = known
    _latents.move_to_end(key)
    while len(_latents) > MAX_LATENTS:
        _latents.popitem(last=False)
    return known.samples


class Loaded(NamedTuple):
    """A network in memory, with its adapted variants."""

    network: Network
    num_adapted: int
    nbytes: int


def loaded() -> tuple[Loaded, ...]:
    """What is in memory, used longest ago first."""
    return tuple(Loaded(known, len(slot.twins), slot.nbytes()) for known, slot in _slots.items())


def free(description: Network | None = None) -> None:
    """Forget every network, or this one. Results stay valid: descriptions load again when used."""
    for known in [known for known in _slots if description in (None, known)]:
        del _slots[known]
    for key in [key for key in _latents if description in (None, key[0])]:
        del _latents[key]
    for known in [known for known in _tokenizers if description in (None, known)]:
        del _tokenizers[known]
    launch.forget()
    resident.free()
    if _device.type == "cuda":
        torch.cuda.empty_cache()


def nbytes() -> int:
    """What the networks hold, counting weights that are mapped from files as well."""
    return sum(slot.nbytes() for slot in _slots.values())


def _slot(description: Network) -> _Slot:
    if description not in _slots:
        part = parts.part(description)
        dtype = devices.dtype(_device, part.spec.precision, _wish)
        module = launch.arranged(loading.load(description, _device, dtype), _device)
        description.weights.check_unchanged()
        every_step = description.role in (part.family.denoiser, "controlnet")
        module = packing.packed(module) if every_step and dtype == torch.float32 else module
        _slots[description] = _Slot(widening.widened(module, dtype, kept=every_step), dtype if every_step else None)
        _make_room(description)
    _slots.move_to_end(description)
    return _slots[description]


def _make_room(keep: Network) -> None:
    """Forget what was used longest ago until the rest fits into three quarters of the device's memory."""
    limit = devices.memory(_device) * 3 // 4
    for known in [known for known in _slots if known != keep]:
        if nbytes() <= limit:
            return
        del _slots[known]


def _adapted(description: Network, slot: _Slot, loras: tuple[Lora, ...]) -> Any:
    if loras not in slot.twins:
        strengths = [lora.strength for lora in loras]
        slot.twins[loras] = adapters.with_strengths(_sibling(description, slot, loras), strengths)
        while len(slot.twins) > MAX_TWINS:
            slot.twins.popitem(last=False)
    slot.twins.move_to_end(loras)
    return slot.twins[loras]


def _sibling(description: Network, slot: _Slot, loras: Sequence[Lora]) -> Any:
    """A twin with these files at whatever strengths, so that a change of strength reads no file."""
    files = [lora.weights for lora in loras]
    for known, module in slot.twins.items():
        if [lora.weights for lora in known] == files:
            return module
    adapted = launch.arranged(adapters.with_loras(slot.base, description, files), _device)
    for weights in files:
        weights.check_unchanged()
    return adapted

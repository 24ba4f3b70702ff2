"""Descriptions to networks: loaded when first used, kept while there is room.

What changes in nodes/ is here, and on a device in `resident` and `launch`. Only the thread that computes may call it.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nodes.backend import (
    adapters,
    autoencoder,
    device_memory,
    devices,
    images,
    launch,
    loading,
    narrow,
    packing,
    parts,
    pieces,
    placing,
    resident,
    widening,
)
from nodes.backend.families.family import Reader
from nodes.backend.precision import Need, Wish
from nodes.backend.room import Place
from nodes.backend.shelf import Shelf, Slot
from nodes.types import Lora, Network, Weights

MAX_LATENTS = 4  # of pictures that ControlNets follow, a quarter of a megabyte each at 1024 x 1024
MAIN = torch.device("cpu")
WHERE = {
    Place.DEVICE: "{}",
    Place.BLOCKS: "{}, block by block",
    Place.HOST: "cpu, waiting for {}",
}
"""What people are told of where a network is."""

MAX_TWINS = 8  # adapted variants kept of one network; each costs some megabytes of Python objects


_device = torch.device("cpu")
_wish: Wish = "auto"
_tokenizers: dict[Network, Any] = {}
_latents: OrderedDict[tuple[Network, int, tuple[int, int]], _Latent] = OrderedDict()


def _size(module: Any) -> int:
    """What a network will hold once it has run: see `widening` and `packing`."""
    return widening.nbytes(module) + packing.nbytes(module)


def _shelf_of(device: torch.device) -> Shelf[Network]:
    made: Shelf[Network] = Shelf(device_memory.of(device), _size)
    made.kept += [_give_latents, _give_resident, _give_graphs]
    return made


def _give_latents(meant: bool) -> int:
    """What ControlNets follow, where it lies with the networks."""
    found = [known.samples for known in _latents.values() if shelf.card.here(known.samples)]
    if meant and found:
        _latents.clear()
    return placing.nbytes(found)


def _give_resident(meant: bool) -> int:
    """What steps have put there beside the networks."""
    return resident.free() if meant else resident.nbytes()


def _give_graphs(meant: bool) -> int:
    """What was recorded. It notices by itself when weights have moved."""
    return launch.forget() if meant else launch.nbytes()


shelf = _shelf_of(_device)
"""The networks in memory."""


class _Answers:
    """For those who work in pieces; which shelf there is may change."""

    def pieces(self) -> int:
        return shelf.pieces()

    def room_for(self, nbytes: int) -> bool:
        return shelf.room_for(nbytes)


pieces.follow(_Answers())


def configure(device: str, wish: Wish = "auto") -> None:
    """Compute on this device ("auto", "cuda:1", "cpu") in this precision from now on.

    Raises ValueError when it is not there or cannot do that.
    """
    global _device, _wish, shelf
    picked = devices.pick(device)
    if (picked, wish) != (_device, _wish):
        free()
        shelf = _shelf_of(picked)
    _device, _wish = picked, wish
    devices.use(picked, wish)


def device() -> torch.device:
    return _device


def dtype(need: Need) -> torch.dtype:
    """What a network that needs this is computed in."""
    return devices.dtype(_device, need, _wish)


def environment() -> str:
    """What changes the bits of what is computed from now on: see `devices.environment`."""
    return devices.environment(str(_device), _wish)


def network(description: Network, loras: tuple[Lora, ...] = (), *, whole: bool = False) -> Any:
    """A network with its LoRAs, in eval mode on the pool's device. It is shared: do not change it.

    whole: all its weights are wanted there at once, as what looks back through it does.
    """
    slot = _slot(description, whole=whole)
    return _adapted(description, slot, loras) if loras else slot.base


def reader(description: Network, loras: tuple[Lora, ...] = ()) -> Reader:
    """A text encoder with its LoRAs, and its tokenizer."""
    module = network(description, loras)
    if description not in _tokenizers:
        tokenizer = loading.tokenizer(description, parts.num_tokens(parts.settings(description)))
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
    """A network in memory, with its adapted variants. where: for people."""

    network: Network
    num_adapted: int
    nbytes: int
    where: str


def loaded() -> tuple[Loaded, ...]:
    """What is in memory, used longest ago first."""
    return tuple(
        Loaded(known, len(slot.twins), slot.whole, WHERE[slot.place].format(_device))
        for known, slot in shelf.slots.items()
    )


def free(description: Network | None = None) -> None:
    """Forget every network, or this one. Results stay valid: descriptions load again when used."""
    shelf.forget([known for known in shelf.slots if description in (None, known)])
    for key in [key for key in _latents if description in (None, key[0])]:
        del _latents[key]
    for known in [known for known in _tokenizers if description in (None, known)]:
        del _tokenizers[known]
    launch.forget()
    resident.free()


def nbytes() -> int:
    """What the networks hold on the device; on the CPU with weights that are mapped from files."""
    return shelf.nbytes()


def _slot(description: Network, *, whole: bool = False) -> Slot:
    expected = (0, 0) if description in shelf.slots else _expected(description)
    divisible = not whole and description.role != "vae"  # a small one, that may lend its weights: see `autoencoder`
    return shelf.get(description, lambda place: _load(description, place), expected, divisible=divisible)


def _load(description: Network, place: Place) -> Any:
    part = parts.part(description)
    computed = dtype(part.spec.precision)
    kind = narrow.KINDS.get(description.storage)
    if kind and kind.fast and (why := devices.no_float8_products(_device)):
        raise ValueError(f"weights of {part} is {description.storage!r}, but {why}; choose 'float8'")
    module = launch.arranged(loading.load(description, _device if place is Place.DEVICE else MAIN, computed), _device)
    description.weights.check_unchanged()
    every_step = description.role in (part.family.denoiser, "controlnet")
    packs = every_step and _device.type == "cpu" and computed == torch.float32
    return widening.widened(packing.packed(module) if packs else module, computed, kept=every_step)


def _expected(description: Network) -> tuple[int, int]:
    """The bytes of a network that is not loaded yet, and the least of them when it comes block by block."""
    part = parts.part(description)
    whole = part.nbytes(dtype(part.spec.precision).itemsize, description.storage)
    return whole, min(whole, (placing.IN_FLIGHT + 1) * placing.LARGEST)


def _adapted(description: Network, slot: Slot, loras: tuple[Lora, ...]) -> Any:
    if loras not in slot.twins:
        strengths = [lora.strength for lora in loras]
        slot.twins[loras] = adapters.with_strengths(_sibling(description, slot, loras), strengths)
        while len(slot.twins) > MAX_TWINS:
            slot.twins.popitem(last=False)
        slot.keep([_files(known) for known in slot.twins])
    slot.twins.move_to_end(loras)
    return slot.twins[loras]


def _sibling(description: Network, slot: Slot, loras: Sequence[Lora]) -> Any:
    """A twin with these files at whatever strengths, so that a change of strength reads no file."""
    files = _files(loras)
    for known, module in slot.twins.items():
        if _files(known) == files:
            return module
    shelf.make_room(sum(Path(weights.path).stat().st_size for weights in files))
    with torch.inference_mode(False):
        adapted = launch.arranged(adapters.with_loras(slot.base, description, files), _device)
    for weights in files:
        weights.check_unchanged()
    base = {id(tensor) for tensor in placing.tensors([slot.base])}
    slot.add(files, placing.nbytes(t for t in placing.tensors([adapted]) if id(t) not in base))
    return adapted


def _files(loras: Sequence[Lora]) -> tuple[Weights, ...]:
    return tuple(lora.weights for lora in loras)

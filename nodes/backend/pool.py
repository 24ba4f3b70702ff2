"""Descriptions to networks: loaded when first used, kept while there is room.

The one place in nodes/ that changes. Only the thread that computes may call it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from nodes.backend import adapters, devices, loading, packing
from nodes.types import ControlNet, Lora, Model, Part, TextEncoder, Vae, Weights

PACKED: tuple[Part, ...] = ("unet", "controlnet")  # they run many times at one size
MAX_TWINS = 8  # adapted variants kept of one network; each costs some megabytes of Python objects


@dataclass
class _Slot:
    """A network and its adapted twins, newest last."""

    base: Any
    twins: OrderedDict[tuple[Lora, ...], Any] = field(default_factory=OrderedDict[tuple[Lora, ...], Any])

    def nbytes(self) -> int:
        modules = (self.base, *self.twins.values())
        tensors = {id(t): t.nbytes for module in modules for t in (*module.parameters(), *module.buffers())}
        return sum(tensors.values()) + packing.nbytes(self.base)


_device = torch.device("cpu")
_slots: OrderedDict[tuple[Part, Weights], _Slot] = OrderedDict()
_tokenizers: dict[Weights, CLIPTokenizer] = {}


def configure(device: str) -> None:
    """Compute on this device ("auto", "cuda", "mps", "cpu") from now on. Raises ValueError when it is not there."""
    global _device
    picked = devices.pick(device)
    if picked != _device:
        free()
    _device = picked


def device() -> torch.device:
    return _device


def unet(model: Model) -> UNet2DConditionModel:
    """The denoising network with its LoRAs, in eval mode on the pool's device. It is shared: do not change it."""
    return _adapted(_slot("unet", model.weights), model.loras)


def text_encoder(description: TextEncoder) -> tuple[CLIPTokenizer, CLIPTextModel]:
    """The tokenizer and the text encoder with its LoRAs."""
    module = _adapted(_slot("text_encoder", description.weights), description.loras)
    if description.weights not in _tokenizers:
        tokenizer = loading.tokenizer(description.weights, module.config.vocab_size)
        description.weights.check_unchanged()
        _tokenizers[description.weights] = tokenizer
    return _tokenizers[description.weights], module


def vae(description: Vae) -> AutoencoderKL:
    """The autoencoder, always in float32: it is small, and float16 overflows in some of them."""
    return _slot("vae", description.weights).base


def controlnet(description: ControlNet) -> ControlNetModel:
    return _slot("controlnet", description.weights).base


class Loaded(NamedTuple):
    """A network in memory, with its adapted variants."""

    part: Part
    weights: Weights
    num_adapted: int
    nbytes: int


def loaded() -> tuple[Loaded, ...]:
    """What is in memory, used longest ago first."""
    return tuple(Loaded(*key, len(slot.twins), slot.nbytes()) for key, slot in _slots.items())


def free(part: Part | None = None, weights: Weights | None = None) -> None:
    """Forget every network, or those of one part or file. Results stay valid: descriptions load again when used."""
    for key in [key for key in _slots if part in (None, key[0]) and weights in (None, key[1])]:
        del _slots[key]
    for key in [key for key in _tokenizers if part in (None, "text_encoder") and weights in (None, key)]:
        del _tokenizers[key]
    if _device.type == "cuda":
        torch.cuda.empty_cache()


def nbytes() -> int:
    """What the networks hold, counting weights that are mapped from files as well."""
    return sum(slot.nbytes() for slot in _slots.values())


def _slot(part: Part, weights: Weights) -> _Slot:
    key = (part, weights)
    if key not in _slots:
        dtype = torch.float32 if part == "vae" else devices.dtype(_device)
        module = loading.load(weights, part, _device, dtype)
        weights.check_unchanged()
        _slots[key] = _Slot(packing.packed(module) if part in PACKED else module)
        _make_room(key)
    _slots.move_to_end(key)
    return _slots[key]


def _make_room(keep: tuple[Part, Weights]) -> None:
    """Forget what was used longest ago until the rest fits into three quarters of the device's memory."""
    limit = devices.memory(_device) * 3 // 4
    for key in [key for key in _slots if key != keep]:
        if nbytes() <= limit:
            return
        del _slots[key]


def _adapted(slot: _Slot, loras: tuple[Lora, ...]) -> Any:
    if not loras:
        return slot.base
    if loras not in slot.twins:
        slot.twins[loras] = adapters.with_strengths(_sibling(slot, loras), [lora.strength for lora in loras])
        while len(slot.twins) > MAX_TWINS:
            slot.twins.popitem(last=False)
    slot.twins.move_to_end(loras)
    return slot.twins[loras]


def _sibling(slot: _Slot, loras: Sequence[Lora]) -> Any:
    """A twin with these files at whatever strengths, so that a change of strength reads no file."""
    files = [lora.weights for lora in loras]
    for known, module in slot.twins.items():
        if [lora.weights for lora in known] == files:
            return module
    adapted = adapters.with_loras(slot.base, files)
    for weights in files:
        weights.check_unchanged()
    return adapted

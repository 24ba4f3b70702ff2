"""Networks from their weights: built empty, then given the tensors that are mapped from the file.

No weight is copied where the file has the precision that is computed in, so a network costs no memory before it
first runs, and the system may drop its pages again.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Container, Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from accelerate import init_empty_weights  # pyright: ignore[reportMissingTypeStubs]  # it has none
from torch import Tensor, nn

from nodes.backend import (
    device_memory,
    frames,
    layouts,
    narrow,
    parts,
    quantised_layers,
    reading,
    weight_files,
    weight_tensors,
)
from nodes.backend.contents import Source
from nodes.backend.fields import grouped
from nodes.backend.narrow import Kind
from nodes.backend.networks.architecture import Architecture, Settings, Stored
from nodes.backend.quantised_layers import Kept, changed
from nodes.backend.tokenizer_kinds import KINDS
from nodes.types import Network

COPIED = ("cuda", "xpu")
"""Kinds of devices to which files are read in large pieces; from others they are mapped."""

NARROW = (torch.float16, torch.bfloat16)

FILLING = tuple(name for name in vars(nn.init) if name.endswith("_") and not name.startswith("_"))
"""The functions that give weights the values with which a training begins."""

_building = Lock()


def load(network: Network, device: torch.device, dtype: torch.dtype) -> Any:
    """A network, in eval mode. Raises ValueError when the weights do not fit its settings.

    On the CPU, weights that are narrower than `dtype` stay as they are in the file: see `widening`. Quantised ones do
    everywhere: see `quantised_layers`. Those that are to be kept in fewer bits are packed one by one as they are read.
    """
    part = parts.part(network)
    module = _empty(part.spec.architecture, part.settings())
    exact = _exact(part.spec.architecture, module)
    sources, kind = part.sources(), narrow.KINDS.get(network.storage)
    pack = _packing(kind, _narrowed(part, sources, module, exact)) if kind else _as_stored
    stored = _copied(part, sources, pack, device, dtype) if device.type in COPIED else _read(part, sources, pack)
    if kind and kind.fast:
        stored = {
            name: weight._replace(fast=True) if isinstance(weight, Kept) else weight for name, weight in stored.items()
        }
    found = quantised_layers.put_in(module, stored, dtype)
    fitted: dict[str, Tensor] = {}
    for name, wanted in module.state_dict().items():
        if quantised_layers.is_part(name):
            fitted[name] = wanted
            continue
        tensor = found[name] if name in found else _identity(wanted)
        own = torch.float32 if exact & set(name.split(".")) else dtype
        fitted[name] = _of_precision(tensor.reshape(wanted.shape), device, own)
    module.load_state_dict(fitted, assign=True)
    return frames.of_pictures(module.to(device).requires_grad_(False).eval())


def tokenizer(network: Network, vocab_size: int) -> Any:
    """The tokenizer of a text encoder. vocab_size: what the encoder knows.

    Raises ValueError when its files are damaged, or when the two do not belong together.
    """
    part = parts.part(network)
    folder, spec = part.tokenizer_folder(), part.spec.tokenizer
    assert spec  # or there would be no folder
    return KINDS[spec.kind].build(folder, vocab_size, spec.pad)


def _empty(architecture: Architecture, settings: Settings) -> Any:
    """The network without memory for what comes from files."""
    with _building, _unfilled():
        with torch.device("meta"):
            module = build(architecture, settings)
        stored = {id(tensor) for tensor in module.state_dict(keep_vars=True).values()}
        if all(id(tensor) in stored for tensor in (*module.buffers(), *_beside(module))):
            return module
        # What no file has is computed when a network is built. Not done for all: where a file has it, computing it
        # costs up to seconds and gigabytes, as the positions of Stable Diffusion 3.5 do.
        with init_empty_weights():
            return build(architecture, settings)


@contextmanager
def _unfilled() -> Generator[None]:
    """Weights of networks that are built meanwhile get no values: to fill what has no memory is half of the time."""
    places: list[tuple[Any, str]] = [(nn.init, name) for name in FILLING]
    places.append((import_module("transformers").PreTrainedModel, "initialize_weights"))  # it has its own, of those
    usual = [getattr(place, name) for place, name in places]
    try:
        for place, name in places:
            setattr(place, name, _left)
        yield
    finally:
        for (place, name), function in zip(places, usual, strict=True):
            setattr(place, name, function)


def _left(filled: Any, *_args: Any, **_options: Any) -> Any:
    return filled


def _beside(module: nn.Module) -> Iterator[Tensor]:
    """Tensors that a network keeps for itself, neither as parameters nor as buffers."""
    for part in module.modules():
        yield from (value for value in vars(part).values() if isinstance(value, Tensor))


def build(architecture: Architecture, settings: Settings) -> nn.Module:
    """The network that these settings describe, with whatever weights its class begins with."""
    module, _, name = architecture.library_class.partition(":")
    kind: Any = getattr(import_module(module), name)
    given = grouped({**settings, **architecture.constants})
    given = given[architecture.of] if architecture.of else given
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of libraries, about their own parts
        return kind(kind.config_class(**given)) if module == "transformers" else kind.from_config(given)


def _identity(like: Tensor) -> Tensor:
    """What a file may leave out, see the architecture: a matrix or scales that change nothing."""
    return torch.eye(len(like)) if like.dim() == 2 else torch.ones(len(like))


def _exact(architecture: Architecture, module: Any) -> set[str]:
    """Layers of which diffusers keeps the weights in float32, whatever is computed in: of Krea 2 scales less 1."""
    kept = module._keep_in_fp32_modules if architecture.library_class.startswith("diffusers.") else None
    return set(kept or ())


def _of_precision(tensor: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    mapped = device.type == "cpu" and tensor.dtype in NARROW and tensor.itemsize < dtype.itemsize
    return tensor if mapped else tensor.to(device, dtype)


Pack = Callable[[str, Tensor], Tensor | Kept]
"""What is kept of a tensor, by its name in the file: itself, or its numbers in fewer bits."""


def _packing(kind: Kind, names: Container[str]) -> Pack:
    def pack(name: str, tensor: Tensor) -> Tensor | Kept:
        return Kept(*layouts.pack(tensor.flatten(1), kind.layout)) if name in names else tensor

    return pack


def _as_stored(_name: str, tensor: Tensor) -> Tensor:
    return tensor


def _narrowed(part: parts.Part, sources: Mapping[str, Source], module: nn.Module, exact: set[str]) -> set[str]:
    """What a network's files call the matrices that may be kept in fewer bits: of linear layers all of whose numbers
    may be, where several lie in one tensor.
    """
    some, rest = set[str](), set[str]()
    for name, (file, stored) in sources.items():
        layer, _, _ = name.rpartition(".")
        is_linear = type(module.get_submodule(layer)) is nn.Linear and not exact & set(name.split("."))
        shape = tuple(module.get_parameter(name).shape) if is_linear else ()
        stored_name = part.stored_name(stored.name)
        is_plain = stored_name not in weight_files.packed(file)
        (some if is_plain and narrow.narrows(name, shape) else rest).add(stored_name)
    return some - rest


def _read(part: parts.Part, sources: Mapping[str, Source], pack: Pack) -> dict[str, Tensor | Kept]:
    """The tensors by their own names, mapped from the files."""
    found: dict[str, Tensor | Kept] = {}
    for path in {source.file for source in sources.values()}:
        with weight_tensors.opened(path) as file:
            found |= _from_file(part, sources, path, _once(file.get_tensor, pack))
    return found


def _once(read: Callable[[str], Tensor], pack: Pack) -> Callable[[str], Tensor | Kept]:
    """What is kept of a tensor, which may be asked for in parts."""

    @cache
    def kept(name: str) -> Tensor | Kept:
        return pack(name, read(name))

    return kept


def _copied(
    part: parts.Part, sources: Mapping[str, Source], pack: Pack, device: torch.device, dtype: torch.dtype
) -> dict[str, Tensor | Kept]:
    """The tensors by their own names, on a device with memory of its own and in the precision that is computed in."""
    memory, found = device_memory.of(device), dict[str, Tensor | Kept]()
    for path in {source.file for source in sources.values()}:
        packed = weight_files.packed(path)
        stored = {part.stored_name(source.stored.name) for source in sources.values() if source.file == path}
        as_they_are = {name for weight in stored & packed.keys() for name in packed[weight].parts.values()}

        def finished(name: str, tensor: Tensor, as_they_are: Container[str] = as_they_are) -> Tensor | Kept:
            made = pack(name, tensor)
            if isinstance(made, Kept) or not made.is_floating_point() or name in as_they_are:
                return made
            return made.to(dtype)

        tensors = reading.read(path, stored | as_they_are, memory, finished)
        found |= _from_file(part, sources, path, tensors.__getitem__)
    return found


def _from_file(
    part: parts.Part, sources: Mapping[str, Source], path: Path, tensor: Callable[[str], Any]
) -> dict[str, Tensor | Kept]:
    """Those of a network's tensors that are in a file, of which `tensor` gives each by its name there."""
    packed, found = weight_files.packed(path), dict[str, Tensor | Kept]()
    for name, (_, stored) in ((name, source) for name, source in sources.items() if source.file == path):
        stored_name = part.stored_name(stored.name)
        if weight := packed.get(stored_name):
            pieces = {piece: tensor(its_name) for piece, its_name in weight.parts.items()}
            found[name] = Kept(weight, pieces, stored.rows, stored.change)
        else:
            found[name] = _taken(tensor(stored_name), stored)
    return found


def _taken(tensor: Tensor | Kept, stored: Stored) -> Tensor | Kept:
    if isinstance(tensor, Kept):
        return tensor._replace(rows=stored.rows, change=stored.change)
    return changed(tensor[slice(*stored.rows)] if stored.rows else tensor, stored.change)

"""Networks from their weights: built empty, then given the tensors that are mapped from the file.

No weight is copied where the file has the precision that is computed in, so a network costs no memory before it
first runs, and the system may drop its pages again.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import torch
from accelerate import init_empty_weights  # pyright: ignore[reportMissingTypeStubs]  # it has none
from torch import Tensor, nn

from nodes.backend import device_memory, parts, reading
from nodes.backend.contents import Source
from nodes.backend.fields import grouped
from nodes.backend.networks.architecture import Architecture, Settings, Stored
from nodes.backend.tokenizer_kinds import KINDS
from nodes.backend.untyped import TensorFile, safe_open
from nodes.types import Network

COPIED = ("cuda", "xpu")
"""Kinds of devices to which files are read in large pieces; from others they are mapped."""

NARROW = (torch.float16, torch.bfloat16)


def load(network: Network, device: torch.device, dtype: torch.dtype) -> Any:
    """A network, in eval mode. Raises ValueError when the weights do not fit its settings.

    On the CPU, weights that are narrower than `dtype` stay as they are in the file: see `widening`.
    """
    part = parts.part(network)
    module = _empty(part.spec.architecture, part.settings())
    found = _copied(part, part.sources(), device, dtype) if device.type in COPIED else _read(part, part.sources())
    fitted: dict[str, Tensor] = {}
    exact = _exact(part.spec.architecture, module)
    for name, wanted in module.state_dict().items():
        tensor = found[name] if name in found else _identity(wanted)
        own = torch.float32 if exact & set(name.split(".")) else dtype
        fitted[name] = _of_precision(tensor.reshape(wanted.shape), device, own)
    module.load_state_dict(fitted, assign=True)
    return module.to(device).requires_grad_(False).eval()


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
    with torch.device("meta"):
        module = build(architecture, settings)
    stored = {id(tensor) for tensor in module.state_dict(keep_vars=True).values()}
    if all(id(tensor) in stored for tensor in (*module.buffers(), *_beside(module))):
        return module
    # What no file has is computed when a network is built. Not done for all: where a file has it, computing it costs up
    # to seconds and gigabytes, as the positions of Stable Diffusion 3.5 do.
    with init_empty_weights():
        return build(architecture, settings)


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


def _read(part: parts.Part, sources: Mapping[str, Source]) -> dict[str, Tensor]:
    """The tensors by their own names, mapped from the files."""
    found: dict[str, Tensor] = {}
    for path in {source.file for source in sources.values()}:
        with safe_open(path, "pt") as file:
            here = {name: source.stored for name, source in sources.items() if source.file == path}
            found |= {name: _taken(_tensor(file, part, stored), stored) for name, stored in here.items()}
    return found


def _tensor(file: TensorFile, part: parts.Part, stored: Stored) -> Tensor:
    return file.get_tensor(part.stored_name(stored.name))


def _copied(
    part: parts.Part, sources: Mapping[str, Source], device: torch.device, dtype: torch.dtype
) -> dict[str, Tensor]:
    """The tensors by their own names, on a device with memory of its own and in the precision that is computed in."""
    memory, found = device_memory.of(device), dict[str, Tensor]()
    for path in {source.file for source in sources.values()}:
        names = {name: source.stored for name, source in sources.items() if source.file == path}
        stored_names = {part.stored_name(stored.name) for stored in names.values()}
        tensors = reading.read(path, stored_names, memory, dtype)
        found |= {name: _taken(tensors[part.stored_name(stored.name)], stored) for name, stored in names.items()}
    return found


def _taken(tensor: Tensor, stored: Stored) -> Tensor:
    if stored.rows:
        tensor = tensor[slice(*stored.rows)]
    match stored.change:
        case "transposed":
            return tensor.T
        case "swapped":
            first, second = tensor.chunk(2)
            return torch.cat([second, first])
        case "" | "joined":  # every tensor is given the network's shape in the end
            return tensor

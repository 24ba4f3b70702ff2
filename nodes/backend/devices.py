"""Where networks run, and in which precision."""

from __future__ import annotations

import os
import platform
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, cast

import torch

from nodes.backend import packing

NAMES = ("auto", "cuda", "mps", "cpu")
LIBRARIES = ("torch", "diffusers", "transformers", "tokenizers", "peft", "numpy", "scipy", "pillow")
"""Whose versions may change the bits of a result."""

INSTRUCTION_LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")
"""Variables by which people keep the libraries from instructions that the processor has."""


def pick(name: str) -> torch.device:
    """The device of this name; "auto" takes the fastest kind there is. Raises ValueError when it is not there."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there))
    if name not in available:
        raise ValueError(f"device must be one of {', '.join(NAMES)}; got {name!r}")
    if not available[name]:
        there = ", ".join(kind for kind, there in available.items() if there)
        raise ValueError(f"this machine has no {name} device that torch can use; it has {there}")
    return torch.device(name)


Precision = Literal["half", "bfloat16", "full"]
"""What a network needs: half is enough; half with the range of float32; float32 itself."""


def dtype(device: torch.device, precision: Precision = "half") -> torch.dtype:
    """Half precision where the hardware computes it; ordinary CPUs are slower with it, and 'mps' overflows in it."""
    if device.type != "cuda" or precision == "full":
        return torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float16


def memory(device: torch.device) -> int:
    """Bytes the device has in all."""
    if device.type == "cuda":
        properties: Any = cast(Any, torch.cuda).get_device_properties(device)
        return properties.total_memory
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 16 << 30  # Windows offers no portable question: the usual size of a machine that runs such models


def environment(name: str) -> str:
    """What changes the bits of a result besides its inputs, for the keys of the cache: see docs/decisions."""
    device = pick(name)
    packed = " packed" if device.type == "cpu" and packing.available() else ""
    computed = f"{device.type} {str(dtype(device)).removeprefix('torch.')}{packed}"
    return "; ".join((computed, *_accelerator(device), _processor(), *map(_version, LIBRARIES)))


def _accelerator(device: torch.device) -> tuple[str, ...]:
    """Each generation has kernels of its own."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device), f"cuDNN {torch.backends.cudnn.version()}"
    return (f"macOS {platform.mac_ver()[0]}",) if device.type == "mps" else ()


def _processor() -> str:
    """Its instructions, and how many threads share a sum: both decide in which order numbers are added."""
    limits = [f"{name}={value}" for name in INSTRUCTION_LIMITS if (value := os.environ.get(name))]
    capability, threads = torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()
    kind = f"{platform.machine()} {capability} {_processor_id()} {threads} threads"
    return " ".join((kind, *limits))


def _processor_id() -> str:
    """A digest of the model and of the instructions it knows, where the system tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:  # only Linux has it
        return blake2b(platform.processor().encode(), digest_size=4).hexdigest()
    told = {line.partition(":")[0].strip(): line for line in reversed(lines)}
    first = [told.get(name, "") for name in ("vendor_id", "model name", "flags", "Features")]
    return blake2b("".join(first).encode(), digest_size=4).hexdigest()


def _version(library: str) -> str:
    try:
        return f"{library} {version(library)}"
    except PackageNotFoundError:  # a build that brings the library without its description
        return f"{library} ?"

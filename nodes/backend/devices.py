"""Where networks run, and in which precision: the rules of `cards` and `precision`, for what this machine has."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

import torch

from nodes.backend import cards, layouts, packing, precision, trial
from nodes.backend.cards import Card, Dtype
from nodes.backend.precision import Need, Wish
from nodes.backend.trial import Trial

KINDS = ("cuda", "xpu", "mps", "cpu")
"""The beginnings of names, in the order in which "auto" tries them. AMD's cards are cuda to torch."""

LIBRARIES = ("torch", "diffusers", "transformers", "tokenizers", "peft", "numpy", "scipy", "pillow")
"""Whose versions may change the bits of a result."""

INSTRUCTION_LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")
"""Variables by which people keep the libraries from instructions that the processor has."""

CARD_SETTINGS = (
    "NVIDIA_TF32_OVERRIDE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "CUBLAS_WORKSPACE_CONFIG",
    "HSA_OVERRIDE_GFX_VERSION",
    "DENOODLE_COMPILE",
    "PYTORCH_MPS_FAST_MATH",
    "PYTORCH_MPS_PREFER_METAL",
)
"""Variables by which people choose other kernels of a card."""

Try = Callable[[Card], Trial]
_log = logging.getLogger(__name__)


@lru_cache(maxsize=16)
def tried(card: Card) -> Trial:
    """What came of trying a card, now or earlier. The processor is known to be right."""
    return Trial() if card.kind == "cpu" else trial.of(card, f"{_version('torch')} {torch.backends.cudnn.version()}")


@lru_cache(maxsize=1)
def present() -> tuple[Card, ...]:
    """The devices that torch sees, in the order in which "auto" tries them; the processor is the last."""
    return (*_cuda(), *_xpu(), *_mps(), Card("cpu", "cpu", "the processor", _main_memory()))


@lru_cache(maxsize=16)  # what "auto" leaves out is said once
def pick(name: str) -> torch.device:
    """The device of this name, "cuda:1", "cuda" or "auto". Raises ValueError when it is not there or cannot compute."""
    return torch.device(chosen(name, present(), tried).name)


def chosen(name: str, present: Sequence[Card], tried: Try) -> Card:
    """The card of this name; "auto" takes the first that can compute. present: in order, the processor last.

    Raises ValueError when it is not there, or cannot compute.
    """
    if name == "auto":
        for card in present:
            if (why := _unfit(card, tried)) is None:
                return card
            _log.warning("%s is not used: %s", card.name, why)
    kind, _, index = name.partition(":")
    if kind not in KINDS or (index and not index.isdecimal()):
        raise ValueError(f"device must be auto or one of {', '.join(KINDS)}, also with a number, cuda:1; got {name!r}")
    found = [card for card in present if name in (card.name, card.name.partition(":")[0])]
    if not found:
        there = ", ".join(card.name for card in present)
        raise ValueError(f"this machine has no {name} device that torch can use; it has {there}")
    whys = {card: _unfit(card, tried) for card in found}
    if (fit := next((card for card, why in whys.items() if why is None), None)) is not None:
        return fit
    raise ValueError(f"{found[0].name} cannot be used: {whys[found[0]]}")


def _unfit(card: Card, tried: Try) -> str | None:
    """Why a card cannot compute; None when it can."""
    if card.kind == "cpu":
        return None
    if why := cards.refusal(card):
        return why
    if failure := tried(card).failure:
        return f"{card.title} failed its self-test: {failure}"
    if tried(card).right("float32"):
        return None
    return f"{card.title} failed its self-test: what it computes is not what the processor computes"


def card(device: torch.device) -> Card:
    """What is known of a device."""
    kind, index = device.type, device.index or 0
    return next(known for known in present() if known.name in (kind, f"{kind}:{index}"))


def dtype(device: torch.device, need: Need = "half", wish: Wish = "auto") -> torch.dtype:
    """What a network that needs this is computed in. Raises ValueError when the device computes wrongly as wished."""
    return getattr(torch, chosen_dtype(card(device), need, wish, tried))


def chosen_dtype(card: Card, need: Need, wish: Wish, tried: Try) -> Dtype:
    """The same by name, for any card."""
    if card.kind == "cpu":
        return precision.chosen(need, wish, frozenset())
    said = tried(card)
    made = precision.chosen(need, wish, trial.good(card, said))
    if made != "float32" and not said.right(made):
        raise ValueError(f"{card.title} does not compute in {made}, or wrongly; choose another precision")
    return made


def no_float8_products(device: torch.device) -> str | None:
    """Why numbers of eight bits cannot be multiplied there; None when they can."""
    known = card(device)
    if known.kind == "cpu" or tried(known).right("float8"):
        return None
    return f"{known.title} does not multiply numbers of float8, or wrongly"


def use(device: torch.device, wish: Wish = "auto") -> None:
    """Make torch's functions that name no device mean this one. Those who want float32 get all 24 bits of it.

    Raises ValueError when another program has it for itself, or it fails.
    """
    if device.type in ("cuda", "xpu"):
        try:
            getattr(torch, device.type).set_device(device)
        except RuntimeError as error:
            raise ValueError(f"{device} cannot be used: {str(error).splitlines()[0]}") from error
    if device.type == "cuda":
        convolutions: Any = cast(Any, torch.backends.cudnn).conv
        convolutions.fp32_precision = "ieee" if wish == "float32" else "tf32"  # which is torch's default


def memory(device: torch.device) -> int:
    """Bytes the device has in all."""
    if device.type == "cuda":
        properties: Any = cast(Any, torch.cuda).get_device_properties(device)
        return properties.total_memory
    return card(device).bytes


def _main_memory() -> int:
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 16 << 30  # Windows offers no portable question: the usual size of a machine that runs such models


# What there is ----------------------------------------------------------------------------------------


def _cuda() -> list[Card]:
    """NVIDIA's cards, or AMD's with a build for ROCm: it goes by the same names, and by those of AMD's chips."""
    cuda: Any = torch.cuda
    if not cuda.is_available():
        return []
    hip = cast(Any, torch.version).hip
    built = tuple(cuda.get_arch_list())
    found: list[Card] = []
    for index in range(cuda.device_count()):
        about: Any = cuda.get_device_properties(index)
        arch = about.gcnArchName.partition(":")[0] if hip else f"sm_{about.major}{about.minor}"
        card = Card("rocm" if hip else "cuda", f"cuda:{index}", about.name, about.total_memory, arch, built)
        if cards.compiles_at_start(card):
            card = replace(card, driver=_driver())
        found.append(card)
    return found


def _driver() -> str:
    """Which NVIDIA driver there is; where the system does not say, which CUDA it knows."""
    try:
        return Path("/proc/driver/nvidia/version").read_text("utf-8", "replace").splitlines()[0]
    except (OSError, IndexError):
        known: Any = getattr(vars(torch)["_C"], "_cuda_getDriverVersion", lambda: "unknown")  # private to torch
        return f"driver {known()}"


def _xpu() -> list[Card]:
    """Intel's cards. Their driver compiles what the build has no kernels for, and does not say what that is."""
    xpu: Any = getattr(torch, "xpu", None)
    if xpu is None or not xpu.is_available():
        return []
    found: list[Card] = []
    for index in range(xpu.device_count()):
        about: Any = xpu.get_device_properties(index)
        native: set[Dtype] = {"float32"}
        if about.has_fp16:
            native.add("float16")
        if getattr(about, "has_bfloat16_conversions", False):
            native.add("bfloat16")
        card = Card("xpu", f"xpu:{index}", about.name, about.total_memory, native=frozenset(native))
        found.append(replace(card, driver=f"driver {about.driver_version}"))
    return found


def _mps() -> list[Card]:
    if not torch.backends.mps.is_available():
        return []
    most: int = cast(Any, torch.mps).recommended_max_memory()  # of what it shares with the processor
    # Metal's compiler comes with the system.
    return [Card("mps", "mps", "Apple's GPU", most, driver=f"macOS {platform.mac_ver()[0]}")]


# What changes bits ------------------------------------------------------------------------------------


def environment(name: str, wish: Wish = "auto") -> str:
    """What changes the bits of a result besides its inputs, for the keys of the cache: see docs/decisions."""
    device = pick(name)
    computed = described(card(device), wish, tried)
    return "; ".join((*computed, _processor(), *map(_version, LIBRARIES)))


def described(card: Card, wish: Wish, tried: Try) -> tuple[str, ...]:
    """How a card computes, and what it is.

    The number of a card is not in it: two of a kind compute the same. Nor is the driver, where it compiles nothing:
    kernels and the libraries for matrices and convolutions come with torch.
    """
    dtypes = dict.fromkeys(chosen_dtype(card, need, wish, tried) for need in ("half", "bfloat16"))
    kind = "cuda" if card.kind == "rocm" else card.kind
    packed = " packed" if kind == "cpu" and packing.available() else ""
    exact = " ieee" if wish == "float32" and kind != "cpu" else ""
    eight_bits = " eight-bit products by row" if layouts.wanted() else ""
    computed = f"{kind} {' '.join(dtypes)}{packed}{exact}{eight_bits}"
    if card.kind == "cpu":
        return (computed,)
    library = f"cuDNN {torch.backends.cudnn.version()}" if kind == "cuda" else ""
    limits = (f"{name}={value}" for name in CARD_SETTINGS if (value := os.environ.get(name)))
    return computed, *filter(None, (card.title, card.arch, library, card.driver, *limits))


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

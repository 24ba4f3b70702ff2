"""Errors after which a device computes nothing more in this process, whatever it is asked.

A kernel that reads where it may not takes the context of its process with it (CUDA Runtime API, "Error handling": the
process must be ended and relaunched). torch passes on what the driver says, from whichever call comes next.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import torch

WORDS: Mapping[str, str] = {
    r"illegal memory access|illegal_?address": "an illegal memory access",
    r"device-side assert|cudaErrorAssert|hipErrorAssert|CUDA_ERROR_ASSERT": "an assertion in a kernel failed",
    r"unspecified launch failure|cudaErrorLaunchFailure|hipErrorLaunchFailure|CUDA_ERROR_LAUNCH_FAILED": (
        "a kernel failed"
    ),
    r"misaligned_? ?address": "a misaligned address",
    r"illegal_? ?instruction|invalid_? ?program counter|cudaErrorInvalidPc|CUDA_ERROR_INVALID_PC": (
        "an illegal instruction"
    ),
    r"hardware_? ?stack_? ?error|invalid_? ?address_? ?space": "a kernel failed",
    r"launch timed out|LaunchTimeout|LAUNCH_TIMEOUT": "the system ended a kernel that took too long",
    r"uncorrectable (ECC|NVLink)|ECCUncorrectable|ECC_UNCORRECTABLE|NvlinkUncorrectable": (
        "its memory has errors that it cannot correct"
    ),
    r"(CUDA|HIP) error: unknown error|cudaErrorUnknown|hipErrorUnknown|CUDA_ERROR_UNKNOWN": (
        "an unknown error, as after the machine has slept"
    ),
    r"GPU is lost|device (is )?lost|DEVICE_LOST|DeviceLost|device removed": "the system has lost it",
}
"""What a driver says, and what to say of it. The names of errors are those of CUDA, HIP and Level Zero."""

CODES: Mapping[int, str] = {
    214: "its memory has errors that it cannot correct",
    220: "its memory has errors that it cannot correct",
    700: "an illegal memory access",
    702: "the system ended a kernel that took too long",
    710: "an assertion in a kernel failed",
    714: "a kernel failed",
    715: "an illegal instruction",
    716: "a misaligned address",
    717: "a kernel failed",
    718: "an illegal instruction",
    719: "a kernel failed",
    999: "an unknown error, as after the machine has slept",
}
"""By the number of cudaError_t, which HIP shares: an AcceleratorError of torch has it."""

MEMORY = re.compile(r"out of memory|ALLOC_FAILED|bad_alloc|NOT_INITIALIZED", re.IGNORECASE)
"""Of errors that are none of a broken device: a library has no room to begin with."""

OF_A_DEVICE = re.compile(
    r"CUDA|cuDNN|cuBLAS|HIP|MIOpen|hipBLAS|rocBLAS|XPU|SYCL|Level.?Zero|UR error|MPS", re.IGNORECASE
)
MOST = 20  # errors behind an error


def reason(error: BaseException, device: torch.device, computes: Callable[[torch.device], bool] | None = None) -> str:
    """Why the device computes nothing more in this process, in a few words; empty when it does.

    computes: asks a device whose error is none of those known.
    """
    if device.type == "cpu":
        return ""
    chain = list(_chain(error))
    for known in chain:
        if found := _known(known):
            return found
    strange = any(isinstance(e, RuntimeError) and OF_A_DEVICE.search(str(e)) and not _of_memory(e) for e in chain)
    return "it computes nothing any more" if strange and not (computes or _computes)(device) else ""


def _known(error: BaseException) -> str:
    if not isinstance(error, RuntimeError) or _of_memory(error):
        return ""
    if found := CODES.get(getattr(error, "error_code", 0)):
        return found
    text = str(error)
    if not OF_A_DEVICE.search(text) and type(error).__name__ != "AcceleratorError":
        return ""
    return next((words for pattern, words in WORDS.items() if re.search(pattern, text, re.IGNORECASE)), "")


def _of_memory(error: BaseException) -> bool:
    return type(error).__name__ == "OutOfMemoryError" or bool(MEMORY.search(str(error)))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and those that led to it."""
    at: BaseException | None = error
    for _ in range(MOST):
        if at is None:
            return
        yield at
        at = at.__cause__ or at.__context__


def _computes(device: torch.device) -> bool:
    """Whether one and one is two on it. A device without room for two numbers is not broken."""
    try:
        return float(torch.ones(2, device=device).sum()) == 2.0
    except RuntimeError as error:
        return _of_memory(error)

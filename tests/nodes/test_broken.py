"""Errors after which a device computes nothing more, by what drivers say."""

import pytest
import torch

import nodes
from nodes.backend import broken, pool
from tests.examples import each

CUDA = torch.device("cuda", 0)
HELP = (
    "\nSearch for `cudaError' in https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html.\nCUDA kernel"
)


def computes(device: torch.device) -> bool:
    return True


@each(
    ("text", "words"),
    [
        (f"CUDA error: an illegal memory access was encountered{HELP}", "an illegal memory access"),
        (f"CUDA error: device-side assert triggered{HELP}", "an assertion in a kernel failed"),
        (f"CUDA error: unspecified launch failure{HELP}", "a kernel failed"),
        ("CUDA error: misaligned address", "a misaligned address"),
        ("CUDA error: an illegal instruction was encountered", "an illegal instruction"),
        ("CUDA error: uncorrectable ECC error encountered", "its memory has errors that it cannot correct"),
        ("CUDA error: the launch timed out and was terminated", "the system ended a kernel that took too long"),
        ("CUDA error: unknown error", "an unknown error, as after the machine has slept"),
        ("CUDA driver error: CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access"),
        ("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED cudaErrorLaunchFailure", "a kernel failed"),
        ("HIP error: hipErrorIllegalAddress", "an illegal memory access"),
        ("HIP error: unspecified launch failure", "a kernel failed"),
        ("UR error: level_zero backend failed with error: 20 (UR_RESULT_ERROR_DEVICE_LOST)", "the system has lost it"),
    ],
)
def test_the_words_of_drivers_for_a_dead_context_are_known(text: str, words: str):
    assert broken.reason(RuntimeError(text), CUDA, computes) == words


@each("code", broken.CODES)
def test_so_are_their_numbers(code: int):
    error = torch.AcceleratorError("in another language")
    error.error_code = code
    assert broken.reason(error, CUDA, computes) == broken.CODES[code]


@each(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB. illegal memory access"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"),
        ValueError("CUDA error: an illegal memory access is what this file is called"),
        ValueError("the box must be red"),
    ],
)
def test_other_errors_leave_the_device_as_it_was_and_ask_it_nothing(error: Exception):
    assert broken.reason(error, CUDA, lambda device: pytest.fail("asked")) == ""


def test_of_an_error_that_nobody_knows_the_device_itself_is_asked():
    strange = RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR")
    assert broken.reason(strange, CUDA, computes) == ""
    assert broken.reason(strange, CUDA, lambda device: False) == "it computes nothing any more"


def test_an_error_behind_the_error_counts():
    error = ValueError("the prompt cannot be read")
    error.__context__ = RuntimeError("CUDA error: device-side assert triggered")
    assert broken.reason(error, CUDA, computes) == "an assertion in a kernel failed"


def test_errors_that_lead_to_each_other_come_to_an_end():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert broken.reason(first, CUDA, computes) == ""


def test_the_processor_does_not_break():
    pool.configure("cpu")
    assert nodes.broken(RuntimeError("CUDA error: an illegal memory access was encountered")) == ""


def test_a_device_without_room_is_not_broken(monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr(torch, "ones", full)
    assert broken.reason(RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"), CUDA) == ""

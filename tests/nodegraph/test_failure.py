"""Every way in which memory runs out is known by its message, and nothing else is taken for it."""

import errno
import weakref

import pytest

from nodegraph.failure import OUT_OF_MEMORY, bytes_asked, explain, let_go, may_be_memory, out_of_memory
from tests.examples import each


class OutOfMemoryError(RuntimeError):
    """Called as torch's is."""


class AcceleratorError(RuntimeError):
    """Called as torch's is."""


MESSAGES = [
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "4503599627370496 bytes. Error code 12 (Cannot allocate memory)",
    "[enforce fail at alloc_cpu.cpp:80] data. DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.",
    "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported at some other API call",
    "CUDA driver error: out of memory",
    "HIP error: out of memory",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `cusolverDnCreate(handle)`",
    "HIP error: HIPBLAS_STATUS_ALLOC_FAILED when calling `hipblasCreate(handle)`",
    "miopenStatusAllocFailed",
    "MPS backend out of memory (MPS allocated: 8.00 GB, other allocations: 1.00 GB, max allowed: 9.07 GB). Tried to "
    "allocate 256.00 MB on private pool.",
    "Invalid buffer size: 24.00 GB",
    "level_zero backend failed with error: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)",
    "std::bad_alloc",
]
PERHAPS = [
    "cuDNN error: CUDNN_STATUS_NOT_INITIALIZED",
    "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
    "GET was unable to find an engine to execute this computation",
]
OTHERS = [
    "CUDA error: an illegal memory access was encountered",
    "CUDA error: device-side assert triggered",
    "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
    "CUDA error: no kernel image is available for execution on the device",
    "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)",
    "Expected all tensors to be on the same device",
]


@each("message", MESSAGES)
def test_a_library_that_gets_no_memory_says_so_to_people(message: str):
    for error in (RuntimeError(message), AcceleratorError(message)):
        assert out_of_memory(error)
        assert explain(error) == (OUT_OF_MEMORY, "")


@pytest.mark.parametrize("error", [MemoryError(), OutOfMemoryError("what"), OSError(errno.ENOMEM, "Cannot allocate")])
def test_what_is_called_so_is_out_of_memory(error: Exception):
    assert out_of_memory(error)


@pytest.mark.parametrize("message", PERHAPS)
def test_what_may_have_another_reason_is_worth_another_try_and_keeps_its_message(message: str):
    error = RuntimeError(message)
    assert may_be_memory(error)
    assert not out_of_memory(error)
    assert message in explain(error)[0]


@each("message", OTHERS)
def test_other_errors_are_not_taken_for_it(message: str):
    assert not may_be_memory(RuntimeError(message))
    assert not may_be_memory(ValueError("CUDA error: out of memory"))  # what a node tells the user is its own


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        ("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 8.00 GiB", 5 << 29),
        ("Tried to allocate 256.00 MB on private pool.", 256 << 20),
        (MESSAGES[0], 4503599627370496),
        ("CUDA error: out of memory", None),
    ],
)
def test_how_much_was_asked_for_is_read_from_the_message(message: str, asked: int | None):
    assert bytes_asked(RuntimeError(message)) == asked


class Thing:
    pass


def test_an_error_lets_go_of_what_its_frames_hold_and_keeps_its_lines():
    seen: list[weakref.ref[Thing]] = []

    def inner() -> None:
        thing = Thing()
        seen.append(weakref.ref(thing))
        raise RuntimeError("inner")

    def outer() -> None:
        thing = Thing()
        seen.append(weakref.ref(thing))
        try:
            inner()
        except RuntimeError as error:
            raise RuntimeError("outer") from error

    failure = None
    try:
        outer()
    except RuntimeError as error:
        failure = error
    assert failure is not None
    let_go(failure)
    assert [ref() for ref in seen] == [None, None]
    assert "in inner" in explain(failure)[1]

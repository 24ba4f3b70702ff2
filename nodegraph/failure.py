"""What went wrong, in a sentence for people."""

from __future__ import annotations

import errno
import re
import traceback
from collections.abc import Iterable

OUT_OF_MEMORY = "there is not enough memory; try a smaller size or batch, or close other programs"

ALLOCATION_FAILED = re.compile(
    # torch on the CPU, on Linux and on Windows; C++ libraries below it
    r"can't allocate memory|DefaultCPUAllocator: not enough memory|std::bad_alloc|bad allocation"
    # the driver's own word, raised where torch's allocator was not asked
    r"|(?:CUDA|HIP)(?: driver)? error: out of memory|cudaErrorMemoryAllocation|hipErrorOutOfMemory"
    # libraries that allocate for themselves: cuDNN, cuBLAS, cuSOLVER, cuSPARSE, hipBLAS, MIOpen, cuFFT
    r"|(?:CUDNN|CUBLAS|CUSOLVER|CUSPARSE|HIPBLAS)_STATUS_ALLOC_FAILED|CUFFT_ALLOC_FAILED|miopenStatusAllocFailed"
    r"|CUDNN_STATUS_INTERNAL_ERROR_(?:HOST|DEVICE)_ALLOCATION_FAILED|rocblas_status_memory_error"
    # Apple and Intel
    r"|MPS backend out of memory|Invalid buffer size|OUT_OF_(?:DEVICE|HOST)_MEMORY"
)
MAY_BE_MEMORY = re.compile(
    # A library that has no room for its workspace when it starts says that it was not started.
    r"(?:CUDNN|CUBLAS|HIPBLAS)_STATUS_NOT_INITIALIZED|unable to find an engine to execute this computation"
    r"|Unable to find a valid cuDNN algorithm"
)
ASKED = re.compile(r"[Tt]ried to allocate ([\d.]+) ?([KMGT]?)i?(?:B|bytes)\b")


class Missing(ValueError):
    """Something is not there that no workflow brings, and that a person can get.

    remedy: the name of how, see `nodegraph.domain.Remedy`. places: the files or folders whose coming mends it, for who
    planned without them.
    """

    def __init__(self, sentence: str, remedy: str, places: Iterable[str] = ()) -> None:
        super().__init__(sentence)
        self.remedy, self.places = remedy, tuple(places)


def explain(error: Exception) -> tuple[str, str]:
    """(sentence, traceback). The traceback is empty for errors that a node raises for the user."""
    if out_of_memory(error):
        return OUT_OF_MEMORY, ""
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{where}", ""
    if isinstance(error, ValueError) and str(error):
        return str(error), ""
    text = "".join(traceback.format_exception(error))
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, text


def out_of_memory(error: BaseException) -> bool:
    """Whether it says that memory ran out, of the machine or of an accelerator."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM  # a file could not be mapped
    # torch raises RuntimeErrors: a subclass of this name where its own allocator failed, and texts elsewhere
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and ALLOCATION_FAILED.search(str(error)) is not None)
    )


def may_be_memory(error: BaseException) -> bool:
    """Whether memory may have run out, though the message says something else, or nothing."""
    return out_of_memory(error) or (isinstance(error, RuntimeError) and MAY_BE_MEMORY.search(str(error)) is not None)


def bytes_asked(error: BaseException) -> int | None:
    """How much was asked for when memory ran out, where the message says it."""
    found = ASKED.search(str(error))
    return round(float(found[1]) * 1024 ** " KMGT".index(found[2] or " ")) if found else None


def let_go(error: BaseException) -> None:
    """Empty the frames that an error remembers, so that what they hold is given back; the lines stay to be told."""
    link: BaseException | None = error
    while link is not None:
        traceback.clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__

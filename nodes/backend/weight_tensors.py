"""The tensors of a file of weights of either format, mapped: pages are read when they are used."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from nodes.backend import weight_files
from nodes.backend.reading import DTYPES
from nodes.backend.untyped import TensorFile, safe_open


@contextmanager
def opened(path: Path) -> Generator[TensorFile]:
    if weight_files.is_gguf(path):
        yield _Gguf(path)
    else:
        with safe_open(path, "pt") as file:
            yield file


class _Gguf:
    """What GGUF packs is rows of bytes."""

    def __init__(self, path: Path) -> None:
        self._stretches = weight_files.stretches(path)
        size = path.stat().st_size
        self._bytes: Tensor = cast(Any, torch).from_file(str(path), shared=False, size=size, dtype=torch.uint8)

    def keys(self) -> list[str]:
        return list(self._stretches)

    def get_tensor(self, name: str) -> Tensor:
        begin, size, dtype, shape = self._stretches[name]
        return self._bytes[begin : begin + size].view(DTYPES[dtype]).view(shape)

"""Functions of libraries that leave their types out, each told once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, cast

import safetensors
import torch
from numpy.typing import NDArray
from safetensors import torch as safetensors_torch
from torch import Tensor

_safetensors: Any = safetensors
_for_torch: Any = safetensors_torch
_torch: Any = torch


class TensorFile(Protocol):
    def keys(self) -> Iterable[str]: ...
    def get_tensor(self, name: str) -> Tensor: ...


safe_open = cast("Callable[[Path, str], AbstractContextManager[TensorFile]]", _safetensors.safe_open)
load_file = cast("Callable[[Path], dict[str, Tensor]]", _for_torch.load_file)
from_numpy = cast("Callable[[NDArray[Any]], Tensor]", _torch.from_numpy)

"""Files of a training run, written atomically and read without running anything that they contain."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nodes.backend.untyped import load_file
from tools.starter.untyped import save_file


def _replace(path: Path, temporary: Path) -> None:
    with temporary.open("rb") as stream:
        os.fsync(stream.fileno())
    os.replace(temporary, path)


def _temporary(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}")


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Model, optimiser and counters of a stage."""
    torch.save(state, _temporary(path))
    _replace(path, _temporary(path))


def load_state(path: Path) -> dict[str, Any]:
    """What save_state wrote: tensors, numbers, strings, lists and dicts only."""
    return torch.load(path, weights_only=True, map_location="cpu")


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """A safetensors file."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(contiguous, _temporary(path), metadata)
    _replace(path, _temporary(path))


def load_tensors(path: Path) -> dict[str, Tensor]:
    """A safetensors file's tensors."""
    return load_file(path)


def save_json(path: Path, value: object) -> None:
    """A JSON file, indented, with a final newline."""
    _temporary(path).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _replace(path, _temporary(path))


def load_json(path: Path) -> Any:
    """A JSON file's value."""
    return json.loads(path.read_text(encoding="utf-8"))

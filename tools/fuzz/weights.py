"""Quantised files of weights as a way in."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

SIDES = 4, 256


def _files(layouts: tuple[str, ...]) -> list[bytes]:
    from tests import quantised_files

    generator = torch.Generator().manual_seed(0)
    tensors = {f"model.{name}.weight": torch.randn(SIDES, generator=generator) for name in "ab"}
    tensors["model.norm.weight"] = torch.ones(SIDES[1])
    with tempfile.TemporaryDirectory() as folder:
        return [quantised_files.write(Path(folder) / name, tensors, name).read_bytes() for name in layouts]


def comfy_files() -> list[bytes]:
    """One of each layout that ComfyUI writes."""
    from tests import quantised_files

    return _files(quantised_files.COMFY)


def gguf_files() -> list[bytes]:
    """One of each kind that is made into numbers here."""
    from tests import quantised_files

    return _files(quantised_files.GGUF)


def read(folder: Path) -> object:
    """What a file holds, and the numbers that its packed weights stand for."""
    from nodes.backend import labels, layouts, weight_files, weight_tensors

    path = next(folder.glob("case.*"))
    packed = weight_files.packed(path)
    told = weight_files.layout(path), labels.layout(path), weight_files.summary(path)
    with weight_tensors.opened(path) as file:
        for weight in packed.values():
            parts = {part: file.get_tensor(name) for part, name in weight.parts.items()}
            assert layouts.whole(weight, parts, torch.float32).shape == weight.shape
    return told

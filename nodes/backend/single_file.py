"""The parts of a Stable Diffusion 1.x file of the original layout, under the names that diffusers gives them.

The tensors stay mapped from the file: renaming moves no weight.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffusers.loaders.single_file_utils import (
    convert_controlnet_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
)
from safetensors import safe_open
from torch import Tensor

from nodes.backend.checkpoints import PREFIXES
from nodes.backend.part_settings import Part

Tensors = dict[str, Tensor]


def read(path: Path, prefix: str = "") -> Tensors:
    """The tensors whose names start with `prefix`, mapped from the file."""
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}  # noqa: SIM118


def part(path: Path, name: Part, config: dict[str, Any]) -> Tensors:
    """One part of the file with diffusers' names. config: the part's settings."""
    match name:
        case "unet":
            return convert_ldm_unet_checkpoint(read(path, PREFIXES[name]), config)
        case "vae":
            return convert_ldm_vae_checkpoint(read(path, PREFIXES[name]), config)
        case "controlnet":
            return convert_controlnet_checkpoint(read(path), config)
        case "text_encoder":
            return {tensor.removeprefix(PREFIXES[name]): value for tensor, value in read(path, PREFIXES[name]).items()}

"""What is measured, and models of full size whose files take no room: their weights are made on the card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nodes.backend import families, layouts, loading
from nodes.backend.checkpoints import Checkpoint
from nodes.backend.headers import shapes
from nodes.backend.parts import Part
from nodes.backend.quantised_layers import PACKED, QuantisedLinear, is_part
from nodes.types import Network
from tests import tiny_models

TINY = {"sd1": tiny_models.build_sd15, "sdxl": tiny_models.build_sdxl, "flux": tiny_models.build_flux}
STORED = {"sd1": "F16", "sdxl": "F16", "flux": "BF16"}
"""In which precision the published files are, by family."""

TINY_SIDE = 64


@dataclass(frozen=True)
class Subject:
    """A picture to make. steps: the fewer and the more, whose difference is the time of steps alone.

    least_gib: of memory that the card must have for it.
    """

    title: str
    family: str
    size: int
    batch: int
    steps: tuple[int, int]
    guidance_scale: float
    least_gib: float

    @property
    def name(self) -> str:
        return f"{self.title}, {self.size} x {self.size}" + (f", batch {self.batch}" if self.batch > 1 else "")


SUBJECTS = (
    Subject("SD1.5", "sd1", 512, 1, (20, 50), 7.5, 4),
    Subject("SDXL", "sdxl", 1024, 1, (10, 30), 5.0, 12),
    Subject("Flux", "flux", 1024, 1, (6, 16), 1.0, 34),
    Subject("SD1.5", "sd1", 1024, 1, (10, 30), 7.5, 6),
    Subject("SD1.5", "sd1", 512, 4, (10, 30), 7.5, 6),
    Subject("SD1.5", "sd1", 1024, 4, (6, 16), 7.5, 16),
)
"""The most telling first: time may run out."""

TINY_SUBJECTS = tuple(
    Subject(subject.title, subject.family, TINY_SIDE, subject.batch, (1, 3), subject.guidance_scale, 0)
    for subject in SUBJECTS[:3]
)


def write(family: str, folder: Path, *, tiny: bool) -> Path:
    """A checkpoint's folder, once: tiny and whole, or of full size with nothing in its files but what they hold."""
    place = folder / f"{family}{'_tiny' if tiny else ''}"
    if not place.exists():
        TINY[family](place)
        for role in () if tiny else families.of(family).roles:
            if role != "controlnet":
                _enlarge(place, family, role)
    return place


def _enlarge(place: Path, family: str, role: str) -> None:
    """Give a network of a tiny checkpoint the settings of the published one, and a file of zeros for its weights.

    Text encoders keep their words, and T5 its two layers: they are no part of what is measured.
    """
    part = Part(place, families.of(family), role)
    path = part.folder() / "config.json"
    said: dict[str, Any] = json.loads(path.read_text())
    full = dict(part.family.default_settings(role))
    if role == "text_encoder_2" and family == "flux":
        full["num_layers"] = said["num_layers"]
    kept = said if "architectures" in said else {name: value for name, value in said.items() if name[0] == "_"}
    (file,) = part.files()
    stored = set(shapes(file))
    path.write_text(json.dumps(kept | full))
    with torch.device("meta"):
        state = loading.build(part.spec.architecture, part.settings()).state_dict()
    outer = next((name.split(".")[0] + "." for name in stored if name.startswith("text_model.")), "")
    twice = {name for name in state if name.endswith("embed_tokens.weight") and name not in stored}  # T5's words
    _write_zeros(
        file,
        {
            name if name in stored or not outer or name.startswith(outer) else outer + name: tensor.shape
            for name, tensor in state.items()
            if name not in twice
        },
        STORED[family],
    )


def _write_zeros(path: Path, tensors: dict[str, torch.Size], kind: str) -> None:
    """A .safetensors file that is a hole behind its header: 24 GB of Flux are written in a moment."""
    header: dict[str, Any] = {}
    end = 0
    for name, shape in tensors.items():
        begin, end = end, end + 2 * shape.numel()
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)


def networks(checkpoint: Checkpoint) -> tuple[Network, ...]:
    return checkpoint.model.network, *checkpoint.text_encoder.encoders, checkpoint.vae.network


@torch.inference_mode()
def randomise(module: nn.Module) -> None:
    """Random weights that keep what flows through a network near unit size, made where they are."""
    for layer in module.modules():
        if isinstance(layer, QuantisedLinear):
            _randomise_packed(layer)
    for name, parameter in module.named_parameters():
        if is_part(name):
            continue
        if parameter.ndim > 1:
            parameter.normal_(0.0, (parameter[0].numel()) ** -0.5)
        else:
            parameter.fill_(1.0 if name.endswith("weight") else 0.0)


def _randomise_packed(layer: QuantisedLinear) -> None:
    """Of one that is packed by choice."""
    packed, device = layer.numbers.layout.packed, next(layer.parameters()).device
    weight = torch.randn(layer.out_features, layer.in_features, device=device) * layer.in_features**-0.5
    _, parts = layouts.pack(weight, "int8" if packed.layout == "int8" else "float8")
    for name, part in parts.items():
        layer.get_parameter(PACKED + name).copy_(part.view(torch.uint8))

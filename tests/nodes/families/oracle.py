"""What tests of families share: the parts of a checkpoint, and the stock pipelines of its folder."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any

from diffusers import DiffusionPipeline
from torch import Tensor

from nodegraph.node import Context
from nodes.backend import process
from nodes.backend.schedules import sigmas_for
from nodes.latent import empty_latent
from nodes.latent import noise as add_noise
from nodes.load import checkpoint
from nodes.sampling import unet_step
from nodes.types import Conditioning, Control, History, Latent, Model, TextEncoder, Vae

SEED, STEPS, SIDE = 11, 2, 64


@dataclass(frozen=True)
class Parts:
    model: Model
    text_encoder: TextEncoder
    vae: Vae


def loaded(place: Path) -> Parts:
    return Parts(*checkpoint(str(place)))


@cache
def _read(folder: Path) -> Any:
    return DiffusionPipeline.from_pretrained(folder)


def pipeline(kind: Any, folder: Path, **others: Any) -> Any:
    """A stock pipeline with a scheduler of its own, and with networks that are read once for all pipelines.

    folder: stays as it is, and so do the networks. others: in place of what is in the folder.
    """
    read = _read(folder)
    found = {**read.config, **read.components, "scheduler": deepcopy(read.scheduler), **others}
    return kind(**{name: found[name] for name in signature(kind).parameters if name in found})


def sample_flow(
    parts: Parts,
    prompts: Sequence[Conditioning],
    *,
    start: Latent | None = None,
    scale: float = 1.0,
    batch: int = 1,
    size: tuple[int, int] = (SIDE, SIDE),
    fraction: float = 1.0,
    control: Control | None = None,
    steps: int = STEPS,
) -> Tensor:
    """Of a flow whose shift may depend on the size: a plain loop over the functions that are nodes in the editor.

    size: (height, width).
    """
    start = start or empty_latent(parts.vae, size[1], size[0], batch)
    sized = process.at_size(parts.model.process, *start.samples.shape[-2:])
    sigmas = sigmas_for(sized, "normal", steps, fraction)
    latent, seed = add_noise(start, sigmas[0], SEED)
    history: History | None = None
    for index in range(steps):
        latent, _, history = unet_step(
            Context(), parts.model, latent, *prompts, *sigmas[index : index + 2],
            index, seed, scale, "euler", history, control,
        )  # fmt: skip
    return latent.samples


def relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


def same_numbers(ours: Tensor, theirs: Tensor) -> bool:
    """Whether both come of the same numbers in other files, where weights begin at other multiples of 8 bytes.

    There MKL adds in another order on some processors (seen on AMD's): up to 3e-7 of a result.
    """
    return relative(ours, theirs) < 1e-6

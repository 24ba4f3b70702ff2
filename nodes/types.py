"""What travels on the links of a diffusion graph.

Models travel as descriptions: small plain values that say which weights, which adapters. The pool
(`nodes.backend.pool`) turns a description into modules when a step runs, so loaders are instant and
freeing memory never invalidates a result.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nodegraph.planning.fingerprints import Changed, FromFiles, of_file
from nodegraph.types import NetworkId, socket_type

if TYPE_CHECKING:
    from torch import Tensor

Sigmas = tuple[float, ...]
"""Noise levels in sigma space, falling, the last one 0; a run of n steps has n + 1."""

Prediction = Literal["epsilon", "v_prediction", "sample"]

Part = Literal["unet", "vae", "text_encoder", "controlnet"]
"""The networks that a checkpoint may hold."""


@dataclass(frozen=True, slots=True)
class NoiseSchedule:
    """The betas a model was trained with: Ho et al. 2020 (arXiv:2006.11239), sec. 4."""

    kind: Literal["linear", "scaled_linear", "squaredcos_cap_v2"] = "scaled_linear"
    beta_start: float = 0.00085
    beta_end: float = 0.012
    num_timesteps: int = 1000


@dataclass(frozen=True, slots=True)
class Weights(FromFiles):
    """A file or folder of weights.

    files: all that one part of it is read from, settings included. fingerprint: a word for each of them, so that keys
    notice another file.
    """

    path: str
    fingerprint: str
    files: tuple[str, ...] = ()

    @classmethod
    def of(cls, path: Path, files: Iterable[Path]) -> Weights:
        """As they are now. Raises OSError when one cannot be looked at."""
        names = tuple(map(str, files))
        return cls(str(path), " ".join(map(_word, names)), names)

    def changed(self) -> str | None:
        for name, word in zip(self.files, self.fingerprint.split(), strict=True):
            try:
                if _word(name) != word:
                    return name
            except OSError:  # it is gone
                return name
        return None

    def network(self, part: Part) -> NetworkId:
        """What the network that is made of them goes by in memory."""
        return NetworkId(part, self.path, self.fingerprint)

    def check_unchanged(self) -> None:
        """Raises Changed: what was just read must not be kept under this name."""
        if path := self.changed():
            raise Changed(path)


def _word(path: str) -> str:
    return "-".join(map(str, of_file(path)))


@dataclass(frozen=True, slots=True)
class Lora:
    """Low-rank adapters on top of a base model: Hu et al. 2021 (arXiv:2106.09685)."""

    weights: Weights
    strength: float


@socket_type(color="#b39ddb", plain=True)
@dataclass(frozen=True, slots=True)
class Model:
    """A denoiser: which weights, how they were trained, which adapters."""

    weights: Weights
    family: str  # "sd1"
    prediction: Prediction
    noise_schedule: NoiseSchedule
    loras: tuple[Lora, ...] = ()

    @property
    def network(self) -> NetworkId:
        return self.weights.network("unet")


@socket_type(color="#ffd500", label="Text encoder", plain=True)
@dataclass(frozen=True, slots=True)
class TextEncoder:
    """The networks that read a prompt. skip_layers: how many of the last layers are left out (clip skip - 1)."""

    weights: Weights
    family: str
    loras: tuple[Lora, ...] = ()
    skip_layers: int = 0

    @property
    def network(self) -> NetworkId:
        return self.weights.network("text_encoder")


@socket_type(color="#ff6e6e", label="VAE", plain=True)
@dataclass(frozen=True, slots=True)
class Vae:
    """An autoencoder between pixels and latents.

    factor: pixels per latent pixel along a side. native_size: side of the pictures, in pixels, that the checkpoint's
    denoiser was trained with.
    """

    weights: Weights
    latent_channels: int
    factor: int
    native_size: int

    @property
    def network(self) -> NetworkId:
        return self.weights.network("vae")


@socket_type(color="#00d78d", label="ControlNet", plain=True)
@dataclass(frozen=True, slots=True)
class ControlNet:
    weights: Weights
    family: str

    @property
    def network(self) -> NetworkId:
        return self.weights.network("controlnet")


@socket_type(color="#ffa931")
@dataclass(frozen=True, slots=True)
class Conditioning:
    """What the text encoder made of a prompt."""

    embeds: Tensor  # [1, 77 * chunks, width]
    prompt: str


@dataclass(frozen=True, slots=True)
class Hint:
    """One picture that guides the denoiser through a ControlNet, between two fractions of the schedule."""

    controlnet: ControlNet
    pixels: Tensor  # [batch, 3, height, width] in 0..1
    strength: float
    start: float  # fraction of the denoising, 0 = first step
    end: float


@socket_type(color="#6ee7b7")
@dataclass(frozen=True, slots=True)
class Control:
    """The hints a denoising follows."""

    hints: tuple[Hint, ...]


@socket_type(color="#ff9cf9", pictured=True)
@dataclass(frozen=True, slots=True)
class Latent:
    """A picture in the autoencoder's space, scaled to about unit variance. factor: pixels per latent pixel.

    vae: whose space it is, for previews in true colours; None when unknown. batch_index: the number of its first
    picture within the batch that its noise was drawn for. Use `dataclasses.replace(latent, samples=...)` to keep both.
    """

    samples: Tensor  # [batch, channels, height / factor, width / factor]
    factor: int = 8
    vae: Vae | None = None
    batch_index: int = 0


@socket_type(color="#64b5f6", pictured=True)
@dataclass(frozen=True, slots=True)
class Image:
    pixels: Tensor  # [batch, 3, height, width], float32 in 0..1


@socket_type(color="#81c784", pictured=True)
@dataclass(frozen=True, slots=True)
class Mask:
    weight: Tensor  # [batch, 1, height, width], 1 = regenerate


@socket_type(color="#c0a080")
@dataclass(frozen=True, slots=True)
class History:
    """What a multistep solver remembers of earlier steps, newest first; empty before the first step.

    steps: how many were made, with any solver: the noise of the next one is the draw after theirs.
    """

    denoised: tuple[Tensor, ...] = ()
    sigmas: tuple[float, ...] = ()
    samples: tuple[Tensor, ...] = ()  # the x each of them was computed at; kept only by solvers that correct
    steps: int = 0

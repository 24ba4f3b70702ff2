"""What travels on the links of a diffusion graph.

Models travel as descriptions: small plain values that say which weights, which adapters. The pool
(`nodes.backend.pool`) turns a description into modules when a step runs, so loaders are instant and
freeing memory never invalidates a result.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nodegraph.planning.fingerprints import Changed, Fingerprint, FromFiles, fingerprint, of_file
from nodegraph.types import NetworkId, socket_type

if TYPE_CHECKING:
    from torch import Tensor

Sigmas = tuple[float, ...]
"""Noise levels in sigma space, falling, the last one 0; a run of n steps has n + 1."""

Prediction = Literal["epsilon", "v_prediction", "sample"]

Storage = Literal["as in the file", "float8", "float8, fast", "int8"]
"""In what the large weights of a network are kept: see `nodes.backend.narrow`."""

AS_STORED: Storage = "as in the file"


@dataclass(frozen=True, slots=True)
class NoiseSchedule:
    """The betas a model was trained with: Ho et al. 2020 (arXiv:2006.11239), sec. 4.

    zero_snr: shifted so that nothing is left of the picture at the last timestep: Lin et al. 2023 (arXiv:2305.08891).
    """

    kind: Literal["linear", "scaled_linear", "squaredcos_cap_v2"] = "scaled_linear"
    beta_start: float = 0.00085
    beta_end: float = 0.012
    num_timesteps: int = 1000
    zero_snr: bool = False


@dataclass(frozen=True, slots=True)
class Diffusion:
    """Noise is added to the picture: x = x0 + sigma * noise. Karras et al. 2022 (arXiv:2206.00364).

    prediction: what the network tells.
    """

    prediction: Prediction = "epsilon"
    noise_schedule: NoiseSchedule = NoiseSchedule()


@dataclass(frozen=True, slots=True)
class SizeShift:
    """How the shift of a flow grows with the picture: its logarithm is a straight line over the number of tokens.

    Esser et al. 2024 (arXiv:2403.03206), sec. 5.3.2, as Black Forest Labs' code has it. A token is `patch` latent
    pixels a side.
    """

    base: float = 0.5
    most: float = 1.15
    base_tokens: int = 256
    most_tokens: int = 4096
    patch: int = 2


@dataclass(frozen=True, slots=True)
class StepShift:
    """How the shift of a flow grows with the picture and falls with the number of steps: Black Forest Labs' flux2,
    sampling.py, compute_empirical_mu.

    A token is `patch` latent pixels a side. tokens: of the picture; 0 while its size is not known. steps: of all the
    way from noise; those of the published pipelines where no schedule is made.
    """

    patch: int = 1
    tokens: int = 0
    steps: int = 50


@dataclass(frozen=True, slots=True)
class Flow:
    """The picture becomes noise along a straight line: x = (1 - sigma) x0 + sigma * noise.

    Lipman et al. 2022 (arXiv:2210.02747), Liu et al. 2022 (arXiv:2209.03003). The network tells noise - x0. shift: how
    much of the way is spent near the noise, s sigma / (1 + (s - 1) sigma): Esser et al. 2024 (arXiv:2403.03206), eq.
    23. by_size: takes its place where it depends on the picture's size. to_least: whether the family's own spacing goes
    down to the least of 1000 levels, or leaves a whole step to 0. terminal: the level that its last step begins at, to
    which all are stretched; 0 leaves them where they are. own: the levels of its own spacing before the shift, without
    the last, 0; empty where they are even.
    """

    shift: float = 1.0
    by_size: SizeShift | StepShift | None = None
    to_least: bool = False
    terminal: float = 0.0
    own: Sigmas = ()


Process = Diffusion | Flow
"""How noise relates to pictures."""


@dataclass(frozen=True, slots=True)
class Space:
    """What latents stand for: those of one space can be denoised and decoded together.

    factor: pixels per latent pixel along a side. multiple: sides of pictures are multiples of it. flow: how noise is
    put into them, as in `Flow` or as in `Diffusion`.
    """

    name: str
    channels: int
    factor: int
    multiple: int = 8
    flow: bool = False


PIXELS = Space("pixels", 3, 1, 1)
"""Pictures themselves, scaled to -1..1."""


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

    def check_unchanged(self) -> None:
        """Raises Changed: what was just read must not be kept under this name."""
        if path := self.changed():
            raise Changed(path)


@dataclass(frozen=True, slots=True)
class Around(FromFiles):
    """Files around a model's own, of which something is in its description: keys hold what they say, and not the files.

    files: where they are, or would be. fingerprints: of each; empty where there is nothing.
    """

    files: tuple[str, ...] = ()
    fingerprints: tuple[Fingerprint, ...] = ()

    @classmethod
    def of(cls, files: Iterable[Path]) -> Around:
        """As they are now."""
        names = tuple(map(str, files))
        return cls(names, tuple(map(fingerprint, names)))

    def changed(self) -> str | None:
        known = zip(self.files, self.fingerprints, strict=True)
        return next((name for name, before in known if fingerprint(name) != before), None)


def _word(path: str) -> str:
    return "-".join(map(str, of_file(path)))


@dataclass(frozen=True, slots=True)
class Lora:
    """Low-rank adapters on top of a base model: Hu et al. 2021 (arXiv:2106.09685)."""

    weights: Weights
    strength: float


@dataclass(frozen=True, slots=True)
class Network:
    """One network of a model. family, role: what is built of the weights; see `nodes.backend.families`."""

    family: str
    role: str
    weights: Weights
    storage: Storage = AS_STORED

    def __repr__(self) -> str:
        """What keys hold of it: as before there was a choice where none was made."""
        return _told(self, storage=AS_STORED)

    @property
    def id(self) -> NetworkId:
        """What it goes by in memory."""
        part = self.role if self.storage == AS_STORED else f"{self.role}, {self.storage}"
        return NetworkId(part, self.weights.path, self.weights.fingerprint)


def _told(value: Model | Network, **younger: Any) -> str:
    """As dataclasses write themselves, without fields that are younger than kept results where they have this value."""
    told = {one.name: getattr(value, one.name) for one in fields(value) if one.repr}
    known = ", ".join(f"{name}={told[name]!r}" for name in told if name not in younger or told[name] != younger[name])
    return f"{type(value).__name__}({known})"


@dataclass(frozen=True, slots=True)
class GuidanceLimits:
    """How far guidance goes. normalization: what both prompts take out of a latent is at most so many times as large as
    what the positive one does; 0 for any. truncation: how far the way from noise, 0, to picture, 1, both are asked.
    """

    normalization: float = 0.0
    truncation: float = 1.0


@socket_type(color="#b39ddb", plain=True)
@dataclass(frozen=True, slots=True)
class Model:
    """A denoiser: which network, what noise is to it, which adapters, how it is guided.

    native_size: side of the pictures, in pixels, that it was trained with. around: where its process was read from.
    """

    network: Network
    process: Process
    space: Space
    native_size: int
    loras: tuple[Lora, ...] = ()
    guidance_limits: GuidanceLimits = GuidanceLimits()
    around: Around = field(default=Around(), repr=False)

    def __repr__(self) -> str:
        """What keys hold of it. Without limits it is what it was before there were any: so are results of then."""
        return _told(self, guidance_limits=GuidanceLimits())

    @property
    def networks(self) -> tuple[NetworkId, ...]:
        return (self.network.id,)


@dataclass(frozen=True, slots=True)
class Embedding:
    """Words taught later, by the name that stands for them in prompts: Gal et al. 2022 (arXiv:2208.01618)."""

    name: str
    weights: Weights


@socket_type(color="#ffd500", label="Text encoder", plain=True)
@dataclass(frozen=True, slots=True)
class TextEncoder:
    """What reads prompts for a family: its encoders, in the family's order.

    skip_layers: how many of the last layers are left out (clip skip - 1).
    """

    family: str
    encoders: tuple[Network, ...]
    loras: tuple[Lora, ...] = ()
    skip_layers: int = 0
    embeddings: tuple[Embedding, ...] = ()

    @property
    def networks(self) -> tuple[NetworkId, ...]:
        return tuple(network.id for network in self.encoders)


@socket_type(color="#ff6e6e", label="VAE", plain=True)
@dataclass(frozen=True, slots=True)
class Vae:
    """An autoencoder between pixels and latents.

    native_size: side of the pictures, in pixels, that the checkpoint's denoiser was trained with.
    """

    network: Network
    space: Space
    native_size: int

    @property
    def networks(self) -> tuple[NetworkId, ...]:
        return (self.network.id,)


@socket_type(color="#00d78d", label="ControlNet", plain=True)
@dataclass(frozen=True, slots=True)
class ControlNet:
    network: Network

    @property
    def networks(self) -> tuple[NetworkId, ...]:
        return (self.network.id,)


@dataclass(frozen=True, slots=True)
class Masked:
    """What an inpainting model sees of the picture it completes, as further channels of its input.

    latent: [batch, channels, height / factor, width / factor], of the picture with the masked part taken out. mask:
    [batch, 1, height, width] in pixels, 1 = to be made anew.
    """

    latent: Tensor
    mask: Tensor


@dataclass(frozen=True, slots=True)
class PictureSize:
    """What SDXL was told of each picture in training: Podell et al. 2023 (arXiv:2307.01952), sec. 2.2. In pixels.

    target: 0 is the size of the picture being made. aesthetic_score: of the refiner, which is told it in the place of
    the target.
    """

    height: int = 0
    width: int = 0
    crop_top: int = 0
    crop_left: int = 0
    target_height: int = 0
    target_width: int = 0
    aesthetic_score: float = 6.0


@socket_type(color="#ffa931")
@dataclass(frozen=True, slots=True)
class Conditioning:
    """What the text encoders made of a prompt, and what else the denoiser is told beside the latent.

    family: whose encoders read it. embeds: a state for each token. pooled: one state for the whole text. picture_size:
    None is the size being made. distilled_guidance: the guidance scale that a distilled model is told instead of being
    asked twice; None is its own default. references: latents of pictures to work from. shown_at: for denoisers that see
    these where a text encoder saw them, the first token of each.
    """

    family: str
    prompt: str
    embeds: Tensor  # [1, tokens, width]
    pooled: Tensor | None = None  # [1, width]
    picture_size: PictureSize | None = None
    distilled_guidance: float | None = None
    references: tuple[Tensor, ...] = ()
    masked: Masked | None = None
    shown_at: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Hint:
    """One picture that guides the denoiser through a ControlNet, between two fractions of the schedule.

    mode: which of its kinds of picture, for a ControlNet that knows several; -1 for one that knows one. vae: what makes
    latents of the picture, for a ControlNet that reads those; None for one that reads pixels. mask: 1 where a picture
    is made anew, and of one colour, for a ControlNet that completes it; [batch, 1, height, width]. completed: that
    picture, where pixels are of another one that guides besides; None where it is that of pixels.
    """

    controlnet: ControlNet
    pixels: Tensor  # [batch, 3, height, width] in 0..1
    strength: float
    start: float  # fraction of the denoising, 0 = first step
    end: float
    mode: int = -1
    vae: Vae | None = None
    mask: Tensor | None = None
    completed: Tensor | None = None  # [batch, 3, height, width] in 0..1


@socket_type(color="#6ee7b7")
@dataclass(frozen=True, slots=True)
class Control:
    """The hints a denoising follows."""

    hints: tuple[Hint, ...]


@socket_type(color="#ff9cf9", pictured=True)
@dataclass(frozen=True, slots=True)
class Latent:
    """A picture in the space that a model denoises in, scaled to about unit variance.

    vae: whose space it is, for previews in true colours; None when unknown. batch_index: the number of its first
    picture within the batch that its noise was drawn for. Use `dataclasses.replace(latent, samples=...)` to keep both.
    """

    samples: Tensor  # [batch, channels, height / factor, width / factor]
    space: Space
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

"""What a family of models is to the rest of the program: the one place where families differ.

A family says, as plain data, how its files are recognised, which networks it has, how noise relates to pictures and
what suits it; and, with torch, how it reads a prompt and how its denoiser is called. Nothing else names a family. The
first half is asked while planning, which has no torch: modules of families import it inside methods alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from nodes.backend.headers import Shapes
from nodes.backend.networks.architecture import Architecture, Ignored, Settings
from nodes.backend.precision import Need
from nodes.backend.solvers import SolverName
from nodes.types import Conditioning, Hint, Model, Process, Space, TextEncoder

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Tokenizer(NamedTuple):
    """kind: see `tokenizer_kinds`. folder: of a checkpoint's folder.

    pad: what the shipped one fills the room after a text with, in its place.
    """

    kind: str
    folder: str
    pad: str | None = None


@dataclass(frozen=True)
class Role:
    """One of the networks of a family.

    title: what people call it. folder: where it is in a checkpoint's folder. prefixes: what its names may begin with in
    a file that holds more than it. alone: a file or folder of it holds nothing else of use. optional: a checkpoint is
    whole without it. ignored: what its files hold besides, on top of what the architecture has. adapter_names: what
    LoRA files put before the names of its layers, with dots and, where those were replaced by underscores, without.
    embedding_names: what files of embeddings call the vectors for it.
    always: settings that tell it from others of its architecture.
    precision: what it can do with less than float32, see `nodes.backend.precision`.
    """

    title: str
    architecture: Architecture
    folder: str
    prefixes: tuple[str, ...] = ()
    tokenizer: Tokenizer | None = None
    alone: bool = False
    optional: bool = False
    ignored: tuple[Ignored, ...] = ()
    adapter_names: tuple[str, ...] = ()
    flat_adapter_names: tuple[str, ...] = ()
    embedding_names: tuple[str, ...] = ()
    always: Mapping[str, str] = field(default_factory=dict[str, str])
    precision: Need = "half"


Trained = Literal["attention", "all"]
"""Which layers of a denoiser a LoRA is trained for."""


class Defaults(NamedTuple):
    """What suits a family where a person has not said otherwise. size: side of a picture in pixels."""

    size: int
    steps: int
    guidance_scale: float
    solver: SolverName
    schedule: str


@dataclass(frozen=True)
class Found:
    """What is known of a place with weights, before it is known what they are.

    shapes: of the tensors of a file. kinds: of a folder, what its settings files say of themselves, by folder; that of
    model_index.json is "".
    """

    place: Path
    shapes: Shapes = field(default_factory=dict[str, tuple[int, ...]])
    kinds: Mapping[str, Settings] = field(default_factory=dict[str, Settings])

    def kind(self, folder: str) -> str:
        """The class that a folder's settings name; empty when there are none."""
        return self.kinds[folder]["_class_name"] if folder in self.kinds else ""

    def has(self, *beginnings: str) -> bool:
        """Whether each of these begins the name of a tensor."""
        return all(map(self._has, beginnings))

    def has_any(self, beginnings: tuple[str, ...]) -> bool:
        """Whether one of these begins the name of a tensor."""
        return any(map(self._has, beginnings))

    def has_within(self, part: str) -> bool:
        """Whether this is in the name of a tensor. part: without a line's end."""
        return part in self._text

    @cached_property
    def _text(self) -> str:
        return "\n".join(self.shapes)

    def _has(self, beginning: str) -> bool:
        at = bisect_left(self._names, beginning)
        return at < len(self._names) and self._names[at].startswith(beginning)

    @cached_property
    def _names(self) -> Sequence[str]:
        """In order: a file is asked for beginnings by each family."""
        return sorted(self.shapes)


class Reader(NamedTuple):
    """What reads a prompt, in memory. taught: vectors by the names that stand for them in prompts."""

    tokenizer: Any
    encoder: Any
    taught: Mapping[str, Tensor | None] = MappingProxyType({})


class Room(NamedTuple):
    """What a text encoder reads at once. most: tokens of it all. chat: with {} where the prompt goes."""

    role: str
    most: int
    chat: str = "{}"


class Follower(NamedTuple):
    """What follows a hint, in memory. latent: what its VAE makes of its pictures, [pictures, channels, height, width].

    completed: the same of the pictures that it completes, where those are others. vae, latent: None for a ControlNet
    that reads pixels. Latents are of the size of what is denoised, and scaled.
    """

    controlnet: Any
    hint: Hint
    vae: Any = None
    latent: Tensor | None = None
    completed: Tensor | None = None


class Asked(NamedTuple):
    """One call of a denoiser. Tensors are on its device and of its precision.

    x: [prompts * batch, channels, height, width] in latent pixels, scaled as the network wants it, the whole batch for
    each of the prompts. timestep: what the process calls the noise level;
    in training, of each of the batch. residuals: what ControlNets add. size:
    (height, width) of the pictures in pixels.
    """

    x: Tensor
    timestep: float | Tensor
    prompts: tuple[Conditioning, ...]
    size: tuple[int, int]
    residuals: Any = None

    @property
    def batch(self) -> int:
        return self.x.shape[0] // len(self.prompts)

    def each(self, of: Callable[[Conditioning], Tensor], name: Hashable = "each") -> Tensor:
        """What `of` finds in every prompt, for each of the batch, where x is: [prompts * batch, ...].

        It is put there once. name: what tells two of the same tensors apart.
        """
        return self.once(tuple(map(of, self.prompts)), lambda found: self.repeated(found), name)

    def references(self, tokens: Callable[[Tensor], Tensor]) -> list[Tensor]:
        """The pictures to work from as [prompts * batch, tokens, channels], one after the other; nothing without any.

        tokens: what makes a picture's of its latent.
        """
        import torch

        count = len(self.prompts[0].references)
        if not count:
            return []

        def made(found: Sequence[Tensor]) -> Tensor:
            each = [map(tokens, found[first : first + count]) for first in range(0, len(found), count)]
            return self.repeated([torch.cat([*pictures], dim=1) for pictures in each])

        return [self.once([picture for prompt in self.prompts for picture in prompt.references], made, "references")]

    def repeated(self, found: Sequence[Tensor]) -> Tensor:
        """One tensor for each of the prompts, for each of the batch."""
        import torch

        return torch.cat([tensor.expand(self.batch, *tensor.shape[1:]) for tensor in found])

    def once(
        self, sources: Sequence[Tensor], make: Callable[[Sequence[Tensor]], Tensor], name: Hashable = "each"
    ) -> Tensor:
        """What is made of tensors that stay the same from step to step, of the precision of x and where it is.

        name: what besides them and the batch decides it.
        """
        from nodes.backend import resident

        x = self.x
        name = (name, self.batch, x.device, x.dtype)
        return resident.made_once(name, sources, lambda: resident.sent(make(sources), x.device).to(x.dtype))

    def numbers(self, values: Sequence[float | tuple[float, ...]], dtype: torch.dtype | None = None) -> Tensor:
        """A number, or several, for each of the prompts, for each of the batch: [prompts * batch, ...].

        dtype: None for that of x.
        """
        from nodes.backend import resident

        told = tuple(value for value in values for _ in range(self.batch))
        return resident.numbers(told, self.x.device, dtype or self.x.dtype)

    def timesteps(self) -> Tensor:
        """[] or, in training, [batch], float32 whatever the precision of x: networks make sines of it."""
        import torch

        if isinstance(self.timestep, torch.Tensor):
            return self.timestep.to(self.x.device, torch.float32)
        # Not made in main memory, from where it would wait for all that was launched before.
        return torch.full((), self.timestep, dtype=torch.float32, device=self.x.device)


Completes = Literal["never", "always", "also"]
"""Whether a ControlNet completes pictures: also, beside another picture that guides it."""


class Family(ABC):
    """name: part of every key and of files; it never changes. title: for people. denoiser: the role that denoises.

    encoders: the roles that read prompts, in order. meaningless: by node type and input, why that says nothing to the
    family; an input "" stands for the whole node. reads: the families whose prompts its denoiser reads. marks:
    tensors beside the networks in a file that tell the process, and nothing else. hint_modes: the numbers by which
    ControlNets that know several kinds of picture know them. reference_sizes: (width, height) of the pictures that its
    denoisers were trained to work from. most_pictures: how many its text encoders see with a prompt; 0 when they read
    text alone. places_pictures: its denoisers see them where the text encoder saw them. controlled_by_positive: its
    ControlNets read the positive prompt and act so on both. hole: the brightness that stands for what is made anew in
    a picture that a ControlNet completes. trained: the ends of the names of the layers that a LoRA is trained for.
    """

    name: str
    title: str
    roles: ClassVar[Mapping[str, Role]]
    denoiser: str
    encoders: tuple[str, ...]
    reads: tuple[str, ...]
    space: Space
    defaults: Defaults
    marks: tuple[Ignored, ...] = ()
    trained: ClassVar[Mapping[Trained, tuple[str, ...]]]
    meaningless: ClassVar[Mapping[tuple[str, str], str]] = {
        ("text.sdxl_conditioning", ""): "This family reads one prompt, without sizes; use Prompt",
    }
    hint_modes: ClassVar[Mapping[str, int]] = {}
    reference_sizes: ClassVar[Sequence[tuple[int, int]]] = ()
    most_pictures: int = 0
    places_pictures: bool = False
    controlled_by_positive: bool = False
    hole: float = 0.0

    # --- while planning ---

    @abstractmethod
    def recognises(self, found: Found) -> bool:
        """Whether this is a checkpoint of the family, or its denoiser alone."""

    def nearly(self, found: Found) -> str | None:
        """What a place without settings holds, and what it lacks to be told: "a U-Net ..."; None for all else."""
        return None

    def recognises_controlnet(self, found: Found) -> bool:
        """Whether this is a ControlNet of the family."""
        return False

    @abstractmethod
    def process(self, found: Found, settings: Path | None) -> Process:
        """How noise relates to pictures. settings: the scheduler's file, where there is one.

        Raises ValueError when it cannot be meant.
        """

    def default_settings(self, role: str) -> Settings:
        """Of a network whose files bring none, on top of its library's defaults."""
        return {}

    def complaint(self, denoiser: Settings) -> str | None:
        """Why a denoiser of these settings cannot be run, "it takes 9 channels"; None when it can."""
        return None

    def native_size(self, denoiser: Settings) -> int:
        """Side in pixels of the pictures that a denoiser of these settings was trained with."""
        return self.defaults.size

    @abstractmethod
    def prompt_width(self, encoders: Mapping[str, Settings]) -> int:
        """How wide the prompts are that encoders of these settings make. encoders: by role."""

    @abstractmethod
    def read_width(self, denoiser: Settings) -> int:
        """How wide the prompts are that a denoiser of these settings reads."""

    def is_told_guidance(self, denoiser: Settings) -> bool:
        """Whether a denoiser of these settings reads the guidance scale as a number, in place of being asked twice."""
        return False

    def reads_width(self, denoiser: Settings, width: int) -> bool:
        """Whether a denoiser of these settings can read prompts that are so wide."""
        return width == self.read_width(denoiser)

    def pooled_width(self, encoders: Mapping[str, Settings]) -> int:
        """How wide the one state for a whole text is that encoders of these settings make; 0 when there is none."""
        return 0

    def read_pooled_width(self, denoiser: Settings) -> int:
        """How wide the one state for a whole text must be for a denoiser of these settings; 0: it reads none."""
        return 0

    def most_side(self, network: Settings) -> int | None:
        """The longest side in pixels of a picture that a denoiser or a ControlNet has positions for; None: any."""
        return None

    def reads_latents(self, controlnet: Settings) -> bool:
        """Whether a ControlNet of these settings reads its pictures as the VAE's latents."""
        return False

    def reference_size(self, width: int, height: int) -> tuple[int, int] | None:
        """The (width, height) in which it is best shown a picture of this size to work from; None: it sees none."""
        proportions = width / height
        return min(self.reference_sizes, key=lambda size: abs(proportions - size[0] / size[1]), default=None)

    def completes(self, controlnet: Settings) -> Completes:
        """Whether a ControlNet of these settings completes pictures: it is shown a mask with each."""
        return "never"

    def takes(self, denoiser: Settings) -> frozenset[str]:
        """What a denoiser of these settings is told beside prompts: fields of `Conditioning`.

        "masked", the picture to complete, it cannot do without.
        """
        return frozenset()

    def task(self, denoiser: Settings) -> str:
        """What a denoiser of these settings was made for, as the workflows that ship are called."""
        return "inpaint" if "masked" in self.takes(denoiser) else "text"

    def text_complaint(self, text: TextEncoder) -> str | None:
        """Why a text encoder cannot read prompts as it is set; None when it can."""
        return None

    def num_hint_modes(self, controlnet: Settings) -> int:
        """How many kinds of picture a ControlNet knows apart; 0 when it was trained with one."""
        return 0

    def controlnet_complaint(self, denoiser: Settings, controlnet: Settings) -> str | None:
        """Why a ControlNet cannot go with a denoiser of its own family, "7 layers, not 5"; None when it can."""
        return None

    def reads_at_once(self, roles: frozenset[str]) -> Room | None:
        """Which of the encoders that are there refuses a prompt that is too long; None where it is read in chunks."""
        return None

    # --- while computing ---

    @abstractmethod
    def encode(self, readers: Sequence[Reader], text: TextEncoder, prompt: str) -> Conditioning:
        """A prompt as the denoiser reads it. readers: the text's encoders, in memory."""

    def encode_with_pictures(
        self, readers: Sequence[Reader], text: TextEncoder, prompt: str, pictures: Sequence[Tensor]
    ) -> Conditioning:
        """As encode, of a prompt that speaks of pictures, without references, which a VAE makes.

        pictures: 1 to most_pictures, each [1, 3, height, width] in 0..1.
        """
        raise NotImplementedError

    def shown_to_vae(self, picture: Tensor) -> Tensor:
        """A picture that comes with a prompt in the size in which the denoiser sees it."""
        raise NotImplementedError

    def encode_each(self, readers: Sequence[Reader], text: TextEncoder, prompts: Sequence[str]) -> Conditioning:
        """As encode, with a prompt for each of two encoders. Raises ValueError when they read one prompt together."""
        raise ValueError(f"{self.title} reads one prompt, without sizes; use Prompt")

    def negative(self, prompt: Conditioning) -> Conditioning:
        """A prompt as one to keep away from."""
        return prompt

    def combined(self, x: Tensor, cond: Tensor, uncond: Tensor, guidance_scale: float) -> Tensor:
        """The denoised picture of both prompts, told of x and of the denoised pictures of either."""
        from nodes.backend import guidance

        return guidance.away(x, cond, uncond, guidance_scale)

    def together(self, prompts: Sequence[Conditioning]) -> bool:
        """Whether these prompts can be asked in one call."""
        return len({prompt.embeds.shape for prompt in prompts}) == 1

    @abstractmethod
    def predict(self, net: Any, model: Model, asked: Asked) -> Tensor:
        """What the network tells of x: [batch, channels, height, width]."""

    def residuals(self, net: Any, followers: Sequence[Follower], asked: Asked) -> Any:
        """The sum of what ControlNets add. net: the denoiser."""
        raise NotImplementedError

    @abstractmethod
    def blocks(self, net: Any) -> Sequence[Any]:
        """The parts of the denoiser one after the other, for progress and Stop."""

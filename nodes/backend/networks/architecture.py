"""What is known of a kind of network without building one: its settings, its tensors, and how files name them.

Each module beside this one describes one kind, as plain data and functions: planning has no torch to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from nodes.backend.fields import Field, Only, Real, Schema, Whole
from nodes.backend.headers import Shapes

Shape = tuple[int, ...]
Settings = dict[str, Any]

CHANNELS = Whole(1, 16_384)
LAYERS = Whole(1, 16)
HEADS = Whole(1, 1024)
EPS = Real(1e-12, 0.9)
NOT_USED = Field(Only(None), None)
OFF = Field(Only(False), False)


class Ignored(NamedTuple):
    """Tensors that a file may have and that are knowingly left out."""

    names: str  # a regular expression for whole names
    reason: str


TRAINING = (
    Ignored(r"(.+\.)?model_ema\..+", "a smoothed copy of the weights that training kept beside them"),
    Ignored(r"(optimizer|lr_scheduler)\w*\..+|global_step|epoch", "the state of the training"),
)
SCHEDULE = Ignored(
    r"(sqrt_)?(one_minus_|recip_|recipm1_)?alphas_cumprod(_prev)?|betas|sqrt_one_minus_alphas_cumprod|"
    r"log_one_minus_alphas_cumprod|posterior_(variance|log_variance_clipped|mean_coef[12])|lvlb_weights|logvar|"
    r"scale_factor|denoiser\.sigmas",
    "constants of the noise schedule, computed from the settings",
)


class Stored(NamedTuple):
    """Where a tensor of a network is in a file, by the file's name for it.

    rows: first and last + 1 of a larger tensor, when the file keeps several of the network's in one. change: what turns
    the stored tensor into the network's: "transposed", its two halves "swapped", or its rows "joined" in one.
    """

    name: str
    rows: tuple[int, int] | None = None
    change: Literal["", "transposed", "swapped", "joined"] = ""


Spellings = Callable[[str], tuple[Stored, ...]]
"""A tensor's name in its network to what files may call it, what is looked for first in front."""


class Tensors(dict[str, Shape]):
    """Shapes by name, filled layer by layer."""

    def linear(self, name: str, inputs: int, outputs: int, *, bias: bool = True) -> None:
        self[f"{name}.weight"] = (outputs, inputs)
        if bias:
            self[f"{name}.bias"] = (outputs,)

    def conv(self, name: str, inputs: int, outputs: int, kernel: int = 3) -> None:
        self[f"{name}.weight"] = (outputs, inputs, kernel, kernel)
        self[f"{name}.bias"] = (outputs,)

    def norm(self, name: str, channels: int) -> None:
        self[f"{name}.weight"] = self[f"{name}.bias"] = (channels,)

    def scale(self, name: str, channels: int) -> None:
        """A norm without an offset."""
        self[f"{name}.weight"] = (channels,)


def own_names(_settings: Mapping[str, Any]) -> Spellings:
    """Of networks that every file names as their library does."""
    return lambda name: (Stored(name),)


def as_given(settings: Settings, _found: Shapes) -> Settings:
    return settings


def as_written(found: Mapping[str, Any]) -> Mapping[str, Any]:
    return found


def no_contradictions(_settings: Mapping[str, Any]) -> Iterator[str]:
    return iter(())


@dataclass(frozen=True)
class Architecture:
    """library_class: "module:Class" of diffusers or transformers, or of what is made of theirs here, imported when a
    network is built.

    schema: the settings it may have. shapes: its tensors, told from the settings. spellings: how files name them.
    contradictions: what cannot be meant in settings that fit the schema one by one, a sentence each. told: the settings
    that the tensors of a file tell, by its own names, on top of those given; for files that bring none. ignored: what
    its files may hold besides. identities: square matrices and scales that are 1 where a file leaves them out.
    constants: further arguments of the class that no file decides. stem: what its weights are called in a folder.
    opened: of what an earlier version wrote into a file of settings, the same as it is written now. untrained: tensors
    that count as missing for `told` where a file has nothing but zeros for them. apart: what begins the names of a part
    that some files are without, and what to take in their place, for a sentence. of: the group of settings that its
    class is built of, where that is a part of a larger network; "": all of them.
    """

    library_class: str
    schema: Schema
    shapes: Callable[[Settings], Mapping[str, Shape]]
    spellings: Callable[[Settings], Spellings] = own_names
    contradictions: Callable[[Settings], Iterator[str]] = no_contradictions
    told: Callable[[Settings, Shapes], Settings] = as_given
    ignored: tuple[Ignored, ...] = ()
    identities: tuple[str, ...] = ()
    constants: Mapping[str, Any] = field(default_factory=dict[str, Any])
    stem: Literal["diffusion_pytorch_model", "model"] = "diffusion_pytorch_model"
    opened: Callable[[Mapping[str, Any]], Mapping[str, Any]] = as_written
    untrained: tuple[str, ...] = ()
    apart: Mapping[str, str] = field(default_factory=dict[str, str])
    of: str = ""


def renamed(tensor: str, table: Mapping[str, str]) -> str:
    """A tensor whose layer stands in the table under the layer's other name."""
    layer, _, kind = tensor.rpartition(".")
    return f"{table[layer]}.{kind}" if layer in table else tensor

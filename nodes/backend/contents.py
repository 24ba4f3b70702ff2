"""Every tensor of a file is used, ignored for a reason that is written down here, or refused by name.

What is neither would change the picture without a word: a part that was trained, and does nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from nodes.backend import architecture, layouts, shards
from nodes.backend.headers import Shapes, shapes
from nodes.backend.part_settings import Settings
from nodes.backend.strict_json import MAX_QUOTED
from nodes.types import Part

PREFIXES: dict[Part, str] = {
    "unet": "model.diffusion_model.",
    "vae": "first_stage_model.",
    "text_encoder": "cond_stage_model.transformer.",
    "controlnet": "control_model.",
}
"""Where the parts are in files of the original layout."""


class Ignored(NamedTuple):
    names: str  # a regular expression for whole names
    reason: str


CLIP = (
    Ignored(r"(text_model\.)?embeddings\.position_ids", "the numbers 0, 1, 2 and so on"),
    Ignored(r"text_projection(\.weight)?|logit_scale", "compares texts with pictures, after the prompt was read"),
    Ignored(r"vision_model\..+|visual_projection\..+", "the half of CLIP that reads pictures"),
)
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
LOSS = Ignored(r"(first_stage_model\.)?loss\..+", "the critic that an autoencoder is trained against")

IGNORED: dict[Part | Literal["file"], tuple[Ignored, ...]] = {
    "unet": TRAINING,
    "vae": (*TRAINING, LOSS),
    "text_encoder": CLIP,
    "controlnet": (
        *TRAINING,
        SCHEDULE,
        Ignored(
            r"(model\.diffusion_model|first_stage_model|cond_stage_model)\..+",
            "the checkpoint that a ControlNet of the original layout was trained with",
        ),
    ),
    "file": (
        *TRAINING,
        SCHEDULE,
        Ignored(r"cond_stage_model\.(text_projection|logit_scale)", "compares texts with pictures"),
    ),
}
"""By the part of a checkpoint; "file": what may lie beside the parts in a file that holds all of them."""


class Source(NamedTuple):
    """Where a tensor of a network is: in which file, and what it is called there."""

    file: Path
    name: str


def sources(place: Path, files: tuple[Path, ...], part: Part, settings: Settings) -> dict[str, Source]:
    """Where each tensor of a part is, by the name that its network gives it.

    place: the checkpoint's folder or file, for messages. files: those that hold the part. Raises ValueError, naming
    tensors, when one is missing, has another shape than the settings say, or has no use.
    """
    wanted = architecture.OF[part](settings)
    found = _stored(place, files, part)
    aliases = _aliases(place, part, settings)
    used = {name: next((alias for alias in aliases(name) if alias in found), "") for name in wanted}
    if missing := [name for name, stored in used.items() if not stored]:
        raise ValueError(f"the {part} of {place} lacks {listed(missing)}")
    for name, stored in used.items():
        shape = found[stored][1]
        if _flat(shape) != _flat(wanted[name]):
            raise ValueError(f"the {part} of {place} does not fit its settings: {name} is {shape}, not {wanted[name]}")
    unused = found.keys() - set(used.values())
    refuse_unused(f"the {part} of {place}", (name.removeprefix(_prefix(place, part)) for name in unused), part)
    return {name: Source(found[stored][0], stored) for name, stored in used.items()}


def check_whole_file(place: Path, found: Shapes) -> None:
    """Raises ValueError when a file of the original layout holds something beside the parts of a checkpoint."""
    parts = tuple(PREFIXES[part] for part in ("unet", "vae", "text_encoder"))
    refuse_unused(str(place), (name for name in found if not name.startswith(parts)), "file")


def refuse_unused(what: str, names: Iterable[str], kind: Part | Literal["file"]) -> None:
    """Raises ValueError for the first of these names that are not ignored for a reason."""
    if unknown := sorted(name for name in names if not any(re.fullmatch(i.names, name) for i in IGNORED[kind])):
        raise ValueError(f"{what} has tensors that this program has no use for: {listed(unknown)}")


def listed(names: Iterable[str]) -> str:
    """The first of some names from a file, in at most about 200 characters: "a, b and 7 more"."""
    names = list(names)
    shown: list[str] = []
    for name in names[:3]:
        if len(", ".join((*shown, name))) > MAX_QUOTED:
            break
        shown.append(name)
    shown = shown or [names[0][:MAX_QUOTED] + "..."]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


def _stored(place: Path, files: tuple[Path, ...], part: Part) -> dict[str, tuple[Path, tuple[int, ...]]]:
    """The tensors of a part as they are called in its files, with their shapes."""
    shards.all_shapes(files)
    prefix = _prefix(place, part)
    return {n: (file, shape) for file in files for n, shape in shapes(file).items() if n.startswith(prefix)}


def _prefix(place: Path, part: Part) -> str:
    """What all names of a part begin with. A file that holds a ControlNet holds nothing else of use."""
    return PREFIXES[part] if place.is_file() and part != "controlnet" else ""


def _aliases(place: Path, part: Part, settings: Settings) -> Callable[[str], tuple[str, ...]]:
    """A tensor's name in its network to what it may be called in a file, what is looked for first in front."""
    prefix = _prefix(place, part)
    match part:
        case "text_encoder":
            return lambda name: (f"{prefix}text_model.{name}", prefix + name)
        case "unet" | "vae" if place.is_file():
            original = (layouts.original_unet if part == "unet" else layouts.original_vae)(settings)
            return lambda name: (prefix + original(name),)
        case "controlnet" if place.is_file():
            original = layouts.original_unet(settings)
            return lambda name: (name, original(name), PREFIXES[part] + original(name))
        case "vae":
            return lambda name: (name, layouts.earlier_vae(name))
        case _:
            return lambda name: (name,)


def _flat(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A convolution of one pixel is the same as a linear layer, and either is found in files."""
    return shape[:2] if len(shape) == 4 and shape[2:] == (1, 1) else shape

"""Every tensor of a file is used, ignored for a reason that is written down, or refused by name.

What is neither would change the picture without a word: a part that was trained, and does nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import NamedTuple

from nodes.backend.networks.architecture import Architecture, Ignored, Settings, Shape, Stored
from nodes.backend.strict_json import MAX_QUOTED

Places = Mapping[str, tuple[Path, Shape]]
"""By its name in the files: which of them holds a tensor, and its shape there."""


class Source(NamedTuple):
    """Where a tensor of a network is: in which file, and under which name or in which part of another one."""

    file: Path
    stored: Stored


def sources(
    what: str, architecture: Architecture, settings: Settings, found: Places, ignored: Iterable[Ignored] = ()
) -> dict[str, Source]:
    """Where each tensor of a network is, by the name that the network gives it; without those that are identities.

    what: the network, for messages, such as "the unet of model.safetensors". ignored: on top of what the architecture
    has. Raises ValueError, naming tensors, when one is missing, has another shape than the settings say, or has no use.
    """
    wanted = architecture.shapes(settings)
    spellings = architecture.spellings(settings)
    used = {name: next((s for s in spellings(name) if s.name in found), None) for name in wanted}
    missing = [name for name, stored in used.items() if stored is None and name not in architecture.identities]
    if missing:
        raise ValueError(f"{what} lacks {_lacking(missing, architecture.apart)}")
    taken = {name: stored for name, stored in used.items() if stored}
    for name, stored in taken.items():
        _check_shape(what, name, found[stored.name][1], stored, wanted[name])
    unused = found.keys() - {stored.name for stored in taken.values()}
    refuse_unused(what, unused, (*architecture.ignored, *ignored))
    return {name: Source(found[stored.name][0], stored) for name, stored in taken.items()}


def _lacking(missing: Sequence[str], apart: Mapping[str, str]) -> str:
    for beginning, instead in apart.items():
        if all(name.startswith(beginning) for name in missing):
            return instead
    return listed(missing)


def refuse_unused(what: str, names: Iterable[str], ignored: Iterable[Ignored]) -> None:
    """Raises ValueError for the first of these names that are not ignored for a reason."""
    patterns = [re.compile(i.names) for i in ignored]
    if unknown := sorted(name for name in names if not any(pattern.fullmatch(name) for pattern in patterns)):
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


def _check_shape(what: str, name: str, found: Shape, stored: Stored, wanted: Shape) -> None:
    shape = found[::-1] if stored.change == "transposed" else found
    if stored.rows is not None:
        enough = bool(shape) and shape[0] >= stored.rows[1]
        shape = (stored.rows[1] - stored.rows[0], *shape[1:]) if enough else shape
    if stored.change == "joined" and len(shape) == 1:
        wanted = (prod(wanted),)
    if flat(shape) != flat(wanted):
        raise ValueError(f"{what} does not fit its settings: {name} is {shape}, not {wanted}")


def flat(shape: Shape) -> Shape:
    """A convolution of one pixel is the same as a linear layer, one of one frame that of a picture: files have all."""
    shape = (*shape[:2], *shape[3:]) if len(shape) == 5 and shape[2] == 1 else shape
    return shape[:2] if len(shape) == 4 and shape[2:] == (1, 1) else shape

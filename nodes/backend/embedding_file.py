"""What the names in an embedding's file mean: which tensor is for which of the encoders that read a prompt.

diffusers names the tensor after the token, AUTOMATIC1111's web UI emb_params; files for several encoders have one
for each, named after the kind of encoder. Only the header is read, so planning can do it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from nodes.backend.contents import listed
from nodes.backend.headers import Shapes
from nodes.backend.networks.architecture import Settings

PARAMS = "emb_params"
FRAME = 2
"""Places of a chunk that its start and its end take."""


class Reads(NamedTuple):
    """An encoder of a text encoder. names: what files call the tensor for it, where they hold several."""

    names: tuple[str, ...]
    settings: Settings


def token(found: Shapes) -> str | None:
    """The word that a file was trained for, where it says so."""
    (name, *others) = found
    return None if others or name == PARAMS else name


def read(place: Path, found: Shapes, encoders: Mapping[str, Reads]) -> dict[str, str]:
    """The tensor for each of the encoders that the file has one for.

    Raises ValueError when it has none, one too many, or one that does not fit.
    """
    if len(found) == 1:
        (name,) = found
        widths = [encoder.settings["hidden_size"] for encoder in encoders.values()]
        rows, width = _sides(place, name, found[name])
        if width not in widths:
            told = " and ".join(map(str, widths))
            raise ValueError(f"{place} is an embedding for text encoders {width} wide; these are {told}")
        taken = {role: name for role, encoder in encoders.items() if encoder.settings["hidden_size"] == width}
    else:
        taken = {role: name for role, encoder in encoders.items() for name in encoder.names if name in found}
    if unknown := found.keys() - set(taken.values()):
        known = [name for encoder in encoders.values() for name in encoder.names]
        beside = f" (those here are {', '.join(known)})" if known else ""
        raise ValueError(f"{place} has tensors for none of the text encoders{beside}: {listed(sorted(unknown))}")
    for role, name in taken.items():
        settings = encoders[role].settings
        rows, width = _sides(place, name, found[name])
        if width != settings["hidden_size"]:
            raise ValueError(
                f"{place}: {listed([name])} is for a text encoder {width} wide; this one is {settings['hidden_size']}"
            )
        if rows > (most := settings["max_position_embeddings"] - FRAME):
            raise ValueError(f"{place}: {listed([name])} takes the place of {rows} words; a chunk has room for {most}")
    return taken


def _sides(place: Path, name: str, shape: tuple[int, ...]) -> tuple[int, int]:
    """How many vectors, and how wide they are."""
    if len(shape) not in (1, 2) or not all(shape):
        sized = " x ".join(map(str, shape)) or "a single number"
        raise ValueError(f"{place} is no embedding: {listed([name])} is {sized}, not vectors")
    return (1, shape[0]) if len(shape) == 1 else (shape[0], shape[1])

"""The families that this program can run. A new one is a module here and a line in FAMILIES."""

from __future__ import annotations

from nodes.backend.families import flux, flux2, krea2, pixel, qwenimage, qwenimage21, sd1, sd2, sd3, sdxl, zimage
from nodes.backend.families.family import Family, Found
from nodes.types import Space

FAMILIES: tuple[Family, ...] = (
    *(sd2.FAMILY, sd1.FAMILY, sdxl.FAMILY, sdxl.REFINER),
    *(sd3.FAMILY, flux.FAMILY, zimage.FAMILY, flux2.KLEIN, flux2.DEV),
    *(qwenimage.FAMILY, qwenimage21.FAMILY, krea2.FAMILY, pixel.FAMILY),
)
"""In the order in which they are asked whether files are theirs."""

_BY_NAME = {family.name: family for family in FAMILIES}


def of(name: str) -> Family:
    """The family of a description. Raises ValueError when this program does not know it."""
    if name not in _BY_NAME:
        raise ValueError(f"{name!r} is no family of models that this program knows")
    return _BY_NAME[name]


def of_space(space: Space) -> str:
    """The families whose latents are in a space, for people."""
    titles = [family.title for family in FAMILIES if family.space.name == space.name]
    return " or ".join(titles) or "another family"


def recognise(found: Found) -> Family | None:
    """The family whose checkpoint, or denoiser, this is."""
    return next((family for family in FAMILIES if family.recognises(found)), None)

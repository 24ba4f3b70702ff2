"""Colours of a picture file as sRGB: by its ICC profile, or by what a PNG or a camera says of primaries and gamma."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8] | Floats
Convert = Callable[[Image.Image], Pixels]
"""Takes a part of the picture in one of the modes L, RGB, CMYK, LAB; gives [height, width, 3] as levels or in 0..1."""

SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""The colour spaces of ICC profiles, as Pillow's modes."""


class Space(NamedTuple):
    """gamma: of the file, light ** gamma; None is the curve of sRGB. xy: of white, red, green and blue, CIE 1931."""

    gamma: float | None
    xy: tuple[float, ...]


SRGB = Space(None, (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06))
DISPLAY_P3 = Space(None, (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060))
ADOBE_RGB = Space(256 / 563, (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06))
"""Adobe RGB (1998) Color Image Encoding, version 2005-05, sec. 4.3."""

CICP = {(1, 13): SRGB, (12, 13): DISPLAY_P3}
"""By primaries and transfer of ITU-T H.273; the others are for video, and some brighter than any screen's white."""

_cms: Any = ImageCms  # what makes a profile is declared in part, and what solves equations
_linalg: Any = np.linalg

BRADFORD: NDArray[np.float64] = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def conversion(image: Image.Image, cicp: bytes = b"") -> tuple[str, Convert]:
    """(the mode that parts of the picture are to be given in, what makes sRGB of them).

    cicp: the chunk of that name of a PNG, which goes before everything else. Raises ValueError when the colours
    cannot be told.
    """
    base = base_mode(image.mode)
    if cicp:
        if cicp[2:] != b"\0\1" or tuple(cicp[:2]) not in CICP:
            raise ValueError(f"its colours are those of a video (cICP {', '.join(map(str, cicp))}); save it as sRGB")
        return "RGB", _from_space(CICP[cicp[0], cicp[1]])
    if "icc_profile" in image.info:
        return _from_profile(image.info["icc_profile"], base)
    if base == "LAB":
        return base, _by_cms(_cms.createProfile("LAB"), base)
    if base == "CMYK":
        return base, lambda part: np.asarray(part.convert("RGB"))
    return "RGB", _from_space(_space(image))


def base_mode(mode: str) -> str:
    """Of Pillow's modes the one that profiles are for and that keeps the colours as they are."""
    if mode in ("CMYK", "LAB"):
        return mode
    return "L" if mode.startswith(("1", "L", "I", "F")) else "RGB"


def _from_profile(data: bytes | None, base: str) -> tuple[str, Convert]:
    try:
        profile = _cms.ImageCmsProfile(io.BytesIO(data or b"")).profile
        space: str = profile.xcolor_space
    except (OSError, ValueError, ImageCms.PyCMSError) as error:
        raise ValueError("its colour profile is damaged; save it as sRGB") from error
    mode = "LAB" if space.strip().upper() == "LAB" else SPACES.get(space)
    if base == "L" and mode == "RGB":
        base = "RGB"
    if mode != base:
        raise ValueError(f"its colour profile is for {space.strip()}, and the picture is {base}; save it as sRGB")
    convert = _by_cms(profile, base)
    return (base, convert) if base in ("CMYK", "LAB") or _changes(convert, base) else ("RGB", np.asarray)


def _by_cms(profile: Any, base: str) -> Convert:
    try:
        transform = ImageCms.buildTransform(profile, _cms.createProfile("sRGB"), base, "RGB")
    except ImageCms.PyCMSError as error:
        raise ValueError(f"its colour profile cannot be used ({error}); save it as sRGB") from error

    def convert(part: Image.Image) -> Pixels:
        return np.asarray(ImageCms.applyTransform(part, transform))

    return convert


def _changes(convert: Convert, base: str) -> bool:
    """Whether it moves any of some colours by more than a level: a profile of sRGB itself would only add rounding."""
    if base == "L":
        probe = np.arange(256, dtype=np.uint8)[None]
        same = np.repeat(probe[..., None], 3, axis=-1)
    else:
        levels = np.arange(0, 256, 15, dtype=np.uint8)
        probe = same = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, -1, 3)
    return bool(np.abs(convert(Image.fromarray(probe)).astype(int) - same).max() > 1)


def _space(image: Image.Image) -> Space:
    """What the file says of its colours without a profile."""
    info = image.info
    if image.format == "PNG" and "srgb" not in info:
        gamma = info.get("gamma")
        if gamma is not None and not 0.01 <= gamma <= 100:
            raise ValueError(f"its gamma is {gamma:g}; save it as sRGB")
        xy = info.get("chromaticity", SRGB.xy)
        if _same(xy, SRGB.xy) and gamma is not None and abs(gamma * 2.2 - 1) < 0.05:
            return SRGB  # the usual threshold: this is how programs say sRGB
        return Space(gamma, xy)
    if image.format == "JPEG" and image.getexif().get_ifd(0xA005).get(1) == "R03":
        return ADOBE_RGB  # DCF 2.0: how cameras say so, without a profile
    return SRGB


def _from_space(space: Space) -> Convert:
    if space.gamma is None and _same(space.xy, SRGB.xy):
        return np.asarray
    matrix = np.linalg.inv(_to_xyz(SRGB.xy)) @ _to_xyz(space.xy)
    levels = np.linspace(0, 1, 256)
    table = (_linear_srgb(levels) if space.gamma is None else levels ** (1 / space.gamma)).astype(np.float32)

    def convert(part: Image.Image) -> Pixels:
        light = table[np.asarray(part)] @ matrix.T.astype(np.float32)
        return _encoded_srgb(light.clip(0, 1))

    return convert


def _same(xy: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return bool(np.allclose(xy, other, atol=0.002))


def _to_xyz(xy: tuple[float, ...]) -> NDArray[np.float64]:
    """Linear light to CIE XYZ, white moved to that of sRGB (Bradford). xy: see Space."""
    points: NDArray[np.float64] = np.array([[x, y, 1 - x - y] for x, y in zip(xy[::2], xy[1::2], strict=True)])
    try:
        white, primaries = points[0] / points[0, 1], points[1:].T
        matrix: NDArray[np.float64] = primaries * _linalg.solve(primaries, white)
        target = np.array([SRGB.xy[0], SRGB.xy[1], 1 - sum(SRGB.xy[:2])]) / SRGB.xy[1]
        scale = np.diag((BRADFORD @ target) / (BRADFORD @ white))
        return _linalg.inv(BRADFORD) @ scale @ BRADFORD @ matrix
    except (np.linalg.LinAlgError, FloatingPointError) as error:
        raise ValueError("its primary colours are impossible; save it as sRGB") from error


def _linear_srgb(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """IEC 61966-2-1, sec. 5.2."""
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


def _encoded_srgb(light: Floats) -> Floats:
    """IEC 61966-2-1, sec. 5.3."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)

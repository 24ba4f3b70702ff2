"""Picture files to tensors and back. Pixels are float32 [batch, 3, height, width] in 0..1, in sRGB.

A large picture is several times larger as floats than in its file, so it is taken over in bands of rows: beside the
result there is never more than what Pillow holds, a byte a channel.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from nodes.backend.colours import Convert, Floats, Pixels, conversion
from nodes.backend.picture_size import FORMATS, PNG_SIGNATURE, png_chunks
from nodes.backend.untyped import from_numpy

MAX_PIXELS = 100_000_000  # a file of some kilobytes may claim to hold terabytes
FREE_PIXELS, PIXELS_PER_BYTE = 12_000_000, 1200
"""Above so many pixels, which take 240 MB, a file has a byte for every 1200: what packs better (a byte a pixel: 1032)
was made to."""

BAND = 1 << 20  # pixels
PNG_CHUNKS = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"eXIf", b"cICP"}
"""What decides about pixels. Pillow would inflate every text of a file, and give up on one that is damaged or long."""

DAMAGED = (
    OSError, SyntaxError, ValueError, EOFError, ArithmeticError, LookupError, TypeError, AssertionError, struct.error,
)  # fmt: skip
"""What Pillow raises for a file that is not as it should be."""

BITS_PER_SAMPLE, PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0  # TIFF 6.0, section 8


class Opened(NamedTuple):
    """A picture before it is decoded. cicp: the chunk of that name in a PNG."""

    image: Image.Image
    cicp: bytes = b""


def load(path: Path) -> tuple[Tensor, Tensor]:
    """(pixels [1, 3, height, width], opacity [1, 1, height, width]) of an image file, turned upright, in sRGB.

    Colours under transparent parts are those of the file. Raises ValueError, naming the file, when it is no image of
    a known format, is damaged, has more than 100 million pixels, or colours that cannot be told.
    """
    try:
        with warnings.catch_warnings(), open(path, "rb") as file:
            warnings.simplefilter("ignore")  # what is wrong with a file is an error below, or of no concern
            opened = _open(file)
            _check_size(opened.image, path.stat().st_size)
            return _tensors(opened)
    except Image.UnidentifiedImageError:
        raise ValueError(
            f"{path} is not an image this program can read ({', '.join(FORMATS)}; colours of 8 or 16 bits)"
        ) from None
    except Image.DecompressionBombError:
        raise ValueError(f"{path} has more than {MAX_PIXELS // 1_000_000} million pixels") from None
    except DAMAGED as error:
        reason = str(error) or "it is damaged"
        if "MAX_TEXT_CHUNK" in reason:
            reason = "its colour profile is larger than 1 MB"
        raise ValueError(f"{path} cannot be read as an image: {reason}") from error


def png(pixels: Tensor) -> bytes:
    """One picture as the bytes of a PNG file. pixels: [3, height, width] in 0..1."""
    levels = torch.empty((*pixels.shape[1:], 3), dtype=torch.uint8)
    for rows in _bands(*pixels.shape[1:]):
        band = pixels[:, rows].detach().to("cpu", torch.float32, copy=True)
        levels[rows] = band.clamp_(0, 1).mul_(255).round_().to(torch.uint8).permute(1, 2, 0)
    file = io.BytesIO()
    Image.fromarray(levels.numpy()).save(file, "PNG")
    return file.getvalue()


def _open(file: BinaryIO) -> Opened:
    if file.read(len(PNG_SIGNATURE)) == PNG_SIGNATURE:
        return _open_png(file)
    file.seek(0)
    return Opened(Image.open(file, formats=FORMATS))


def _open_png(file: BinaryIO) -> Opened:
    kept, cicp, depth = io.BytesIO(), b"", b""
    kept.write(PNG_SIGNATURE)
    for kind, chunk in png_chunks(file, PNG_CHUNKS):
        if kind == b"cICP":
            cicp = chunk[8:-4]
            continue
        if kind == b"IHDR":
            depth = chunk[16:17]
        kept.write(chunk)
    kept.seek(0)
    image = Image.open(kept, formats=("PNG",))
    if depth == b"\x10" and image.mode == "RGB" and "transparency" in image.info:
        raise ValueError("one colour of 16 bits is transparent in it; save it with an alpha channel")
    return Opened(image, cicp)


def _check_size(image: Image.Image, num_bytes: int) -> None:
    num_pixels = image.width * image.height
    if num_pixels > MAX_PIXELS:
        raise Image.DecompressionBombError
    if num_pixels > max(FREE_PIXELS, PIXELS_PER_BYTE * num_bytes):
        raise ValueError(
            f"it claims {num_pixels // 1_000_000} million pixels in {num_bytes:,} bytes; a picture this large has at "
            f"least a byte for every {PIXELS_PER_BYTE:,}"
        )


def _tensors(opened: Opened) -> tuple[Tensor, Tensor]:
    image = opened.image
    white = _white(image)  # before turning, which leaves the file's own tags behind
    mode, convert = conversion(image, opened.cicp)
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "P" and image.palette is None:
        raise ValueError("it has no palette, though its pixels are numbers of one")
    transparent = image.has_transparency_data
    pixels = torch.empty(1, 3, image.height, image.width)
    opacity = torch.ones(1, 1, image.height, image.width)
    for rows in _bands(image.height, image.width):
        part = image.crop((0, rows.start, image.width, rows.stop))
        if white is not None:
            colours = _deep(part, white, mode, convert)
            alpha = _not_transparent(part, image.info.get("transparency"))
        else:
            alpha = np.asarray(part.convert("RGBA").getchannel("A")) if transparent else None
            colours = convert(_opaque(part, mode, transparent))
        _fill(pixels[0, :, rows], colours)
        if alpha is not None:
            _fill(opacity[0, :, rows], alpha[..., None])
    return pixels, opacity


def _bands(height: int, width: int) -> Iterator[slice]:
    step = max(1, BAND // max(1, width))
    return (slice(top, min(top + step, height)) for top in range(0, height, step))


def _fill(target: Tensor, values: Pixels) -> None:
    """target: [channels, height, width]. values: [height, width, channels], in 0..1 or levels of 8 bits."""
    target.copy_(from_numpy(np.ascontiguousarray(values)).permute(2, 0, 1))
    if values.dtype == np.uint8:
        target.div_(255)


def _opaque(part: Image.Image, mode: str, transparent: bool) -> Image.Image:
    """In one of the modes that are converted from; a palette or a colour that is transparent keeps its colour."""
    if transparent:
        part = part.convert("RGBA" if mode == "RGB" else "LA")
        return part.convert("RGB") if mode == "RGB" else part.getchannel(0)
    return part if part.mode == mode else part.convert(mode)


def _white(image: Image.Image) -> float | None:
    """The value of white in a picture of more than 8 bits a channel, negative where 0 is white; None for the others."""
    if image.mode == "F":
        return 1.0
    if not image.mode.startswith("I"):
        return None
    if image.mode == "I":
        raise ValueError("it holds whole numbers of 32 bits, whose white nobody knows; save it with 16 bits")
    if image.format != "TIFF":
        return 65535.0
    tags: Mapping[int, Any] = cast(Any, image).tag_v2  # pictures of TIFF files have it
    white = float(2 ** tags.get(BITS_PER_SAMPLE, (16,))[0] - 1)
    return -white if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO else white


def _deep(part: Image.Image, white: float, mode: str, convert: Convert) -> Floats:
    """[height, width, 3] in 0..1, of grey with more than 8 bits."""
    values = np.asarray(part).astype(np.float32) / np.float32(abs(white))
    if not (values.min() >= 0 and values.max() <= 1):  # also where one is no number
        raise ValueError("it holds numbers below 0 or above 1; scale them to 0..1")
    values = 1 - values if white < 0 else values
    if convert is np.asarray:
        return np.repeat(values[..., None], 3, axis=-1)
    levels = np.arange(256, dtype=np.uint8)[None]
    curve = convert(Image.fromarray(levels).convert(mode))[0].astype(np.float32)
    curve = curve / 255 if curve.max() > 1 else curve
    bands: list[NDArray[np.float64]] = [np.interp(values, np.linspace(0, 1, 256), curve[:, c]) for c in range(3)]
    return np.stack(bands, -1).astype(np.float32)


def _not_transparent(part: Image.Image, transparent: int | None) -> Pixels | None:
    """255 where the value is not the one that a PNG of 16-bit grey calls transparent."""
    return None if transparent is None else (np.asarray(part) != transparent).astype(np.uint8) * np.uint8(255)

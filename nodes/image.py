"""Pictures and masks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from nodegraph.node import File, Range, node
from nodes import fit
from nodes.fit import Known
from nodes.types import Image, Mask

Side = Annotated[int, Range(8, 16_384, step=8, unit="px")]
Fraction = Annotated[float, Range(0.0, 1.0, step=0.01)]
Offset = Annotated[int, Range(0, 16_384, unit="px")]
MAX_LISTED = 256
"""Pictures of a folder: all of them are in memory at once."""

IMAGE_FILE = File((".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"))


class Loaded(NamedTuple):
    image: Image
    mask: Mask


def _file(path: str) -> tuple[Known, Known]:
    from nodes.backend import checkpoints, picture_size

    try:
        found = picture_size.read(checkpoints.find(path))
    except ValueError:  # the run says why
        found = None
    return (found and (1, 3, *found), found and (1, 1, *found))


@node("image.load", version=2, title="Load image", aliases=("open", "picture", "file"), outline=_file)
def load(path: Annotated[str, IMAGE_FILE] = "") -> Loaded:
    """A picture from a file, turned upright as its camera says, its colours as sRGB. mask: 1 where it is transparent.

    A relative path is looked up in the working folder, then in the program's own.
    """
    from nodes.backend import checkpoints, picture_files

    pixels, opacity = picture_files.load(checkpoints.find(path))
    return Loaded(Image(pixels), Mask(opacity.neg_().add_(1)))


def _files(folder: str) -> tuple[tuple[Known, ...] | None]:
    from nodes.backend import checkpoints, picture_size

    try:
        sizes = [picture_size.read(path) for path in _pictures(checkpoints.find(folder))]
    except (OSError, ValueError):  # the run says why
        return (None,)
    return (tuple(size and (1, 3, *size) for size in sizes),)


@node(
    "image.load_folder",
    title="Load images",
    aliases=("folder", "directory", "batch", "list", "pictures"),
    outline=_files,
)
def load_folder(folder: Annotated[str, File(folder=True)] = "") -> tuple[Image, ...]:
    """The pictures in a folder as a list, in the order of their names, each in its own size; at most 256.

    Folders within it are left out. A relative path is looked up in the working folder, then in the program's own.
    """
    from nodes.backend import checkpoints, picture_files

    return tuple(Image(picture_files.load(path)[0]) for path in _pictures(checkpoints.find(folder)))


def _pictures(folder: Path) -> list[Path]:
    """Raises ValueError when it is no folder, or holds none or too many."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; Load image takes a single picture")
    named = (path for path in folder.iterdir() if path.suffix.lower() in IMAGE_FILE.suffixes and path.name[0] != ".")
    found = sorted(path for path in named if path.is_file())
    if not found:
        raise ValueError(f"there are no pictures in {folder} ({', '.join(IMAGE_FILE.suffixes)})")
    if len(found) > MAX_LISTED:
        raise ValueError(f"{folder} holds {len(found):,} pictures; {MAX_LISTED} is the most for one list")
    return found


def _resized(image: Known, width: int, height: int, **_: object) -> tuple[Known]:
    return (fit.of_size(image, width, height),)


@node("image.resize", aliases=("scale", "upscale"), outline=_resized)
def resize_image(
    image: Image,
    width: Side = 512,
    height: Side = 512,
    fit: Literal["crop", "pad", "stretch"] = "crop",
    method: Literal["bicubic", "bilinear", "nearest"] = "bicubic",
) -> Image:
    """Bring a picture to a size: crop cuts off what is too much, pad adds black, stretch changes proportions."""
    from nodes.backend import images

    return Image(images.resize(image.pixels, width, height, fit, method))


@node("image.crop", aliases=("cut",), outline=_resized)
def crop_image(image: Image, left: Offset = 0, top: Offset = 0, width: Side = 512, height: Side = 512) -> Image:
    """Cut a rectangle out of a picture."""
    from nodes.backend import images

    return Image(images.crop(image.pixels, left, top, width, height))


def _unchanged(image: Known, **_: object) -> tuple[Known]:
    return (image,)


@node("image.invert", aliases=("negative",), outline=_unchanged)
def invert_image(image: Image) -> Image:
    """The negative of a picture."""
    return Image(1 - image.pixels)


@node("image.canny", title="Canny edges", aliases=("outline", "ControlNet"), outline=_unchanged)
def canny(
    image: Image,
    low: Annotated[float, Range(0.0, 1.0, step=0.01)] = 0.05,
    high: Annotated[float, Range(0.0, 1.0, step=0.01)] = 0.15,
) -> Image:
    """White edges on black, as ControlNets for edges want them: Canny 1986.

    Edges stronger than high are drawn, and weaker ones above low that touch them; lower both to see more.
    """
    from nodes.backend import images

    if low > high:
        raise ValueError(f"low must not be above high, got {low:g} and {high:g}")
    return Image(images.canny(image.pixels, low, high))


def _blended(image: Known, over: Known, amount: float = 1.0, **mask: Known) -> tuple[Known]:
    return (fit.joined(3, image=image, over=over, **mask),)


@node("image.blend", aliases=("mix", "composite"), outline=_blended)
def blend_images(
    image: Image, over: Image, amount: Annotated[float, Range(0.0, 1.0, step=0.01)] = 0.5, mask: Mask | None = None
) -> Image:
    """Lay one picture over another of the same size. amount: how much of it shows. mask: where, 1 = fully.

    A single picture or mask goes with every picture of a batch; otherwise all have equally many.
    """
    given = {"mask": mask.weight.shape} if mask else {}
    fit.joined(3, image=image.pixels.shape, over=over.pixels.shape, **given)
    weight = amount if mask is None else amount * mask.weight
    return Image((image.pixels + (over.pixels - image.pixels) * weight).contiguous())


def _from_mask(mask: Known) -> tuple[Known]:
    return (fit.of_channels(mask, 3),)


@node("image.from_mask", title="Mask to image", outline=_from_mask)
def from_mask(mask: Mask) -> Image:
    """A mask as a black and white picture."""
    return Image(mask.weight.expand(-1, 3, -1, -1).contiguous())


def _one_channel(image: Known, **_: object) -> tuple[Known]:
    return (fit.of_channels(image, 1),)


@node("mask.from_image", title="Image to mask", outline=_one_channel)
def to_mask(image: Image, channel: Literal["brightness", "red", "green", "blue"] = "brightness") -> Mask:
    """A picture's brightness, or one of its colours, as a mask."""
    index = {"red": 0, "green": 1, "blue": 2}.get(channel)
    pixels = image.pixels
    return Mask(pixels.mean(1, keepdim=True) if index is None else pixels[:, index : index + 1].contiguous())


def _unchanged_mask(mask: Known) -> tuple[Known]:
    return (mask,)


@node("mask.invert", aliases=("negative",), outline=_unchanged_mask)
def invert_mask(mask: Mask) -> Mask:
    """Swap what is kept and what is made anew."""
    return Mask(1 - mask.weight)


def _plain(width: int, height: int, **_: object) -> tuple[Known]:
    return ((1, 3, height, width),)


@node("image.grey", title="Grey picture", aliases=("gray", "plain", "empty", "solid"), outline=_plain)
def grey(
    width: Side = 512, height: Side = 512, brightness: Annotated[float, Range(0.0, 1.0, step=0.01)] = 0.5
) -> Image:
    """A grey picture of one brightness."""
    import torch

    return Image(torch.full((1, 3, height, width), brightness))


@node("mask.rectangle", aliases=("box", "region", "inpaint"), outline=_one_channel)
def rectangle(
    image: Image, left: Fraction = 0.25, top: Fraction = 0.25, right: Fraction = 0.75, bottom: Fraction = 0.75
) -> Mask:
    """A mask of a picture's size that is 1 inside a rectangle; its sides are fractions of the picture's."""
    if left >= right or top >= bottom:
        raise ValueError(f"the rectangle is empty: left {left:g} to right {right:g}, top {top:g} to bottom {bottom:g}")
    weight = image.pixels[:, :1] * 0
    height, width = weight.shape[-2:]
    weight[..., round(top * height) : round(bottom * height), round(left * width) : round(right * width)] = 1
    return Mask(weight)


def _compared(image: Known, other: Known, **_: object) -> tuple[Known]:
    return (fit.joined(3, image=image, other=other),)


@node("image.difference", aliases=("compare", "error", "subtract"), outline=_compared)
def difference(image: Image, other: Image, gain: Annotated[float, Range(0.0, 100.0)] = 1.0) -> Image:
    """Where two pictures of one size differ, and how much; black is equal. gain: makes small differences visible.

    A single picture is compared with every picture of a batch.
    """
    _compared(image.pixels.shape, other.pixels.shape)
    return Image(((image.pixels - other.pixels).abs() * gain).clamp(0, 1))


def _measured(image: Known, other: Known) -> tuple[None]:
    _compared(image, other)
    return (None,)


@node("image.distance", aliases=("compare", "RMSE", "measure"), outline=_measured)
def distance(image: Image, other: Image) -> float:
    """How far two pictures of one size are apart: the root of the mean squared difference, 0 to 1.

    A single picture is compared with every picture of a batch.
    """
    _compared(image.pixels.shape, other.pixels.shape)
    return (image.pixels - other.pixels).square().mean().sqrt().item()


@node("image.grid", title="Image grid", aliases=("contact sheet", "comparison", "XY plot"))
def grid(
    images: tuple[Image, ...],
    labels: tuple[str, ...] = (),
    columns: Annotated[int, Range(0, 100)] = 0,
    cell_width: Annotated[int, Range(0, 4096, unit="px")] = 0,
) -> Image:
    """Several pictures on one labelled sheet.

    columns: 0 makes it as square as it goes. cell_width: 0 keeps the width of the first picture.
    """
    from nodes.backend.sheets import sheet

    return Image(sheet([image.pixels for image in images], labels, columns, cell_width))

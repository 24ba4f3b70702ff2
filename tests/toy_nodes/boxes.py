"""Boxed numbers: a value that is no plain data, so what makes one is a call and not folded while planning."""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from nodegraph.node import BatchIndex, BatchSize, Context, Draft, File, Multiline, Range, Seed, node
from nodegraph.types import PREVIEW_SIDE, Picture, columns, socket_type


@socket_type(color="#d4a373", pictured=True)
@dataclass(frozen=True, slots=True)
class Box:
    value: float


@socket_type(color="#9ad473", pictured=True)
@dataclass(frozen=True, slots=True)
class Tray(Box):
    """Several numbers at once; `value` is the first."""

    values: tuple[float, ...] = ()


def preview(box: Box, max_side: int = PREVIEW_SIDE, item: int | None = None) -> Picture:
    """Of a box of 1000 and more, as large as it may be; of a tray a square of 8 pixels for each of its numbers."""
    if isinstance(box, Tray):
        return _sheet(box.values if item is None else box.values[item : item + 1])
    grey, side = int(box.value) % 256, max_side if box.value >= 1000 else 8
    return Picture(side, side, bytes([grey, 128, 255 - grey]) * side**2)


def _sheet(values: tuple[float, ...]) -> Picture:
    across = columns(len(values))
    down = math.ceil(len(values) / across)
    greys = [*(int(value) % 256 for value in values), *[0] * (across * down)]
    lines = (b"".join(bytes([grey] * 3) * 8 for grey in greys[row * across :][:across]) for row in range(down))
    return Picture(8 * across, 8 * down, b"".join(line * 8 for line in lines), len(values), (8, 8))


@node("toy.tray")
def tray(
    value: float = 1.0, batch: Annotated[int, BatchSize()] = 4, batch_index: Annotated[int, BatchIndex()] = 0
) -> Tray:
    """Several numbers at once, each ten more than the one before."""
    values = tuple(value + 10 * (batch_index + item) for item in range(batch))
    return Tray(values[0], values)


@node("toy.box")
def box(value: float = 1.0) -> Box:
    """A number in a box."""
    return Box(value)


@node("toy.add")
def add(a: Box, b: Box) -> Box:
    """The sum of two boxes."""
    return Box(a.value + b.value)


@node("toy.step")
def step(ctx: Context, box: Box, amount: float = 1.0) -> Box:
    """Add an amount: what a repeat zone repeats."""
    ctx.progress(1, 1, lambda: preview(box))
    return Box(box.value + amount)


@node("toy.slow")
def slow(ctx: Context, box: Box, parts: Annotated[int, Range(1, 100_000), Draft(4)] = 50, tag: str = "") -> Box:
    """Take ten milliseconds a part, and say so after each."""
    for part in range(parts):
        time.sleep(0.01)
        ctx.progress(part + 1, parts)
    return box


@node("toy.settings")
def settings(
    text: Annotated[str, Multiline(weighs=True)] = "a cat",
    flag: bool = False,
    count: Annotated[int, Range(1, 10)] = 3,
    ratio: Annotated[float, Range(0.0, 2.0)] = 0.5,
    kind: Literal["linear", "cosine"] = "linear",
    values: tuple[float, ...] = (1.0, 0.5),
    seed: Annotated[int, Seed()] = 0,
    path: Annotated[str, File((".txt",))] = "",
) -> Box:
    """One parameter of every kind."""
    return Box(count * ratio + len(text) + sum(values) + seed + flag)


@node("toy.weigh")
def weigh(path: Annotated[str, File(folder=True)] = "") -> Box:
    """How many bytes a file has, or all files of a folder."""
    place = Path(path)
    if not place.exists():
        raise ValueError(f"there is nothing at {path}")
    files = [place] if place.is_file() else [file for file in place.rglob("*") if file.is_file()]
    return Box(sum(file.stat().st_size for file in files))


@node("toy.show")
def show(box: Box) -> None:
    """Look at a box; writes nothing."""


@node("toy.save")
def save(ctx: Context, box: Box, filename: str = "box") -> None:
    """Write the number, and the workflow it came from, into a text file."""
    folder = Path(ctx.out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{filename}.txt"
    path.write_text(f"{box.value}\n{ctx.workflow}")
    ctx.saved(str(path))

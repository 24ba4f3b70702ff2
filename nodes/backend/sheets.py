"""Several pictures on one labelled sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import interpolate

from nodes.backend.sweep_sheet import BACKGROUND, GAP, TEXT
from nodes.backend.untyped import from_numpy


def sheet(pictures: Sequence[Tensor], labels: Sequence[str], columns: int, cell_width: int = 0) -> Tensor:
    """One picture [1, 3, height, width] with all of them in rows, each under its label.

    pictures: [batch, 3, height, width] each; the cells have the size of the first, or its shape and `cell_width`
    unless that is 0; the pictures are fitted into them.
    labels: one for each picture or none; a batch of several continues under the same label. columns: 0 makes the
    sheet as square as it goes. Raises ValueError when there is no picture, or the labels do not match.
    """
    if not pictures:
        raise ValueError("the list of images is empty")
    if labels and len(labels) != len(pictures):
        raise ValueError(f"there are {len(pictures)} images and {len(labels)} labels; give one for each")
    names = [label for label, batch in zip(labels or [""] * len(pictures), pictures, strict=True) for _ in batch]
    cells = [picture for batch in pictures for picture in batch]
    height, width = cells[0].shape[-2:]
    if cell_width:
        height, width = round(height * cell_width / width), cell_width
    columns = min(columns or math.ceil(math.sqrt(len(cells))), len(cells))
    font_size = max(12, height // 24)
    head = font_size + GAP if any(names) else 0
    rows = math.ceil(len(cells) / columns)
    size = (GAP + columns * (width + GAP), GAP + rows * (head + height + GAP))
    canvas = Image.new("RGB", size, BACKGROUND)
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(font_size)
    for index, (cell, name) in enumerate(zip(cells, names, strict=True)):
        left, top = GAP + index % columns * (width + GAP), GAP + index // columns * (head + height + GAP)
        draw.text((left, top), _shortened(name, font, width), TEXT, font)
        canvas.paste(_fitted(cell, width, height), (left, top + head))
    return from_numpy(np.asarray(canvas).copy()).permute(2, 0, 1)[None].float() / 255


def _shortened(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    line = " ".join(text.split())
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(line + "...") > width:
        line = line[:-1]
    return line + "..."


def _fitted(picture: Tensor, width: int, height: int) -> Image.Image:
    if picture.shape[-2:] != (height, width):
        picture = interpolate(picture[None], (height, width), mode="bilinear", antialias=True)[0]
    levels = (picture.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).contiguous().numpy())

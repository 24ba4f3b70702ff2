"""Pictures on one sheet: the labelled contact sheet of prompts and guidance scales, and plain grids."""

import textwrap
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

CELL = 128  # pixels; as large as a picture
COLUMNS = 12
QUALITY = 85  # of a WebP file: a third of a PNG's size, and no difference that is seen
HEADER, MARGIN = 66, 60  # pixels above a block and left of it
LABEL_CHARACTERS = 19  # a line


def to_image(picture: Tensor) -> Image.Image:
    """[3, height, width] in [0, 1] as a Pillow picture."""
    return Image.fromarray(picture.mul(255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy())


def grid(pictures: Tensor, columns: int) -> Image.Image:
    """Pictures [pictures, 3, height, width] in [0, 1], row by row."""
    height, width = pictures.shape[-2:]
    sheet = Image.new("RGB", (columns * width, -(-len(pictures) // columns) * height), "white")
    for index, picture in enumerate(pictures):
        sheet.paste(to_image(picture), (index % columns * width, index // columns * height))
    return sheet


def contact_sheet(prompts: list[str], rows: dict[str, Tensor], path: Path) -> None:
    """Blocks of twelve prompts (columns) by the labelled rows of pictures [prompts, 3, side, side], as a file."""
    block = HEADER + CELL * len(rows)
    blocks = -(-len(prompts) // COLUMNS)
    sheet = Image.new("RGB", (MARGIN + CELL * COLUMNS, block * blocks), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for index, prompt in enumerate(prompts):
        left, top = MARGIN + index % COLUMNS * CELL, index // COLUMNS * block
        label = "\n".join(textwrap.wrap(prompt, LABEL_CHARACTERS))
        draw.multiline_text((left + 3, top + 4), label, fill="black", font=font, spacing=1)
    for number, (label, pictures) in enumerate(rows.items()):
        for first in range(0, len(prompts), COLUMNS):
            top = first // COLUMNS * block + HEADER + number * CELL
            draw.multiline_text((4, top + CELL // 2 - 14), label, fill="black", font=font)
            enlarged = torch.nn.functional.interpolate(pictures[first : first + COLUMNS], size=(CELL, CELL))
            sheet.paste(grid(enlarged, len(enlarged)), (MARGIN, top))
    sheet.save(path, quality=QUALITY)

"""The pictures of a sweep in rows and columns under their labels, as one picture. No torch: the window draws it too."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

GAP = 8  # pixels
BACKGROUND, TEXT, EMPTY = "#1e1f24", "#c9ccd4", "#2a2b32"

MOST_SIDE, MOST_PIXELS = 16_000, 100_000_000
"""Of a sheet: more than that, programs do not open any more; the cells become smaller for it."""

LEAST_CELL = 16
"""Pixels. Sheets that would need smaller cells than that are refused."""

LINES = 3
"""Of a label, which is cut off after them."""

Cells = Mapping[tuple[int, int], Sequence[str]]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


class Part(NamedTuple):
    """A block of the sheet. cells: by row and column, the paths of the pictures, which share a cell.

    labels: of cells that stand in no named row and column, in place of `columns` and `rows`.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[str]
    cells: Cells
    labels: Mapping[tuple[int, int], str]


def draw(parts: Sequence[Part]) -> bytes:
    """All parts below each other, as a PNG. Raises ValueError when there is no picture, or there are too many."""
    first = next((path for part in parts for paths in part.cells.values() for path in paths), None)
    if first is None:
        raise ValueError("there is no picture to put on the sheet")
    with Image.open(first) as picture:
        width, height = picture.size
    while True:
        made = _Sheet(parts, width, height)
        across, down = made.size
        if max(across, down) <= MOST_SIDE and across * down <= MOST_PIXELS:
            break
        scale = min(MOST_SIDE / max(across, down), math.sqrt(MOST_PIXELS / (across * down)), 0.95)
        width, height = int(width * scale), int(height * scale)
        if min(width, height) < LEAST_CELL:
            raise ValueError(f"{sum(len(part.cells) for part in parts):,} pictures are too many for one sheet")
    out = io.BytesIO()
    made.drawn().save(out, "PNG")
    return out.getvalue()


class _Sheet:
    """How large everything is for cells of this size in pixels."""

    def __init__(self, parts: Sequence[Part], width: int, height: int) -> None:
        self.parts, self.width, self.height = parts, width, height
        self.font_size = max(11, min(36, height // 16))
        self.font = ImageFont.load_default(self.font_size)
        self.line = round(self.font_size * 1.3)
        named = [row for part in parts for row in part.rows]
        longest = max((self.font.getlength(row) for row in named), default=0.0)
        self.left = GAP + (min(math.ceil(longest), max(width, 8 * self.font_size)) + GAP if named else 0)
        self.blocks = [self._block(part) for part in parts]
        columns = max((1 + max((column for _, column in part.cells), default=0) for part in parts), default=1)
        self.size = (self.left + columns * (width + GAP), GAP + sum(self.blocks))

    def _block(self, part: Part) -> int:
        rows = 1 + max((row for row, _ in part.cells), default=0)
        return self._head(part) + rows * (self._label(part) + self.height + GAP)

    def _head(self, part: Part) -> int:
        """Pixels above the first row: the title, and what the columns are called."""
        columns = max((len(self._lines(label, self.width)) for label in part.columns), default=0)
        return (self.line + GAP if part.title else 0) + (columns * self.line + GAP // 2 if part.columns else 0)

    def _label(self, part: Part) -> int:
        """Pixels above each cell for a label of its own."""
        lines = max((len(self._lines(label, self.width)) for label in part.labels.values()), default=0)
        return lines * self.line

    def drawn(self) -> Image.Image:
        canvas = Image.new("RGB", self.size, BACKGROUND)
        pen, top = ImageDraw.Draw(canvas), GAP
        for part, block in zip(self.parts, self.blocks, strict=True):
            self._draw(canvas, pen, part, top)
            top += block
        return canvas

    def _draw(self, canvas: Image.Image, pen: ImageDraw.ImageDraw, part: Part, top: int) -> None:
        head, label = self._head(part), self._label(part)
        if part.title:
            self._write(pen, part.title, GAP, top, self.size[0] - 2 * GAP)
        for column, name in enumerate(part.columns):
            lines = self._lines(name, self.width)
            self._write(pen, name, self._x(column), top + head - GAP // 2 - len(lines) * self.line, self.width)
        for row, name in enumerate(part.rows):
            self._write(pen, name, GAP, self._y(part, row, top), self.left - 2 * GAP)
        for (row, column), paths in part.cells.items():
            x, y = self._x(column), self._y(part, row, top)
            self._write(pen, part.labels.get((row, column), ""), x, y - label, self.width)
            pen.rectangle((x, y, x + self.width - 1, y + self.height - 1), EMPTY)
            self._paste(canvas, paths, x, y)

    def _x(self, column: int) -> int:
        return self.left + column * (self.width + GAP)

    def _y(self, part: Part, row: int, top: int) -> int:
        label = self._label(part)
        return top + self._head(part) + row * (label + self.height + GAP) + label

    def _paste(self, canvas: Image.Image, paths: Sequence[str], x: int, y: int) -> None:
        """The pictures of a cell, in as many rows as columns."""
        across = math.ceil(math.sqrt(len(paths)))
        for number, path in enumerate(paths):
            row, column = divmod(number, across)
            width, height = self.width // across, self.height // across
            with Image.open(path) as picture:
                fitted = picture.convert("RGB")
                fitted.thumbnail((width, height), Image.Resampling.LANCZOS)
            left, up = (width - fitted.width) // 2, (height - fitted.height) // 2
            canvas.paste(fitted, (x + column * width + left, y + row * height + up))

    def _write(self, pen: ImageDraw.ImageDraw, text: str, x: int, y: int, width: int) -> None:
        for number, line in enumerate(self._lines(text, width)):
            pen.text((x, y + number * self.line), line, TEXT, self.font)

    def _lines(self, text: str, width: int) -> list[str]:
        """As many words a line as fit, LINES lines at most."""
        lines: list[str] = []
        for word in text.split():
            joined = f"{lines[-1]} {word}" if lines else word
            if lines and self.font.getlength(joined) <= width:
                lines[-1] = joined
            else:
                lines.append(word)
        if len(lines) > LINES:
            lines = [*lines[: LINES - 1], f"{lines[LINES - 1]} …"]
        return [_cut(line, self.font, width) for line in lines]


def _cut(line: str, font: Font, width: int) -> str:
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(line + "…") > width:
        line = line[:-1]
    return line + "…"

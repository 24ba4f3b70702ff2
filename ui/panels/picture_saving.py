"""Pictures that are shown, as files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtGui import QImage

from nodegraph.formats import png, workflow
from nodegraph.formats.files import write_atomic
from nodegraph.graph import Graph
from nodegraph.types import Picture
from ui.widgets.pixmaps import place_of, png_bytes


def save_picture(path: Path, image: QImage, graph: Graph | None) -> None:
    """graph: what made it, which goes into the file. Raises ValueError when it cannot be written."""
    made = png.with_texts(png_bytes(image), {png.KEYWORD: workflow.dumps(graph)} if graph else {})
    try:
        write_atomic(path, made)
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from error


def save_batch(path: Path, sheet: QImage, shown: Picture, made_by: Callable[[int], Graph | None]) -> None:
    """Each picture of a batch into a file of its own: cat_1.png, cat_2.png, ...

    sheet: all of them in full size, as `shown` says. made_by: the graph of one of them.
    Raises ValueError when the sheet is smaller than that, or one cannot be written.
    """
    whole = replace(shown, width=sheet.width(), height=sheet.height())
    if whole.cell != whole.size:
        raise ValueError(
            f"The {whole.count} pictures together are shown smaller than they are. Show one of them to save it."
        )
    for item in range(whole.count):
        save_picture(path.with_stem(f"{path.stem}_{item + 1}"), sheet.copy(place_of(whole, item)), made_by(item))

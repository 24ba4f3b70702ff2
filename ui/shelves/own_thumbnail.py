"""A picture of one's own that becomes that of a file: written beside it, where other programs look for one too."""

from __future__ import annotations

from pathlib import Path

from nodegraph.formats.files import reason, write_atomic
from ui.widgets.pixmaps import png_bytes, read_image

SIDE = 512
"""Pixels of the longer side, at most."""

ENDING = ".preview.png"


def place_of(path: str) -> Path:
    """Where the picture of a file, or of a folder that is one thing, is looked for first."""
    file = Path(path)
    return file / f"{file.name}{ENDING}" if file.is_dir() else file.with_name(f"{file.stem}{ENDING}")


def keep(picture: str, path: str) -> Path:
    """Where it is kept; it takes its time. Raises ValueError with a sentence when it cannot be read or written."""
    image = read_image(picture, SIDE)
    if image.isNull():
        raise ValueError(f"{picture} cannot be shown")
    target = place_of(path)
    try:
        write_atomic(target, png_bytes(image))
    except OSError as error:
        raise ValueError(f"{target} cannot be written: {reason(error)}") from error
    return target

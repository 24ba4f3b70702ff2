"""Pictures that were pasted and lie in no file: they are kept in one, so that the document can name it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

from PySide6.QtGui import QImage

from nodegraph import program
from nodegraph.formats.files import write_atomic
from ui.widgets.pixmaps import png_bytes

FOLDER = "pictures"
NAME = re.compile(r"[0-9a-f]{32}\.png")


def keep_picture(image: QImage, document: Path | None) -> Path:
    """Where it lies now: in a folder beside the file of its document, or with the program's data where that has none.

    The name is a digest of the file, so the same picture is kept once. Raises ValueError when it cannot be written.
    """
    data = png_bytes(image)
    if not data:
        raise ValueError("the picture cannot be written as PNG")
    folder = document.absolute().parent / FOLDER if document else program.data_folder() / FOLDER
    path = folder / f"{blake2b(data, digest_size=16).hexdigest()}.png"
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(path, data)
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def take_along(paths: Iterable[str], document: Path) -> dict[str, str]:
    """Copy pasted pictures to where they lie beside the file of a document: a new path for each that lay elsewhere.

    Raises ValueError when one cannot be copied.
    """
    folder, found = document.absolute().parent / FOLDER, dict[str, str]()
    for path in map(Path, paths):
        if not NAME.fullmatch(path.name) or path.parent.name != FOLDER or path.parent == folder or not path.exists():
            continue
        target = folder / path.name
        try:
            if not target.exists():
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)
        except OSError as error:
            raise ValueError(f"{path} cannot be copied to {folder}: {error.strerror or error}") from error
        found[str(path)] = str(target)
    return found

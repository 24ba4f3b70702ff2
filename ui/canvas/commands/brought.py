"""What comes from elsewhere means: files, folders, pictures and texts, as the nodes say."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData
from PySide6.QtGui import QImage, QPixmap

from nodegraph.builtin import NOTE
from nodegraph.domain import Brought
from nodegraph.formats import foreign, png
from ui.base.text import amount
from ui.canvas.scene.state import CanvasState

WRITTEN = (".txt", ".md", ".prompt", ".caption")
"""Files whose text is meant."""

MAX_TEXT = 100_000
"""Characters, as many as can be typed."""


def of_file(state: CanvasState, path: Path) -> Brought | None:
    """What a file or a folder becomes; None where it is none of the nodes', such as a workflow.

    Raises ValueError, naming the file, when it is damaged or too large.
    """
    try:
        if path.suffix.lower() in WRITTEN and path.is_file():
            return of_text(state, _read_text(path))
        return state.scope.registry.domain.file(path.absolute())
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from error


def of_text(state: CanvasState, text: str) -> Brought:
    """What the nodes make of it; a note where they make nothing of it. Raises ValueError when it is too long."""
    text = text.strip()
    if len(text) > MAX_TEXT:
        raise ValueError(f"the text has {amount(len(text))} characters; {amount(MAX_TEXT)} is the most")
    return state.scope.registry.domain.text(text) or Brought(NOTE, {"text": text})


def _read_text(path: Path) -> str:
    with open(path, "rb") as file:
        data = file.read(4 * MAX_TEXT + 1)
    if kind := foreign.format_of(data[: foreign.HEAD]):
        raise ValueError(f"{path} holds no text: it is {kind}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} holds no text in UTF-8 (byte {error.start})") from error


def local_files(data: QMimeData) -> list[Path]:
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]


def picture_in(data: QMimeData) -> QImage | None:
    """A picture that another program hands over and that lies in no file; it counts for more than the address that it
    came from.
    """
    found = data.imageData() if data.hasImage() else None
    image = found.toImage() if isinstance(found, QPixmap) else QImage(found) if isinstance(found, QImage) else None
    return None if image is None or image.isNull() else image


def of_data(state: CanvasState, data: QMimeData) -> Brought | None:
    """What another program hands over that is neither a file nor a picture: a text.

    Raises ValueError with a sentence when it is an address, or cannot be taken.
    """
    addresses = [url.toString() for url in data.urls() if not url.isLocalFile()]
    if addresses:
        raise ValueError(
            f"{addresses[0][:200]} is an address on the network, from which nothing is fetched unasked; copy the "
            "picture itself, or save it and drop the file"
        )
    return of_text(state, data.text()) if data.text().strip() else None


def holds_workflow(path: Path) -> bool:
    """Whether a picture holds a workflow of this program; it is read no further than to there."""
    try:
        png.read_workflow(path)
    except (OSError, ValueError):
        return False
    return True


def remark(path: Path) -> str | None:
    """What is to be said of a picture that is taken as one: another program's workflow in it is not opened."""
    try:
        if not png.is_png(path):  # a file of weights is not gone through as if it were chunks of one
            return None
        keywords = set(png.keywords(path))
        # Our own have their settings for other programs too.
        kind = None if png.KEYWORD in keywords else foreign.writer_of(keywords)
    except (OSError, ValueError):
        return None
    return f"{path.name} is there as a picture; it holds {kind}, which this program cannot read." if kind else None

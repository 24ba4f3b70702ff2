"""Pictures of results as Qt paints them."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPixmap

from nodegraph.types import Picture


def aspect(picture: Picture | None) -> float | None:
    """Height / width; None when there is nothing to see: no picture, or all of one colour, as of an empty latent."""
    if picture is None:
        return None
    pixels = memoryview(picture.rgb)
    return None if pixels[3:] == pixels[:-3] else picture.height / picture.width


def thumbnail(picture: Picture, width: float) -> QPixmap:
    """Twice as wide as the node at most: scaling a large picture down again in every frame would show."""
    full = pixmap(picture)
    most = round(2 * width)
    return full if full.width() <= most else full.scaledToWidth(most, Qt.TransformationMode.SmoothTransformation)


def pixmap(picture: Picture) -> QPixmap:
    image = QImage(picture.rgb, picture.width, picture.height, 3 * picture.width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image)

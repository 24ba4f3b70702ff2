"""Pictures as Qt paints them."""

from __future__ import annotations

import zlib

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QImageReader, QPixmap

from nodegraph.types import Picture
from ui.canvas.strips import read_in_strips


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
    return QPixmap.fromImage(_image(picture))


def _image(picture: Picture) -> QImage:
    """Shares the bytes: it lasts as long as the picture does."""
    return QImage(picture.rgb, picture.width, picture.height, 3 * picture.width, QImage.Format.Format_RGB888)


def reduced(picture: Picture, max_side: int) -> Picture:
    """The same, no larger than max_side."""
    if max(picture.width, picture.height) <= max_side:
        return picture
    how = Qt.TransformationMode.SmoothTransformation
    return picture_of(_image(picture).scaled(max_side, max_side, Qt.AspectRatioMode.KeepAspectRatio, how))


def picture_of(image: QImage) -> Picture:
    """The same as data."""
    plain = image.convertToFormat(QImage.Format.Format_RGB888)
    across = 3 * plain.width()
    rows, line = memoryview(plain.constBits()), plain.bytesPerLine()  # a line may have bytes to spare at its end
    rgb = b"".join(rows[start : start + across] for start in range(0, line * plain.height(), line))
    return Picture(plain.width(), plain.height(), rgb)


def read_image(path: str, max_side: int) -> QImage:
    """The picture in a file, no larger than max_side; a null image when it cannot be read. It takes its time."""
    try:
        large = read_in_strips(path, max_side)
    except (OSError, ValueError, zlib.error):
        return QImage()
    if large is not None:
        return large
    reader = QImageReader(path)
    if max((size := reader.size()).width(), size.height()) > max_side:
        reader.setScaledSize(size.scaled(max_side, max_side, Qt.AspectRatioMode.KeepAspectRatio))
    return reader.read()

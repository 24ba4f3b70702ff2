"""Pictures as Qt paints them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QRect, QSize, Qt
from PySide6.QtGui import QImage, QImageReader, QImageWriter, QPixmap

from nodegraph.types import Picture, columns
from ui.base.kept import Kept
from ui.widgets.strips import read_in_strips

PIXMAP_BYTES = 64 << 20
"""Of the pixmaps of one canvas."""

BLOCK_SIDE = 32
"""Pixels of a picture on a node that is so far away that its title cannot be read."""


def aspect(picture: Picture | None) -> float | None:
    """Height / width; None when there is nothing to see: no picture, or all of one colour, as of an empty latent."""
    if picture is None:
        return None
    rgb = picture.rgb
    flat = rgb[:3] == rgb[-3:] and rgb[:3] * (len(rgb) // 3) == rgb
    return None if flat else picture.height / picture.width


def thumbnail(picture: Picture, width: float) -> QPixmap:
    """Twice as wide as the node at most: scaling a large picture down again in every frame would show."""
    full = pixmap(picture)
    most = round(2 * width)
    return full if full.width() <= most else full.scaledToWidth(most, Qt.TransformationMode.SmoothTransformation)


def pixmap(picture: Picture) -> QPixmap:
    return QPixmap.fromImage(_image(picture))


class Pixmaps:
    """Of the nodes of a scene, as they are painted; those painted last are kept."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, bool], QPixmap] = {}  # by node, and whether it is a small one
        self._kept: Kept[tuple[str, bool]] = Kept(PIXMAP_BYTES)

    def of(self, id: str, picture: Picture | None, width: float) -> QPixmap | None:
        """width: of the node. `drop` says when one of these is another than before."""
        return self._of((id, False), picture and (lambda: thumbnail(picture, width)))

    def small(self, id: str, picture: Picture | None) -> QPixmap | None:
        """No larger than BLOCK_SIDE."""
        return self._of((id, True), picture and (lambda: pixmap(small(picture, BLOCK_SIDE))))

    def _of(self, key: tuple[str, bool], make: Callable[[], QPixmap] | None) -> QPixmap | None:
        if make is None:
            return None
        if key in self._made:
            self._kept.touch(key)
            return self._made[key]
        made = self._made[key] = make()
        for old in self._kept.put(key, 4 * made.width() * made.height()):
            del self._made[old]
        return made

    def drop(self, id: str) -> None:
        for key in ((id, False), (id, True)):
            self._kept.drop(key)
            self._made.pop(key, None)

    def clear(self) -> None:
        self._made.clear()
        self._kept = Kept(PIXMAP_BYTES)

    @property
    def used(self) -> int:
        """Bytes."""
        return self._kept.used


def _image(picture: Picture) -> QImage:
    """Shares the bytes: it lasts as long as the picture does."""
    return QImage(picture.rgb, picture.width, picture.height, 3 * picture.width, QImage.Format.Format_RGB888)


def place_of(picture: Picture, item: int) -> QRect:
    """Where one of a batch is on the sheet of all of them."""
    width, height = picture.cell
    row, column = divmod(item, columns(picture.count))
    return QRect(column * width, row * height, width, height)


def one_of(picture: Picture, item: int) -> Picture:
    """One of a batch, cut out of the sheet of all of them."""
    return replace(picture_of(_image(picture).copy(place_of(picture, item))), size=picture.size)


def reduced(picture: Picture, max_side: int) -> Picture:
    """The same, no larger than max_side."""
    if max(picture.width, picture.height) <= max_side:
        return picture
    how = Qt.TransformationMode.SmoothTransformation
    made = picture_of(_image(picture).scaled(max_side, max_side, Qt.AspectRatioMode.KeepAspectRatio, how))
    return replace(made, count=picture.count, size=picture.size)


def small(picture: Picture, max_side: int) -> Picture:
    """The same, a few pixels large. Four times as quick as `reduced`: for very many."""
    if max(picture.width, picture.height) <= max_side:
        return picture
    keep = Qt.AspectRatioMode.KeepAspectRatio
    rough = _image(picture).scaled(3 * max_side, 3 * max_side, keep)
    made = picture_of(rough.scaled(max_side, max_side, keep, Qt.TransformationMode.SmoothTransformation))
    return replace(made, count=picture.count, size=picture.size)


def picture_of(image: QImage) -> Picture:
    """The same as data."""
    plain = image.convertToFormat(QImage.Format.Format_RGB888)
    across = 3 * plain.width()
    rows, line = memoryview(plain.constBits()), plain.bytesPerLine()  # a line may have bytes to spare at its end
    rgb = b"".join(rows[start : start + across] for start in range(0, line * plain.height(), line))
    return Picture(plain.width(), plain.height(), rgb)


def fitted(picture: QImage, size: QSize) -> QImage:
    """The whole picture, no larger than `size`; small ones keep their pixels sharp."""
    small = picture.width() < size.width() and picture.height() < size.height()
    how = Qt.TransformationMode.FastTransformation if small else Qt.TransformationMode.SmoothTransformation
    return picture.scaled(size, Qt.AspectRatioMode.KeepAspectRatio, how)


def png_bytes(picture: QImage) -> bytes:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"png")).write(picture)
    return bytes(buffer.data().data())


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

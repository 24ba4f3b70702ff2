"""Small versions of pictures in files, made beside the window's own work."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QThreadPool, Signal
from PySide6.QtGui import QImage, QPixmap

from ui.widgets.pixmaps import read_image

SIDE = 192  # pixels
MAX_KEPT = 600
"""About 80 MB at the most."""


class Thumbnails(QObject):
    """By path; the ones used longest ago are forgotten, and made again when they are wanted."""

    loaded = Signal(str)  # path
    _made = Signal(str, QImage, str)  # from the other thread; why there is no image, or nothing

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kept: OrderedDict[str, QPixmap | str] = OrderedDict()  # or why there is none
        self._wanted: set[str] = set()
        self._pool = QThreadPool()
        self._pool.setMaxThreadCount(1)
        self._made.connect(self._keep, Qt.ConnectionType.QueuedConnection)

    def get(self, path: str) -> QPixmap | None:
        """None when there is none yet (`loaded` says when there is), or when the file cannot be read."""
        if path in self._kept:
            self._kept.move_to_end(path)
            kept = self._kept[path]
            return None if isinstance(kept, str) else kept
        if path not in self._wanted:
            self._wanted.add(path)
            self._pool.start(lambda: self._make(path))
        return None

    def forget(self, path: str) -> None:
        """There is another picture under this name, or none that anybody looks for."""
        self._kept.pop(path, None)

    def complaint(self, path: str) -> str:
        """Why there is none, as far as that is known."""
        kept = self._kept.get(path)
        return kept if isinstance(kept, str) else ""

    def _make(self, path: str) -> None:
        image = read_image(path, SIDE)
        why = "" if not image.isNull() else "It cannot be shown" if Path(path).exists() else "The file is gone"
        with suppress(RuntimeError):  # the panel was closed meanwhile
            self._made.emit(path, image, why)

    def _keep(self, path: str, image: QImage, why: str) -> None:
        self._wanted.discard(path)
        self._kept[path] = why or QPixmap.fromImage(image)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        self.loaded.emit(path)

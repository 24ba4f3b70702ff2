"""The pictures of a sweep on one sheet, and a table beside it: written beside the window's own work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from nodegraph.formats import workflow
from nodegraph.formats.files import write_atomic
from nodegraph.graph import Graph
from nodegraph.sweeping.here import Came
from nodegraph.sweeping.sheet import Page

Draw = Callable[[Sequence[Any], Mapping[Any, Sequence[str]], str], bytes]


class SheetWriter(QObject):
    """draw: see `nodegraph.domain.Domain.sheet`; without it, the table alone is written."""

    done = Signal()
    failed = Signal(str)  # why it could not be written, as a sentence

    _over = Signal(str)  # from the other thread: why not, or nothing

    def __init__(self, draw: Draw | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._draw, self.busy = draw, False
        self._writer: ThreadPoolExecutor | None = None
        self._over.connect(self._end, Qt.ConnectionType.QueuedConnection)

    def write(self, path: Path, pages: Sequence[Page], came: Sequence[Came], rows: str, graph: Graph) -> None:
        """path: of the sheet; the table has its name and ends in .csv. graph: the workflow that the sheet brings."""
        self.busy = True
        images = {one.cell: one.images for one in came}
        self._writer = self._writer or ThreadPoolExecutor(1, "sheet")
        self._writer.submit(self._write, path, pages, images, rows, graph).add_done_callback(self._wrote)

    def _write(
        self, path: Path, pages: Sequence[Page], images: Mapping[Any, Sequence[str]], rows: str, graph: Graph
    ) -> None:
        """On the other thread."""
        if self._draw is not None:
            write_atomic(path, self._draw(pages, images, workflow.dumps(graph)))
        write_atomic(path.with_suffix(".csv"), rows.encode("utf-8", "replace"))

    def _wrote(self, future: Future[None]) -> None:
        error = future.exception()
        with suppress(RuntimeError):  # the window was closed meanwhile
            self._over.emit(f"The sheet cannot be saved: {error}" if error else "")

    def _end(self, why: str) -> None:
        self.busy = False
        self.done.emit()
        if why:
            self.failed.emit(why)

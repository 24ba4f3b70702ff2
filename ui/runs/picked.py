"""Which picture of a batch is looked at: on its node and in the preview alike."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from nodegraph.types import Picture


class Picked(QObject):
    """By node, as the engine calls it. What was picked stays for the next batch; it is no part of the document."""

    changed = Signal(str)  # the node

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._items: dict[str, int] = {}

    def of(self, node: str, picture: Picture | None) -> int | None:
        """Which of its pictures is to be shown; None for all of them, or where there is one alone."""
        item = self._items.get(node)
        return item if item is not None and picture is not None and item < picture.count > 1 else None

    def pick(self, node: str, item: int | None) -> None:
        """item: None for all of them."""
        if item == self._items.get(node):
            return
        if item is None:
            del self._items[node]
        else:
            self._items[node] = item
        self.changed.emit(node)

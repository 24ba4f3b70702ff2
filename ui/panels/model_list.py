"""The models that were found, as cards."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QDrag, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QListView

from ui.base.theme import scaled
from ui.panels.model_rows import CARD, NARROWEST, Cards, ModelRows


class CardList(QListView):
    """In as many columns as there is room for. Enter puts the file on the canvas, S stars it; a drag hands it out."""

    starring = Signal()

    def __init__(self, rows: ModelRows) -> None:
        super().__init__()
        self.rows, self.cards = rows, Cards(self)
        self.setModel(rows)
        self.setItemDelegate(self.cards)
        self.setAccessibleName("Models")
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.setDragEnabled(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)  # or else the columns come and go with it

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit()
        super().resizeEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:  # the text may have another size
            self._fit()

    def _fit(self) -> None:
        room = self.viewport().width() - 2
        self.cards.width = max(room // max(room // scaled(NARROWEST), 1), 1)
        self.setGridSize(QSize(self.cards.width, scaled(CARD)))

    def chosen(self) -> tuple[str, ...]:
        """Paths, in the order of the list."""
        return tuple(self.rows.path(row) for row in sorted(index.row() for index in self.selectedIndexes()))

    def top(self) -> int:
        """The first row that is seen."""
        return max(self.indexAt(QPoint(8, 8)).row(), 0)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        match event.key():
            case Qt.Key.Key_S if plain:
                self.starring.emit()
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if plain and self.currentIndex().isValid():
                self.activated.emit(self.currentIndex())
            case _:
                super().keyPressEvent(event)

    def startDrag(self, actions: Qt.DropAction) -> None:
        drag = QDrag(self)
        drag.setMimeData(self.rows.mimeData(self.selectedIndexes()))
        picture = self.currentIndex().data(Qt.ItemDataRole.DecorationRole)
        if picture is not None:
            drag.setPixmap(picture.scaled(64, 64, Qt.AspectRatioMode.KeepAspectRatio))
        drag.exec(Qt.DropAction.CopyAction)

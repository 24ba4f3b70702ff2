"""Every picture that was made, newest first: look for one, look at it, compare two, drag it out, get its graph back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QRectF,
    QSize,
    Qt,
    QUrl,
    Signal,
    SignalInstance,
)
from PySide6.QtGui import QAction, QDesktopServices, QDrag, QKeyEvent, QKeySequence, QPainter, QUndoStack
from PySide6.QtWidgets import (
    QFileDialog,
    QLabel,
    QLineEdit,
    QListView,
    QMessageBox,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from ui.base.theme import color, colors, panel_font, scaled
from ui.panels.gallery_acts import MANY, Remove, Star, Trash, copying
from ui.panels.gallery_rows import COMPLAINT, PATH, STARRED, Index, Shown
from ui.runs.picture_index import Gallery
from ui.runs.results import Result, ResultReader
from ui.widgets.aside import Aside, Go
from ui.widgets.buttons import action_button, small_button
from ui.widgets.flow import FlowLayout
from ui.widgets.picture_view import Side
from ui.widgets.piecework import Piecework
from ui.widgets.seen import WhenSeen

SIDE, GAP = 96, 10  # pixels


class Tile(QStyledItemDelegate):
    """A picture with its name below and a star when it has one."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(SIDE + GAP, SIDE + scaled(20) + GAP)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        theme = colors()
        cell = QRectF(option.rect).adjusted(2, 2, -2, -2)  # type: ignore[attr-defined]
        if option.state & QStyle.StateFlag.State_Selected:  # type: ignore[attr-defined]
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color(theme.selected))
            painter.drawRoundedRect(cell, 6, 6)
        place = cell.adjusted(4, 4, -4, -scaled(20))
        picture = index.data(Qt.ItemDataRole.DecorationRole)
        painter.setFont(panel_font(11))
        painter.setPen(color(theme.dim))
        if picture is not None:
            size = picture.size().scaled(place.size().toSize(), Qt.AspectRatioMode.KeepAspectRatio)
            target = QRectF(0, 0, size.width(), size.height())
            target.moveCenter(place.center())
            painter.drawPixmap(target, picture, QRectF(picture.rect()))
        elif complaint := index.data(COMPLAINT):
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, complaint)
        foot = QRectF(cell.x() + 4, cell.bottom() - scaled(20), cell.width() - 8, scaled(20))
        name = painter.fontMetrics().elidedText(
            Path(index.data()).stem, Qt.TextElideMode.ElideMiddle, int(foot.width())
        )
        painter.drawText(foot, Qt.AlignmentFlag.AlignCenter, name)
        if index.data(STARRED):
            self._paint_star(painter, place)
        painter.restore()

    def _paint_star(self, painter: QPainter, place: QRectF) -> None:
        """In a corner of the picture, on a ground of its own: it is seen on any."""
        side = scaled(20)
        badge = QRectF(place.right() - side, place.top(), side, side)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color(colors().panel, 220))
        painter.drawEllipse(badge)
        painter.setPen(color(colors().accent))
        painter.setFont(panel_font(13))
        painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, "★")


class Tiles(QListView):
    """S stars, Enter gets the graph back, Delete takes off the list; a drag hands out the files.

    To go to a picture with the arrow keys is as good as a click. Undo and redo are the gallery's own while it has the
    keys.
    """

    starring = Signal()
    removing = Signal()
    trashing = Signal()
    undoing = Signal()
    redoing = Signal()

    def __init__(self, rows: Shown) -> None:
        super().__init__()
        self.rows = rows
        self.setModel(rows)
        self.setAccessibleName("Gallery")
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.setDragEnabled(True)
        self.setItemDelegate(Tile(self))

    def _stretches(self) -> Iterator[range]:
        """Rows that are selected."""
        selection: Any = self.selectionModel().selection()  # can be iterated, which the stubs do not say
        return (range(stretch.top(), stretch.bottom() + 1) for stretch in selection)

    def chosen(self) -> Iterator[str]:
        """Paths of what is selected, one after the other: whoever needs the first alone need not wait for all."""
        return (self.rows.path(row) for rows in self._stretches() for row in rows)

    def count(self) -> int:
        """How many are selected."""
        return sum(map(len, self._stretches()))

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._own(event):
            event.accept()  # or else the window would undo what was done to the graph
            return True
        return super().event(event)

    def _own(self, event: QKeyEvent) -> SignalInstance | None:
        keys = QKeySequence.StandardKey
        own = {keys.Undo: self.undoing, keys.Redo: self.redoing}
        return next((signal for key, signal in own.items() if event.matches(key)), None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if signal := self._own(event):
            signal.emit()
            return
        match event.key():
            case Qt.Key.Key_S:
                self.starring.emit()
            case Qt.Key.Key_Delete if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self.trashing.emit()
            case Qt.Key.Key_Delete | Qt.Key.Key_Backspace:
                self.removing.emit()
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if self.currentIndex().isValid():
                self.activated.emit(self.currentIndex())
            case _:
                before = QPersistentModelIndex(self.currentIndex())
                super().keyPressEvent(event)
                if self.currentIndex() != before:
                    self.clicked.emit(self.currentIndex())

    def startDrag(self, actions: Qt.DropAction) -> None:
        drag = QDrag(self)
        drag.setMimeData(self.model().mimeData(self.selectedIndexes()))
        picture = self.currentIndex().data(Qt.ItemDataRole.DecorationRole)
        if picture is not None:
            drag.setPixmap(picture.scaled(64, 64, Qt.AspectRatioMode.KeepAspectRatio))
        drag.exec(Qt.DropAction.CopyAction)


class GalleryPanel(QWidget):
    looked_at = Signal(object)  # the Result that is to be shown
    pinned = Signal(str, object)  # side, and the Result that is A or B from now on
    compared = Signal(object, object)  # two Results
    restored = Signal(Path)  # the picture whose graph is to be shown
    texts_wanted = Signal(object)  # the Result whose prompts the document is to have
    seeds_wanted = Signal(object)  # the same of its seeds
    failed = Signal(str)  # why a picture cannot be shown, as a sentence

    def __init__(self, gallery: Gallery, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.gallery = gallery
        self.undo = QUndoStack(self)
        self.undo.setUndoLimit(MANY)
        self.field = QLineEdit(placeholderText="Search prompts and parameters", clearButtonEnabled=True)
        self.field.setAccessibleName("Search pictures")
        self.field.setToolTip('Words of the prompt, the parameters or the name; "seed 14" is that very seed')
        self.starred = small_button("★", self._search, "Show starred pictures alone")
        self.starred.setCheckable(True)
        self.starred.setAccessibleName("Starred alone")
        self.shown = Shown(gallery, self)
        self.tiles = Tiles(self.shown)
        self.reader = ResultReader(self)
        self.hint = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self.hint.setObjectName("dim")
        self.acts = self._make_actions()
        self._lay_out()
        self._connect()
        self.setFocusProxy(self.tiles)
        self._show()

    def _make_actions(self) -> dict[str, QAction]:
        """What can be done with the pictures that are selected: their menu."""
        table: tuple[tuple[str, str, Callable[[], None], str], ...] = (
            ("show", "Show", self._look, "Look at it in the preview"),
            ("a", "This is A", lambda: self._pin("a"), "Compare it with another, which is B"),
            ("b", "This is B", lambda: self._pin("b"), "Compare it with another, which is A"),
            ("compare", "Compare the two", self._compare, "Compare the two that are selected"),
            ("star", "Star", self._star, "Star or unstar what is selected (S)"),
            ("restore", "Restore this graph", self._restore, "Open the graph that made it (Enter)"),
            ("texts", "Use its prompts", lambda: self._use(self.texts_wanted), "Put its texts into this document"),
            ("seeds", "Use its seeds", lambda: self._use(self.seeds_wanted), "Put its seeds into this document"),
            ("folder", "Open folder", self._open_folder, "Show the file where it lies"),
            ("copy", "Copy to a folder…", self._copy, "Put copies of what is selected into a folder"),
            ("remove", "Remove", self._remove, "Take it off this list; the file stays (Delete)"),
            ("trash", "Delete file", self._trash, "Move the file to the system's trash (Shift+Delete)"),
        )
        made: dict[str, QAction] = {}
        for name, text, act, tip in table:
            made[name] = QAction(text, self.tiles, toolTip=tip)
            made[name].triggered.connect(lambda _=False, act=act: act())
        self.tiles.addActions(list(made.values()))
        self.tiles.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        return made

    def _lay_out(self) -> None:
        buttons = [action_button(self.acts[name]) for name in ("compare", "star", "restore", "folder", "remove")]
        head = FlowLayout(self.field, self.starred, *buttons, growing=self.field)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 4, 10, 8)
        column.addLayout(head)
        column.addWidget(self.hint, 1)
        column.addWidget(self.tiles, 1)

    def _connect(self) -> None:
        self.field.textChanged.connect(self._search)
        self.tiles.clicked.connect(self._look)
        self.tiles.activated.connect(lambda index: self.restored.emit(Path(index.data(PATH))))
        self.tiles.starring.connect(self._star)
        self.tiles.removing.connect(self._remove)
        self.tiles.trashing.connect(self._trash)
        self.tiles.undoing.connect(self._undo)
        self.tiles.redoing.connect(self._redo)
        self.tiles.selectionModel().selectionChanged.connect(self._show)
        self.reader.failed.connect(self.failed)
        show = WhenSeen(self, self._show)
        for signal in (self.gallery.added, self.gallery.changed, self.gallery.removed, self.shown.searched):
            signal.connect(show.ask)

    def _search(self) -> None:
        self.shown.search(self.field.text(), self.starred.isChecked())

    def _show(self) -> None:
        count, any_shown = self.tiles.count(), self.shown.rowCount() > 0
        for name, action in self.acts.items():
            fits = {"compare": count == 2} | dict.fromkeys(("star", "copy", "remove", "trash"), count > 0)
            action.setEnabled(fits.get(name, count == 1))
        self.acts["star"].setText("Unstar" if count and self._all_starred(self.tiles.chosen()) else "Star")
        none = "Searching…" if self.shown.searching else "No picture matches."
        self.hint.setText(none if self.gallery.pictures else "Pictures that you save appear here.")
        self.hint.setVisible(not any_shown)
        self.tiles.setVisible(any_shown)

    def _all_starred(self, paths: Iterable[str]) -> bool:
        return all(self.gallery.pictures[path].starred for path in paths)

    # Looking at pictures ------------------------------------------------------------------------------

    def _read(self, indexes: Iterable[QModelIndex], then: Callable[[list[Result]], object]) -> None:
        self.reader.read([self.gallery.pictures[index.data(PATH)] for index in indexes], then)

    def _look(self) -> None:
        """Show the picture that was gone to, unless that took it out of the selection."""
        current = self.tiles.currentIndex()
        if self.tiles.selectionModel().isSelected(current):
            self._read([current], lambda results: self.looked_at.emit(results[0]))

    def _pin(self, side: Side) -> None:
        self._read(self.tiles.selectedIndexes(), lambda results: self.pinned.emit(side, results[0]))

    def _compare(self) -> None:
        """The first of the list is A."""
        self._read(sorted(self.tiles.selectedIndexes()), lambda results: self.compared.emit(*results))

    def _use(self, wanted: SignalInstance) -> None:
        self._read(self.tiles.selectedIndexes(), lambda results: wanted.emit(results[0]))

    # Keeping them -------------------------------------------------------------------------------------

    def _restore(self) -> None:
        self.restored.emit(Path(next(self.tiles.chosen())))

    def _star(self) -> None:
        """All of them are starred, or else none any more."""
        chosen = tuple(self.tiles.chosen())
        self.undo.push(Star(self.gallery, chosen, on=not self._all_starred(chosen)))

    def _remove(self) -> None:
        if chosen := self._to_go("Take them off the list?"):
            self._let_go(Remove(self.gallery, chosen))

    def _trash(self) -> None:
        if chosen := self._to_go("Move their files to the trash?"):
            self._move(Trash(self.gallery, chosen).away, self._trashed)

    def _trashed(self, act: Trash) -> None:
        if act.pictures:
            self._let_go(act)
        if act.left:
            self.failed.emit(f"{act.left[0]} cannot be moved to the trash; it is still there")

    def _move(self, work: Callable[[Go], Trash], then: Callable[[Trash], object]) -> None:
        Aside[Trash](self, "Trash", "Moving files").start(work, then, self.failed.emit)

    def _undo(self) -> None:
        step = self.undo.command(self.undo.index() - 1)
        if isinstance(step, Trash):
            self._move(step.back, lambda _: self.undo.undo())
        else:
            self.undo.undo()

    def _redo(self) -> None:
        step = self.undo.command(self.undo.index())
        if isinstance(step, Trash):
            self._move(step.away, lambda _: self.undo.redo())
        else:
            self.undo.redo()

    def _to_go(self, question: str) -> tuple[str, ...]:
        """Starred ones go only when a person says so."""
        chosen = tuple(self.tiles.chosen())
        starred = sum(self.gallery.pictures[path].starred for path in chosen)
        return chosen if not starred or self._sure(starred, len(chosen), question) else ()

    def _let_go(self, act: Remove) -> None:
        """What comes next is selected then."""
        first = min(self.shown.row(made.path) for made in act.pictures)
        self.undo.push(act)
        if (row := min(first, self.shown.rowCount() - 1)) >= 0:
            self.tiles.setCurrentIndex(self.shown.index(row))
            self._look()

    def _sure(self, starred: int, count: int, question: str) -> bool:
        of = f"{starred} of these {count} pictures " if count > 1 else "This picture "
        answers = QMessageBox.StandardButton
        ask = question if count > 1 else question.replace("their files", "its file").replace("them", "it")
        text = f"{of}{'is' if starred == 1 else 'are'} starred. {ask}"
        return QMessageBox.question(self, "Starred pictures", text, answers.Yes | answers.No, answers.No) == answers.Yes

    def _copy(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Copy the pictures to a folder")
        if not folder:
            return
        chosen = tuple(self.tiles.chosen())
        work = Piecework[None](self, "Copy the pictures", f"Copying {len(chosen)} pictures to {folder}")
        copies = copying(Path(folder), chosen, work.report)
        work.start(copies, lambda _: None, lambda error: self.failed.emit(str(error)))

    def _open_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(next(self.tiles.chosen())).parent)))

"""Every picture that was made, newest first: look for one, look at it, compare two, drag it out, get its graph back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from PySide6.QtCore import QModelIndex, Qt, QUrl, Signal, SignalInstance
from PySide6.QtGui import QAction, QDesktopServices, QGuiApplication, QUndoCommand, QUndoStack
from PySide6.QtWidgets import (
    QFileDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QMessageBox,
    QSlider,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from nodegraph.registry import Registry
from nodegraph.types import FULL_SIDE
from ui.base.settings import Settings
from ui.base.text import amount
from ui.base.theme import scaled
from ui.panels.gallery_acts import MANY, Boards, Put, Rate, Remove, Star, Trash, copying
from ui.panels.gallery_boards import BoardBar
from ui.panels.gallery_details import Details
from ui.panels.gallery_rows import ORDERS, PATH, Order, Shown, Wanted
from ui.panels.gallery_tiles import LARGEST, SMALLEST, STEP, Tiles
from ui.runs.picture_index import BEST, MAX_BOARD, Gallery
from ui.runs.rescan import Found, rescan
from ui.runs.results import Result, ResultReader
from ui.widgets.aside import Aside, Go
from ui.widgets.buttons import action_button, small_button
from ui.widgets.fields import ComboBox, tame
from ui.widgets.flow import FlowLayout
from ui.widgets.keeping_dialog import NameDialog
from ui.widgets.picture_view import Side
from ui.widgets.piecework import Piecework
from ui.widgets.pixmaps import read_image
from ui.widgets.seen import WhenSeen


class GalleryPanel(QWidget):
    looked_at = Signal(object)  # the Result that is to be shown
    pinned = Signal(str, object)  # side, and the Result that is A or B from now on
    compared = Signal(object, object)  # two Results
    restored = Signal(Path)  # the picture whose graph is to be shown
    texts_wanted = Signal(object)  # the Result whose prompts the document is to have
    seeds_wanted = Signal(object)  # the same of its seeds
    input_wanted = Signal(Path)  # the picture that the document is to begin with
    enlarged = Signal()  # what is shown, or compared, is to be seen as large as can be
    failed = Signal(str)  # why a picture cannot be shown, as a sentence

    def __init__(
        self,
        gallery: Gallery,
        parent: QWidget | None = None,
        *,
        registry: Registry | None = None,
        settings: Settings | None = None,
        folder: Callable[[], str] = str,
    ) -> None:
        """folder: where pictures are saved now; empty where nobody knows."""
        super().__init__(parent)
        self.gallery, self.settings, self.folder = gallery, settings or Settings(parent=self), folder
        self.undo = QUndoStack(self)
        self.undo.setUndoLimit(MANY)
        self.field = QLineEdit(placeholderText="Search prompts and parameters", clearButtonEnabled=True)
        self.field.setAccessibleName("Search pictures")
        self.field.setToolTip('Words of the prompt, the parameters or the name; "seed 14" is that very seed')
        self.starred = small_button("★", self._search, "Show starred pictures alone")
        self.starred.setCheckable(True)
        self.starred.setAccessibleName("Starred alone")
        self.rated = ComboBox()
        self.rated.addItems(["Any rating", *(f"{least} or better" for least in range(1, BEST)), str(BEST)])
        self.rated.setAccessibleName("Least rating")
        self.rated.setToolTip("Show pictures of this rating or a better one; 1 to 5 rate what is selected")
        self.ordering = ComboBox()
        self.ordering.addItems(list(ORDERS.values()))
        self.ordering.setAccessibleName("Order")
        self.ordering.setToolTip("What comes first; made anew when you choose or search")
        self.sizing = QSlider(Qt.Orientation.Horizontal)
        self.sizing.setRange(SMALLEST, LARGEST)
        self.sizing.setSingleStep(STEP)
        self.sizing.setFixedWidth(scaled(90))
        self.sizing.setAccessibleName("Size of the pictures")
        self.sizing.setToolTip("Size of the pictures (the wheel with Ctrl, Ctrl++, Ctrl+-)")
        for field in (self.rated, self.ordering, self.sizing):
            tame(field)
        self.shown = Shown(gallery, self)
        self.tiles = Tiles(self.shown)
        self.boards = BoardBar(gallery)
        self.details = Details(registry or Registry({}))
        self.told = small_button("Details", self._tell, "What the picture holds: size, prompt, every value (I)")
        self.told.setCheckable(True)
        self.putting = QMenu("Put on a board", self)
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
            ("input", "Use as input", self._use_as_input, "Load it in this document, where that begins with a picture"),
            ("view", "Show large", self._view, "On the whole screen; two that are selected beside each other (Space)"),
            ("folder", "Open folder", self._open_folder, "Show the file where it lies"),
            ("clip", "Copy", self._clip, "Put what is selected on the clipboard (Ctrl+C)"),
            ("copy", "Copy to a folder…", self._copy, "Put copies of what is selected into a folder"),
            ("remove", "Remove", self._remove, "Take it off this list; the file stays (Delete)"),
            ("trash", "Delete file", self._trash, "Move the file to the system's trash (Shift+Delete)"),
            (
                "rescan",
                "Look through the folder",
                self._rescan,
                "Find pictures that came by other ways",
            ),
        )
        made: dict[str, QAction] = {}
        for name, text, act, tip in table:
            made[name] = QAction(text, self.tiles, toolTip=tip)
            made[name].triggered.connect(lambda _=False, act=act: act())
        self.tiles.addActions(list(made.values()))
        self.tiles.insertAction(made["clip"], self.putting.menuAction())
        self.tiles.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        return made

    def _lay_out(self) -> None:
        buttons = [action_button(self.acts[name]) for name in ("compare", "star", "restore")]
        fields = (self.field, self.starred, self.rated, self.ordering, self.sizing, self.told, self.details.copy)
        self.split = QSplitter(Qt.Orientation.Horizontal, childrenCollapsible=False)
        self.split.addWidget(self.tiles)
        self.split.addWidget(self.details)
        self.split.setStretchFactor(0, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 4, 10, 8)
        column.addLayout(FlowLayout(*fields, *buttons, growing=self.field))
        column.addWidget(self.boards)
        column.addWidget(self.hint, 1)
        column.addWidget(self.split, 1)

    def _connect(self) -> None:
        self.field.textChanged.connect(self._search)
        self.rated.activated.connect(self._search)
        self.ordering.activated.connect(self._order)
        self.boards.chosen.connect(self._search)
        self.boards.dropped.connect(lambda name, paths: self._put(paths, name, on=True))
        self.boards.making.connect(lambda: self._ask_board(""))
        self.boards.renaming.connect(self._ask_board)
        self.boards.deleting.connect(lambda name: self.undo.push(Boards(self.gallery, name, "")))
        self.putting.aboutToShow.connect(lambda: self.boards.fill_menu(self.putting, list(self.tiles.chosen())))
        self.putting.triggered.connect(self._put_chosen)
        self.tiles.clicked.connect(self._look)
        self.tiles.activated.connect(lambda index: self.restored.emit(Path(index.data(PATH))))
        self.tiles.starring.connect(self._star)
        self.tiles.rating.connect(self._rate)
        self.tiles.removing.connect(self._remove)
        self.tiles.trashing.connect(self._trash)
        self.tiles.copying.connect(self._clip)
        self.tiles.viewing.connect(self._view)
        self.tiles.telling.connect(self.told.click)
        self.tiles.undoing.connect(self._undo)
        self.tiles.redoing.connect(self._redo)
        self.tiles.selectionModel().selectionChanged.connect(self._show)
        self.reader.failed.connect(self.failed)
        show = WhenSeen(self, self._show)
        for signal in (self.gallery.added, self.gallery.changed, self.gallery.removed, self.shown.searched):
            signal.connect(show.ask)
        self._follow_settings()

    def _follow_settings(self) -> None:
        """As it was left."""
        now = self.settings.now
        self.tiles.resize_pictures(now.gallery_side)
        self.sizing.setValue(self.tiles.side)
        self.sizing.valueChanged.connect(self.tiles.resize_pictures)
        self.tiles.sized.connect(self.sizing.setValue)
        self.tiles.sized.connect(lambda side: self.settings.change(gallery_side=side))
        self.ordering.setCurrentIndex([*ORDERS].index(now.gallery_order))
        self.told.setChecked(now.gallery_details)
        self._show_details()
        self._search()

    def _search(self) -> None:
        order = list[Order](ORDERS)[self.ordering.currentIndex()]
        rating, starred = self.rated.currentIndex(), self.starred.isChecked()
        self.shown.look_for(Wanted(self.field.text(), starred, rating, self.boards.name, order))

    def _order(self) -> None:
        self.settings.change(gallery_order=[*ORDERS][self.ordering.currentIndex()])
        self._search()

    def _show(self) -> None:
        count, any_shown = self.tiles.count(), self.shown.rowCount() > 0
        many = ("star", "clip", "copy", "remove", "trash")
        for name, action in self.acts.items():
            fits = {"compare": count == 2, "view": count in (1, 2), "rescan": True} | dict.fromkeys(many, count > 0)
            action.setEnabled(fits.get(name, count == 1))
        self.putting.menuAction().setEnabled(count > 0)
        self.acts["star"].setText("Unstar" if count and self._all_starred(self.tiles.chosen()) else "Star")
        none = "Searching…" if self.shown.searching else "No picture matches."
        self.hint.setText(none if self.gallery.pictures else "Pictures that you save appear here.")
        self.hint.setVisible(not any_shown)
        self.split.setVisible(any_shown)

    def _all_starred(self, paths: Iterable[str]) -> bool:
        return all(self.gallery.pictures[path].starred for path in paths)

    # Looking at pictures ------------------------------------------------------------------------------

    def _read(self, indexes: Iterable[QModelIndex], then: Callable[[list[Result]], object]) -> None:
        self.reader.read([self.gallery.pictures[index.data(PATH)] for index in indexes], then)

    def _look(self) -> None:
        """Show the picture that was gone to, unless that took it out of the selection."""
        current = self.tiles.currentIndex()
        if self.tiles.selectionModel().isSelected(current):
            self._read([current], lambda results: self._looked(results[0]))

    def _looked(self, result: Result) -> None:
        self.looked_at.emit(result)
        made = self.gallery.pictures.get(str(result.file))
        if made and self.details.isVisible():
            self.details.show_picture(made, result)

    def _tell(self) -> None:
        self.settings.change(gallery_details=self.told.isChecked())
        self._show_details()
        self._look()

    def _show_details(self) -> None:
        for widget in (self.details, self.details.copy):
            widget.setVisible(self.told.isChecked())

    def step(self, by: int) -> None:
        """Go to a neighbour of the picture that was gone to."""
        row = self.tiles.currentIndex().row() + by
        if 0 <= row < self.shown.rowCount():
            self.tiles.setCurrentIndex(self.shown.index(row))
            self._look()

    def _view(self) -> None:
        """One, or two beside each other, with one zoom for both."""
        indexes = sorted(self.tiles.selectedIndexes())
        if len(indexes) == 2:
            self._read(indexes, lambda results: (self.compared.emit(*results), self.enlarged.emit()))
        elif indexes:
            self._read(indexes[:1], lambda results: (self._looked(results[0]), self.enlarged.emit()))

    def _use_as_input(self) -> None:
        self.input_wanted.emit(Path(next(self.tiles.chosen())))

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

    def _rate(self, rating: int) -> None:
        if chosen := tuple(self.tiles.chosen()):
            self.undo.push(Rate(self.gallery, chosen, rating))

    def _put(self, paths: Iterable[str], board: str, *, on: bool) -> None:
        """What is no picture of the gallery is left out."""
        if known := [path for path in paths if path in self.gallery.pictures]:
            self.undo.push(Put(self.gallery, known, board, on))

    def _put_chosen(self, action: QAction) -> None:
        chosen = list(self.tiles.chosen())
        if name := action.data():
            self._put(chosen, name, on=action.isChecked())
        else:
            self._ask_board("", chosen)

    def _ask_board(self, old: str, paths: Iterable[str] = ()) -> None:
        """The name of a board that is new, or that gets another one. paths: are put on it."""

        def make(name: str) -> None:
            if not name or len(name) > MAX_BOARD:
                raise ValueError(f"a board's name has 1 to {MAX_BOARD} characters")
            if name in self.gallery.boards and name != old:
                raise ValueError(f"there is a board {name} already")
            if name != old:
                self.undo.push(Boards(self.gallery, old, name))
            self._put(paths, name, on=True)

        NameDialog("Rename board" if old else "New board", old, make, self).open()

    def _rescan(self) -> None:
        folder = self.folder()
        if not folder:
            self.failed.emit("There is no folder for pictures to look through.")
            return
        known = set(self.gallery.pictures)
        Aside[Found](self, "Look through the folder", f"Looking for pictures in {folder}").start(
            lambda go: rescan(Path(folder), known, go), self._rescanned, self.failed.emit
        )

    def _rescanned(self, found: Found) -> None:
        new, gone = self.gallery.take_in(*found)
        self.failed.emit(f"{amount(new)} found that were not listed, {amount(gone)} taken off whose files are gone.")

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
            self._move(step.back, lambda _: self._take_back(step))
        else:
            self._take_back(step)

    def _take_back(self, step: QUndoCommand | None) -> None:
        """Of pictures that come back, the first is selected."""
        self.undo.undo()
        if isinstance(step, Remove) and step.pictures:
            rows = (self.shown.row(made.path) for made in step.pictures)
            self._go_to(min((row for row in rows if row >= 0), default=-1))

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
        self._go_to(min(first, self.shown.rowCount() - 1))

    def _go_to(self, row: int) -> None:
        if row >= 0:
            self.tiles.setCurrentIndex(self.shown.index(row))
            self._look()

    def _sure(self, starred: int, count: int, question: str) -> bool:
        of = f"{amount(starred)} of these {amount(count)} pictures " if count > 1 else "This picture "
        answers = QMessageBox.StandardButton
        ask = question if count > 1 else question.replace("their files", "its file").replace("them", "it")
        text = f"{of}{'is' if starred == 1 else 'are'} starred. {ask}"
        return QMessageBox.question(self, "Starred pictures", text, answers.Yes | answers.No, answers.No) == answers.Yes

    def _clip(self) -> None:
        """As files; of one, programs that take no files get the picture."""
        if not self.tiles.count():
            return
        data = self.shown.mimeData(self.tiles.selectedIndexes())
        if self.tiles.count() == 1 and not (image := read_image(next(self.tiles.chosen()), FULL_SIDE)).isNull():
            data.setImageData(image)
        QGuiApplication.clipboard().setMimeData(data)

    def _copy(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Copy the pictures to a folder")
        if not folder:
            return
        chosen = tuple(self.tiles.chosen())
        work = Piecework[None](self, "Copy the pictures", f"Copying {amount(len(chosen))} pictures to {folder}")
        copies = copying(Path(folder), chosen, work.report)
        work.start(copies, lambda _: None, lambda error: self.failed.emit(str(error)))

    def _open_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(next(self.tiles.chosen())).parent)))

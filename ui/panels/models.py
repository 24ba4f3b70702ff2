"""The files that nodes take, from all folders: look for one, see what it is, put it where it is wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QObject,
    Qt,
    QUrl,
    Signal,
)
from PySide6.QtGui import QAction, QDesktopServices, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QListView,
    QMessageBox,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from nodegraph.library.entry import Counts, Entry, Order, Query
from nodegraph.library.library import Library
from ui.base.theme import scaled
from ui.panels.fetch_bar import FetchBar
from ui.panels.model_details import ModelDetails
from ui.panels.model_list import CardList
from ui.panels.model_rows import PAGE, ModelRows
from ui.panels.scan_bar import ScanBar
from ui.shelves.own_thumbnail import place_of
from ui.shelves.shelves import Shelves
from ui.widgets.buttons import small_button
from ui.widgets.fields import ComboBox, tame
from ui.widgets.flow import FlowLayout
from ui.widgets.seen import WhenSeen

ORDERS: Mapping[str, Order | None] = {"By name": "name", "Newest": "newest", "Largest": "largest", "Last used": None}
"""None: what was used last comes first, the others by name."""

TALL = 1.1
"""Height by width from which on what is known of a file lies below the list, and not beside it."""

LETTERS = 10
"""Of what is chosen in a filter that are seen."""

BESIDE, BELOW, DETAILS = 520, 420, 270
"""Pixels before the user's scale: widths and heights from which on there is room for it, and its width."""


class _Found(NamedTuple):
    paths: Sequence[str]
    known: Mapping[str, Entry]
    counts: Counts
    keep: bool
    """Whether it is the search of before, in a library that has changed."""


class ModelsPanel(QWidget):
    placed = Signal(tuple)  # paths that are to be put on the canvas
    used = Signal(str)  # the path that the selected node is to have
    words_wanted = Signal(str)  # words that are to be put into a prompt
    folders_wanted = Signal()
    fetch_wanted = Signal()
    failed = Signal(str)  # why something cannot be done, as a sentence

    def __init__(self, shelves: Shelves, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.shelves = shelves
        self.fitting: tuple[str, ...] = ()  # families of what is selected, or of all of the document that is shown
        self.rows = ModelRows(shelves, self)
        self.list = CardList(self.rows)
        self.details = ModelDetails(self.rows.picture, shelves.kind)
        self.scan = ScanBar(shelves)
        self.fetching = FetchBar(shelves.downloads)
        self.acts = self._make_actions()
        self._make_head()
        self._make_hint()
        self._lay_out()
        self._asking = shelves.asking(self)
        self._searched: Query | None = None  # that of the list
        self._counts = Counts()
        self._connect()
        self.setFocusProxy(self.list)
        self._name_fitting()
        self._show()

    # Parts --------------------------------------------------------------------------------------------

    def _make_actions(self) -> dict[str, QAction]:
        table: tuple[tuple[str, str, Callable[[], None], str], ...] = (
            ("place", "Add to the canvas", self._place, "As a node, in the middle of the canvas (Enter)"),
            ("use", "Use in the selected node", self._use, "Instead of the file that the node has"),
            ("star", "Star", self._star, "Star or unstar what is selected (S)"),
            ("folder", "Open folder", self._open_folder, "Show the file where it lies"),
            ("path", "Copy path", self._copy_paths, "Put the path on the clipboard"),
            (
                "own",
                "Keep my picture as its own",
                self._keep_picture,
                "Put a copy of the newest picture that you made with it beside the file",
            ),
        )
        made: dict[str, QAction] = {}
        for name, text, act, tip in table:
            made[name] = QAction(text, self.list, toolTip=tip)
            made[name].triggered.connect(lambda _=False, act=act: act())
        self.list.addActions(list(made.values()))
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        return made

    def _make_head(self) -> None:
        self.field = QLineEdit(placeholderText="Search models", clearButtonEnabled=True)
        self.field.setAccessibleName("Search models")
        self.field.setToolTip("Words of the name, the folder, what it was made for, your notes; parts of words too")
        self.kinds = _choices("Kind")
        self.kinds.addItem("All kinds", None)
        self.families = _choices("Family")
        self.families.addItem("All families", None)
        self.orders = _choices("Order")
        self.orders.addItems([*ORDERS])
        self.fits = small_button("Fits this graph", self._ask, "")
        self.fits.setCheckable(True)
        self.starred = small_button("★", self._ask, "Show starred models alone")
        self.starred.setCheckable(True)
        self.starred.setAccessibleName("Starred alone")
        self.fetch = small_button("Download…", self.fetch_wanted.emit, "Have a model fetched, from an address")
        self.folders = small_button("Folders…", self.folders_wanted.emit, "Choose where models are looked for")

    def _make_hint(self) -> None:
        self.hint = QLabel(alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        self.hint.setObjectName("dim")
        self.way_out = small_button("", self._leave_nothing, "What there is to do about it")
        self.empty = QWidget()
        column = QVBoxLayout(self.empty)
        column.addStretch(1)
        column.addWidget(self.hint)
        column.addWidget(self.way_out, 0, Qt.AlignmentFlag.AlignCenter)
        column.addStretch(1)

    def _lay_out(self) -> None:
        parts = (self.kinds, self.families, self.orders, self.fits, self.starred, self.fetch, self.folders)
        head = FlowLayout(self.field, *parts, growing=self.field)
        self.split = QSplitter(Qt.Orientation.Horizontal, childrenCollapsible=False)
        self.split.addWidget(self.list)
        self.split.addWidget(self.details)
        self._moved = False  # a person has shared the room
        self.split.splitterMoved.connect(self._remember_share)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 4, 10, 8)
        column.addLayout(head)
        column.addWidget(self.scan)
        column.addWidget(self.fetching)
        column.addWidget(self.empty, 1)
        column.addWidget(self.split, 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._share_room()

    def _share_room(self) -> None:
        """What is known of a file lies beside the list or below it; in a small panel the list alone has room."""
        width, height = self.width(), self.height()
        beside = width >= scaled(BESIDE) and width * TALL >= height
        self.split.setOrientation(Qt.Orientation.Horizontal if beside else Qt.Orientation.Vertical)
        self.details.setVisible(beside or height >= scaled(BELOW))
        if not self._moved:
            whole = width if beside else height
            part = max(scaled(DETAILS), round(whole * 0.34)) if beside else round(whole * 0.42)
            self.split.setSizes([whole - part, part])

    def _remember_share(self) -> None:
        self._moved = True

    def _connect(self) -> None:
        self.field.textChanged.connect(self._ask)
        self.field.installEventFilter(self)
        for box in (self.kinds, self.families, self.orders):
            box.activated.connect(self._ask)
        self.list.activated.connect(self._place)
        self.list.starring.connect(self._star)
        self.list.selectionModel().selectionChanged.connect(self._show)
        self.list.selectionModel().currentChanged.connect(self._show)
        self.rows.filled.connect(self._show)
        self.rows.thumbnails.loaded.connect(self.details.repaint_picture)
        self.details.noted.connect(self.shelves.note)
        self.details.hash_wanted.connect(self.shelves.hashing.begin)
        self.shelves.hashing.changed.connect(self._show_hashing)
        self.details.words_wanted.connect(self.words_wanted)
        self._asking.answered.connect(self._take)
        self._asking.failed.connect(self.failed)
        self._refresh = WhenSeen(self, self._ask_again)
        self.shelves.changed.connect(self._refresh.ask)
        self.shelves.pictures.changed.connect(self._show)
        self._refresh.ask()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """From the search one goes down into the list."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Down:
            if self.rows.rowCount():
                self.list.setFocus()
                self.list.setCurrentIndex(self.rows.index(max(self.list.currentIndex().row(), 0)))
            return True
        return False

    # Searching ----------------------------------------------------------------------------------------

    def show_fitting(self, families: tuple[str, ...]) -> None:
        """families: of what is selected in the document that is shown, or of all of it; by their names."""
        if families != self.fitting:
            self.fitting = families
            self._name_fitting()
            if self.fits.isChecked():
                self._ask()

    def _name_fitting(self) -> None:
        titles = [self.shelves.stock.families.get(name, name) for name in self.fitting]
        told = f"Show what goes with {' or '.join(titles)} alone" if titles else "The document has no model yet"
        self.fits.setToolTip(told)
        self.fits.setEnabled(bool(titles) or self.fits.isChecked())

    def _query(self) -> Query:
        order = ORDERS[self.orders.currentText()]
        return Query(
            self.field.text(),
            _chosen(self.kinds),
            _chosen(self.families),
            self.fitting if self.fits.isChecked() else (),
            self.starred.isChecked(),
            order or "name",
            self.shelves.recent if order is None else (),
        )

    def _ask(self, *_: object) -> None:
        query = self._query()
        self._asking.ask(partial(_search, query, 0, (), keep=False))

    def _ask_again(self) -> None:
        """The same search, of a library that has changed."""
        query = self._query()
        keep = query == self._searched
        self._asking.ask(partial(_search, query, self.list.top() if keep else 0, self.list.chosen(), keep=keep))

    def _take(self, found: _Found) -> None:
        self._searched = self._query()
        chosen, top = self.list.chosen(), self.list.top()
        current = self.rows.path(self.list.currentIndex().row()) if self.list.currentIndex().isValid() else ""
        first = self.rows.path(top) if found.keep and self.rows.rowCount() else ""
        self.rows.show(found.paths, found.known)
        self._select_again(chosen, current)
        if found.keep:
            self._scroll_back(first, top)
        if found.counts != self._counts:
            self._counts = found.counts
            _offer(self.kinds, "All kinds", self.shelves.stock.kinds, found.counts.kinds)
            _offer(self.families, "All families", self.shelves.stock.families, found.counts.families)
        self._show()

    def _select_again(self, chosen: Sequence[str], current: str) -> None:
        """What was selected stays so, as far as it is still listed."""
        model, selection = self.list.selectionModel(), QItemSelection()
        for row in filter(lambda row: row >= 0, map(self.rows.row, chosen)):
            selection.select(self.rows.index(row), self.rows.index(row))
        if (row := self.rows.row(current)) >= 0:
            model.setCurrentIndex(self.rows.index(row), QItemSelectionModel.SelectionFlag.NoUpdate)
        model.select(selection, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    def _scroll_back(self, first: str, top: int) -> None:
        """To the file that was seen first; where it is gone, to its row."""
        row = self.rows.row(first)
        row = row if row >= 0 else min(top, self.rows.rowCount() - 1)
        if row >= 0:
            self.list.scrollTo(self.rows.index(row), QListView.ScrollHint.PositionAtTop)

    # Showing ------------------------------------------------------------------------------------------

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What is selected, as far as it is known."""
        found = (self.rows.entry(self.rows.row(path)) for path in self.list.chosen())
        return tuple(entry for entry in found if entry is not None)

    def _show(self, *_: object) -> None:
        chosen = self.list.chosen()
        for name, action in self.acts.items():
            action.setEnabled(len(chosen) > 0 if name in ("place", "star", "path") else len(chosen) == 1)
        entries = self.entries if len(chosen) <= PAGE else ()
        self.acts["star"].setText("Unstar" if entries and all(entry.starred for entry in entries) else "Star")
        self.acts["own"].setEnabled(len(chosen) == 1 and bool(self.shelves.pictures.of(chosen[0])))
        self.details.show_entry(entries[0] if len(chosen) == 1 and entries else None)
        self._show_hashing()
        any_shown = self.rows.rowCount() > 0
        if not any_shown:
            self._say_why_nothing()
        self.empty.setVisible(not any_shown)
        self.split.setVisible(any_shown)

    def _say_why_nothing(self) -> None:
        """And what can be done."""
        if self._searched is None:
            said, way = "Looking…", ""
        elif self._counts.all:
            said, way = "No model matches.", "Show all"
        elif not self.shelves.folders:
            said = "Models that you have appear here, from the folders you choose. Nothing is moved or copied."
            way = "Choose folders…"
        elif self.shelves.scanning.running:
            said, way = "Looking through your folders…", ""
        else:
            said, way = f"There is no model in {' or '.join(self.shelves.folders[:3])}.", "Folders…"
        self.hint.setText(said)
        self.way_out.setText(way)
        self.way_out.setVisible(bool(way))

    def _leave_nothing(self) -> None:
        if not self._counts.all:
            self.folders_wanted.emit()
            return
        for box in (self.kinds, self.families):
            box.setCurrentIndex(0)
        for button in (self.fits, self.starred):
            button.setChecked(False)
        self.field.clear()
        self._ask()

    # Doing --------------------------------------------------------------------------------------------

    def _place(self, *_: object) -> None:
        if chosen := self.list.chosen():
            self.placed.emit(chosen)

    def _use(self) -> None:
        self.used.emit(self.list.chosen()[0])

    def _star(self) -> None:
        """All of them are starred, or else none any more."""
        if chosen := self.list.chosen():
            self.shelves.star(chosen, on=not all(entry.starred for entry in self.entries))

    def _open_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(self.list.chosen()[0]).parent)))

    def _keep_picture(self) -> None:
        """What lies there goes only when a person says so."""
        path = self.list.chosen()[0]
        place = place_of(path)
        answers = QMessageBox.StandardButton
        if place.exists():
            text = f"{place.name} is there already. Write over it?"
            if QMessageBox.question(self, "Its picture", text, answers.Yes | answers.No, answers.No) != answers.Yes:
                return
        self.rows.thumbnails.forget(str(place))
        self.shelves.keep_picture(path)

    def _show_hashing(self) -> None:
        entry, hashing = self.details.entry, self.shelves.hashing
        own = entry is not None and entry.path == hashing.path
        self.details.show_hashing(hashing.fraction if own else None)

    def _copy_paths(self) -> None:
        QApplication.clipboard().setText("\n".join(self.list.chosen()))


def _search(query: Query, top: int, chosen: Sequence[str], library: Library, *, keep: bool) -> _Found:
    """With what is known of those that are seen first, and of what is selected."""
    paths = library.paths(query)
    known = library.entries([*paths[top : top + PAGE], *chosen[:PAGE]])
    return _Found(paths, known, library.counts(), keep)


def _choices(name: str) -> ComboBox:
    made = ComboBox()
    made.setAccessibleName(name)
    made.bound(LETTERS)
    tame(made)
    return made


def _offer(box: QComboBox, all: str, titles: Mapping[str, str], counts: Mapping[str, int]) -> None:
    """What there are any of, in the order of the titles; what was chosen stays so."""
    chosen = box.currentData()
    box.clear()
    box.addItem(all, None)
    for name, title in titles.items():
        if counts.get(name) or name == chosen:
            box.addItem(f"{title} ({counts.get(name, 0)})", name)
    box.setCurrentIndex(max(box.findData(chosen), 0))


def _chosen(box: QComboBox) -> tuple[str, ...]:
    return () if box.currentData() is None else (box.currentData(),)

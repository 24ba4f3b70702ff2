"""The pictures of the gallery that match what is searched for, as rows of a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    QTimer,
    QUrl,
    Signal,
)
from PySide6.QtWidgets import QWidget

from ui.runs.picture_index import Gallery, Made, words_of
from ui.widgets.seen import WhenSeen
from ui.widgets.stretches import stretches
from ui.widgets.thumbnails import Thumbnails

PATH = Qt.ItemDataRole.UserRole
STARRED = Qt.ItemDataRole.UserRole + 1
COMPLAINT = Qt.ItemDataRole.UserRole + 2
"""Why there is no picture to be seen."""

RATING = Qt.ItemDataRole.UserRole + 3

Order = Literal["newest", "oldest", "best"]
ORDERS: dict[Order, str] = {"newest": "Newest first", "oldest": "Oldest first", "best": "Best first"}

PIECE = 500
"""Pictures that are searched in one go: the window answers in between."""

Index = QModelIndex | QPersistentModelIndex


class Wanted(NamedTuple):
    """Which pictures are listed, and how. rating: the least; board: on this one, empty for all."""

    text: str = ""
    starred_only: bool = False
    rating: int = 0
    board: str = ""
    order: Order = "newest"

    def takes(self, made: Made, words: Sequence[str]) -> bool:
        return (
            (made.starred or not self.starred_only)
            and made.rating >= self.rating
            and (not self.board or self.board in made.boards)
            and made.matches(words)
        )

    def ordered(self, pictures: Iterable[Made]) -> Iterator[Made]:
        """pictures: the oldest first."""
        if self.order == "oldest":
            return iter(list(pictures))
        newest = list(pictures)[::-1]
        return iter(sorted(newest, key=lambda made: -made.rating) if self.order == "best" else newest)


class Shown(QAbstractListModel):
    """What comes while nobody sees the panel is listed when it comes into view.

    The order is made when something is looked for: what is rated meanwhile does not run away from under the pointer,
    and where the newest is not the first, what comes is listed last.
    """

    searched = Signal()  # further pictures were looked at, or all

    def __init__(self, gallery: Gallery, panel: QWidget) -> None:
        super().__init__(panel)
        self.gallery, self.thumbnails = gallery, Thumbnails(self)
        self._fits: Callable[[Made], bool] = bool
        self._wanted = Wanted()
        self._paths: list[str] = []
        self._numbers: dict[str, int] = {}  # by path; one less from each row to the next
        self._new: list[Made] = []  # that are not looked at yet
        self._old: Iterator[Made] = iter(())  # the same, of those before the last row
        self.searching = False
        self._next = QTimer(self, interval=0, singleShot=True)
        self._next.timeout.connect(self._search_on)
        self._arrivals = WhenSeen(panel, self._take_in)
        gallery.added.connect(self._add)
        gallery.removing.connect(self._remove)
        gallery.changed.connect(self._touch_all)
        gallery.returned.connect(lambda: self.look_for(self._wanted))
        self.thumbnails.loaded.connect(self._touch)
        self.look_for(Wanted())

    def look_for(self, wanted: Wanted) -> None:
        """The first are found at once, the rest piece by piece."""
        self._wanted = wanted
        words = words_of(wanted.text)
        self._fits = lambda made: wanted.takes(made, words)
        self.beginResetModel()
        self._paths, self._numbers, self._new = [], {}, []
        self.endResetModel()
        self._old = wanted.ordered(self.gallery.pictures.values())
        self._search_on()

    def _search_on(self) -> None:
        piece = list(islice(self._old, PIECE))
        known = self.gallery.pictures
        self._insert(len(self._paths), [made.path for made in piece if made.path in known and self._fits(made)])
        self.searching = len(piece) == PIECE
        if self.searching:
            self._next.start()
        self.searched.emit()

    def _insert(self, row: int, paths: Sequence[str]) -> None:
        """At the first row, or after the last."""
        if not paths:
            return
        top = self._numbers[self._paths[0]] if self._paths else 0
        first = top + len(paths) if row == 0 else top - row
        self.beginInsertRows(QModelIndex(), row, row + len(paths) - 1)
        self._paths[row:row] = paths
        self._numbers.update(zip(paths, range(first, first - len(paths), -1), strict=True))
        self.endInsertRows()

    def _add(self, made: Made) -> None:
        self._new.append(made)
        self._arrivals.ask()

    def _take_in(self) -> None:
        """Show what came."""
        newest = self._wanted.order == "newest"
        came = reversed(self._new) if newest else self._new
        found = [made.path for made in came if self._fits(made) and made.path not in self._numbers]
        self._new = []
        self._insert(0 if newest else len(self._paths), found)
        self.searched.emit()

    def _remove(self, paths: Sequence[str]) -> None:
        gone = set(paths)
        self._new = [made for made in self._new if made.path not in gone]
        rows = sorted(row for path in paths if (row := self.row(path)) >= 0)
        for path in paths:
            self.thumbnails.forget(path)
        for first, last in reversed(stretches(rows)):
            self.beginRemoveRows(QModelIndex(), first, last)
            del self._paths[first : last + 1]
            self.endRemoveRows()
        if rows:
            self._numbers = {path: -row for row, path in enumerate(self._paths)}

    def _touch_all(self, paths: Iterable[str]) -> None:
        for path in paths:
            self._touch(path)

    def _touch(self, path: str) -> None:
        if (row := self.row(path)) >= 0:
            self.dataChanged.emit(self.index(row), self.index(row))

    def path(self, row: int) -> str:
        return self._paths[row]

    def row(self, path: str) -> int:
        """-1 for one that is not shown."""
        return self._numbers[self._paths[0]] - self._numbers[path] if path in self._numbers else -1

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  what Qt's own default is
        return 0 if parent.isValid() else len(self._paths)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        path = self._paths[index.row()]
        made = self.gallery.pictures[path]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return Path(path).name
            case Qt.ItemDataRole.DecorationRole:
                return self.thumbnails.get(path)
            case Qt.ItemDataRole.ToolTipRole:
                return "\n".join(filter(None, (path, _time(made), made.text)))
            case Qt.ItemDataRole.AccessibleTextRole:
                rated = f", rated {made.rating}" if made.rating else ""
                return f"{Path(path).name}, {_time(made)}{', starred' if made.starred else ''}{rated}"
            case _:
                own: dict[int, Any] = {PATH: path, STARRED: made.starred, RATING: made.rating}
                return self.thumbnails.complaint(path) if role == COMPLAINT else own.get(role)

    def flags(self, index: Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsDragEnabled

    def mimeData(self, indexes: Iterable[QModelIndex]) -> QMimeData:  # type: ignore[override]
        """The files, as other programs take them."""
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(index.data(PATH)) for index in indexes])
        return data


def _time(made: Made) -> str:
    return datetime.fromtimestamp(made.made).strftime("%d %b %Y, %H:%M")

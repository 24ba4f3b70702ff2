"""The library of files as the window has it: asked, looked through and kept fresh beside the window's own work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from nodegraph.domain import Stock
from nodegraph.graph import Graph
from nodegraph.group_type import document_types
from nodegraph.library.entry import Content, Entry
from nodegraph.library.library import Library
from nodegraph.library.missing import described
from nodegraph.registry import Registry
from ui.base.settings import MAX_RECENT
from ui.runs.picture_index import Gallery
from ui.shelves.asking import Asking, Reader
from ui.shelves.downloads import Downloads
from ui.shelves.hashing import Hashing
from ui.shelves.own_pictures import OwnPictures
from ui.shelves.own_thumbnail import keep
from ui.shelves.scanning import Scanning

LOOK_MS = 400
"""Between two looks at whether the library is another than before: whoever scans is another process."""


T = TypeVar("T")


class Shelves(QObject):
    """stock: what there may be. pictures: that one made with the files. contents: by path, where the hash is known."""

    changed = Signal()  # there are other files, or something else is known of them
    used_changed = Signal()
    failed = Signal(str)  # why something could not be done, as a sentence

    _done = Signal(object, object, str)  # from the other thread: who is told, what, and why it came to nothing

    def __init__(
        self, folder: Path, stock: Stock, gallery: Gallery, package: str, parent: QObject | None = None
    ) -> None:
        """folder: of the library's own files. package: of the nodes that say what a file is."""
        super().__init__(parent)
        self.folder, self.stock, self.package = folder, stock, package
        self.pictures = OwnPictures(gallery, self)
        self.scanning = Scanning(folder, package, self)
        self.downloads = Downloads(folder, package, self)
        self.downloads.fetched.connect(self._list)
        self.hashing = Hashing(folder, self)
        self.hashing.finished.connect(self.look)
        self.hashing.failed.connect(self.failed)
        self.scanning.finished.connect(self._scanned)
        self.scanning.failed.connect(self.failed)
        self._reader = Reader(lambda: Library(folder, stock.families))
        self.used: tuple[str, ...] = ()
        self.contents: Mapping[str, Content] = {}
        self._version: object = None
        self._looking = Asking(self._reader, self)
        self._looking.answered.connect(self._looked)
        self._looking.failed.connect(self._complain)
        self._done.connect(self._take, Qt.ConnectionType.QueuedConnection)
        self._look = QTimer(self, interval=LOOK_MS)
        self._look.timeout.connect(self.look)

    def start(self) -> None:
        """From now on follow what is in the folders; nothing is done while nobody has chosen any."""
        if self.folder.exists():
            self._begin()

    def _begin(self) -> None:
        self._look.start()
        self.look()

    def _use(self, folders: tuple[str, ...]) -> None:
        if folders != self.folders:
            self.scanning.use(folders)
            self.changed.emit()

    @property
    def folders(self) -> tuple[str, ...]:
        """That are looked in, in this order."""
        return self.scanning.roots

    def choose(self, folders: tuple[str, ...]) -> None:
        """Look in these folders from now on."""
        if folders != self.folders:
            self.do(lambda library: library.set_roots(folders))
            self._begin()

    def _list(self, path: str) -> None:
        """What was fetched."""
        if any(Path(path).is_relative_to(folder) for folder in self.folders):
            self.scanning.begin()
        else:
            self.choose((*self.folders, str(Path(path).parent)))

    def _scanned(self) -> None:
        self.look()
        self.do(Library.folders, lambda found: self.scanning.watch(found))

    def look(self) -> None:
        """Whether the library is another than before."""
        self._looking.ask(Library.version)

    def _looked(self, version: object) -> None:
        before, self._version = self._version, version
        if version != before:
            self.do(Library.roots, self._use)  # the command may have chosen others
            self.do(Library.contents, self._know)
            self.changed.emit()

    def _know(self, contents: Mapping[str, Content]) -> None:
        self.contents = contents

    def described(self, graph: Graph, registry: Registry) -> Graph:
        """A workflow that goes to others: it says of its files what is known of them by now."""
        if not self.contents:
            return graph
        try:
            return described(graph, document_types(graph.groups, registry).get, self.contents)
        except ValueError:  # of needs that cannot be read nothing is changed
            return graph

    def _complain(self, why: str) -> None:
        """Once, and not at every look."""
        self._look.stop()
        self.failed.emit(why)

    def asking(self, parent: QObject) -> Asking:
        """For whoever asks again and again."""
        return Asking(self._reader, parent)

    def do(self, act: Callable[[Library], T], then: Callable[[T], object] | None = None) -> None:
        """Ask, or change, something once."""
        self._reader.submit(act, lambda found, why: self._done.emit(then, found, why))

    def _take(self, then: Callable[[object], object] | None, found: object, why: str) -> None:
        if why:
            self.failed.emit(why)
        elif then is not None:
            then(found)
        if then is None:  # something was changed
            self.look()

    def star(self, paths: tuple[str, ...], on: bool) -> None:
        self.do(lambda library: [library.star(path, on) for path in paths])

    def note(self, path: str, text: str) -> None:
        self.do(lambda library: library.note(path, text))

    def keep_picture(self, path: str) -> None:
        """The newest picture that was made with a file lies beside it from now on."""
        if picture := self.pictures.of(path):
            self.do(lambda _: keep(picture, path), lambda _: self.scanning.begin())

    def close(self) -> None:
        self._look.stop()
        self.scanning.close()
        self.downloads.close()
        self.hashing.close()
        self._reader.close()

    @property
    def recent(self) -> tuple[str, ...]:
        """The files that were used last, the latest first."""
        return tuple(dict.fromkeys((*self.used, *self.pictures.newest)))

    def use_file(self, path: str) -> None:
        """Remember that it was used."""
        self.used = tuple(dict.fromkeys((path, *self.used)))[:MAX_RECENT]
        self.used_changed.emit()

    # Words --------------------------------------------------------------------------------------------

    def kind(self, entry: Entry) -> str:
        """What people call one of its kind; the stock has the word for several."""
        return self.stock.kinds.get(entry.kind, entry.kind).removesuffix("s")

    def picture(self, entry: Entry) -> str:
        """Of the file's own beside it, or else the newest that one made with it; empty when there is none."""
        return entry.thumbnail or self.pictures.of(entry.path)

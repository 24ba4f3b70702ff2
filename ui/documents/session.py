"""The documents that are open, and what makes sure that none of them is lost."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from uuid import uuid4

from PySide6.QtCore import QLockFile, QObject, QSize, QTimer, Signal
from PySide6.QtGui import QImage

from nodegraph.editing import places
from nodegraph.formats import png, workflow
from nodegraph.formats.files import Damaged, read_limited, reason, remove_leftovers
from nodegraph.graph import Graph
from nodegraph.pieces import Pieces, finish
from nodegraph.registry import Registry
from ui.base.lock import lock
from ui.base.state_folder import MAX_RECENT, make_folders, read_recent, unusable, write_recent
from ui.documents import journal
from ui.documents.document import Document
from ui.documents.file_watch import FileWatch
from ui.documents.journal import UNTITLED, Journal, State
from ui.documents.pasted import take_along
from ui.documents.recovery import JOURNAL, clean_journals, clean_saves, count_tries, journals_in, lock_of
from ui.documents.versions import History, Version, history_of
from ui.widgets.pixmaps import fitted, png_bytes

RECOVERY_MS = 2000  # after which a program that answers has recovered its documents
JOURNAL_PAUSE = 500  # ms from an edit to its record; a held slider makes two records a second
THUMBNAIL = QSize(320, 320)


@dataclass(slots=True)
class _Kept:
    """An open document with its journal, if it has one. lock: says to other instances that the journal is in use."""

    document: Document
    journal: Journal | None
    lock: QLockFile | None
    written: State | None = None


class Session(QObject):
    """Opens, saves and closes documents. Every edit is on the disk within two seconds, whatever happens to the program.

    folder: holds journals, versions and the list of recent files; several instances may share it. A document is
    edited through itself; it is opened, saved and closed here.

    safe: whether the folder could be written to at the start; documents have no journals if not. complaints: what was
    wrong with it and the files in it, as sentences.
    """

    file_touched = Signal(Document)  # another program changed its file: ask whether to reload() or to go on
    recent_changed = Signal()
    troubled = Signal(str)  # what could not be kept, as a sentence; the documents are as they were

    _failed = Signal(str)  # from the thread that writes

    def __init__(self, registry: Registry, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.registry, self.folder = registry, folder
        self.complaints: list[str] = []
        self.safe = self._prepare()
        self.recent: tuple[Path, ...] = self._read_recent(self.complaints.append)
        self._open: list[_Kept] = []
        self._tried: list[Path] = []  # journals whose recovery has begun
        # Writing waits for the disk, so the window does not do it. One thread: records stay in order.
        self._writer = ThreadPoolExecutor(1, "journal")
        self._keeping: Future[None] | None = None  # of the newest version
        self._pause = QTimer(self, interval=JOURNAL_PAUSE, singleShot=True)
        self._pause.timeout.connect(self.write)
        self._watch = FileWatch(self)
        self._watch.touched.connect(self._file_touched)
        self._failed.connect(self.troubled)

    def _prepare(self) -> bool:
        try:
            self.complaints += make_folders((self._journals, self._versions))
            remove_leftovers(self.folder)
            clean_journals(self._journals)
        except (OSError, ValueError) as error:
            self.complaints.append(unusable(self.folder, error))
            return False
        return True

    @property
    def _journals(self) -> Path:
        return self.folder / "journals"

    @property
    def _versions(self) -> Path:
        return self.folder / "versions"

    @property
    def documents(self) -> tuple[Document, ...]:
        return tuple(kept.document for kept in self._open)

    # Opening and closing ------------------------------------------------------------------------------

    def new(self, graph: Graph | None = None, title: str = UNTITLED) -> Document:
        """A document without a file, empty or with a graph such as a template's. title: until it is saved."""
        document = Document(self.registry, graph, self)
        document.working_title = self._unused(title)
        path = self._journals / f"{uuid4().hex}{JOURNAL}"
        if self.safe and (held := lock(lock_of(path))):
            self._keep(document, Journal(path), held)
        elif self.safe:
            raise ValueError(f"{path.parent} cannot be written to; set DENOODLE_STATE to another folder")
        else:
            self._keep(document, None, None)
        return document

    def open(self, path: Path) -> Document:
        """The workflow in a JSON file, or in a picture made by the program; the same document when it is open already.

        Raises ValueError when there is none that can be read.
        """
        return finish(self.opening(path))

    def opening(self, path: Path) -> Pieces[Document]:
        """The same in pieces."""
        path = path.absolute()
        if found := self.find(path):
            return found
        try:
            graph = places.opened((yield from workflow.loading(path)), self.registry, path.parent)
        except ValueError:
            if not path.exists():
                self._set_recent(tuple(known for known in self.recent if known != path))
            raise
        yield  # from here on at once: a document that nobody shows would never be closed
        document = self.new(graph, path.stem)
        # A picture is what the workflow made, not its file: saving asks for a name.
        if not png.is_png(path):
            self._has_file(document, path)
        return document

    def find(self, path: Path) -> Document | None:
        """The open document with this file."""
        return next((d for d in self.documents if d.path and _same_file(d.path, path)), None)

    def begin_recovery(self) -> tuple[str, ...]:
        """Count one more try to recover each journal, and set aside those of which all tries failed.

        What was set aside, as sentences. A try has failed when the program ends before it answers again for a while.
        """
        QTimer.singleShot(RECOVERY_MS, self, self.recovered)
        self._tried, complaints = count_tries(self._journals)
        return tuple(complaints)

    def recovered(self) -> None:
        """Every document that was recovered is shown, and the program answers."""
        for path in self._tried:
            journal.forget_tries(path)
        self._tried.clear()

    def restore(self) -> tuple[Document, ...]:
        """Open what was open, with its unsaved changes, when the program last ended without closing its documents.

        The one that was edited last comes last.
        """
        return tuple(filter(None, map(self._restored, journals_in(self._journals))))

    def close(self, document: Document) -> None:
        """Forget a document; its unsaved changes are gone."""
        kept = self._kept(document)
        self._open.remove(kept)
        if document.path and not self.find(document.path):
            self._watch.leave(document.path)
        # After the writes that are under way. Unlocked last: another instance must not find the journal in between.
        if kept.journal and kept.lock:
            self._writer.submit(kept.journal.remove).result()
            kept.lock.unlock()
        document.deleteLater()  # after its views; what is connected to it would keep all of them

    def end(self) -> None:
        """Close all documents and stop the writing; the session is of no use afterwards."""
        for document in self.documents:
            self.close(document)
        self.recovered()
        self._writer.shutdown()

    # Files --------------------------------------------------------------------------------------------

    def save(self, document: Document, path: Path, thumbnail: QImage | None = None) -> None:
        """Write the workflow, make it the document's file, and keep it in the history.

        thumbnail: the picture it shows. Raises ValueError; the old file is intact then.
        """
        finish(self.saving(document, path, thumbnail))

    def saving(self, document: Document, path: Path, thumbnail: QImage | None = None) -> Pieces[None]:
        """The same in pieces."""
        path = path.absolute()
        if self.find(path) not in (None, document):
            raise ValueError(f"{path} is open in another tab; close it there, or save under another name")
        self._keep_version(path, None)  # what another program wrote there
        self.flush()  # so that after a crash the journal is never older than the file
        self._take_along(document, path)
        before = document.path
        yield from document.saving(path)
        if before and before != path:
            self._watch.leave(before)
        self._keep_version(path, thumbnail)
        self._has_file(document, path)

    def reload(self, document: Document) -> None:
        """Show what the document's file holds now; one step that can be undone. Raises ValueError."""
        if document.path is None:
            raise ValueError("the document has no file yet; save it first")
        self._watch.accept(document.path)  # first: what is written from now on is noticed
        graph = self._read(document.path)
        document.show_version("Reload the file", graph)
        document.undo_stack.setClean()

    def check_files(self) -> None:
        """Look whether files were changed; needed only where the system does not tell, as on some network drives."""
        self._watch.check()

    # History ------------------------------------------------------------------------------------------

    def versions(self, document: Document) -> tuple[Version, ...]:
        """What was saved as the document's file, newest first."""
        if self._keeping:
            self._keeping.exception()  # waits
        return self._history(document.path).versions() if document.path else ()

    def show_version(self, document: Document, version: Version) -> None:
        """Show what was saved then; one step that can be undone. Raises ValueError when it cannot be read."""
        graph = workflow.load(version.file)
        if document.path:
            graph = places.opened(graph, self.registry, document.path.parent)
        document.show_version("Restore a version", graph)

    def _history(self, path: Path) -> History:
        return history_of(self._versions, path)

    def _keep_version(self, path: Path, thumbnail: QImage | None) -> None:
        """Keep what is in a file now: have the thread that writes do it."""
        try:
            if path.exists() and not path.is_file():
                return  # a pipe, or the like: reading takes away what is in it
            text, saved = read_limited(path, workflow.MAX_BYTES), path.stat().st_mtime
        except FileNotFoundError:
            return  # saved for the first time
        except (OSError, ValueError) as error:
            self.troubled.emit(f"The version history of {path.name} could not be kept: {reason(error)}")
            return

        def keep() -> None:
            picture = png_bytes(fitted(thumbnail, THUMBNAIL)) if thumbnail else b""
            try:
                self._history(path).keep(text, picture, saved)
            except OSError as error:
                self._failed.emit(f"The version history of {path.name} could not be kept: {reason(error)}")

        self._keeping = self._writer.submit(keep)

    # Journals -----------------------------------------------------------------------------------------

    def write(self) -> None:
        """Hand every change to the thread that writes."""
        for kept in self._open:
            document = kept.document
            on_disk = self._watch.known(document.path) if document.path else None
            state = State(document.graph, document.path, on_disk, document.dirty, document.working_title)
            if kept.journal and state != kept.written:
                kept.written = state
                self._writer.submit(kept.journal.write, state).add_done_callback(self._wrote)

    def flush(self) -> None:
        """Return when every edit so far is on the disk."""
        self.write()
        self._writer.submit(lambda: None).result()

    def _wrote(self, done: Future[None]) -> None:
        if error := done.exception():
            self._failed.emit(f"Changes are not safe against a crash: {reason(error)}; save the workflow")

    def _changed(self) -> None:
        if not self._pause.isActive():
            self._pause.start()

    def _keep(self, document: Document, journal: Journal | None, lock: QLockFile | None) -> None:
        self._open.append(_Kept(document, journal, lock))
        document.changed.connect(self._changed)
        document.file_changed.connect(self._changed)
        self._changed()

    def _kept(self, document: Document) -> _Kept:
        return next(kept for kept in self._open if kept.document is document)

    def _restored(self, path: Path) -> Document | None:
        held = lock(lock_of(path))
        if held is None:
            return None
        try:
            state = journal.read(path)
        except FileNotFoundError:  # another instance has just closed it
            held.unlock()
            return None
        except Damaged as error:
            self.troubled.emit(f"A document could not be recovered: {error}")
            held.unlock()
            return None
        # Two windows had the file: it is that of the first, and what the other made of it a document without one.
        twin = state.path is not None and self.find(state.path) is not None
        if twin and state.path:
            state = state._replace(path=None, title=state.path.stem)
        if state.path is None and not state.dirty and (twin or not state.graph.nodes):  # nothing would be missed
            path.unlink()
            held.unlock()
            return None
        return self._reopen(state, path, held)

    def _reopen(self, state: State, path: Path, lock: QLockFile) -> Document:
        document = Document(self.registry, self._saved(state), self)
        document.path = state.path
        document.working_title = self._unused(state.title)
        document.show_version("Recover unsaved changes", state.graph)
        if state.path:
            clean_saves(state.path, self._history(state.path))
            self._watch.expect(state.path, state.on_disk)
        self._keep(document, Journal(path), lock)
        return document

    # The files of documents ---------------------------------------------------------------------------

    def _read(self, path: Path) -> Graph:
        return places.opened(workflow.load(path), self.registry, path.absolute().parent)

    def _saved(self, state: State) -> Graph:
        """What is without its unsaved changes: what its file holds."""
        if not state.dirty:
            return state.graph
        try:
            return self._read(state.path) if state.path else Graph()
        except ValueError:  # whoever watches the file says that it is gone or damaged
            return Graph()

    def _take_along(self, document: Document, path: Path) -> None:
        """Pasted pictures lie beside the file of their document, wherever that is saved, so both can be given away."""
        try:
            names = take_along(places.paths(document.graph, self.registry), path)
        except ValueError as error:
            self.troubled.emit(str(error))
            return
        if names:
            document.edit("Take pasted pictures along", places.renamed, self.registry, names)

    def _unused(self, title: str) -> str:
        """The title, with a number where another document has it; an empty one is about to give up its place."""
        taken = {document.name for document in self.documents if document.graph.nodes or document.dirty}
        return next(name for n in count(1) if (name := title if n == 1 else f"{title} {n}") not in taken)

    def _has_file(self, document: Document, path: Path) -> None:
        document.path = path
        self._watch.accept(path)
        self._set_recent(
            (path, *(known for known in self._read_recent(self.troubled.emit) if known != path))[:MAX_RECENT]
        )
        document.file_changed.emit()

    def _file_touched(self, path: Path) -> None:
        try:
            found = self._read(path)
        except ValueError:
            found = None
        for document in (d for d in self.documents if d.path == path):
            if document.graph == found:
                document.undo_stack.setClean()
            else:
                document.undo_stack.resetClean()  # what the document holds is in no file now
                self.file_touched.emit(document)

    def _read_recent(self, complain: Callable[[str], None]) -> tuple[Path, ...]:
        try:
            return read_recent(self.folder)
        except FileNotFoundError:
            return ()
        except Damaged as error:
            complain(str(error))
            return ()

    def _set_recent(self, paths: tuple[Path, ...]) -> None:
        self.recent = paths
        try:
            write_recent(self.folder, paths)
        except OSError as error:
            self.troubled.emit(f"The list of recent files could not be kept: {reason(error)}")
        self.recent_changed.emit()


def _same_file(a: Path, b: Path) -> bool:
    return a.resolve() == b.resolve()

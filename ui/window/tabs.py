"""The open documents, one in each tab, and what people do with files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QMouseEvent, QResizeEvent
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QInputDialog,
    QMenu,
    QMessageBox,
    QTabBar,
    QTabWidget,
    QToolButton,
    QWidget,
)

from nodegraph import machine, program
from nodegraph.editing.places import opened
from nodegraph.graph import Graph
from nodegraph.pieces import Pieces
from ui.base.icons import icon
from ui.base.slices import Slices
from ui.canvas.commands.selection import MANY, insert_file
from ui.documents.document import Document
from ui.documents.journal import UNTITLED
from ui.documents.session import Session
from ui.widgets.editors import finish_typing
from ui.widgets.file_fields import ask_target
from ui.widgets.piecework import Piecework, waited_for
from ui.window.workspace import Workspace

SUFFIXES = (".json", ".denoodle")
OPENED = "Workflows (*.json *.denoodle *.png);;Everything (*)"
SAVED = "Workflows (*.json *.denoodle)"
UNSAVED = "●"

AT_ONCE = 1 << 18
"""Bytes of a file that is read before anybody notices: some thousand nodes."""


class TabBar(QTabBar):
    """The middle button closes a tab."""

    def wanted(self) -> int:
        """Pixels that all tabs take when each has its whole name."""
        return sum(self.tabSizeHint(index).width() for index in range(self.count()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        at = self.tabAt(event.position().toPoint())
        if event.button() == Qt.MouseButton.MiddleButton and at >= 0:
            self.tabCloseRequested.emit(at)
        else:
            super().mouseReleaseEvent(event)


class Tabs(QTabWidget):
    """There is always one tab at least. make: a workspace for a document; the tabs close it again."""

    switched = Signal(object)  # the Workspace that is shown from now on
    opened = Signal(object)  # the Workspace of a document that was opened just now, from a file or a template
    closed = Signal()  # a document, with its workspace; there may be much to collect
    retitled = Signal()  # a file name, or whether there are unsaved changes

    def __init__(self, session: Session, make: Callable[[Document], Workspace]) -> None:
        super().__init__()
        self._saving = Slices(self)
        self.session, self._make = session, make
        self._workspaces: dict[QWidget | None, Workspace] = {}  # by their page
        self._asked: set[Document] = set()  # whether to show what another program made of its file
        self.setTabBar(TabBar(self))
        self.setDocumentMode(True)
        self.setMovable(True)
        self.tabBar().setExpanding(False)
        self.tabBar().setAccessibleName("Open documents")
        self._build_new_button()
        self.tabBar().tabCloseRequested.connect(lambda index: self.close_tab(self._at(index)))
        self.currentChanged.connect(self._switched)
        session.file_touched.connect(self._ask_reload)
        self.show_document(session.new())

    def _build_new_button(self) -> None:
        button = QToolButton()
        button.setIcon(icon("plus"))
        button.setToolTip("New document")
        button.setAccessibleName("New document")
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.clicked.connect(lambda: self.new())
        self.list_button = QToolButton()
        self.list_button.setIcon(icon("chevron-down"))
        self.list_button.setToolTip("All open documents")
        self.list_button.setAccessibleName("All open documents")
        self.list_button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list_button.clicked.connect(lambda: self.list_documents())
        self.list_button.hide()
        corner = QWidget()
        row = QHBoxLayout(corner)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.list_button)
        row.addWidget(button)
        self.setCornerWidget(corner, Qt.Corner.TopRightCorner)

    def _close_button(self, workspace: Workspace) -> QToolButton:
        button = QToolButton()
        button.setObjectName("close")
        button.setIcon(icon("x", "dim"))
        button.setToolTip("Close (middle click)")
        button.setAccessibleName("Close the document")
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.clicked.connect(lambda: self.close_tab(workspace))
        return button

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._offer_list()

    def tabInserted(self, index: int) -> None:
        super().tabInserted(index)
        self._offer_list()

    def tabRemoved(self, index: int) -> None:
        super().tabRemoved(index)
        self._offer_list()

    def _offer_list(self) -> None:
        """Where not all tabs have room. The list's own button counts as there, or it would come and go."""
        corner = self.cornerWidget(Qt.Corner.TopRightCorner)
        bar = self.tabBar()
        if not isinstance(bar, TabBar):
            return  # it is being made
        plus = corner.sizeHint().width() - (self.list_button.sizeHint().width() if self.list_button.isVisible() else 0)
        overflows = bar.wanted() > self.width() - plus
        if overflows != self.list_button.isVisibleTo(corner):
            self.list_button.setVisible(overflows)
            corner.adjustSize()
            QApplication.postEvent(self, QEvent(QEvent.Type.LayoutRequest))  # the corner has another width now

    def list_documents(self) -> QMenu:
        """All open documents as a menu, wherever their tabs are."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for index in range(self.count()):
            entry = menu.addAction(self.tabText(index), partial(self.setCurrentIndex, index))
            entry.setToolTip(self.tabToolTip(index))
            entry.setCheckable(True)
            entry.setChecked(index == self.currentIndex())
        menu.setToolTipsVisible(True)
        button = self.list_button if self.list_button.isVisible() else self.cornerWidget(Qt.Corner.TopRightCorner)
        menu.popup(button.mapToGlobal(button.rect().bottomLeft()))
        if 0 <= self.currentIndex() < len(menu.actions()):
            menu.setActiveAction(menu.actions()[self.currentIndex()])
        return menu

    # Tabs ---------------------------------------------------------------------------------------------

    @property
    def current(self) -> Workspace:
        return self._at(self.currentIndex())

    @property
    def workspaces(self) -> tuple[Workspace, ...]:
        """In the order of the tabs."""
        return tuple(self._at(index) for index in range(self.count()))

    def _at(self, index: int) -> Workspace:
        return self._workspaces[self.widget(index)]

    def _switched(self) -> None:
        if self.count():
            self.setFocusProxy(self.current.page)
            self.current.page.setFocus()
            self.switched.emit(self.current)

    def show_document(self, document: Document) -> Workspace:
        """In a tab of its own, in place of an untouched new document."""
        spare = self.current if self.count() and self.current.pristine else None
        made = self._make(document)
        self._workspaces[made.page] = made
        document.file_changed.connect(lambda: self._title(made))
        at = self.indexOf(spare.page) if spare else self.count()
        self.insertTab(at, made.page, "")
        self.tabBar().setTabButton(at, QTabBar.ButtonPosition.RightSide, self._close_button(made))
        self._title(made)
        self.setCurrentWidget(made.page)
        if spare:
            self._drop(spare)
        return made

    def _title(self, workspace: Workspace) -> None:
        document, index = workspace.document, self.indexOf(workspace.page)
        name = document.name.replace("&", "&&")
        self.setTabText(index, f"{name}  {UNSAVED}" if document.dirty else name)
        unsaved = "\nUnsaved changes" if document.dirty else ""
        self._offer_list()
        self.setTabToolTip(index, f"{document.path or 'Not saved yet'}{unsaved}")
        self.retitled.emit()

    def _drop(self, workspace: Workspace) -> None:
        self.tabBar().setFocus()  # or else the canvas would pass the focus on, as with the Tab key
        self.removeTab(self.indexOf(workspace.page))
        self.current.page.setFocus()
        del self._workspaces[workspace.page]
        workspace.end()
        workspace.delete()
        self.session.close(workspace.document)
        self.closed.emit()

    def step(self, by: int) -> None:
        """Go to the tab that many places on; after the last comes the first."""
        self.setCurrentIndex((self.currentIndex() + by) % self.count())

    def close_tab(self, workspace: Workspace) -> bool:
        """Whether it was closed: the user may want to go on, because of unsaved changes."""
        if not self.may_leave(workspace):
            return False
        if self.count() == 1 and not self.new():
            return False
        if workspace.page in self._workspaces:  # an untouched one has just been replaced
            self._drop(workspace)
        return True

    def may_leave_all(self) -> bool:
        """Ask about every document with unsaved changes; whether the program may end."""
        return all(self.may_leave(workspace) for workspace in self.workspaces)

    def end(self) -> None:
        """Close everything without asking; the tabs are of no use afterwards."""
        for workspace in self.workspaces:
            workspace.end()
        self.session.end()

    # Files --------------------------------------------------------------------------------------------

    def new(self, graph: Graph | None = None, title: str = UNTITLED) -> bool:
        """Show a document without a file; say what is wrong when it could not be kept safe. Whether it is shown."""
        try:
            document = self.session.new(graph, title)
        except ValueError as error:
            self._complain("There is no new document", str(error))
            return False
        self.show_document(document)
        return True

    def ask_template(self) -> None:
        """Start from a workflow of one's own, or from one that comes with the program."""
        from ui.window.own_templates import is_own, own_folder, throw_away
        from ui.window.templates import FOLDERS, TemplatePicker, templates

        folders = (own_folder(), *(program.FOLDER / folder for folder in FOLDERS))
        picker = TemplatePicker(templates(folders, machine.memory()), self, is_own, throw_away)
        picker.exec()
        picker.deleteLater()
        if picker.chosen:
            found = picker.chosen
            if self.new(opened(found.graph, self.session.registry, found.path.parent), found.title):
                self.opened.emit(self.current)

    def ask_save_template(self) -> QInputDialog:
        """Keep what is shown as something to start from; the name is asked for."""
        asked = QInputDialog(self)
        asked.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        asked.setWindowTitle("Save as template")
        asked.setLabelText("A copy of this workflow is offered under New from template. Its name:")
        asked.setTextValue(self.current.document.name)
        asked.setOkButtonText("Save")
        asked.textValueSelected.connect(partial(self._save_template, self.current))
        asked.open()
        return asked

    def _save_template(self, workspace: Workspace, name: str) -> None:
        from ui.window.own_templates import keep, name_complaint, place_of

        finish_typing()
        if complaint := name_complaint(name):
            self._complain("The template was not saved", complaint)
            return
        if place_of(name).exists():
            ask, yes = f"There is a template {name.strip()} already. Replace it?", QMessageBox.StandardButton.Yes
            if QMessageBox.question(self, "Save as template", ask) != yes:
                return
        try:
            keep(name, workspace.document.tells(workspace.document.graph), workspace.preview.image)
        except ValueError as error:
            self._complain("The template was not saved", str(error))

    def ask_open(self) -> Path | None:
        """The file that the user chooses."""
        path = self.current.document.path
        chosen, _ = QFileDialog.getOpenFileName(self, "Open", str(path.parent) if path else "", OPENED)
        return Path(chosen) if chosen else None

    def open(self, path: Path) -> None:
        """Show the workflow in a file; say what is wrong when it cannot be read. A large one is read in pieces."""
        if _size(path) > AT_ONCE:
            work = Piecework[Document](self, "Open", f"Opening {path.name}")
            work.start(self.session.opening(path), self._show_next, self._complain_of_opening)
            return
        try:
            document = self.session.open(path)
        except ValueError as error:
            self._complain_of_opening(error)
        else:
            self._show_opened(document)

    def _show_next(self, document: Document) -> None:
        """When the window has answered once more: to make a tab takes longer than a slice of reading."""
        QTimer.singleShot(0, self, partial(self._show_opened, document))

    def _show_opened(self, document: Document) -> None:
        shown = next((w for w in self.workspaces if w.document is document), None)
        if shown:
            self.setCurrentWidget(shown.page)
        else:
            self.opened.emit(self.show_document(document))

    def _complain_of_opening(self, error: ValueError) -> None:
        self._complain("The file was not opened", str(error))

    def insert(self, path: Path, at: QPointF) -> None:
        """Add the nodes of a file to the graph that is shown. at: in world units."""
        try:
            insert_file(self.current.canvas.state, path, at)
        except ValueError as error:
            self._complain("The file was not added", str(error))

    def save(self, workspace: Workspace | None = None) -> bool:
        """Whether it is saved."""
        workspace = workspace or self.current
        path = workspace.document.path
        return self.save_to(path, workspace) if path else self.save_as(workspace)

    def save_soon(self) -> None:
        """Save what is looked at; a large workflow in pieces, so that the window goes on."""
        workspace = self.current
        document = workspace.document
        self._saving.finish()
        if document.path is None or len(document.graph.nodes) <= MANY:
            self.save(workspace)
        else:
            self._saving.begin(self._saved_in_pieces(workspace, document.path))

    def _saved_in_pieces(self, workspace: Workspace, path: Path) -> Pieces[None]:
        try:
            yield from self.session.saving(workspace.document, path, workspace.preview.image)
        except ValueError as error:
            self._complain("The workflow was not saved", str(error))

    def save_as(self, workspace: Workspace | None = None) -> bool:
        workspace = workspace or self.current
        start = str(workspace.document.path or f"{workspace.document.name}.json")
        path = ask_target(self, "Save the workflow", start, SAVED, SUFFIXES)
        return path is not None and self.save_to(path, workspace)

    def save_to(self, path: Path, workspace: Workspace | None = None) -> bool:
        """Whether it is saved; of a large workflow, once it is, or the dialog that says so was stopped."""
        document, picture = (workspace or self.current).document, (workspace or self.current).preview.image
        self._saving.finish()
        try:
            if len(document.graph.nodes) > MANY:
                pieces = self.session.saving(document, path, picture)
                return waited_for(self, "Save", f"Saving {path.name}", pieces)
            self.session.save(document, path, picture)
        except ValueError as error:
            self._complain("The workflow was not saved", str(error))
            return False
        return True

    def may_leave(self, workspace: Workspace) -> bool:
        """Ask about unsaved changes; whether the document may be left."""
        finish_typing()
        self._saving.finish()
        if not workspace.document.dirty:
            return True
        self.setCurrentWidget(workspace.page)
        buttons = QMessageBox.StandardButton
        answer = QMessageBox.question(
            self,
            "Unsaved changes",
            f"Save the changes to {workspace.document.name}?",
            buttons.Save | buttons.Discard | buttons.Cancel,
            buttons.Save,
        )
        return self.save(workspace) if answer == buttons.Save else answer == buttons.Discard

    def _ask_reload(self, document: Document) -> None:
        """Another program wrote the file, or took it away: whose content is wanted?"""
        if document in self._asked:
            return
        self._asked.add(document)
        workspace = next(w for w in self.workspaces if w.document is document)
        if document.path and document.path.exists():
            act, text, yes, no = self._reload, f"Another program changed {document.name}.", "Show the file", "Keep this"
            more = "Show what is in the file now? The present state stays in the undo history."
        else:
            act, text, yes, no = self.save, f"The file of {document.name} is gone.", "Save it", "Not now"
            more = "What you see is still here. Save it again?"
        box = QMessageBox(QMessageBox.Icon.Question, "The file was changed", text, parent=self)
        box.setInformativeText(more)
        accepted = box.addButton(yes, QMessageBox.ButtonRole.AcceptRole)
        box.addButton(no, QMessageBox.ButtonRole.RejectRole)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.buttonClicked.connect(lambda button: act(workspace) if button is accepted else None)
        box.finished.connect(lambda _: self._asked.discard(document))
        box.open()

    def _reload(self, workspace: Workspace) -> None:
        try:
            self.session.reload(workspace.document)
        except ValueError as error:
            self._complain("The file was not read", str(error))

    def _complain(self, title: str, sentence: str) -> None:
        QMessageBox.warning(self, title, sentence)


def _size(path: Path) -> int:
    """Of a workflow, in bytes; a picture has a small one in it, and reading says what else is wrong."""
    try:
        return 0 if path.suffix.lower() == ".png" else path.stat().st_size
    except OSError:
        return 0

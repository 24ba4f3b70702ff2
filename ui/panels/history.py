"""What was done to a document, step by step, and what was saved as its file."""

from __future__ import annotations

from datetime import datetime, timedelta

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QImage, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QStackedLayout,
    QTabWidget,
    QUndoView,
    QVBoxLayout,
    QWidget,
)

from nodegraph.formats import workflow
from ui.canvas.paint.thumbnail import drawing, icon
from ui.documents.document import Document
from ui.documents.session import Session
from ui.documents.versions import Version

PICTURE = QSize(96, 60)


class HistoryPanel(QTabWidget):
    """Two lists: the steps of this session, and the versions on the disk."""

    failed = Signal(str)  # a version that cannot be read, as a sentence

    def __init__(self, document: Document, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.steps = QUndoView(document.undo_stack)
        self.steps.setEmptyLabel("As it was opened")
        self.steps.setAccessibleName("Steps")
        self.steps.setToolTip("Click a step to go back or forward to it")
        self.versions = Versions(document, session)
        self.versions.failed.connect(self.failed)
        self.setDocumentMode(True)
        self.addTab(self.steps, "Steps")
        self.addTab(self.versions, "Versions")


class Versions(QWidget):
    """The saved versions, newest first, each with the picture that was shown."""

    failed = Signal(str)

    def __init__(self, document: Document, session: Session) -> None:
        super().__init__()
        self.document, self.session = document, session
        self._shown: tuple[Version, ...] = ()
        self._icons: dict[Version, QIcon] = {}
        self.list = QListWidget()
        self.list.setAccessibleName("Versions")
        self.list.setIconSize(PICTURE)
        self.button = QPushButton("Restore")
        self.button.setToolTip("Show this version; undo brings back what is shown now")
        self._none = QLabel("Every time the workflow is saved, a version of it is kept here.", wordWrap=True)
        self._none.setObjectName("dim")
        self._none.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._none.setMargin(16)
        self._build()
        self.list.itemActivated.connect(self._restore)
        self.list.itemSelectionChanged.connect(lambda: self.button.setEnabled(bool(self.list.selectedItems())))
        self.button.clicked.connect(self._restore)
        document.file_changed.connect(self._refresh)

    def _build(self) -> None:
        row = QHBoxLayout()
        row.setContentsMargins(8, 4, 8, 8)
        row.addStretch(1)
        row.addWidget(self.button)
        self.button.setEnabled(False)
        filled = QWidget()
        column = QVBoxLayout(filled)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.list, 1)
        column.addLayout(row)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._none)
        self._stack.addWidget(filled)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._refresh()

    def _refresh(self) -> None:
        if not self.isVisible():
            return
        versions = self.session.versions(self.document)
        if versions == self._shown:
            return
        self._shown = versions
        self._icons = {version: self._icons.get(version) or _icon(version) for version in versions}
        self.list.clear()
        for version in versions:
            item = QListWidgetItem(self._icons[version], _when(version.time, datetime.now()), self.list)
            item.setData(Qt.ItemDataRole.UserRole, version)
        self._stack.setCurrentIndex(1 if versions else 0)

    def _restore(self) -> None:
        chosen = self.list.currentItem()
        if chosen is None:
            return
        try:
            self.session.show_version(self.document, chosen.data(Qt.ItemDataRole.UserRole))
        except ValueError as error:
            self.failed.emit(str(error))


def _icon(version: Version) -> QIcon:
    if version.thumbnail:
        return icon(QImage(str(version.thumbnail)), PICTURE)
    try:
        return icon(drawing(workflow.load(version.file), PICTURE), PICTURE)
    except ValueError:
        return QIcon()  # damaged; choosing it says how


def _when(time: float, now: datetime) -> str:
    """ "Today 14:03", "Yesterday 09:10", "3 Nov 2026 09:10"; seconds since 1970, in the local time."""
    try:
        then = datetime.fromtimestamp(time)
    except (ValueError, OverflowError, OSError):  # no clock shows that; somebody has set it
        return "At an unknown time"
    days = {now.date(): "Today", now.date() - timedelta(days=1): "Yesterday"}
    return f"{days.get(then.date()) or f'{then.day} {then:%b %Y}'} {then:%H:%M:%S}"

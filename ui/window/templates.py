"""Workflows to start from, with a picture and a few words each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtGui import QImage, QKeyEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QListWidget,
    QListWidgetItem,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from nodegraph.builtin import NOTE
from nodegraph.formats import workflow
from nodegraph.graph import Graph
from ui.base import theme
from ui.base.text import label
from ui.canvas.paint.thumbnail import drawing, icon

FOLDERS = (Path("workflows"), Path("workflows/learn"))
"""Where the program's own are, in its folder."""

ABOUT = "about"  # a field of the file
PICTURE = QSize(220, 138)
COLUMN = PICTURE.width() + 24


@dataclass(frozen=True, slots=True)
class Template:
    """doc: what the file says of itself ("about"), else the text of its first note, in Markdown; empty without both."""

    path: Path
    graph: Graph
    doc: str

    @property
    def title(self) -> str:
        """ "02_text_to_image.json" -> "Text to image": a number in front is for the order alone."""
        words = self.path.stem.split("_")
        return label("_".join(words[1:] if words[0].isdigit() and len(words) > 1 else words))

    def matches(self, words: Iterable[str]) -> bool:
        text = f"{self.title} {self.doc}".lower()
        return all(word in text for word in words)

    def picture(self) -> QImage:
        """A PNG file beside it with the same name; else a drawing of its nodes."""
        beside = QImage(str(self.path.with_suffix(".png")))
        return drawing(self.graph, PICTURE) if beside.isNull() else beside


def templates(folders: Iterable[Path]) -> tuple[Template, ...]:
    """The workflows in these folders, in the order of their names; files that cannot be read are left out."""
    found: list[Template] = []
    for path in (path for folder in folders for path in sorted(folder.glob("*.json"))):
        try:
            graph = workflow.load(path)
        except ValueError:
            continue
        notes = (str(node.params.get("text", "")) for node in graph.nodes.values() if node.type == NOTE)
        found.append(Template(path, graph, str(graph.extra.get(ABOUT) or next(notes, ""))))
    return tuple(found)


class TemplatePicker(QDialog):
    """Choose one from a grid: type to search, arrows to move, Return to take it. `chosen` is None until then."""

    def __init__(self, found: Iterable[Template], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.chosen: Template | None = None
        self._templates = tuple(found)
        self.setWindowTitle("New from template")
        self.search = QLineEdit(placeholderText="Search", clearButtonEnabled=True)
        self.search.setAccessibleName("Search templates")
        self.grid = self._build_grid()
        self.doc = QTextBrowser(openExternalLinks=True)
        self.doc.setAccessibleName("About the template")
        self.doc.setFixedWidth(theme.scaled(290))
        self.buttons = QDialogButtonBox()
        self.take = self.buttons.addButton(QDialogButtonBox.StandardButton.Open)
        # Else Return in the search would mean Cancel as soon as nothing is found.
        self.buttons.addButton(QDialogButtonBox.StandardButton.Cancel).setAutoDefault(False)
        self._build()
        self._connect()
        self._fill()

    def _build_grid(self) -> QListWidget:
        grid = QListWidget()
        grid.setAccessibleName("Templates")
        grid.setViewMode(QListView.ViewMode.IconMode)
        grid.setResizeMode(QListView.ResizeMode.Adjust)
        grid.setMovement(QListView.Movement.Static)
        grid.setIconSize(PICTURE)
        grid.setGridSize(QSize(COLUMN, PICTURE.height() + theme.scaled(48)))
        grid.setUniformItemSizes(True)
        grid.setWordWrap(True)
        return grid

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        body = QHBoxLayout()
        body.addWidget(self.grid, 1)
        body.addWidget(self.doc)
        layout.addWidget(self.search)
        layout.addLayout(body, 1)
        layout.addWidget(self.buttons)
        self.resize(theme.dialog_size(1092, 680))

    def _connect(self) -> None:
        self.search.textChanged.connect(self._filter)
        self.search.installEventFilter(self)
        self.grid.currentItemChanged.connect(self._show_doc)
        self.grid.itemActivated.connect(self._take)
        self.buttons.accepted.connect(self._take)
        self.buttons.rejected.connect(self.reject)

    def _fill(self) -> None:
        for template in self._templates:
            item = QListWidgetItem(icon(template.picture(), PICTURE), template.title, self.grid)
            item.setData(Qt.ItemDataRole.UserRole, template)
            item.setToolTip(str(template.path))
        self._filter("")

    def _filter(self, text: str) -> None:
        words = text.lower().split()
        shown = [row for row, template in enumerate(self._templates) if template.matches(words)]
        for row in range(self.grid.count()):
            self.grid.item(row).setHidden(row not in shown)
        named = [row for row in shown if all(word in self._templates[row].title.lower() for word in words)]
        self.grid.setCurrentRow(next(iter((*named, *shown)), -1))
        self._show_doc()

    def _show_doc(self) -> None:
        item = self.grid.currentItem()
        self.take.setEnabled(item is not None)
        template: Template | None = item.data(Qt.ItemDataRole.UserRole) if item else None
        self.doc.setMarkdown((template.doc or "This workflow has no notes.") if template else "No template matches.")

    def _take(self) -> None:
        if item := self.grid.currentItem():
            self.chosen = item.data(Qt.ItemDataRole.UserRole)
            self.accept()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Arrows move in the grid while the search has the focus."""
        arrows = (Qt.Key.Key_Up, Qt.Key.Key_Down)
        if watched is self.search and isinstance(event, QKeyEvent) and event.key() in arrows:
            self.grid.setFocus()
            self.grid.event(event)
            return True
        return super().eventFilter(watched, event)

"""Workflows to start from, with a picture and a few words each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from nodegraph.builtin import NOTE
from nodegraph.formats import workflow
from nodegraph.formats.needs import Need, needs
from nodegraph.graph import Graph
from ui.base import theme
from ui.base.icons import Ink, paint_icon
from ui.base.text import label
from ui.canvas.paint.thumbnail import drawing, icon
from ui.window.runs_here import RUNS, RunsHere, Verdict, about, runs_here

FOLDERS = (Path("workflows"), Path("workflows/learn"), Path("workflows/models"))
"""Where the program's own are, in its folder."""

_YES = QMessageBox.StandardButton.Yes

ABOUT = "about"  # a field of the file
PICTURE = QSize(220, 138)
COLUMN = PICTURE.width() + 24
NEW_LINE = "\N{LINE SEPARATOR}"  # as views want it
ROOM = "\N{NO-BREAK SPACE}" * 5
"""For the drawing in front of what is said below a title."""
BELOW = 5  # pixels below the text of an entry, as the style has it

MARKS: Mapping[Verdict, tuple[str, Ink]] = {
    "runs": ("check", "done"),
    "lacks": ("circle-slash", "stale"),
    "too much": ("memory-stick", "failed"),
}
"""The drawing and its ink."""


@dataclass(frozen=True, slots=True)
class Template:
    """doc: what the file says of itself ("about"), else the text of its first note, in Markdown; empty without both.

    needs: which files it needs (`nodegraph.formats.needs`). here: whether this machine can run it now.
    """

    path: Path
    graph: Graph
    doc: str
    needs: tuple[Need, ...] = ()
    here: RunsHere = RUNS

    @property
    def title(self) -> str:
        """ "02_text_to_image.json" -> "Text to image": a number in front is for the order alone."""
        words = self.path.stem.split("_")
        return label("_".join(words[1:] if words[0].isdigit() and len(words) > 1 else words))

    @property
    def page(self) -> str:
        """All there is to say of it, in Markdown."""
        return "\n\n".join(filter(None, (self.doc or "This workflow has no notes.", about(self.needs, self.here))))

    def matches(self, words: Iterable[str]) -> bool:
        text = f"{self.title} {self.doc}".lower()
        return all(word in text for word in words)

    def rank(self, words: list[str]) -> int:
        """How well the words name it: exactly, by how its title begins, by its title, or by what is said of it."""
        title, typed = self.title.lower(), " ".join(words)
        if title == typed:
            return 0
        return 1 if title.startswith(typed) else 2 if all(word in title for word in words) else 3

    def picture(self) -> QImage:
        """A PNG file beside it with the same name; else a drawing of its nodes."""
        beside = QImage(str(self.path.with_suffix(".png")))
        return drawing(self.graph, PICTURE) if beside.isNull() else beside


def templates(folders: Iterable[Path], memory: int | None = None) -> tuple[Template, ...]:
    """The workflows in these folders, in the order of their names; files that cannot be read are left out.

    memory: bytes that the machine has; None when that is not known.
    """
    found: list[Template] = []
    for path in (path for folder in folders for path in sorted(folder.glob("*.json"))):
        try:
            graph = workflow.load(path)
            needed = needs(graph)
        except ValueError:
            continue
        notes = (str(node.params.get("text", "")) for node in graph.nodes.values() if node.type == NOTE)
        doc = str(graph.extra.get(ABOUT) or next(notes, ""))
        found.append(Template(path, graph, doc, needed, runs_here(needed, memory)))
    return tuple(found)


class TemplatePicker(QDialog):
    """Choose one from a grid: type to search, arrows to move, Return to take it. `chosen` is None until then.

    Below each it says whether this machine can run it now; those that it cannot can be left out. may_go: whether it is
    the person's own, and can be deleted. throw_away: does so; why it could not, as a sentence, or nothing.
    """

    def __init__(
        self,
        found: Iterable[Template],
        parent: QWidget | None = None,
        may_go: Callable[[Path], bool] = lambda path: False,
        throw_away: Callable[[Path], str] = lambda path: "",
    ) -> None:
        super().__init__(parent)
        self._may_go, self._throw_away = may_go, throw_away
        self.chosen: Template | None = None
        self._templates = tuple(found)
        self.setWindowTitle("New from template")
        self.search = QLineEdit(placeholderText="Search", clearButtonEnabled=True)
        self.search.setAccessibleName("Search templates")
        self.only_here = QCheckBox("Only what &runs here")
        self.only_here.setToolTip("Leave out workflows that need files or memory that this machine does not have")
        self.grid = self._build_grid()
        self.doc = QTextBrowser(openExternalLinks=True)
        self.doc.setAccessibleName("About the template")
        self.doc.setFixedWidth(theme.scaled(290))
        self.buttons = QDialogButtonBox()
        self.take = self.buttons.addButton(QDialogButtonBox.StandardButton.Open)
        self.delete = self.buttons.addButton("Delete", QDialogButtonBox.ButtonRole.ActionRole)
        self.delete.setToolTip("Move this template of yours to the system's trash")
        self.delete.setAutoDefault(False)
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
        grid.setGridSize(QSize(COLUMN, PICTURE.height() + theme.scaled(66)))
        grid.setItemDelegate(_Cards(grid))
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
        top = QHBoxLayout()
        top.addWidget(self.search, 1)
        top.addWidget(self.only_here)
        layout.addLayout(top)
        layout.addLayout(body, 1)
        layout.addWidget(self.buttons)
        self.resize(theme.dialog_size(1092, 680))

    def _connect(self) -> None:
        self.search.textChanged.connect(self._filter)
        self.only_here.toggled.connect(self._filter)
        self.search.installEventFilter(self)
        self.grid.currentItemChanged.connect(self._show_doc)
        self.grid.itemActivated.connect(self._take)
        self.buttons.accepted.connect(self._take)
        self.buttons.rejected.connect(self.reject)
        self.delete.clicked.connect(self._delete)

    def _delete(self) -> None:
        item = self.grid.currentItem()
        template: Template = item.data(Qt.ItemDataRole.UserRole)
        if QMessageBox.question(self, "Delete", f"Move the template {template.title} to the trash?") != _YES:
            return
        if why := self._throw_away(template.path):
            QMessageBox.warning(self, "The template was not deleted", why)
            return
        self._templates = tuple(other for other in self._templates if other is not template)
        self.grid.clear()
        self._fill()

    def _fill(self) -> None:
        for template in self._templates:
            item = QListWidgetItem(icon(template.picture(), PICTURE), template.title, self.grid)
            item.setData(Qt.ItemDataRole.UserRole, template)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{template.title}. {template.here.line}")
            item.setToolTip(f"{template.here.line}\n{template.path}")
        self._filter()

    def _filter(self) -> None:
        words = self.search.text().lower().split()
        offered = [(row, t) for row, t in enumerate(self._templates) if t.here.verdict == "runs" or not self._choosy]
        shown = [row for row, template in offered if template.matches(words)]
        for row in range(self.grid.count()):
            self.grid.item(row).setHidden(row not in shown)
        self.grid.setCurrentRow(min(shown, key=lambda row: (self._templates[row].rank(words), row), default=-1))
        self._show_doc()

    @property
    def _choosy(self) -> bool:
        return self.only_here.isChecked()

    def _show_doc(self) -> None:
        item = self.grid.currentItem()
        self.take.setEnabled(item is not None)
        template: Template | None = item.data(Qt.ItemDataRole.UserRole) if item else None
        self.delete.setVisible(template is not None and self._may_go(template.path))
        self.doc.setMarkdown(template.page if template else "No template matches.")

    def _take(self) -> None:
        if item := self.grid.currentItem():
            self.chosen = item.data(Qt.ItemDataRole.UserRole)
            self.accept()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Arrows move in the grid while the search has the focus."""
        arrows = (Qt.Key.Key_Up, Qt.Key.Key_Down)
        if isinstance(event, QKeyEvent) and event.key() in arrows and watched is self.search:
            self.grid.setFocus()
            self.grid.event(event)
            return True
        return super().eventFilter(watched, event)


class _Cards(QStyledItemDelegate):
    """A template, with a second line below its title that says whether this machine can run it."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        template: Template = index.data(Qt.ItemDataRole.UserRole)
        given: Any = option  # the stubs leave out the fields
        free = PICTURE.width() - given.fontMetrics.horizontalAdvance(ROOM)
        line = given.fontMetrics.elidedText(template.here.line, Qt.TextElideMode.ElideRight, free)
        given.text = f"{template.title}{NEW_LINE}{ROOM}{line}"

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        shown = QStyleOptionViewItem(option)
        self.initStyleOption(shown, index)
        given: Any = shown
        template: Template = index.data(Qt.ItemDataRole.UserRole)
        width, height = given.fontMetrics.horizontalAdvance(given.text.split(NEW_LINE)[1]), given.fontMetrics.height()
        side = given.fontMetrics.horizontalAdvance(ROOM) - 4
        left = given.rect.center().x() - width / 2
        name, ink = MARKS[template.here.verdict]
        place = QRectF(left, given.rect.bottom() - BELOW - (height + side) / 2, side, side)
        paint_icon(painter, name, place, getattr(theme.colors(), ink))

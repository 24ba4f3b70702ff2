"""The newest picture, large: live while a run goes on, the result after it; and any two results side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtGui import QAction, QGuiApplication, QImage, QPixmap
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListView,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from nodegraph import png, workflow
from nodegraph.files import write_atomic
from nodegraph.graph import Graph
from nodegraph.messages import Source
from nodegraph.types import PREVIEW_SIDE, Picture
from ui.canvas.pixmaps import pixmap
from ui.describe import summary
from ui.document import Document
from ui.fields import ComboBox
from ui.panels.buttons import small_button
from ui.panels.comparison import Comparison
from ui.panels.picture_view import Mode, PictureView, Side
from ui.paths import ask_target
from ui.pictures import Pictures
from ui.results import Result, Results
from ui.run_state import RunState
from ui.theme import scaled
from ui.thumbnail import icon, png_bytes

MODES: dict[Mode, str] = {"single": "One picture", "slider": "Slider", "side": "Side by side"}
ICON = 46  # pixels, before the user's scale


class Preview(QWidget):
    """Follows what is computed, until another result is chosen from the strip below.

    node: whose picture is shown. pins: the results that are compared.
    """

    def __init__(
        self,
        document: Document,
        runs: RunState,
        results: Results,
        pictures: Pictures,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.document, self.runs, self.results, self.pictures = document, runs, results, pictures
        self._unsharp: dict[Side, Source] = {}  # what is shown smaller than it is
        self._awaited: dict[str, Side] = {}  # where the full size goes, by what was asked for
        self.node: str | None = None
        self.chosen: Result | None = None  # from the strip; None while the newest picture is shown
        self.pins: dict[Side, Result | None] = {"a": None, "b": None}
        self.view = PictureView()
        self.comparison = Comparison(document.registry)
        self.caption = QLabel(alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        self.caption.setObjectName("small")
        self.strip = self._make_strip()
        self.mode = ComboBox()
        self.mode.addItems(list(MODES.values()))
        self.mode.setToolTip("Show one picture, or compare two results")
        self.mode.setAccessibleName("How to compare")
        self.buttons = {
            "a": small_button("A", lambda: self.pin("a"), "Compare: the picture that is shown is A"),
            "b": small_button("B", lambda: self.pin("b"), "Compare: the picture that is shown is B"),
            "fit": small_button("Fit", self.view.fit, "Show the whole picture (double click)"),
            "actual": small_button("1:1", self.view.show_actual, "One pixel of the picture on one of the screen"),
            "copy": small_button("Copy", self.copy, "Put the picture on the clipboard"),
            "save": small_button("Save…", self.ask_save, "Save the picture, with its workflow inside"),
        }
        self._lay_out()
        self._connect()
        self._show()

    def _make_strip(self) -> QListWidget:
        strip = QListWidget()
        strip.setViewMode(QListView.ViewMode.IconMode)
        strip.setFlow(QListView.Flow.LeftToRight)
        strip.setWrapping(False)
        strip.setMovement(QListView.Movement.Static)
        strip.setIconSize(QSize(scaled(ICON), scaled(ICON)))
        strip.setGridSize(QSize(scaled(ICON) + 12, scaled(ICON) + 12))
        strip.setFixedHeight(scaled(ICON) + 26)
        strip.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        strip.setAccessibleName("Earlier results")
        strip.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        for text, act in (
            ("This is A", lambda: self.pin("a")),
            ("This is B", lambda: self.pin("b")),
            ("Restore the graph that made it", self.restore),
        ):
            action = QAction(text, strip)
            action.triggered.connect(act)
            strip.addAction(action)
        return strip

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.setContentsMargins(12, 0, 12, 2)
        bar.setSpacing(4)
        bar.addWidget(self.mode)
        for name, button in self.buttons.items():
            if name == "fit":
                bar.addStretch(1)
            bar.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2, 0, 6)
        column.setSpacing(4)
        column.addLayout(bar)
        column.addWidget(self.view, 1)
        column.addWidget(self.caption)
        column.addWidget(self.strip)
        column.addWidget(self.comparison)

    def _connect(self) -> None:
        self.runs.pictured.connect(self._pictured)
        self.runs.changed.connect(lambda node: self._show_caption() if node == self.node else None)
        self.results.changed.connect(self._fill_strip)
        self.strip.itemClicked.connect(self._take)
        self.strip.itemActivated.connect(self._take)
        self.mode.activated.connect(lambda index: self.compare(list(MODES)[index]))
        self.runs.progressed.connect(self._ask)
        self.pictures.enlarged.connect(self._sharpen)

    # What is shown ------------------------------------------------------------------------------------

    @property
    def pixmap(self) -> QPixmap | None:
        """The picture that is shown; the second when two are compared."""
        return self.view.b or self.view.a

    @property
    def image(self) -> QImage | None:
        return self.pixmap.toImage() if self.pixmap else None

    @property
    def comparing(self) -> bool:
        return self.view.mode != "single"

    def _pictured(self, node: str) -> None:
        """Follow a run wherever it is; else what comes of an edit counts in the end, not half way there."""
        if self.runs.running or self.node in (None, node) or not self._half_way(node):
            self.show_node(node)

    def _half_way(self, node: str) -> bool:
        return any(src.node == node for src in self.document.graph.links.values())

    def show_node(self, node: str) -> None:
        """Show the picture of this node; nothing changes when it has none, or while two results are compared."""
        picture = self.runs.of(node).picture
        if picture is not None and not self.comparing:
            self.node, self.chosen = node, None
            self.view.show_one(pixmap(picture))
            key = self.runs.picture_key(node)
            self._enlarge({"a": (picture, self.pictures.source(key) if key and _shrunken(picture) else None)})
            self._show()

    def show_result(self, result: Result) -> None:
        """Show a result in place of the newest; while two are compared, it is B."""
        self.chosen = result
        if self.comparing:
            self.pin("b")
            return
        self.node = result.node
        self._show_result(result)
        self._show()

    def _show_result(self, result: Result) -> None:
        self.view.show_one(pixmap(result.picture))
        self._enlarge({"a": (result.picture, result.source)})

    def _enlarge(self, shown: Mapping[Side, tuple[Picture, Source | None]]) -> None:
        """Ask for the full size of what is shown."""
        self._unsharp = {side: source for side, (picture, source) in shown.items() if source and _shrunken(picture)}
        self._awaited = {}
        self._ask()

    def _ask(self) -> None:
        """Not while a run goes on: another picture is about to come."""
        if self._unsharp and not self.runs.running:
            self._awaited = {f"{side} {source}": side for side, source in self._unsharp.items()}
            for side, source in self._unsharp.items():
                self.pictures.enlarge(f"{side} {source}", source)
            self._unsharp = {}

    def _sharpen(self, key: str, picture: Picture) -> None:
        if side := self._awaited.pop(key, None):
            self.view.sharpen(side, pixmap(picture))
            self._show_caption()

    def pin(self, side: Side) -> None:
        """The result that is shown is A or B from now on; with both, they are compared."""
        self.pins[side] = self.chosen or self.results.newest
        if all(self.pins.values()):
            self.compare(self.view.mode if self.comparing else "slider")
        self._show()

    def compare(self, mode: Mode) -> None:
        """Where nothing was pinned, the two newest results are compared."""
        kept = self.results.kept
        if mode == "single" or len(kept) < 2:
            self.pins = {"a": None, "b": None}
            newest = self.chosen or self.results.newest
            if newest:
                self._show_result(newest)
            else:
                self.view.show_one(self.view.b or self.view.a)
        else:
            b = self.pins["b"] = self.pins["b"] or self.chosen or kept[-1]
            others = [result for result in kept if result is not b]
            a = self.pins["a"] = self.pins["a"] or others[-1]
            self.node = b.node
            self.view.show_two(pixmap(a.picture), pixmap(b.picture), mode)
            self._enlarge({"a": (a.picture, a.source), "b": (b.picture, b.source)})
            self.comparison.show_results(a, b)
        self._show()

    def _show(self) -> None:
        with QSignalBlocker(self.mode):
            self.mode.setCurrentText(MODES[self.view.mode])
        several = len(self.results.kept) > 1
        self.mode.setEnabled(several)
        self.strip.setVisible(several)
        self.comparison.setVisible(self.comparing)
        for name, button in self.buttons.items():
            button.setEnabled(several if name in ("a", "b") else self.pixmap is not None)
        self._show_caption()

    def _show_caption(self) -> None:
        self.caption.setText(self.words())
        self.caption.setVisible(bool(self.caption.text()))

    def words(self) -> str:
        """Whose picture it is, its size, and how far it is."""
        a, b = self.pins["a"], self.pins["b"]
        if self.comparing and a and b:
            sides = zip("AB", self.comparison.marks, (a, b), strict=True)
            return "   ·   ".join(f"{name}: {f'{mark}, ' if mark else ''}{when(r)}" for name, mark, r in sides)
        if self.node is None or self.view.a is None:
            return ""
        title = self.document.title_of(self.node) if self.node in self.document.graph.nodes else self.node
        parts = [title, f"{self.view.a.width()} × {self.view.a.height()}"]
        run = self.runs.of(self.node)
        if self.chosen:
            parts.append(f"made {when(self.chosen)}")
        elif run.state == "running" and run.calls > 1:
            parts.append(f"step {min(run.done + 1, run.calls)} of {run.calls}")
        elif run.stale:
            parts.append("of earlier settings")
        return "  ·  ".join(parts)

    # Results ------------------------------------------------------------------------------------------

    def _fill_strip(self) -> None:
        self.strip.clear()
        for result in self.results.kept:
            item = QListWidgetItem(icon(pixmap(result.picture).toImage(), self.strip.iconSize()), "", self.strip)
            item.setData(Qt.ItemDataRole.UserRole, result)
            about = summary(result.graph, self.document.declared)
            item.setToolTip("\n".join(filter(None, (f"Made {when(result)}", about))))
        self.strip.scrollToBottom()
        self._show()

    def _take(self, item: QListWidgetItem) -> None:
        self.show_result(item.data(Qt.ItemDataRole.UserRole))

    def restore(self) -> None:
        """Show the graph that made the chosen result; one step that can be undone."""
        item = self.strip.currentItem()
        if item is not None:
            result: Result = item.data(Qt.ItemDataRole.UserRole)
            self.document.edit(f"Restore what was made {when(result)}", lambda _: result.graph)

    # The picture as a file ----------------------------------------------------------------------------

    def copy(self) -> None:
        if self.pixmap is not None:
            QGuiApplication.clipboard().setPixmap(self.pixmap)

    def ask_save(self) -> None:
        if self.image is None:
            return
        path = ask_target(self, "Save the picture", f"{self.document.name}.png", "Pictures (*.png)", ".png")
        if path:
            self.save_to(path)

    def save_to(self, path: Path) -> None:
        """As it is shown, with the workflow that made it inside; a message says why when it cannot be written."""
        try:
            write_atomic(path, _png(self.image or QImage(), self._graph()))
        except OSError as error:
            QMessageBox.warning(self, "The picture was not saved", f"{path} cannot be written: {error.strerror}")

    def _graph(self) -> Graph:
        """What made the picture that is shown."""
        result = self.pins["b"] if self.comparing else self.chosen
        if result is None and self.node and self.runs.of(self.node).stale:
            result = self.results.newest  # the document has gone on since
        return result.graph if result else self.document.graph


def when(result: Result) -> str:
    """ "at 14:32:05"."""
    return f"at {result.made:%H:%M:%S}" if result.made else "earlier"


def _shrunken(picture: Picture) -> bool:
    """Whether it may be smaller than what it shows."""
    return max(picture.width, picture.height) >= PREVIEW_SIDE


def _png(image: QImage, graph: Graph) -> bytes:
    return png.with_texts(png_bytes(image), {png.KEYWORD: workflow.dumps(graph)})

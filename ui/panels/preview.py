"""The newest picture, large: live while a run goes on, the result after it; any other result, and any two compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtGui import QAction, QGuiApplication, QHideEvent, QImage, QKeyEvent, QPixmap, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from nodegraph.batch import alone
from nodegraph.graph import Graph
from nodegraph.types import PREVIEW_SIDE, Picture
from ui.documents.document import Document
from ui.panels.comparison import Comparison
from ui.panels.full_size import FullSize, Kept
from ui.panels.picture_saving import save_batch, save_picture
from ui.panels.strip import Strip, when
from ui.runs.kept_pictures import Pictures
from ui.runs.results import Result, Results
from ui.runs.run_state import RunState
from ui.widgets.buttons import small_button
from ui.widgets.fields import ComboBox
from ui.widgets.file_fields import ask_target
from ui.widgets.flow import FlowLayout
from ui.widgets.picture_view import Mode, PictureView, Side
from ui.widgets.pixmaps import one_of, pixmap

MODES: dict[Mode, str] = {"single": "One picture", "slider": "Slider", "side": "Side by side"}


class Preview(QWidget):
    """Follows what is computed, until another result is chosen: one of the strip below, or of the gallery.

    That stays, whatever the queue makes, until something is run by hand or edited. node: whose picture is shown.
    pins: the results that are compared.
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
        self._picture: Picture | None = None  # what is shown; the first when two are compared
        self.full_size = FullSize(pictures, self)
        self.carries_workflow = True  # what is saved from here
        self.node: str | None = None
        self.chosen: Result | None = None  # of the strip or the gallery; None while the newest picture is shown
        self._follows = True  # whether the next picture may take its place
        self.pins: dict[Side, Result | None] = {"a": None, "b": None}
        self.view = PictureView()
        self.comparison = Comparison(document.registry)
        self.caption = QLabel(alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        self.caption.setObjectName("small")
        self.strip = Strip(document)
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
        self.acts = {
            "copy": self._act("Copy", self.copy),
            "save": self._act("Save…", self.ask_save),
            "a": self._act("This is A", lambda: self.pin("a")),
            "b": self._act("This is B", lambda: self.pin("b")),
            "restore": self._act("Restore the graph that made it", self._restore_shown),
        }
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self._lay_out()
        self._connect()
        for side in ("a", "b"):
            self.buttons[side].setCheckable(True)
        self._show()

    def _act(self, text: str, act: Callable[[], object]) -> QAction:
        """Of the picture's menu."""
        action = QAction(text, self.view)
        action.triggered.connect(lambda: act())
        self.view.addAction(action)
        return action

    def _lay_out(self) -> None:
        bar = FlowLayout(self.mode, *self.buttons.values())
        bar.setContentsMargins(12, 0, 12, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2, 0, 6)
        column.setSpacing(4)
        column.addLayout(bar)
        column.addWidget(self.view, 1)
        column.addWidget(self.caption)
        column.addWidget(self.strip)
        below = QHBoxLayout()
        below.setContentsMargins(8, 0, 8, 0)
        below.addWidget(self.comparison)
        column.addLayout(below)

    def minimumSizeHint(self) -> QSize:
        """With the lines that the buttons take at this width: what Qt asks for has one."""
        least, layout = super().minimumSizeHint(), self.layout()
        lines = layout.totalMinimumHeightForWidth(self.width()) if layout is not None else 0
        return QSize(least.width(), max(least.height(), lines))

    def resizeEvent(self, event: QResizeEvent) -> None:
        if event.oldSize().width() != event.size().width():
            self.updateGeometry()
        super().resizeEvent(event)

    def _connect(self) -> None:
        self.runs.pictured.connect(self._pictured)
        self.runs.changed.connect(self._run_changed)
        self.runs.picked.changed.connect(self._picked)
        self.results.changed.connect(self._fill_strip)
        self.strip.taken.connect(self.show_result)
        self.strip.pinned.connect(self.pin)
        self.strip.restored.connect(self.restore)
        self.mode.activated.connect(lambda index: self.compare(list(MODES)[index]))
        self.full_size.came.connect(self._sharpen)
        self.pictures.runner.started.connect(self._follow)
        self.pictures.runner.asked.connect(self._end_comparing)
        self.document.changed.connect(self._follow)

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

    @property
    def result(self) -> Result | None:
        """What is shown, B when two are compared; None for a picture that is not done."""
        if self.comparing:
            return self.pins["b"]
        if self.chosen or self.node is None:
            return self.chosen
        return self.results.showing(self.runs.of(self.node).picture, self._item)

    @property
    def _item(self) -> int | None:
        """Which of a batch is shown; None while all are, or where there is one alone."""
        if self.chosen:
            return self.chosen.item
        return self.runs.picked.of(self.node, self.runs.of(self.node).picture) if self.node else None

    @property
    def _of(self) -> int:
        """Of how many that is one."""
        picture = self.runs.of(self.node).picture if self.node else None
        return self.chosen.of if self.chosen else picture.count if picture else 1

    def _run_changed(self, node: str) -> None:
        if node == self.node:
            self._show_caption()

    def _follow(self) -> None:
        self._follows = True

    def _end_comparing(self) -> None:
        """Run was pressed: what comes of it is to be seen."""
        if not self.comparing:
            return
        self.compare("single")
        self.chosen = None
        if self.node is not None:
            self.show_node(self.node)

    def _pictured(self, node: str) -> None:
        """Follow a run wherever it is; else what comes of an edit, or is kept, counts in the end, not half way."""
        if self._follows and (self.runs.running or self.node == node or not self._half_way(node)):
            self.show_node(node)

    def _half_way(self, node: str) -> bool:
        return any(src.node == node for src in self.document.graph.links.values())

    def show_node(self, node: str) -> None:
        """Show the picture of this node; nothing changes when it has none, or while two results are compared.

        Of a batch, the one that was picked.
        """
        picture = self.runs.of(node).picture
        if picture is not None and not self.comparing:
            self.node, self.chosen, self._follows = node, None, True
            key = self.runs.picture_key(node)
            source = self.pictures.source(key) if key and self._shrunken(picture) else None
            if (item := self._item) is not None:
                picture, source = one_of(picture, item), source and source._replace(item=item)
            self._show_picture(picture, source)
            self._show()

    def _picked(self, node: str) -> None:
        """Another picture of this node's batch is to be shown: here too, if the node's picture is."""
        item = self.runs.picked.of(node, self.runs.of(node).picture)
        if node == self.node and not (self.chosen and self._is_of_node(self.chosen) and self.chosen.item == item):
            self.show_node(node)

    def _is_of_node(self, result: Result) -> bool:
        """Whether its node has it still, be it as one of a batch."""
        batch = self.results.batch_of(result)
        return batch is not None and batch.picture == self.runs.of(result.node).picture

    def show_result(self, result: Result) -> None:
        """Show a result in place of the newest; while two are compared, it is B."""
        self.chosen, self._follows = result, result is self.results.newest
        if self.comparing:
            self.pin("b", result)
            return
        self.node = result.node
        self._show_result(result)
        self._show()
        if self._is_of_node(result):
            self.runs.picked.pick(result.node, result.item)  # its node shows the same

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """The arrow keys go along the strip: from all pictures of a batch to each of them, and to other results."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if self.comparing or event.key() not in steps or not self._go(steps[Qt.Key(event.key())]):
            super().keyPressEvent(event)

    def _go(self, step: int) -> bool:
        """Show a neighbour in the strip, if there is one; of a node half way, in its batch."""
        kept, shown = self.results.kept, self.result
        if self.node is not None and (shown is None or shown.node != self.node) and self._go_in_batch(self.node, step):
            return True
        at = next((index for index, result in enumerate(kept) if result is shown), len(kept))
        if not 0 <= at + step < len(kept):
            return False
        self.show_result(kept[at + step])
        return True

    def _go_in_batch(self, node: str, step: int) -> bool:
        picture, item = self.runs.of(node).picture, self._item
        after = (-1 if item is None else item) + step
        if picture is None or not -1 <= after < picture.count > 1:
            return False
        self.runs.picked.pick(node, after if after >= 0 else None)
        return True

    def _shrunken(self, picture: Picture) -> bool:
        """Whether the engine may have made it smaller than what it shows, or it was because there are so many."""
        if picture.size:
            return picture.cell != picture.size
        small = self.node is not None and self.runs.is_small(self.node) and picture is self.runs.of(self.node).picture
        return small or max(picture.width, picture.height) >= PREVIEW_SIDE

    def _show_result(self, result: Result) -> None:
        self._show_picture(result.picture, self._kept(result))

    def _show_picture(self, picture: Picture, kept: Kept | None) -> None:
        self._picture = picture
        self.view.show_one(pixmap(picture))
        self.full_size.show({"a": kept})

    def _kept(self, result: Result) -> Kept | None:
        """Where its full size is; None where it is shown in it. A file may hold more than was read of it."""
        is_whole = not isinstance(result.source, Path) and not self._shrunken(result.picture)
        return None if is_whole else result.source

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.full_size.again()

    def hideEvent(self, event: QHideEvent) -> None:
        """A picture in full size takes up to 67 MB, for each tab."""
        super().hideEvent(event)
        self.full_size.again()
        self.view.blunt()

    def _sharpen(self, side: Side, picture: QPixmap) -> None:
        self.view.sharpen(side, picture)
        self._show_caption()

    def pin(self, side: Side, result: Result | None = None) -> None:
        """A result, or else the one that is shown, is A or B from now on; with both, they are compared."""
        other: Side = "b" if side == "a" else "a"
        result = result or self.result
        if result is None:
            return
        if self.pins[other] == result:
            self.pins[other] = self.pins[side]  # it changes sides: nothing is compared with itself
        self.pins[side] = result
        if all(self.pins.values()):
            self.compare(self.view.mode if self.comparing else "slider")
        self._show()

    def compare_two(self, a: Result, b: Result) -> None:
        self.pins = {"a": a, "b": b}
        self.compare(self.view.mode if self.comparing else "slider")

    def compare(self, mode: Mode) -> None:
        """Where nothing was pinned, what is shown is compared with the newest other result."""
        pair = self._pair()
        if mode == "single" or pair is None:
            self._show_one()
        else:
            a, b = pair
            self.pins = {"a": a, "b": b}
            self.node = b.node
            self.view.show_two(pixmap(a.picture), pixmap(b.picture), mode)
            self._picture = a.picture
            self.full_size.show({"a": self._kept(a), "b": self._kept(b)})
            self.comparison.show_results(a, b)
        self._show()

    def _pair(self) -> tuple[Result, Result] | None:
        """What can be compared: A and B, whatever is not pinned being what is shown or the newest."""
        newest_first = self.results.kept[::-1]
        wholes, ones = ([r for r in newest_first if (r.item is None) is whole] for whole in (True, False))
        known = [result for result in (self.result, *wholes, *ones) if result]
        a, b = self.pins["a"], self.pins["b"]
        b = b or next((result for result in known if result != a), None)
        a = a or next((result for result in known if result != b), None)
        return (a, b) if a and b else None

    def _show_one(self) -> None:
        """End comparing: B stays."""
        self.chosen = self.pins["b"] if self.comparing else self.chosen
        self.pins = {"a": None, "b": None}
        if shown := self.chosen or self.results.newest:
            self.node = shown.node
            self._show_result(shown)
        else:
            self.view.show_one(self.view.b or self.view.a)

    def _show(self) -> None:
        with QSignalBlocker(self.mode):
            self.mode.setCurrentText(MODES[self.view.mode])
        self.mode.setEnabled(self._pair() is not None)
        self.strip.setVisible(len(self.results.kept) > 1)
        self.comparison.setVisible(self.comparing)
        of_result = {*self.pins, "restore"}
        for name, button in (*self.buttons.items(), *self.acts.items()):
            button.setEnabled((self.result if name in of_result else self.pixmap) is not None)
        for side, pinned in self.pins.items():
            self.buttons[side].setChecked(pinned is not None)
        self.strip.mark(self.result)
        self._show_caption()

    def _show_caption(self) -> None:
        """Of two, on the pictures themselves."""
        self.view.said = self._words_of_pins()
        self.view.update()
        self.caption.setText(self.words())
        self.caption.setVisible(bool(self.caption.text()))

    def _words_of_pins(self) -> dict[Side, str]:
        """What is A and what is B: in what they differ first, and when they were made."""
        if not self.comparing or not all(self.pins.values()):
            return {}
        sides: tuple[tuple[Side, str], ...] = tuple(zip(("a", "b"), self.comparison.marks, strict=True))
        return {
            side: f"{f'{mark}, ' if mark else ''}{when(result)}" for side, mark in sides if (result := self.pins[side])
        }

    def words(self) -> str:
        """Whose picture it is, its size, and how far it is."""
        if self.comparing or self.node is None or self.view.a is None:
            return ""
        parts = [self._title(self.node), *self._sizes(self.view.a)]
        run = self.runs.of(self.node)
        if self.chosen:
            parts.append(f"made {when(self.chosen)}")
        elif run.state == "running" and run.calls > 1:
            parts.append(f"step {min(run.done + 1, run.calls)} of {run.calls}")
        elif run.stale:
            parts.append("of earlier settings")
        return "  ·  ".join(parts)

    def _sizes(self, shown: QPixmap) -> Iterator[str]:
        """How large the picture is, and which of a batch."""
        picture = self._picture
        width, height = (picture and picture.size) or (shown.width(), shown.height())
        count = picture.count if picture else 1
        yield f"{count} pictures of {width} × {height}" if count > 1 else f"{width} × {height}"
        if self._item is not None:
            yield f"{self._item + 1} of {self._of}"

    def _title(self, node: str) -> str:
        """Of the file, or else of the node whose picture is shown."""
        if self.chosen and self.chosen.file:
            return self.chosen.file.name
        return self.document.title_of(node) if node in self.document.graph.nodes else node

    # Results ------------------------------------------------------------------------------------------

    def _fill_strip(self) -> None:
        self.strip.show_results(self.results.kept)
        self._show()

    def restore(self, result: Result) -> None:
        """Show the graph that made a result; one step that can be undone."""
        self.document.edit(f"Restore what was made {when(result)}", lambda _: result.graph)

    def _restore_shown(self) -> None:
        if self.result is not None:
            self.restore(self.result)

    # The picture as a file ----------------------------------------------------------------------------

    def _as_wanted(self, act: str) -> bool:
        """Whether what is shown is in full size, or is wanted as it is. act: what is about to be done, as a verb."""
        side: Side = "b" if self.comparing else "a"
        if self.pixmap is None or not self.full_size.lacks(side):
            return True
        size = f"{self.pixmap.width()} × {self.pixmap.height()}"
        when = "when the run ends" if self.runs.running else "in a moment, if it is kept"
        asked = f"Only {size} of this picture are here; its full size comes {when}. {act} it so?"
        return QMessageBox.question(self, f"{act} the picture", asked) == QMessageBox.StandardButton.Yes

    def copy(self) -> None:
        if self.pixmap is not None and self._as_wanted("Copy"):
            QGuiApplication.clipboard().setPixmap(self.pixmap)

    def ask_save(self) -> None:
        if self.image is None:
            return
        path = ask_target(self, "Save the picture", f"{self.document.name}.png", "Pictures (*.png)", (".png",))
        if path:
            self.save_to(path)

    def save_to(self, path: Path) -> None:
        """As it is shown, with the workflow that made it inside, if that is wanted.

        A message says why when it cannot be written. Of a batch each picture goes into a file of its own, cat_1.png,
        cat_2.png, ...
        """
        if not self._as_wanted("Save"):
            return
        shown = None if self.comparing else self._picture
        image, graph = self.image or QImage(), self.document.tells(self._graph())
        try:
            if shown is None or shown.count == 1 or self.node is None:
                save_picture(path, image, graph if self.carries_workflow else None)
            else:
                made_by = partial(self._alone, graph, self.node, shown.count) if self.carries_workflow else _no_workflow
                save_batch(path, image, shown, made_by)
        except ValueError as error:
            QMessageBox.warning(self, "Not saved", str(error))

    def _graph(self) -> Graph:
        """What made the picture that is shown."""
        if self.comparing or self.chosen or self.node is None or (self.runs.of(self.node).stale and self.result):
            return self.result.graph if self.result else self.document.graph
        graph, item = self.document.graph, self._item
        return graph if item is None else self._alone(graph, self.node, self._of, item)

    def _alone(self, graph: Graph, node: str, count: int, item: int) -> Graph:
        """What makes one picture of a batch alone, where that can be told; else what makes all of them."""
        return alone(graph, node, item, count, self.document.declared) or graph


def _no_workflow(item: int) -> None:
    """Nothing goes along with a picture."""

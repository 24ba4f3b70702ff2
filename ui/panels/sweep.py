"""The sweep of a document: what varies, how much of it is made, and the pictures under their labels."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QFileDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QScrollArea,
    QSpinBox,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from nodegraph.graph import Port
from nodegraph.running.messages import Failed
from nodegraph.sweeping.here import Came
from nodegraph.sweeping.sheet import listed, pages, table
from nodegraph.sweeping.sweep import Cell, Sweep, graph_of
from ui.base.text import amount, duration, label
from ui.base.theme import scaled
from ui.panels.sweep_form import SweepForm
from ui.panels.sweep_grid import SweepGrid
from ui.runs.picture_index import Made
from ui.runs.results import ResultReader
from ui.runs.sweep_order import MADE_ORDERS, ordered
from ui.runs.sweep_runs import SweepRuns
from ui.runs.sweep_sheet import SheetWriter
from ui.widgets.buttons import small_button
from ui.widgets.fields import ComboBox, tame
from ui.widgets.flow import FlowLayout
from ui.widgets.seen import WhenSeen

EMPTY = (
    "Try many values at once: choose with Vary… which parameters change, or right-click one on the canvas. "
    "What the pictures share is computed once."
)
MOST_SHOWN = 10_000
"""Cells of a sheet; of more, nothing is shown but how many are made."""

MOST_WORKERS = 1000
SOON_MS = 100  # from news of a cell to the count of all
FORM = 290  # pixels that the form has at first


class SweepPanel(QWidget):
    looked_at = Signal(object)  # the Result that is to be shown
    compared = Signal(object, object)  # two Results
    opened = Signal(object)  # the Graph of a cell that is to be shown
    failed = Signal(str)  # what could not be done, as a sentence

    def __init__(self, runs: SweepRuns, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.runs = runs
        self.form = SweepForm(runs)
        self.grid = SweepGrid(runs)
        self.reader = ResultReader(self)
        self.writer = SheetWriter(runs.document.registry.domain.sheet, self)
        self.summary = QLabel(wordWrap=True)
        self.summary.setObjectName("dim")
        self.error = QLabel(wordWrap=True)
        self.error.setObjectName("error")
        self.hint = QLabel(EMPTY, alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        self.hint.setObjectName("dim")
        self.start = small_button(
            "Run sweep", self._run, "Make the pictures that are not made; what failed is tried again"
        )
        self.stop = small_button("Stop", runs.stop, "Make no more of them; what is made stays")
        self.export = small_button(
            "Save sheet…", self._ask_export, "All pictures with their labels as one, and a table of them"
        )
        self.where = ComboBox()
        self.where.addItems(["This machine", "This machine, all GPUs", "A Ray cluster"])
        self.where.setAccessibleName("Where it is made")
        self.where.bound()
        self.workers = QSpinBox(minimum=0, maximum=MOST_WORKERS, suffix=" workers")
        self.workers.setSpecialValueText("One for each GPU")
        self.workers.setToolTip("Processes, each with an engine of its own")
        self.address = QLineEdit(placeholderText="this machine, or ray://HOST:PORT")
        self.address.setAccessibleName("Address of the Ray cluster")
        self.ordering = ComboBox()
        self.ordering.setAccessibleName("Order")
        self.ordering.setToolTip("What comes first; made anew when you choose")
        self.ordering.setSizeAdjustPolicy(ComboBox.SizeAdjustPolicy.AdjustToContents)
        for field in (self.where, self.workers, self.address, self.ordering):
            tame(field)
        self.said = QLabel(wordWrap=True)
        self.said.setObjectName("small")
        self._lay_out()
        self.setFocusProxy(self.grid)
        self._shown: tuple[Sweep | None, list[Cell]] = (None, [])
        self.grid.chosen.connect(self._look)
        self.grid.opened.connect(lambda cell: self.opened.emit(runs.graph(cell)))
        self.grid.starring.connect(lambda: runs.star(self.grid.selected))
        self.grid.menu_wanted.connect(lambda at: self._menu().popup(at))
        self.reader.failed.connect(self.failed)
        self.writer.failed.connect(self.failed)
        self.writer.done.connect(self._count)
        follow, count = WhenSeen(self, self.show_sweep), WhenSeen(self, self._count)
        runs.changed.connect(follow.ask)
        runs.turned.connect(count.ask)
        runs.said.connect(self.said.setText)
        self.where.activated.connect(self._show_where)
        self.ordering.activated.connect(self._show_pages)
        self._soon = QTimer(self, singleShot=True, interval=SOON_MS)
        self._soon.timeout.connect(count.ask)
        runs.cell_changed.connect(self._cell_changed)
        self.show_sweep()

    def _lay_out(self) -> None:
        buttons = FlowLayout(self.start, self.stop, self.export)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(10, 6, 8, 8)
        for widget in (self.form, self.where, self.workers, self.address, self.error, self.summary, self.said):
            column.addWidget(widget)
        column.insertLayout(4, buttons)
        self._show_where()
        column.addStretch(1)
        scroll = _Column(widgetResizable=True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setWidget(left)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        right = QWidget()
        stack = QVBoxLayout(right)
        stack.setContentsMargins(0, 4, 6, 4)
        stack.addWidget(self.ordering, 0, Qt.AlignmentFlag.AlignRight)
        stack.addWidget(self.hint, 1)
        stack.addWidget(self.grid, 1)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(scroll)
        split.addWidget(right)
        split.setStretchFactor(1, 1)
        split.setSizes([scaled(FORM), scaled(3 * FORM)])
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(split)

    def vary(self, port: Port) -> None:
        self.form.vary(port)

    def show_selected(self, ids: tuple[str, ...]) -> None:
        """Nodes whose parameters are offered first."""
        self.form.selection = ids

    # Showing ------------------------------------------------------------------------------------------

    def show_sweep(self) -> None:
        runs = self.runs
        self.form.show_sweep()
        if (shown := (runs.sweep, runs.cells)) != self._shown:
            self._shown = shown
            self._offer_orders()
            self._show_pages()
        seen = 0 < len(runs.cells) <= MOST_SHOWN
        self.hint.setText(f"{amount(len(runs.cells))} pictures are too many to be shown here." if runs.cells else EMPTY)
        self.hint.setVisible(not seen)
        self.grid.setVisible(seen)
        self.ordering.setVisible(seen)
        self.error.setText(runs.why)
        self.error.setVisible(bool(runs.why))
        self._count()

    def _offer_orders(self) -> None:
        """That which was chosen stays so, unless its parameter varies no more."""
        before = self.ordering.currentText()
        self.ordering.clear()
        for order, words in MADE_ORDERS.items():
            self.ordering.addItem(words, order)
        for number, axis in enumerate(self.runs.sweep.axes if self.runs.sweep else ()):
            title = self.runs.document.title_of(axis.port.node)
            self.ordering.addItem(f"By {label(axis.port.socket)} · {title}", number)
        self.ordering.setCurrentIndex(max(self.ordering.findText(before), 0))

    def _show_pages(self) -> None:
        sweep, cells = self.runs.sweep, self.runs.cells
        if sweep is None or not 0 < len(cells) <= MOST_SHOWN:
            self.grid.show_pages([])
        elif (order := self.ordering.currentData()) == "sheet":
            self.grid.show_pages(pages(sweep, cells))
        else:
            self.grid.show_pages([listed(sweep, ordered(sweep, cells, order, self._indexed))])

    def _indexed(self, cell: Cell) -> Made | None:
        """The first picture of a cell, as the gallery knows it."""
        paths, gallery = self.runs.pictures(cell), self.runs.gallery
        if paths and gallery and paths[0] in gallery.pictures:
            return gallery.pictures[paths[0]]
        return self._made(cell) if paths and Path(paths[0]).exists() else None

    def _count(self) -> None:
        runs = self.runs
        made, all = runs.made, len(runs.cells)
        self.start.setEnabled(made < all and not runs.running and not runs.naming)
        self.start.setText("Run sweep" if not made else "Go on" if made < all else "All are made")
        self.stop.setEnabled(runs.running)
        self.export.setEnabled(made > 0 and not self.writer.busy)
        self.export.setText("Saving…" if self.writer.busy else "Save sheet…")
        failed = runs.failed
        share = runs.share
        words = [f"{amount(all)} picture{'' if all == 1 else 's'}", f"{amount(made)} made" if made else ""]
        words.append(f"{amount(failed)} failed" if failed else "")
        if share and share.apart and made < all:
            words.append(f"{share.together / share.apart:.0%} of the work of separate runs")
            words.append(f"{share.kept / share.together:.0%} of it in the cache" if share.kept else "")
            if (seconds := share.seconds(runs.pace)) is not None:
                words.append(f"about {duration(seconds)}" if seconds >= 1 else "")
        self.summary.setText(" · ".join(filter(None, words)) if all else "")

    def _cell_changed(self, _: Cell) -> None:
        if not self._soon.isActive():
            self._soon.start()

    def _run(self) -> None:
        match self.where.currentIndex():
            case 0:
                self.runs.run()
            case 1:
                self.runs.run_on("all", self.workers.value())
            case _:
                self.runs.run_on(self.address.text().strip() or "ray", self.workers.value())

    def _show_where(self) -> None:
        self.workers.setVisible(self.where.currentIndex() > 0)
        self.address.setVisible(self.where.currentIndex() == 2)

    def _look(self) -> None:
        if not self.grid.selected:
            return
        if made := self._made(self.grid.selected[-1]):
            self.reader.read([made], lambda results: self.looked_at.emit(results[0]))

    def _made(self, cell: Cell) -> Made | None:
        """The first picture of a cell."""
        paths = self.runs.pictures(cell)
        return Made(paths[0], Path(paths[0]).stat().st_mtime) if paths else None

    # What can be done with cells ----------------------------------------------------------------------

    def _menu(self) -> QMenu:
        menu, cells, runs = QMenu(self), self.grid.selected, self.runs
        made = [one for cell in cells if (one := self._made(cell))]
        menu.aboutToHide.connect(menu.deleteLater)
        one = len(cells) == 1

        def offer(text: str, act: object, fits: bool, tip: str) -> None:
            action = QAction(text, menu, enabled=fits, toolTip=tip)
            action.triggered.connect(lambda: act())  # type: ignore[operator]
            menu.addAction(action)

        offer("Open its workflow", lambda: self.opened.emit(runs.graph(cells[0])), one, "In a tab of its own (Enter)")
        offer("Use these values", lambda: self._use(cells[0]), one, "Give the parameters of this document these values")
        offer("Compare the two", lambda: self._compare(made), len(made) == 2, "Side by side in the preview")
        todo = [cell for cell in cells if runs.state(cell) in ("", "failed")]
        offer(
            "Make these", lambda: runs.run(todo), bool(todo), "Run the selected cells alone; what failed is tried again"
        )
        offer("Star", lambda: runs.star(cells), bool(made), "Star or unstar their pictures in the gallery (S)")
        offer(
            "Keep these alone",
            lambda: runs.keep(cells),
            runs.listed and len(cells) < len(runs.cells),
            "Take all others out of the sweep; their files stay",
        )
        menu.addSeparator()
        for axis, varied in enumerate(runs.sweep.axes if one and runs.sweep else ()):
            index = cells[0][axis]
            text = f"Take out {label(varied.port.socket)} {varied.label(index)}"
            offer(
                text, partial(self._take_out, axis, index), len(varied.values) > 1, "Its row or column, from the sweep"
            )
        return menu

    def _use(self, cell: Cell) -> None:
        assert self.runs.sweep is not None
        self.runs.document.edit("Use the values of a cell", graph_of, self.runs.sweep.values(cell))

    def _compare(self, made: list[Made]) -> None:
        self.reader.read(made, lambda results: self.compared.emit(*results))

    def _take_out(self, axis: int, index: int) -> None:
        sweep = self.runs.sweep
        assert sweep is not None
        kept = [
            type(other)(other.port, (*other.values[:index], *other.values[index + 1 :]))
            if at == axis or sweep.mode == "zip"
            else other
            for at, other in enumerate(sweep.axes)
        ]
        self.runs.put(Sweep(tuple(kept), sweep.mode, sweep.sample), "Take a value out of the sweep")

    # Saving -------------------------------------------------------------------------------------------

    def _ask_export(self) -> None:
        place = f"{self.runs.document.name}_sweep.png"
        path, _ = QFileDialog.getSaveFileName(self, "Save the sheet", place, "Pictures (*.png)")
        if path:
            self.export_to(Path(path))

    def export_to(self, path: Path) -> None:
        """The sheet, and beside it a table with every parameter."""
        runs = self.runs
        assert runs.sweep is not None
        came = [self._came(cell) for cell in runs.cells]
        rows = table(runs.document.graph, runs.sweep, came)
        self.writer.write(path, pages(runs.sweep, runs.cells), came, rows, runs.document.graph)
        self._count()

    def _came(self, cell: Cell) -> Came:
        why = self.runs.message(cell)
        return Came(cell, self.runs.pictures(cell), failures=(Failed("", why),) if why else ())


class _Column(QScrollArea):
    """Goes up and down alone: it is never narrower than what is in it."""

    def minimumSizeHint(self) -> QSize:
        within = self.widget()
        inner = within.minimumSizeHint() if within is not None else QSize()
        bar = self.verticalScrollBar().sizeHint()
        return QSize(inner.width() + bar.width(), min(inner.height(), 2 * bar.height()))

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().viewportEvent(event)

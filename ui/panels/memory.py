"""What the engine holds: models and results, who uses them, and buttons to let go of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from nodegraph.planning.plan import Plan
from nodegraph.running.messages import Began, Event, Finished, Free, Gone, Holding, Idle, Memory, Report
from nodegraph.types import Described, NetworkId
from ui.base.text import byte_size
from ui.documents.document import Document
from ui.runs.engine import Engine
from ui.runs.live_plan import LivePlan
from ui.runs.node_run import owner
from ui.widgets.buttons import small_button
from ui.widgets.flow import FlowLayout
from ui.widgets.seen import seen

MODEL = Qt.ItemDataRole.UserRole
EVERY_MS = 2000
"""Between two questions to the engine while a run goes on."""


class MemoryPanel(QWidget):
    """Asks only while it is visible. Freeing invalidates nothing: what is needed again loads or is computed again."""

    def __init__(self, document: Document, engine: Engine, plan: LivePlan, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document, self.engine, self.plan = document, engine, plan
        self.tree = QTreeWidget()
        self.tree.setColumnCount(3)
        self.tree.setHeaderLabels(["What", "Used by", "Size"])
        self.tree.setAccessibleName("Memory")
        self.tree.setColumnWidth(0, 300)
        self.tree.setColumnWidth(1, 260)
        self.tree.setSelectionMode(QTreeWidget.SelectionMode.ExtendedSelection)
        self.free = small_button("Free", self._free_chosen, "Unload the selected models; they load again when needed")
        self.free_models = small_button("Free all models", self._free_models, "Unload every model")
        self.free_results = small_button(
            "Free results", lambda: engine.ask(Free(results=("memory",))), "Forget the results in memory"
        )
        self.delete = small_button(
            "Delete from disk", lambda: engine.ask(Free(results=("disk",))), "Delete the results kept on disk"
        )
        self.summary = QLabel("The engine is not running yet.")
        self.summary.setObjectName("dim")
        # Cut rather than making the window wider; the tooltip has all of it.
        self.summary.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.summary.setMinimumWidth(120)
        self._models: tuple[Holding, ...] = ()
        self._peaks = Peaks()
        self._lay_out()
        self.setFocusProxy(self.tree)
        self.tree.itemSelectionChanged.connect(self._show_buttons)
        self._clock = QTimer(self, interval=EVERY_MS)
        self._clock.timeout.connect(lambda: self._ask_again() if engine.running else None)
        self._clock.start()
        engine.happened.connect(self._take)
        self._show_buttons()

    def _lay_out(self) -> None:
        buttons = (self.free, self.free_models, self.free_results, self.delete)
        head = FlowLayout(self.summary, *buttons, growing=self.summary)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 4, 10, 8)
        column.addLayout(head)
        column.addWidget(self.tree, 1)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._ask()

    def _ask_again(self) -> None:
        """Not while nobody looks: whoever does again, asks anew."""
        if seen(self):
            self._ask()

    def _ask(self) -> None:
        self.engine.ask(Report())

    def _take(self, event: Event) -> None:
        match event:
            case Memory():
                self._show(event)
            case Began() | Finished():
                self._peaks.take(event)
            case Idle():
                self._ask_again()
            case Gone():
                self._show(Memory((), {}, 0, 0, 0))
            case _:
                pass

    def _chosen(self) -> tuple[NetworkId, ...]:
        return tuple(id for item in self.tree.selectedItems() if (id := item.data(0, MODEL)))

    def _free_chosen(self) -> None:
        self.engine.ask(Free(models=self._chosen()))

    def _free_models(self) -> None:
        self.engine.ask(Free(models=tuple(model.id for model in self._models)))

    def _show_buttons(self) -> None:
        self.free.setEnabled(bool(self._chosen()))
        self.free_models.setEnabled(bool(self._models))

    def _show(self, memory: Memory) -> None:
        if not seen(self):
            return
        plan = self.plan.latest or Plan({}, {}, (), {})
        chosen = set(self._chosen())
        self._models = memory.models
        self.tree.clear()
        models = self._branch("Models", sum(model.bytes for model in memory.models))
        used = users(plan, memory.models)
        for model in memory.models:
            used_by = ", ".join(map(self._title, used[model.id]))
            item = QTreeWidgetItem(models, [f"{model.name}, on {model.device}", used_by, byte_size(model.bytes)])
            item.setToolTip(1, used_by)
            item.setData(0, MODEL, model.id)
            item.setSelected(model.id in chosen)
        results = self._branch("Results", sum(memory.results.values()))
        for node, (count, size) in sorted(by_node(memory.results, plan).items(), key=lambda entry: -entry[1][1]):
            used_by = self._title(node) if node else "Earlier settings, or other documents"
            QTreeWidgetItem(results, [f"{count} result{'s' if count > 1 else ''}", used_by, byte_size(size)])
        self._show_peaks()
        limit, disk = byte_size(memory.results_limit), byte_size(memory.disk_bytes)
        summary = f"Results may take {limit} · {memory.disk_results} on disk ({disk})"
        self.summary.setText(summary)
        self.summary.setToolTip(summary)
        self._show_buttons()

    def _show_peaks(self) -> None:
        """Nothing where it is not known what was in use."""
        peaks = sorted(self._peaks.by_node().items(), key=lambda entry: -entry[1])
        if not peaks:
            return
        branch = self._branch("In use at most while computing", peaks[0][1])
        for node, size in peaks:
            QTreeWidgetItem(branch, ["", self._title(node), byte_size(size)])

    def _branch(self, name: str, size: int) -> QTreeWidgetItem:
        item = QTreeWidgetItem(self.tree, [name, "", byte_size(size)])
        item.setExpanded(True)
        item.setTextAlignment(2, Qt.AlignmentFlag.AlignLeft)
        return item

    def _title(self, node: str) -> str:
        return self.document.title_of(node) if node in self.document.graph.nodes else node


class Peaks:
    """Of each node the memory that was in use at the most in the latest run that computed it."""

    def __init__(self) -> None:
        self._run = 0
        self._of: dict[str, tuple[int, int]] = {}  # by node, the run and the bytes

    def take(self, event: Began | Finished) -> None:
        if isinstance(event, Began):
            self._run += 1
        elif event.peak:
            node = owner(event.node)
            run, before = self._of.get(node, (0, 0))
            self._of[node] = self._run, max(event.peak, before if run == self._run else 0)

    def by_node(self) -> dict[str, int]:
        return {node: peak for node, (_, peak) in self._of.items()}


def users(plan: Plan, models: Sequence[Holding]) -> dict[NetworkId, list[str]]:
    """The nodes of the document that take a description of a model, by its id."""
    found: dict[NetworkId, dict[str, None]] = {model.id: {} for model in models}
    for call in plan.calls.values():
        for value in filter(is_dataclass, call.args.values()):
            for network in value.networks if isinstance(value, Described) else ():
                if network in found:
                    found[network][owner(call.node)] = None
    return {id: list(nodes) for id, nodes in found.items()}


def by_node(results: Mapping[str, int], plan: Plan) -> dict[str, tuple[int, int]]:
    """How many results each node of the document has, and their bytes; "" for those that the plan has no use for."""
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for key, size in results.items():
        call = plan.calls.get(key)
        node = owner(call.node) if call else ""
        counts[node] += 1
        sizes[node] += size
    return {node: (count, sizes[node]) for node, count in counts.items()}

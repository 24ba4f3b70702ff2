"""One parameter with its editor, in a form."""

from __future__ import annotations

from contextlib import suppress
from textwrap import fill
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGraphicsOpacityEffect, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from nodegraph.graph import Graph, Port, SeedMode, change_node, disconnect, reset_param, set_param
from nodegraph.node import Input, Multiline, Range, Seed
from nodegraph.types import type_name
from ui.base.text import amount, label, number, parameter_help
from ui.documents.document import Document
from ui.documents.scope import Scope
from ui.widgets.editor import Editor
from ui.widgets.editors import keeps_wrong, make_editor
from ui.widgets.fields import ComboBox
from ui.widgets.path_fields import PathField
from ui.widgets.short_label import ShortLabel

TIP_WIDTH = 72  # characters
KEPT = 14  # letters of a name that what stands beside it leaves
IDLE = 0.55  # how much is seen of a parameter without a meaning

SEED_MODES: dict[SeedMode, str] = {
    "fixed": "Keep for the next run",
    "increment": "Next number before each run",
    "random": "Random before each run",
}


class ParameterRow(QWidget):
    """Name, limits, editor or link state, and what is wrong with the value.

    others: further nodes that have this parameter too; an edit gives all of them the same value.
    """

    held = Signal(bool)  # a slider is held: runs should be quick

    def __init__(self, document: Document | Scope, node: str, spec: Input, others: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.document, self.node, self.spec = document, node, spec
        self.nodes = (node, *others)
        self._idle = ""
        self._gesture = 0  # edits of one gesture are one undo step
        self.name = ShortLabel(label(spec.name), KEPT)
        self.about = ShortLabel()
        self.about.setObjectName("small")
        self.action = QPushButton()
        self.action.setObjectName("quiet")
        self.action.setCursor(Qt.CursorShape.PointingHandCursor)
        self.action.clicked.connect(self._act)
        self.error = QLabel()
        self.error.setObjectName("error")
        self.error.setWordWrap(True)
        self.editor: Editor | None = make_editor(spec) if spec.editable else None
        self.seed_mode = _seed_modes() if spec.get(Seed) else None
        self._offer()
        self._lay_out()
        self._connect()
        self.refresh()

    def _lay_out(self) -> None:
        self.setToolTip(self._tip())
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        for widget in (self.name, self.about):
            top.addWidget(widget)
        top.addStretch(1)
        top.addWidget(self.action)
        beside = self.editor is not None and self.spec.type is bool
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 8)
        column.setSpacing(3)
        column.addLayout(top)
        for widget in (self.editor, self.seed_mode, self.error):
            if widget is not None:
                (top if widget is self.editor and beside else column).addWidget(widget)

    def _tip(self) -> str:
        """What the parameter does, and what it may be."""
        does = parameter_help(self.document.type_of(self.node).doc, self.spec.name)
        may_be = ", ".join(filter(None, (type_name(self.spec.type), _limits(self.spec))))
        return "\n".join(filter(None, (fill(self._idle, TIP_WIDTH), fill(does, TIP_WIDTH), may_be)))

    def show_idle(self, why: str) -> None:
        """why: the parameter has no meaning here, as a sentence; empty when it has one. It can be set all the same."""
        if why == self._idle:
            return
        self._idle = why
        self.setToolTip(self._tip())
        for widget in (self, self.editor):
            if widget is not None:
                widget.setAccessibleDescription(why)
        for text in (self.name, self.about, *((self.editor,) if self.editor is not None else ())):
            effect = QGraphicsOpacityEffect(text, opacity=IDLE) if why else None
            text.setGraphicsEffect(effect)  # type: ignore[arg-type]  none takes it off, which the stubs leave out

    def _connect(self) -> None:
        if self.editor is not None:
            self.editor.typed.connect(self._show_error)
            self.editor.edited.connect(self._edited)
            self.editor.done.connect(self._end_gesture)
            self.editor.held.connect(self.held)
        if self.seed_mode is not None:
            self.seed_mode.activated.connect(self._choose_seed_mode)

    def show_node(self, node: str) -> None:
        """Be for another node of the same type."""
        self.node, self.nodes = node, (node,)
        self._offer()
        self._gesture += 1
        self.refresh()

    def refresh(self) -> None:
        """Show what the document says."""
        known, name = self.document.graph.links, self.spec.name
        links = [source for node in self.nodes if (source := known.get(Port(node, name))) is not None]
        values = self._values()
        same = all(value == values[0] for value in values)
        self._show_about(links, same)
        changed = any(self.spec.name in self.document.graph.nodes[node].params for node in self.nodes)
        default = same and values[0] == self.spec.default
        self.action.setText("Unlink" if links else "Reset")
        self.action.setToolTip("Take the link off" if links else f"Back to the default{self._default_text()}")
        self.action.setVisible(bool(links) or (changed and not default and not self.spec.required))
        self._show_error(None if links or values[0] is None or self._open(values[0]) else values[0])
        if self.editor is not None:
            self.editor.setVisible(not links)
            if not self._open(values[0]):
                self.editor.show_value(values[0])
        if self.seed_mode is not None:
            modes = list(SEED_MODES)
            self.seed_mode.setVisible(not links)
            self.seed_mode.setCurrentIndex(modes.index(self.document.graph.nodes[self.node].seed_mode))

    def _offer(self) -> None:
        """Let a field for files offer those that fit the node."""
        offering = self.document.offers_for(self.node, self.spec)
        if isinstance(self.editor, PathField) and offering is not None:
            self.editor.offer(offering)

    def _measure(self, text: Any) -> None:
        """How long a text is, beside its name."""
        multiline = self.spec.get(Multiline)
        if multiline and multiline.weighs and isinstance(self.document, Scope) and not self.nodes[1:]:
            self.document.measure(self.document.prefix + self.node, str(text or ""), self._show_length)

    def _show_length(self, said: str) -> None:
        with suppress(RuntimeError):  # the row is gone
            if not self._source(self.node):
                self.about.setText(said)

    def _source(self, node: str) -> Port | None:
        return self.document.graph.links.get(Port(node, self.spec.name))

    def _values(self) -> list[Any]:
        """Of each node; the default is asked for once for each type that is installed."""
        name, nodes, declared = self.spec.name, self.document.graph.nodes, self.document.declared
        types = {id: declared(id) for id in {nodes[node].type for node in self.nodes}}
        defaults = {id: type.input(name) or self.spec for id, type in types.items() if type is not None}
        found: list[Any] = []
        for id in self.nodes:
            node = nodes[id]
            spec = defaults.get(node.type) or self.document.input(Port(id, name)) or self.spec
            found.append(node.params.get(name, spec.default))
        return found

    def _open(self, value: Any) -> bool:
        """Whether there is no value: a link is needed."""
        return self.spec.required and value is self.spec.default

    def _default_text(self) -> str:
        default = self.spec.default
        return f", {number(default)}" if isinstance(default, int | float) and not isinstance(default, bool) else ""

    def _show_about(self, links: list[Port], same: bool) -> None:
        """Beside the name: where the value comes from, or its limits."""
        if links:
            titles = {self.document.title_of(source.node) for source in links}
            self.about.setText(f"from {', '.join(sorted(titles))}")
            self.about.setToolTip(", ".join(f"{source.node}: {label(source.socket)}" for source in links))
            return
        self.about.setToolTip("")
        if self.editor is None:
            self.about.setText(f"not linked ({type_name(self.spec.type)})")
        else:
            self.about.setText(_limits(self.spec) if same else "several values")

    def _show_error(self, value: Any) -> None:
        complaint = None if value is None or not self.spec.editable else self.spec.complaint(value)
        self.error.setText(complaint or "")
        self.error.setVisible(complaint is not None)

    # Editing ------------------------------------------------------------------------------------------

    def _edited(self, value: Any) -> None:
        if self.spec.type is float and isinstance(value, int):
            value = float(value)
        self._show_error(value)
        self._measure(value)
        value = self.document.meant(self.document.type_of(self.node), self.spec.name, value)
        if self.spec.complaint(value) is None or keeps_wrong(self.spec):
            merge = ("param", self.nodes, self.spec.name, id(self), self._gesture)
            self._edit(f"Set {self._words}", set_param, self.spec.name, value, merge=merge)

    def settle(self) -> None:
        """What is typed and is no edit yet becomes one, when it is right."""
        if self.editor is not None:
            self.editor.settle()

    def _end_gesture(self) -> None:
        self._gesture += 1
        self.refresh()

    @property
    def _words(self) -> str:
        whose = f"{amount(len(self.nodes))} nodes" if self.nodes[1:] else self.document.title_of(self.node)
        return f"{self.spec.name.replace('_', ' ')} of {whose}"

    def _edit(self, text: str, change: Any, *args: Any, merge: Any = None) -> None:
        """Make the same change on every node, as one step."""

        def whole(graph: Graph) -> Graph:
            for node in self.nodes:
                graph = change(graph, node, *args)
            return graph

        self.document.edit(text, whole, merge=merge)

    def _act(self) -> None:
        if any(self._source(node) for node in self.nodes):
            self._edit("Disconnect", lambda graph, node: disconnect(graph, Port(node, self.spec.name)))
        else:
            self._edit(f"Reset {self._words}", reset_param, self.spec.name)

    def _choose_seed_mode(self, index: int) -> None:
        mode = list(SEED_MODES)[index]
        change = "Change what becomes of the seed"
        self._edit(change, lambda graph, node: change_node(graph, node, seed_mode=mode))


def _seed_modes() -> ComboBox:
    made = ComboBox()
    made.addItems(list(SEED_MODES.values()))
    made.bound()
    made.setAccessibleName("What becomes of the seed before each run")
    made.setToolTip("What becomes of the seed before each run that you start; live edits keep it")
    return made


def _limits(spec: Input) -> str:
    """ "64 to 2048 px, 0: as trained"; empty without limits, and for seeds, whose limits say nothing."""
    limits = spec.get(Range)
    if limits is None or spec.get(Seed):
        return ""
    zero = f", 0: {limits.zero}" if limits.zero else ""
    return f"{number(limits.min)} to {number(limits.max)}{' ' + limits.unit if limits.unit else ''}{zero}"

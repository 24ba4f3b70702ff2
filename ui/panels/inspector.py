"""All parameters of the selected nodes, and what the node is for."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from nodegraph.graph import Diff, Port
from nodegraph.node import Input, NodeType
from ui.document import Document
from ui.panels.parameter_row import ParameterRow
from ui.scope import Scope
from ui.text import help_markdown

NOTHING = "Select a node to see its parameters"


class Inspector(QScrollArea):
    """Parameter rows for one node, or for what several nodes have in common.

    node: the one that is shown; None when there is not exactly one. nodes: all that are shown.
    """

    held = Signal(bool)  # a slider is held: runs should be quick

    def __init__(self, document: Document | Scope, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self.nodes: tuple[str, ...] = ()
        self.rows: dict[str, ParameterRow] = {}
        self._shown: tuple[NodeType, ...] = ()  # the types that the rows are for
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Inspector")
        document.changed.connect(self._apply)
        self.show_nodes(())

    @property
    def node(self) -> str | None:
        return self.nodes[0] if len(self.nodes) == 1 else None

    def show_nodes(self, ids: tuple[str, ...]) -> None:
        self.nodes = ids
        self._shown = tuple(self.document.type_of(id) for id in ids)
        match ids:
            case ():
                self._fill(NOTHING, "", "", [])
            case (id,):
                self._show_node(id, self._shown[0])
            case _:
                common = common_inputs(self._shown)
                about = "An edit holds for all of them" if common else "They have no parameter in common"
                self._fill(f"{len(ids)} nodes", about, "", common)

    def _show_node(self, id: str, type: NodeType) -> None:
        graph = self.document.graph
        # What can be typed comes first, links after it.
        inputs = sorted(type.inputs, key=lambda i: not i.editable or Port(id, i.name) in graph.links)
        self._fill(graph.nodes[id].title or type.title, f"{type.id}  ·  {id}", type.doc, inputs)

    def _fill(self, title: str, about: str, doc: str, inputs: list[Input]) -> None:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(14, 8, 14, 14)
        column.setSpacing(4)
        column.addWidget(_text(title, "heading" if about else "dim"))
        if about:
            column.addWidget(_text(about, "dim"))
            column.addSpacing(8)
        self.rows = {}
        for spec in inputs:
            row = ParameterRow(self.document, self.nodes[0], spec, self.nodes[1:])
            row.held.connect(self.held)
            self.rows[spec.name] = row
            column.addWidget(row)
        if doc:
            column.addWidget(_rule())
        for paragraph in help_markdown(doc).split("\n\n") if doc else ():
            column.addWidget(_text(paragraph, "dim", markdown=True))
            column.addSpacing(5)
        column.addStretch(1)
        self.setWidget(page)

    def _apply(self, change: Diff) -> None:
        graph = self.document.graph
        if not all(id in graph.nodes for id in self.nodes):
            self.show_nodes(tuple(id for id in self.nodes if id in graph.nodes))
            return
        touched = {*change.changed, *(port.node for port in (*change.linked, *change.unlinked))}
        if touched.isdisjoint(self.nodes):
            return
        if tuple(self.document.type_of(id) for id in self.nodes) != self._shown:
            self.show_nodes(self.nodes)
        for row in self.rows.values():
            row.refresh()


def common_inputs(types: tuple[NodeType, ...]) -> list[Input]:
    """The parameters that all types have, in the order of the first: the same name, type, limits and choices."""

    def shared(spec: Input) -> bool:
        others = (type.input(spec.name) for type in types[1:])
        return all(other is not None and (other.type, other.meta) == (spec.type, spec.meta) for other in others)

    return [spec for spec in types[0].inputs if spec.editable and shared(spec)]


def _text(text: str, name: str, *, markdown: bool = False) -> QLabel:
    made = QLabel(text)
    made.setObjectName(name)
    made.setWordWrap(True)
    made.setTextFormat(Qt.TextFormat.MarkdownText if markdown else Qt.TextFormat.PlainText)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
    made.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
    made.setOpenExternalLinks(True)
    return made


def _rule() -> QFrame:
    rule = QFrame()
    rule.setFrameShape(QFrame.Shape.HLine)
    rule.setObjectName("rule")
    return rule

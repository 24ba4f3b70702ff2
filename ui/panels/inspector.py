"""All parameters of the selected nodes, and what the node is for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import takewhile

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QApplication, QFrame, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from nodegraph.graph import Diff, Port
from nodegraph.node import Input, NodeType
from nodegraph.pieces import Pieces, in_parts
from ui.base.slices import Slices
from ui.base.text import amount, help_markdown
from ui.base.unstyled import let_go
from ui.documents.document import Document
from ui.documents.scope import Scope
from ui.panels.parameter_row import ParameterRow
from ui.runs.kinds import Kinds
from ui.widgets.seen import WhenSeen, seen

NOTHING = "Select a node to see its parameters"
AT_ONCE = 4  # rows; each takes some two milliseconds, and what a run reports is to be seen meanwhile
MANY = 300
"""Nodes that are looked through at once; of ten thousand, each row of the page takes eight milliseconds."""


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
        self._kinds = Kinds()
        self._page_of: NodeType | None = None  # the type of the single node for which the page was made
        self._parts: list[Callable[[], object]] = []  # what the page does not show yet
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self._build)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Inspector")
        self._looking = Slices(self)  # through very many nodes
        self._to_show = WhenSeen(self, self._show)
        document.changed.connect(self._apply)
        self._show()

    @property
    def node(self) -> str | None:
        return self.nodes[0] if len(self.nodes) == 1 else None

    @property
    def complete(self) -> bool:
        """Whether all of the page is there; what is seen first comes before the rest."""
        return not self._parts and not self._looking.busy

    def show_nodes(self, ids: tuple[str, ...]) -> None:
        if ids != self.nodes and all(id in self.document.graph.nodes for id in self.nodes):
            for row in self.rows.values():
                row.settle()  # what is typed into a page that goes, and is no edit yet, would go with it
        self.nodes = ids
        self._to_show.ask()

    def show_kinds(self, kinds: Kinds) -> None:
        """Of what the nodes of the document make and take."""
        self._kinds = kinds
        self._mark_kinds()

    def _mark_kinds(self) -> None:
        """Say what the node makes, and dim the parameters that have no meaning for any of the nodes."""
        ids, graph = [id for id in self.nodes if id in self.document.graph.nodes], self.document.graph
        prefix = self.document.prefix if isinstance(self.document, Scope) else ""
        title = self._kinds.title(prefix + ids[0]) if len(ids) == 1 else ""
        self.badge.setText(title)
        self.badge.setVisible(bool(title))
        idle = [*takewhile(bool, (self._kinds.idle(prefix + id, graph.nodes[id].type) for id in ids))]
        for name, row in self.rows.items():
            whys = [known.get(name) or known.get("", "") for known in idle] if len(idle) == len(ids) else []
            row.show_idle(whys[0] if all(whys) and whys else "")

    def _show(self) -> None:
        self._shown = ()
        if len(self.nodes) > MANY:
            self._parts.clear()  # of the page before, whose nodes are others
            self._looking.put_off(self._following())
            return
        self._looking.drop()
        self._show_types(tuple(map(self.document.type_of, self.nodes)))

    def _following(self) -> Pieces[None]:
        """Show very many nodes as they are now: on the page that is there, if it is theirs."""
        types: list[NodeType] = []
        for part in in_parts(self.nodes):
            types += map(self.document.type_of, part)
            yield
        if tuple(types) != self._shown:
            self._show_types(tuple(types))
            return
        for row in self.rows.values():
            row.refresh()
            yield

    def _show_types(self, types: tuple[NodeType, ...]) -> None:
        """types: of the nodes."""
        ids, self._shown = self.nodes, types
        match ids:
            case ():
                self._fill(NOTHING, "", "", [])
            case (id,):
                self._show_node(id, types[0])
            case _:
                common = common_inputs(types)
                about = "An edit holds for all of them" if common else "They have no parameter in common"
                self._fill(f"{amount(len(ids))} nodes", about, "", common)

    def _show_node(self, id: str, type: NodeType) -> None:
        graph = self.document.graph
        # What can be typed comes first, links after it.
        inputs = sorted(type.inputs, key=lambda i: not i.editable or Port(id, i.name) in graph.links)
        title, about = self.document.title_of(id), f"{type.id}  ·  {id}"
        if self._serves(type, inputs):
            self._title.setText(title)
            self._about.setText(about)
            for row in self.rows.values():
                row.show_node(id)
            self._mark_kinds()
        else:
            self._fill(title, about, type.doc, inputs)
            self._page_of = type

    def _serves(self, type: NodeType, inputs: list[Input]) -> bool:
        """Whether the page of another node, which is there, can show this one: a new page takes much longer.

        It cannot while something is typed into it, which is meant for the other node.
        """
        focus = QApplication.focusWidget()
        typing = focus is not None and any(row.isAncestorOf(focus) for row in self.rows.values())
        same = type == self._page_of and [spec.name for spec in inputs] == list(self.rows)
        return same and self.complete and not typing

    def _fill(self, title: str, about: str, doc: str, inputs: list[Input]) -> None:
        self._page_of = None
        page = QWidget()
        self._column = QVBoxLayout(page)
        self._column.setContentsMargins(14, 8, 14, 14)
        self._column.setSpacing(4)
        self._title, self._about = _text(title, "heading" if about else "dim"), _text(about, "dim")
        self.badge = _text("", "badge")
        self.badge.setWordWrap(False)
        self.badge.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        self.badge.setAccessibleName("What the node makes")
        self.badge.hide()
        self._column.addWidget(self._title)
        self._column.addWidget(self.badge)
        if about:
            self._column.addWidget(self._about)
            self._column.addSpacing(8)
        self.rows = {}
        self._parts = [partial(self._add_row, spec) for spec in inputs]
        self._parts += [partial(self._add_help, doc)] if doc else []
        self._parts.append(partial(self._column.addStretch, 1))
        if len(self.nodes) > MANY:
            self._later.start()
        else:
            self._build()
        if before := self.widget():
            let_go(before)
        self.setWidget(page)

    def _build(self) -> None:
        """Show some more of the page; the rest comes when nothing else is to do."""
        few = len(self.nodes) <= MANY
        count = AT_ONCE if few else 1
        for part in self._parts[:count]:
            part()
        del self._parts[:count]
        if self._parts:
            self._later.start()
        if few or not self._parts:
            self._mark_kinds()

    def _add_row(self, spec: Input) -> None:
        row = ParameterRow(self.document, self.nodes[0], spec, self.nodes[1:])
        row.held.connect(self.held)
        self.rows[spec.name] = row
        self._column.addWidget(row)

    def _add_help(self, doc: str) -> None:
        self._column.addWidget(_rule())
        for paragraph in help_markdown(doc).split("\n\n"):
            self._column.addWidget(_text(paragraph, "dim", markdown=True))
            self._column.addSpacing(5)

    def _apply(self, change: Diff) -> None:
        graph = self.document.graph
        if not all(id in graph.nodes for id in self.nodes):
            self.show_nodes(tuple(id for id in self.nodes if id in graph.nodes))
            return
        touched = {*change.changed, *(port.node for port in (*change.linked, *change.unlinked))}
        if touched.isdisjoint(self.nodes):
            return
        if not seen(self):
            self._to_show.ask()
            return
        if len(self.nodes) > MANY:
            self._looking.put_off(self._following())
            return
        if tuple(map(self.document.type_of, self.nodes)) != self._shown:
            self._show()
        if self.node is not None:
            self._title.setText(self.document.title_of(self.node))
        for row in self.rows.values():
            row.refresh()


def common_inputs(types: tuple[NodeType, ...]) -> list[Input]:
    """The parameters that all types have, in the order of the first: the same name, type, limits and choices."""
    different = {id(type): type for type in types}.values()  # of ten thousand nodes few have another

    def shared(spec: Input) -> bool:
        others = (type.input(spec.name) for type in different)
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

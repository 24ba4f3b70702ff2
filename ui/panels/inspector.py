"""All parameters of the selected node, and what the node is for."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from nodegraph.graph import Diff, Port, disconnect, reset_param
from nodegraph.node import Input, Range
from nodegraph.types import type_name
from ui.document import Document
from ui.editors import Editor, make_editor
from ui.text import label, number


class ParameterRow(QWidget):
    """Name, editor or link state, and what is wrong with the value."""

    def __init__(self, document: Document, node: str, spec: Input) -> None:
        super().__init__()
        self.document, self.node, self.spec = document, node, spec
        self._gesture = 0  # edits of one gesture are one undo step
        self.name = QLabel(label(spec.name))
        self.link = QLabel()
        self.link.setObjectName("dim")
        self.action = QPushButton()
        self.action.setObjectName("quiet")
        self.action.setCursor(Qt.CursorShape.PointingHandCursor)
        self.action.clicked.connect(self._act)
        self.error = QLabel()
        self.error.setObjectName("error")
        self.error.setWordWrap(True)
        self.editor: Editor | None = make_editor(spec) if spec.editable else None
        self._lay_out()
        if self.editor is not None:
            self.editor.edited.connect(self._edited)
            self.editor.done.connect(self._end_gesture)
        self.refresh()

    def _lay_out(self) -> None:
        limits = self.spec.get(Range)
        if limits is not None:
            unit = f" {limits.unit}" if limits.unit else ""
            self.name.setToolTip(f"{number(limits.min)} to {number(limits.max)}{unit}")
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        top.addWidget(self.name)
        top.addStretch(1)
        top.addWidget(self.link)
        top.addWidget(self.action)
        beside = self.editor is not None and self.spec.type is bool
        if self.editor is not None and beside:
            top.addWidget(self.editor)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 8)
        column.setSpacing(3)
        column.addLayout(top)
        if self.editor is not None and not beside:
            column.addWidget(self.editor)
        column.addWidget(self.error)

    def refresh(self) -> None:
        """Show what the document says."""
        graph = self.document.graph
        source = graph.links.get(Port(self.node, self.spec.name))
        value = graph.nodes[self.node].params.get(self.spec.name, self.spec.default)
        changed = self.spec.name in graph.nodes[self.node].params and value != self.spec.default
        if source is not None:
            title = graph.nodes[source.node].title or self.document.type_of(source.node).title
            self.link.setText(f"from {title}")
            self.link.setToolTip(f"{source.node}: {label(source.socket)}")
        else:
            self.link.setText("" if self.editor else f"not linked ({type_name(self.spec.type)})")
        self.action.setText("Unlink" if source else "Reset")
        self.action.setToolTip("Take the link off" if source else "Back to the default")
        self.action.setVisible(source is not None or (changed and not self.spec.required))
        self._show_error(None if source or (self.spec.required and value is self.spec.default) else value)
        if self.editor is not None:
            self.editor.setVisible(source is None)
            if value is not self.spec.default or not self.spec.required:
                self.editor.show_value(value)

    def _show_error(self, value: Any) -> None:
        complaint = None if value is None or not self.spec.editable else self.spec.complaint(value)
        self.error.setText(complaint or "")
        self.error.setVisible(complaint is not None)

    def _edited(self, value: Any) -> None:
        if self.spec.type is float and isinstance(value, int):
            value = float(value)
        self._show_error(value)
        if self.spec.complaint(value) is None:
            merge = ("param", self.node, self.spec.name, id(self), self._gesture)
            self.document.set_param(self.node, self.spec.name, value, merge=merge)

    def _end_gesture(self) -> None:
        self._gesture += 1
        self.refresh()

    def _act(self) -> None:
        port = Port(self.node, self.spec.name)
        if port in self.document.graph.links:
            self.document.edit("Disconnect", disconnect, port)
        else:
            self.document.edit(f"Reset {self.spec.name.replace('_', ' ')}", reset_param, *port)


class Inspector(QScrollArea):
    """Parameter rows for one node; a sentence when there is not exactly one."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self.node: str | None = None
        self.rows: dict[str, ParameterRow] = {}
        self._shown: object = None  # the type that the rows are for
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        document.changed.connect(self._apply)
        self.show_nodes(())

    def show_nodes(self, ids: tuple[str, ...]) -> None:
        self.node = ids[0] if len(ids) == 1 else None
        if self.node is None:
            self._fill("Select a node to see its parameters" if not ids else f"{len(ids)} nodes selected", "", "", ())
            self._shown = None
            return
        type, node = self.document.type_of(self.node), self.document.graph.nodes[self.node]
        self._shown = type
        about = f"{type.id}  ·  {self.node}"
        self._fill(node.title or type.title, about, type.doc, type.inputs)

    def _fill(self, title: str, about: str, doc: str, inputs: tuple[Input, ...]) -> None:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(14, 8, 14, 14)
        column.setSpacing(4)
        column.addWidget(_text(title, "heading" if about else "dim"))
        if about:
            column.addWidget(_text(about, "dim"))
            column.addSpacing(8)
        self.rows = {}
        # What can be typed comes first, links after it.
        links = self.document.graph.links
        for spec in sorted(inputs, key=lambda i: not i.editable or Port(self.node or "", i.name) in links):
            self.rows[spec.name] = ParameterRow(self.document, self.node or "", spec)
            column.addWidget(self.rows[spec.name])
        if doc:
            column.addWidget(_rule())
        for paragraph in doc.split("\n\n") if doc else ():
            # A backslash in a docstring is meant as one.
            column.addWidget(_text(paragraph.replace("\\", "\\\\"), "dim", markdown=True))
            column.addSpacing(5)
        column.addStretch(1)
        self.setWidget(page)

    def _apply(self, change: Diff) -> None:
        if self.node is None:
            return
        if self.node not in self.document.graph.nodes:
            self.show_nodes(())
            return
        ports = (*change.linked, *change.unlinked)
        if self.node not in change.changed and all(port.node != self.node for port in ports):
            return
        if self.document.type_of(self.node) != self._shown:
            self.show_nodes((self.node,))
        for row in self.rows.values():
            row.refresh()


def _text(text: str, name: str, *, markdown: bool = False) -> QLabel:
    made = QLabel(text)
    made.setObjectName(name)
    made.setWordWrap(True)
    made.setTextFormat(Qt.TextFormat.MarkdownText if markdown else Qt.TextFormat.PlainText)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made


def _rule() -> QFrame:
    rule = QFrame()
    rule.setFrameShape(QFrame.Shape.HLine)
    rule.setObjectName("rule")
    return rule

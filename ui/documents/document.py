"""The one mutable thing: which graph is current, and how we got here."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from nodegraph import graph as edits
from nodegraph.domain import Brought
from nodegraph.editing.places import filed, whole
from nodegraph.formats import workflow
from nodegraph.graph import Graph, Port, diff
from nodegraph.group_type import document_types
from nodegraph.limits import check_growth
from nodegraph.node import REQUIRED, File, Input, NodeType, Output
from nodegraph.pieces import Pieces, finish
from nodegraph.registry import Registry
from nodegraph.types import type_of
from ui.documents.journal import UNTITLED
from ui.widgets.offers import Offering, Then

Begun = Callable[[Graph | None, str], object]
"""Hears which workflow files begin, None where they begin none, and why not; "" where there is nothing to be said."""


def _as_it_is(graph: Graph) -> Graph:
    return graph


class GraphEdit(QUndoCommand):
    """Every edit: the graph before and the graph after. merge: edits with equal tokens become one step.

    Not by Qt's way of merging: PySide keeps every command that another has swallowed, with its graphs, for ever.
    """

    def __init__(self, document: Document, text: str, after: Graph, merge: Hashable | None) -> None:
        super().__init__(text)
        self.document, self.before, self.after, self.merge = document, document.graph, after, merge

    def redo(self) -> None:
        self.document.show_graph(self.after)

    def undo(self) -> None:
        self.document.show_graph(self.before)


class Document(QObject):
    """A graph, its undo history and its file. registry: the node types its nodes may have.

    files: who knows which files a parameter could have: asked with the node, as the engine calls it, the input and what
    was typed, and told whom to answer; None while nobody does. begin: who knows what files begin while there is nothing
    in the document, asked in the same way. tells: a graph as it goes to others, with what is known of its files.
    """

    changed = Signal(object)  # Diff
    edited = Signal(object)  # the GraphEdit of an edit; undo and redo, and other versions of the file, are none
    file_changed = Signal()  # the path, or whether there are unsaved changes

    def __init__(self, registry: Registry, graph: Graph | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.registry = registry
        self.graph = graph or Graph()
        self.path: Path | None = None
        self.files: Callable[[str, Input, str, Then], object] | None = None
        self.begin: Callable[[Sequence[Brought], Begun], object] | None = None
        self.tells: Callable[[Graph], Graph] = _as_it_is
        self.working_title = UNTITLED  # until there is a file
        self._groups_of = self.graph.groups
        self._types = document_types(self.graph.groups, registry)
        self.undo_stack = QUndoStack(self)
        self.undo_stack.cleanChanged.connect(self._clean_changed)

    def offers_for(self, node: str, spec: Input) -> Offering | None:
        """Who knows which files this parameter of a node could have; None where nobody does."""
        file, files = spec.get(File), self.files
        return partial(files, node, spec) if files is not None and file is not None and file.kinds else None

    def _clean_changed(self) -> None:
        self.file_changed.emit()

    @property
    def dirty(self) -> bool:
        return not self.undo_stack.isClean()

    @property
    def name(self) -> str:
        return self.path.stem if self.path else self.working_title

    def edit(self, text: str, change: Callable[..., Graph], *args: Any, merge: Hashable | None = None) -> None:
        """Apply a pure edit from nodegraph.graph as one undo step; equal `merge` tokens in a row are one step.

        Raises ValueError when the file could not be opened again: nothing that is made may be lost.
        """
        if self._step(text, change(self.graph, *args), merge) and (step := self._top_step()):
            self.edited.emit(step)

    def show_version(self, text: str, graph: Graph) -> None:
        """Show what was saved, by the user or to be safe, as one undo step. Raises ValueError as `edit` does."""
        self._step(text, graph, None)

    def amend(self, step: GraphEdit, change: Callable[..., Graph], *args: Any) -> bool:
        """Make a pure edit part of an undo step. Whether that was possible: no more once it was undone, or is not last.

        A step that was saved stays as it is, and gets another of its name after it.
        """
        if self.undo_stack.canRedo() or self._top_step() is not step:
            return False
        self._step(step.text(), change(self.graph, *args), step.merge, into=self._last_step())
        return True

    def _step(self, text: str, after: Graph, merge: Hashable | None, into: GraphEdit | None = None) -> bool:
        """Whether there is a step with this change. into: what it becomes part of, whatever the tokens are."""
        if after == self.graph:
            return False
        check_growth(self.graph, after)
        last = self._last_step()
        into = into or (last if last is not None and merge is not None and last.merge == merge else None)
        if into is None:
            self.undo_stack.push(GraphEdit(self, text, after, merge))
            return True
        into.after = after
        into.redo()
        if after != into.before:
            return True
        into.setObsolete(True)
        self.undo_stack.undo()  # which takes off a step that is obsolete, and does no more
        return False

    def _last_step(self) -> GraphEdit | None:
        """The step that another edit may become part of: nothing was undone since, and it is not what was saved."""
        return None if self.undo_stack.canRedo() or self.undo_stack.isClean() else self._top_step()

    def _top_step(self) -> GraphEdit | None:
        """What undo would take back."""
        index = self.undo_stack.index()
        step = self.undo_stack.command(index - 1) if index else None
        return step if isinstance(step, GraphEdit) else None

    def set_param(self, node: str, name: str, value: Any, *, merge: Hashable | None = None) -> None:
        text = f"Set {name.replace('_', ' ')} of {self.title_of(node)}"
        self.edit(text, edits.set_param, node, name, self.meant(self.type_of(node), name, value), merge=merge)

    def meant(self, type: NodeType, name: str, value: Any) -> Any:
        """What is typed: a path that leads from the folder of the document's file is that of a file there."""
        spec = type.input(name)
        if self.path is None or spec is None or spec.get(File) is None or not isinstance(value, str):
            return value
        return whole(value, self.path.parent)

    def show_graph(self, graph: Graph) -> None:
        before, self.graph = self.graph, graph
        self.changed.emit(diff(before, graph))

    def save(self, path: Path) -> None:
        """Write the workflow and call it this document's file. Raises ValueError; the old file is intact then."""
        finish(self.saving(path))

    def saving(self, path: Path) -> Pieces[None]:
        """The same in pieces: what is edited meanwhile is not in the file, and the document is not clean then."""
        graph = self.graph
        told = filed(self.tells(graph), self.registry, path.absolute().parent)
        yield
        yield from workflow.saving(told, path)
        self.path = path.absolute()
        if self.graph is graph:
            self.undo_stack.setClean()
        self.file_changed.emit()

    def known(self, id: str) -> bool:
        """Whether the node's type is installed."""
        return self.declared(self.graph.nodes[id].type) is not None

    def type_of(self, id: str) -> NodeType:
        """The node's type; for a type that is not installed, what its links and parameters let one guess."""
        return self.declared(self.graph.nodes[id].type) or guessed_type(self.graph, id)

    def title_of(self, id: str) -> str:
        """What people call the node."""
        return self.graph.nodes[id].title or self.type_of(id).title

    def input(self, port: Port) -> Input | None:
        return self.type_of(port.node).input(port.socket)

    def output(self, port: Port) -> Output | None:
        return self.type_of(port.node).output(port.socket)

    def declared(self, type: str) -> NodeType | None:
        """The type with this id: a group of the document, or one that is installed; None when it is neither."""
        if self._groups_of is not self.graph.groups:
            self._groups_of, self._types = self.graph.groups, document_types(self.graph.groups, self.registry)
        return self._types.get(type)


def guessed_type(graph: Graph, id: str) -> NodeType:
    """A type for a node whose own is not installed: what its links and parameters let one guess."""
    node, links = graph.nodes[id], graph.links
    linked = [dst.socket for dst in links if dst.node == id]
    values = [Input(name, type_of(value), value) for name, value in node.params.items() if name not in linked]
    inputs = (*(Input(name, Any, REQUIRED) for name in linked), *values)
    outputs = tuple(Output(name, Any) for name in dict.fromkeys(s.socket for s in links.values() if s.node == id))
    doc = f"The node type `{node.type}` is not installed. The node is kept as it is in the file."
    return NodeType(node.type, 1, f"{node.type} (not installed)", doc, inputs, outputs, fn=_not_installed)


def _not_installed(**_: Any) -> None:
    raise ValueError("this node type is not installed")

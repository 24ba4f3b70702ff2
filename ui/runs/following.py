"""Of what kind the document's values are, as it is planned, and what follows when an edit makes one another kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from PySide6.QtCore import QObject, Signal

from nodegraph.domain import Kind
from nodegraph.editing.suit import differing, differing_inside, node_at, suit
from nodegraph.graph import Graph
from nodegraph.node import TypeOf
from nodegraph.planning.plan import Plan
from ui.base.text import label
from ui.documents.document import Document, GraphEdit
from ui.runs.kinds import Kinds, kinds_of
from ui.runs.live_plan import LivePlan


class Following(QObject):
    """kinds: by the latest plan.

    When an edit gives a node of the document or of its groups a value of another kind than before, what suits the
    former kind becomes what suits the other, where nobody has set it: as part of that edit's undo step. What was
    opened, undone or redone stays as it is.
    """

    changed = Signal(object)  # Kinds
    followed = Signal(str)  # what was set, as a sentence

    def __init__(self, document: Document, plan: LivePlan, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self.kinds = Kinds()
        self._known: dict[str, Kind] = {}  # by node, as the engine calls it, also while what it takes has a problem
        self._edit: GraphEdit | None = None  # the latest that was not planned yet
        document.edited.connect(self._edited)
        plan.planned.connect(self._planned)

    def _edited(self, edit: GraphEdit) -> None:
        self._edit = edit

    def _planned(self, plan: Plan) -> None:
        kinds, before = kinds_of(plan, self.document.registry.domain), self.kinds
        self.kinds = kinds
        edit, self._edit = self._edit, None
        others = self._others()
        if edit is not None and others:
            self._follow(edit, others)
        if kinds != before:
            self.changed.emit(kinds)

    def _others(self) -> dict[str, Kind]:
        """The nodes that another kind suits now than was known before, and which."""
        found = dict(self._suiting())
        others = {id: kind for id, kind in found.items() if self._known.get(id, kind).title != kind.title}
        before = {id: kind for id, kind in self._known.items() if id not in found and self._type(id)}
        self._known = before | found
        return others

    def _suiting(self) -> Iterator[tuple[str, Kind]]:
        for id in self.kinds.taken:
            if (type := self._type(id)) and (kind := self.kinds.suiting(id, type)) is not None:
                yield id, kind

    def _type(self, id: str) -> str:
        """Of the node with this name, inside groups too; empty when there is none that can be edited."""
        node = node_at(self.document.graph, id)
        return node.type if node else ""

    def _follow(self, edit: GraphEdit, others: Mapping[str, Kind]) -> None:
        document = self.document
        before, declared = document.graph, document.declared
        wanted = {id: self._wanted(id, kind) for id, kind in others.items()}
        kept = {id: self._wanted(id, kind) for id, kind in self._known.items() if id not in others}
        document.amend(edit, suit, wanted, declared, kept)
        if what := _what(before, document.graph, declared):
            titles = " and ".join(dict.fromkeys(kind.title for kind in others.values()))
            self.followed.emit(f"{what} {titles}")

    def _wanted(self, id: str, kind: Kind) -> dict[str, Any]:
        type = self._type(id)
        return {name: value for (of, name), value in kind.suits.items() if of == type}


def _what(before: Graph, after: Graph, declared: TypeOf) -> str:
    """ "Steps, guidance scale and schedule follow"; empty when nothing does.

    What is inside groups is said with their names: "Steps, and solver inside Sampler, follow".
    """
    changed = {"": differing(before, after, declared)} | differing_inside(before, after, declared)
    parts = {group: [label(name).lower() for name in names] for group, names in changed.items() if names}
    if not parts:
        return ""
    said = [f"{_list(names)}{f' inside {group}' if group else ''}" for group, names in parts.items()]
    words = f"{', '.join(said[:-1])}, and {said[-1]}," if len(said) > 1 else said[0]
    first, *others = (name for names in parts.values() for name in names)
    verb = "follow" if others or first.endswith("s") else "follows"
    return f"{words[:1].upper()}{words[1:]} {verb}"


def _list(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last

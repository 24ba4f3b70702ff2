"""Of what kind the document's values are, as it is planned, and what follows when an edit makes one another kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject, Signal

from nodegraph.domain import Kind
from nodegraph.editing.suit import differing, suit
from nodegraph.planning.plan import Plan
from ui.base.text import label
from ui.documents.document import Document, GraphEdit
from ui.runs.kinds import Kinds, kinds_of
from ui.runs.live_plan import LivePlan


class Following(QObject):
    """kinds: by the latest plan.

    When an edit gives a node of the document a value of another kind than before, what suits the former kind becomes
    what suits the other, where nobody has set it: as part of that edit's undo step. What was opened, undone or redone
    stays as it is.
    """

    changed = Signal(object)  # Kinds
    followed = Signal(str)  # what was set, as a sentence

    def __init__(self, document: Document, plan: LivePlan, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self.kinds = Kinds()
        self._known: dict[str, Kind] = {}  # by node of the document, also while what it takes has a problem
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
        nodes = self.document.graph.nodes
        found = {
            id: kind
            for id in self.kinds.taken
            if id in nodes and (kind := self.kinds.suiting(id, nodes[id].type)) is not None
        }
        others = {id: kind for id, kind in found.items() if self._known.get(id, kind).title != kind.title}
        self._known = {id: kind for id, kind in {**self._known, **found}.items() if id in nodes}
        return others

    def _follow(self, edit: GraphEdit, others: Mapping[str, Kind]) -> None:
        document = self.document
        before, declared = document.graph, document.declared
        document.amend(edit, suit, {id: self._wanted(id, kind) for id, kind in others.items()}, declared)
        if names := differing(before, document.graph, declared):
            self.followed.emit(_sentence(names, others))

    def _wanted(self, id: str, kind: Kind) -> dict[str, Any]:
        type = self.document.graph.nodes[id].type
        return {name: value for (of, name), value in kind.suits.items() if of == type}


def _sentence(names: tuple[str, ...], kinds: Mapping[str, Kind]) -> str:
    """ "Steps, guidance scale and schedule follow Stable Diffusion XL"."""
    *most, last = (label(name).lower() for name in names)
    words = f"{', '.join(most)} and {last}" if most else last
    verb = "follow" if most or last.endswith("s") else "follows"
    titles = " and ".join(dict.fromkeys(kind.title for kind in kinds.values()))
    return f"{words[:1].upper()}{words[1:]} {verb} {titles}"

"""What files of models begin in an empty document: asked of the nodes with what the library has, beside the window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PySide6.QtCore import QObject, Signal

from nodegraph.domain import Brought
from nodegraph.formats.needs import needs
from nodegraph.graph import Graph
from nodegraph.library.entry import Query
from nodegraph.library.library import Library
from ui.documents.document import Begun, Document
from ui.shelves.shelves import Shelves

MOST = 40
"""Files of a kind that are told of; the ones that were used last come first."""


class _Answer(NamedTuple):
    """graph: None where they begin none. why: what is in the way, as the end of a sentence."""

    graph: Graph | None
    why: str = ""


class Beginning(QObject):
    """For one document."""

    lacking = Signal()  # what was begun needs files that are not there

    def __init__(self, shelves: Shelves, document: Document, parent: QObject) -> None:
        super().__init__(parent)
        self._shelves, self._document = shelves, document
        self._then: Begun | None = None
        self._asking = shelves.asking(self)
        self._asking.answered.connect(self._answer)
        self._asking.failed.connect(lambda why: self._answer(_Answer(None, why)))
        document.begin = self.ask

    def ask(self, things: Sequence[Brought], then: Begun) -> None:
        """then: told what they begin, unless something else is asked for before."""
        self._then, recent, begin = then, self._shelves.recent, self._document.registry.domain.begin

        def look(library: Library) -> _Answer:
            def having(kind: str, family: str) -> list[str]:
                return library.paths(Query(kinds=(kind,), fitting=(family,), first=recent))[:MOST]

            try:
                return _Answer(begin(things, having))
            except (OSError, ValueError) as error:
                return _Answer(None, str(error))

        self._asking.ask(look)

    def _answer(self, answer: _Answer) -> None:
        then, self._then = self._then, None
        if then is None:
            return
        then(answer.graph, answer.why)
        if answer.graph is not None and needs(answer.graph):
            self.lacking.emit()

"""Which files a parameter of a document could have: those of the library, what fits and was used last in front."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject

from nodegraph.graph import Graph
from nodegraph.library.entry import Entry, Query
from nodegraph.library.fits import query, why_not
from nodegraph.library.library import Library
from nodegraph.node import File, Input, TypeOf
from ui.base.text import byte_size
from ui.documents.document import GraphEdit
from ui.runs.following import Following
from ui.shelves.shelves import Shelves
from ui.widgets.offers import Offered, Then

FITTING, OTHERS = 60, 20
"""That are offered at most."""

MANY = 20
"""Nodes that are changed at once, from which on nobody has chosen a file for each."""


class FileOffers(QObject):
    """For the fields of one document, as soon as there is a library."""

    def __init__(self, shelves: Shelves, following: Following, parent: QObject) -> None:
        super().__init__(parent)
        self._shelves, self._following = shelves, following
        shelves.changed.connect(self._serve)
        self._serve()
        self._then: Then | None = None
        self._asking = shelves.asking(self)
        self._asking.answered.connect(self._answer)
        self._asking.failed.connect(lambda _: self._answer([]))
        following.document.edited.connect(self._note)

    def _serve(self) -> None:
        self._following.document.files = self.ask if self._shelves.folder.exists() else None

    def _note(self, edit: GraphEdit) -> None:
        """The files that nodes were given count as used."""
        for path in chosen(edit.before, edit.after, self._following.document.declared):
            self._shelves.use_file(path)

    def ask(self, node: str, spec: Input, text: str, then: Then) -> None:
        """then: told what there is, unless something else is asked for before."""
        file, family, recent = spec.get(File) or File(), self.family(node), self._shelves.recent
        self._then = then

        def look(library: Library) -> list[Offered]:
            return [self._offered(entry, file, family) for entry in found(library, file, family, text, recent)]

        self._asking.ask(look)

    def family(self, node: str) -> str:
        """Of what the node takes; empty where that is not known."""
        kinds = self._following.kinds.taken.get(node, ())
        return next((kind.name for kind in kinds if kind.name), "")

    def _answer(self, offers: list[Offered]) -> None:
        then, self._then = self._then, None
        if then is not None:
            then(offers)

    def _offered(self, entry: Entry, file: File, family: str) -> Offered:
        kind = self._shelves.kind(entry)
        said = " · ".join(filter(None, (kind, entry.family_title, byte_size(entry.size))))
        why = why_not(entry, file, self._shelves.stock, family)
        return Offered(entry.path, kind, said, self._shelves.picture(entry), why)


def chosen(before: Graph, after: Graph, type_of: TypeOf) -> list[str]:
    """The files of the stock that an edit of parameters gave to nodes; few do so at once."""
    if before.nodes.keys() != after.nodes.keys():
        return []
    changed = [id for id, node in after.nodes.items() if node is not before.nodes[id]]
    given: list[str] = []
    for id in changed if len(changed) <= MANY else ():
        type = type_of(after.nodes[id].type)
        for name, value in after.nodes[id].params.items():
            spec = type.input(name) if type else None
            file = spec.get(File) if spec else None
            if file and file.kinds and value != before.nodes[id].params.get(name) and Path(str(value)).is_absolute():
                given.append(str(value))
    return given


def found(library: Library, file: File, family: str, text: str, recent: Iterable[str]) -> list[Entry]:
    """What fits, then what does not: of the same kind, and with a text of any kind."""
    first = replace(query(file, family, text), first=tuple(recent))
    fitting = library.paths(first)[:FITTING]
    wider = Query(text) if text else Query(kinds=file.kinds)
    entries = library.entries(fitting)
    known = [entries[path] for path in fitting if path in entries and not entries[path].problem]
    listed = {entry.path for entry in known}
    rest = [path for path in library.paths(wider) if path not in listed] if len(known) < FITTING else []
    others = library.entries(rest[:OTHERS])
    return [*known, *(others[path] for path in rest if path in others)]

"""Which entries can be what a parameter of a node takes, and why the others cannot."""

from __future__ import annotations

from nodegraph.domain import Stock
from nodegraph.library.entry import Entry, Query
from nodegraph.node import File


def query(file: File, family: str = "", text: str = "") -> Query:
    """What to ask the library for to fill a parameter. family: of what it is for, where that is known."""
    return Query(text, kinds=file.kinds, fitting=(family,) if family else ())


def why_not(entry: Entry, file: File, stock: Stock, family: str = "") -> str:
    """Why an entry cannot be what a parameter takes, as a sentence; empty when it can.

    family: of what it is for; "" when that is not known.
    """
    if entry.problem:
        return entry.problem
    if file.kinds and entry.kind not in file.kinds:
        taken = " and ".join(stock.kinds.get(kind, kind) for kind in file.kinds)
        return f"{entry.name} is one of the {stock.kinds.get(entry.kind, entry.kind)}; this takes {taken}"
    if family and entry.families and family not in entry.families:
        title = stock.families.get(family, family)
        return f"{entry.name} goes with {entry.family_title}; this is {title}"
    return ""

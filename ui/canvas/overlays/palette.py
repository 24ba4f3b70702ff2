"""Find a node type by typing, and add it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any

from PySide6.QtWidgets import QWidget

from nodegraph.node import NodeType
from nodegraph.types import style
from ui.base.text import label
from ui.base.theme import colors
from ui.widgets.finder import Entry, Finder

ALMOST = 0.78  # likeness, 0..1, from which a word counts as mistyped


@dataclass(frozen=True, slots=True)
class Offer:
    """A node that can be added. params: what it starts with. words: synonyms. name: instead of the type's title.

    fit: how well it suits what it is to be linked to, the lowest best. unfit: why it has no meaning there; such come
    last.
    """

    type: NodeType
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    words: tuple[str, ...] = ()
    name: str = ""
    fit: int = 0
    unfit: str = ""

    @property
    def title(self) -> str:
        return self.name or self.type.title


def search(offers: Iterable[Offer], query: str, recent: Sequence[str] = ()) -> list[Offer]:
    """Those that match every word of the query, best first; all of them, by category, for no query.

    recent: ids of types that come first among equals.
    """
    words = query.lower().split()
    age = {id: index for index, id in enumerate(recent)}
    ranked = [
        (rank, bool(o.unfit), o.fit, age.get(o.type.id, len(age)), o.type.category, o.title, index, o)
        for index, o in enumerate(offers)
        if (rank := _rank(o, words)) is not None
    ]
    return [found[-1] for found in sorted(ranked, key=lambda r: r[:-1])]


def _rank(offer: Offer, words: Sequence[str]) -> int | None:
    """Lower is better; None when a word is nowhere. A name is also found without its spaces, or with others."""
    whole = _squeezed("".join(words))
    names = [_squeezed(name) for name in (offer.title, *offer.words)] if len(whole) > 2 else []
    if whole in names:
        return -1
    if words[1:] and any(name.startswith(whole) for name in names):
        return 0
    total = 0
    for word in words:
        rank = _word_rank(offer, word)
        if rank is None:
            return None
        total += rank
    return total


@lru_cache(maxsize=4096)
def _squeezed(name: str) -> str:
    """Letters and figures alone."""
    return "".join(filter(str.isalnum, name.lower()))


def _word_rank(offer: Offer, word: str) -> int | None:
    title, type = offer.title.lower(), offer.type
    if title.startswith(word) or (len(word) > 3 and _squeezed(title).startswith(word)):
        return 0
    own, others = title.split(), f"{type.id} {' '.join(offer.words)}".lower().replace(".", " ").replace("_", " ")
    if any(name.startswith(word) for name in (*own, *(synonym.lower() for synonym in offer.words))):
        return 1
    if any(name.startswith(word) for name in others.split()):
        return 2
    if word in title or word in others:
        return 3
    letters = iter(title)
    if all(letter in letters for letter in word):  # in this order, with others between
        return 5
    if len(word) > 3 and any(_alike(word, name) for name in (*own, *others.split())):
        return 6
    return 8 if word in type.doc.lower() else None


@lru_cache(maxsize=16_384)
def _alike(word: str, name: str) -> bool:
    """Whether a name was mistyped; the first letter hardly ever is, and comparing the rest is slow."""
    if word[0] != name[0] or abs(len(word) - len(name)) > 2:
        return False
    return SequenceMatcher(None, word, name).ratio() >= ALMOST


class Palette(Finder):
    """The offers that match what is typed."""

    def __init__(self, offers: Iterable[Offer], recent: Sequence[str], parent: QWidget) -> None:
        self.offers = tuple(offers)
        super().__init__(
            "Add a node: type what it does",
            lambda typed: [_entry(offer) for offer in search(self.offers, typed, recent)],
            parent,
        )


def _entry(offer: Offer) -> Entry:
    type = offer.type
    family = "This document" if offer.name else label(type.category.partition(":")[0])
    sockets = type.outputs or type.inputs
    tint = style(sockets[0].type).color if sockets else colors().faint
    about = offer.unfit or type.doc.split("\n", 1)[0].replace("`", "")
    return Entry(offer.title, family, about, tint, offer)

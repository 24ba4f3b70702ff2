"""The files of a T5 tokenizer, read and checked here: the library gets lists, never a folder.

Format: tokenizer.json with a Unigram model (Kudo 2018, arXiv:1804.10959) under "model", pieces with their scores in
the order of their numbers; or spiece.model, SentencePiece's own; beside it tokenizer_config.json. How text is cut into
words is T5's, whatever a tokenizer.json says: at spaces, each word with a mark in front.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

from nodegraph.text import whole
from nodes.backend import added_tokens, charsmap, spiece
from nodes.backend.added_tokens import MAX_WORD
from nodes.backend.fields import MAX_SETTINGS, Field, Only, Real, Schema, Whole, check_fields
from nodes.backend.strict_json import quoted, read_object

MAX_BYTES = 8_000_000
"""Of a tokenizer.json; T5's has up to 2.4 MB."""
MAX_PIECES = 200_000
MAX_SPARE = 256
"""Rows of a text encoder beyond its words: T5 rounds up to 128, and its 100 extra ids may be left out."""

ROLES = ("<pad>", "</s>", "<unk>")
"""The first pieces of every T5: what fills up, what ends a text, what stands for a word that is none."""
PAD, END, UNKNOWN = range(3)
EXTRA = re.compile(r"<extra_id_\d{1,4}>")
"""Marks of gaps in T5's training."""

SCORE = Real(-1e6, 1e6)
MODEL: Schema = {
    "type": Field(Only("Unigram"), None),
    "unk_id": Field(Only(UNKNOWN), UNKNOWN),
    "byte_fallback": Field(Only(False), False),
}
CONFIG: Schema = {
    "model_max_length": Field(Whole(3, 1 << 127), 512),  # a very large number stands for no limit
    "extra_ids": Field(Whole(0, 1000), 100),
}
FILES = ("tokenizer.json", "spiece.model")
"""The first of them that a folder has is read."""
SETTINGS = "tokenizer_config.json"


class Unigram(NamedTuple):
    """pieces: of words, with their scores, by their numbers. charsmap: how texts are written in one way; empty: as is.

    added: numbers of tokens that are found whole in a text, with their flags; those beyond the pieces count on from
    them. context: how many tokens its makers mean it to be used for.
    """

    pieces: tuple[tuple[str, float], ...]
    charsmap: bytes
    added: Mapping[int, Mapping[str, Any]]
    context: int

    @property
    def num_words(self) -> int:
        return max(len(self.pieces), *(number + 1 for number in self.added))


def files(place: Path) -> tuple[Path, ...]:
    """What is read of a tokenizer: a folder's file of words with its settings, or one chosen file; () for none."""
    if place.is_file():
        return (place,)
    words = next((place / name for name in FILES if (place / name).is_file()), None)
    return tuple(path for path in (words, place / SETTINGS) if words and path and path.is_file())


def read(place: Path, vocab_size: int) -> Unigram:
    """The tokenizer in a folder or a file, for a text encoder with vocab_size rows.

    Raises ValueError, naming the file and what is wrong in it, or when the two do not belong together.
    """
    found = files(place)
    if not found:
        raise ValueError(f"there is no T5 tokenizer in {place}: it has neither {' nor '.join(FILES)}")
    stats = [path.stat() for path in found]
    words = _read(found, tuple((s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino) for s in stats))
    count = words.num_words
    if not count <= vocab_size <= count + MAX_SPARE:
        raise ValueError(f"the tokenizer in {found[0]} has {count:,} words, its text encoder {vocab_size:,}")
    return words


@lru_cache(maxsize=4)
def _read(found: tuple[Path, ...], _identity: tuple[object, ...]) -> Unigram:
    """_identity: only so that changed files are read again."""
    place, *beside = found
    settings = read_object(beside[0], MAX_SETTINGS) if beside else {}
    said = check_fields(beside[0] if beside else place, settings, CONFIG)
    listed: dict[int, Mapping[str, Any]] = {}
    if place.suffix == ".model":
        entries, table = spiece.read(place, MAX_PIECES)
        pieces = [*_pieces(place, entries), *((f"<extra_id_{n}>", 0.0) for n in reversed(range(said["extra_ids"])))]
    else:
        pieces, table, listed = _from_tokenizer_json(place)
    if "added_tokens_decoder" in settings:
        listed = dict(added_tokens.by_number(beside[0], settings["added_tokens_decoder"]))
    _check_unique(place, pieces)
    added = dict(_marks(pieces)) | listed
    _check_added(place, pieces, added)
    if table:
        try:
            charsmap.check(table)
        except ValueError as error:
            raise ValueError(f"{place} {error}") from None
    return Unigram(tuple(pieces), table, added, said["model_max_length"])


def _from_tokenizer_json(path: Path) -> tuple[list[tuple[str, float]], bytes, dict[int, Mapping[str, Any]]]:
    data = read_object(path, MAX_BYTES)
    model = data.get("model")
    if not isinstance(model, dict) or not isinstance(cast("dict[str, Any]", model).get("vocab"), list):
        raise ValueError(f"{path} has no Unigram model, which T5's tokenizer is")
    fields = cast("dict[str, Any]", model)
    if check_fields(path, fields, MODEL)["type"] is None:
        raise ValueError(f"{path} does not say that its model is Unigram, which T5's tokenizer is")
    return (
        _pieces(path, fields["vocab"]),
        _table(path, data.get("normalizer")),
        dict(added_tokens.listed(path, data.get("added_tokens", []))),
    )


def _pieces(path: Path, entries: list[Any]) -> list[tuple[str, float]]:
    if len(entries) > MAX_PIECES:
        raise ValueError(f"{path} has more than {MAX_PIECES:,} words")
    for entry in entries:
        match entry:
            case [str(piece), score] if 0 < len(piece) <= MAX_WORD and SCORE.fits(score):
                pass
            case _:
                raise ValueError(
                    f"{path}: a word is {quoted(entry)}; it must be a text of 1 to {MAX_WORD} characters and {SCORE}"
                )
    pieces = [(piece, float(score)) for piece, score in entries]
    first = tuple(piece for piece, _ in pieces[: len(ROLES)])
    if first != ROLES:
        raise ValueError(f"{path} begins with the words {quoted(list(first))}; every T5 begins with {list(ROLES)}")
    return pieces


def _check_unique(path: Path, pieces: list[tuple[str, float]]) -> None:
    numbers: dict[str, int] = {}
    for number, (piece, _) in enumerate(pieces):
        if numbers.setdefault(piece, number) != number:
            raise ValueError(f"{path} has the word {quoted(piece)} twice, as number {numbers[piece]} and {number}")
        if whole(piece) != piece:
            raise ValueError(f"{path}: the word {quoted(piece)} holds half a character")


def _marks(pieces: list[tuple[str, float]]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The pieces that are no words: found whole in a text, wherever a file lists them or not."""
    flags = {name: name == "special" for name in added_tokens.ADDED}
    for number, (piece, _) in enumerate(pieces):
        if number < len(ROLES) or EXTRA.fullmatch(piece):
            yield number, flags | {"content": piece}


def _check_added(path: Path, pieces: list[tuple[str, float]], added: Mapping[int, Mapping[str, Any]]) -> None:
    """Raises ValueError unless each is the piece of its number, or one beyond them, counted on without a gap."""
    known = {piece for piece, _ in pieces}
    for number, entry in sorted(added.items()):
        token = entry["content"]
        if number < len(pieces):
            if pieces[number][0] != token:
                raise ValueError(
                    f"{path}: the added token {quoted(token)} has the number of {quoted(pieces[number][0])}"
                )
            continue
        if token in known or number != len(known):
            raise ValueError(
                f"{path}: the added token {quoted(token)} has number {number}; tokens beyond its words must be new and "
                f"count on from {len(pieces):,}"
            )
        known.add(token)


def _table(path: Path, normalizer: Any) -> bytes:
    """The table of a normaliser, or of its first step that has one; other steps are not T5's."""
    fields = cast("dict[str, Any]", normalizer if isinstance(normalizer, dict) else {})
    steps: Any = fields.get("normalizers") if fields.get("type") == "Sequence" else [fields]
    for step in cast("list[Any]", steps) if isinstance(steps, list) else []:
        match step:
            case {"type": "Precompiled", "precompiled_charsmap": str(text)}:
                try:
                    return b64decode(text, validate=True)
                except ValueError:
                    raise ValueError(f"{path} has a damaged charsmap: it is no base64") from None
            case _:
                pass
    return b""

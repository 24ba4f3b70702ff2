"""Tokens that a tokenizer finds whole in a text, before it is cut into words: how files list them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from nodes.backend.fields import Field, Flag, Schema, Text, check_fields
from nodes.backend.strict_json import quoted

MAX_WORD = 200  # characters of a token; CLIP's longest has 32
MAX_ADDED = 10_000

ADDED: Schema = {
    "content": Field(Text(MAX_WORD), ""),
    **{name: Field(Flag(), False) for name in ("single_word", "lstrip", "rstrip", "normalized", "special")},
}


def listed(path: Path, entries: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """As a tokenizer.json has them, a list of objects that say their `id`. Raises ValueError as `by_number` does."""
    table: dict[str, Any] = {}
    for entry in cast("list[Any]", entries if isinstance(entries, list) else [entries]):
        if not isinstance(entry, dict) or "id" not in entry:
            raise ValueError(f"{path}: an added token is {quoted(entry)}, without an id")
        table[str(cast("dict[str, Any]", entry)["id"])] = entry
    return by_number(path, table)


def by_number(path: Path, table: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """As a tokenizer_config.json has them, an object with their numbers as names.

    Yields numbers with the fields of ADDED. Raises ValueError, naming the file and what is wrong.
    """
    if not isinstance(table, dict) or len(cast("dict[str, Any]", table)) > MAX_ADDED:
        raise ValueError(f"{path}: its added tokens must be an object of at most {MAX_ADDED:,}")
    for number, entry in cast("dict[str, Any]", table).items():
        if not (number.isascii() and number.isdigit() and len(number) < 9):
            raise ValueError(f"{path}: an added token has the number {quoted(number)}")
        if not isinstance(entry, dict) or not cast("dict[str, Any]", entry).get("content"):
            raise ValueError(f"{path}: the added token {number} has no content")
        yield int(number), check_fields(path, cast("dict[str, Any]", entry), ADDED)

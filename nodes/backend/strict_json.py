"""JSON of files from anywhere: bounded, without what the standard forbids or leaves open (RFC 8259, sections 4 and 6).

Python's reader takes NaN, keeps the last of two equal names, and turns 1e999 into infinity: none of that can be meant.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any, NoReturn, cast

LONG_NUMBER = re.compile(rb"\d{41}")
"""What is in a text with a number that is refused, and in few others."""

MAX_QUOTED = 200
"""Characters of a file that a sentence about it shows."""


def quoted(value: Any) -> str:
    """A value as it stands in a sentence, cut off after MAX_QUOTED characters."""
    text = repr(value)
    return text if len(text) <= MAX_QUOTED else text[: MAX_QUOTED - 1] + "…"


def read_object(path: Path, most: int) -> dict[str, Any]:
    """The JSON object in a file of at most `most` bytes. Raises ValueError, naming the file and what is wrong."""
    if not path.is_file():
        raise ValueError(f"there is no {path.name} in {path.parent}")
    with path.open("rb") as file:
        text = file.read(most + 1)
    if len(text) > most:
        raise ValueError(f"{path} is larger than {most:,} bytes, the most that is read of such a file")
    try:
        return parse_object(text)
    except ValueError as error:
        raise ValueError(f"{path} {error}") from None


def parse_object(text: bytes) -> dict[str, Any]:
    """The object in UTF-8 text. Raises ValueError with what is wrong, to stand behind the name of a file."""
    try:
        data: Any = json.loads(
            text.decode(),
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_float=_finite,
            parse_int=_whole if LONG_NUMBER.search(text) else None,  # called for each, it takes as long as all the rest
        )
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"is not valid JSON: byte {error.start} is no UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"is not valid JSON: {error.msg}, line {error.lineno}, column {error.colno}") from None
    if not isinstance(data, dict):
        raise ValueError("holds no JSON object")
    return cast("dict[str, Any]", data)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise ValueError(f"is not valid JSON: {quoted(name)} stands twice in one object")
        seen.add(name)
    return found


WITHOUT_REPEATS = json.JSONDecoder(object_pairs_hook=_unique)
"""Reads a value at the start of a text. It refuses names that stand twice, and takes numbers that are none."""


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"is not valid JSON: {text} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"holds a number that is too large: {quoted(text)}")
    return value


def _whole(text: str) -> int:
    if len(text) > 40:  # far above any that can be meant; Python gives advice to programmers above 4300 digits
        raise ValueError(f"holds a number that is too large: {quoted(text)}")
    return int(text)

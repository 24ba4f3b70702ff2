"""What other programs write beside a file of weights about it: the words that it was taught, and what it is made for.

NAME.json of AUTOMATIC1111's web UI ("activation text", "sd version"), NAME.civitai.info of its helpers (a model version
as the site's interface gives it), NAME.cm-info.json of Stability Matrix, NAME.metadata.json of ComfyUI's LoRA manager.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from nodes.backend.strict_json import read_object

BESIDE = (".civitai.info", ".json", ".metadata.json", ".cm-info.json")
"""What they end with in place of the file's own ending."""

MOST = 1_000_000
"""Bytes of one."""

LONGEST = 200
"""Characters of a word, and words; what is longer describes, and teaches nothing."""


class Said(NamedTuple):
    words: tuple[str, ...] = ()
    base: str = ""
    title: str = ""


def beside(place: Path) -> Said:
    """What the first of them says that says anything. One that cannot be read says nothing: the weights count."""
    found = [_said(place.with_name(place.stem + ending)) for ending in BESIDE]
    return Said(
        next((said.words for said in found if said.words), ()),
        next((said.base for said in found if said.base), ""),
        next((said.title for said in found if said.title), ""),
    )


def _said(path: Path) -> Said:
    if not path.is_file():
        return Said()
    try:
        return said(read_object(path, MOST))
    except (OSError, ValueError):
        return Said()


def said(told: Mapping[str, Any]) -> Said:
    """What an object says, by the names that any of these programs use."""
    inner = _object(told, "civitai")
    words = (*_texts(told, "trainedWords"), *_texts(told, "TrainedWords"), *_texts(inner, "trainedWords"))
    texts = words or (_text(told, "activation text"),)
    split = (word.strip() for text in texts for word in text.split(","))
    base = next(
        filter(None, (_text(told, name) for name in ("baseModel", "BaseModel", "base_model", "sd version"))), ""
    )
    names = (_text(told, "ModelName"), _text(told, "model_name"), _text(_object(told, "model"), "name"))
    taken = tuple(word for word in dict.fromkeys(split) if 0 < len(word) <= LONGEST)[:LONGEST]
    return Said(taken, "" if base.lower() in ("unknown", "other", "any") else base, next(filter(None, names), ""))


def _object(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value: Any = told.get(name)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(told: Mapping[str, Any], name: str) -> str:
    value: Any = told.get(name)
    return " ".join(value.split())[:LONGEST] if isinstance(value, str) else ""


def _texts(told: Mapping[str, Any], name: str) -> Iterator[str]:
    value: Any = told.get(name)
    if isinstance(value, list):
        yield from (text for text in cast("list[Any]", value) if isinstance(text, str))

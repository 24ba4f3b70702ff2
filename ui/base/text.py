"""How names, values and durations are written for people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePath
from typing import Any, cast

from nodegraph.node import File, Input, Range, exact

_ACRONYMS = {"rgb": "RGB", "id": "ID"}


def learn(acronyms: Mapping[str, str]) -> None:
    """Write these words of names like that from now on; what people call things is up to the package of nodes."""
    _ACRONYMS.update(acronyms)


_signs = ["."]


def show_decimal(sign: str) -> None:
    """The sign before the fraction of numbers that are shown from now on; files always have a point."""
    _signs[0] = sign


def local(text: str) -> str:
    """A number as it is written for people, from one with a point."""
    return text if _signs[0] == "." else text.replace(".", _signs[0])


def amount(number: int) -> str:
    """A whole number in a sentence: "10,000", or "10 000" where the comma stands before fractions."""
    return f"{number:,}".replace(",", "," if _signs[0] == "." else "\N{NARROW NO-BREAK SPACE}")


def label(name: str) -> str:
    """ "light_id" -> "Light ID"."""
    words = [_ACRONYMS.get(word, word) for word in name.split("_") if word]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def number(value: float) -> str:
    """As short as it can be without becoming another number."""
    return local(exact(value).removesuffix(".0"))


def value_text(spec: Input, value: Any) -> str:
    """A parameter's value on one line."""
    match value:
        case None:
            return "—"
        case bool():
            return "On" if value else "Off"
        case int() | float():
            limits = spec.get(Range)
            return limits.zero if limits and limits.zero and value == 0 else number(value)
        case tuple():
            between = ", " if _signs[0] == "." else "; "
            return between.join(value_text(spec, item) for item in cast("tuple[Any, ...]", value))
        case str() if spec.get(File) is not None:
            return PurePath(value).name
        case _:
            return " ".join(str(value).split())


def shortened(text: str, length: int = 28) -> str:
    """Cut off at that many characters."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def duration(seconds: float) -> str:
    """0.0001 -> "<1 ms", 0.042 -> "42 ms", 3.21 -> "3.2 s", 75 -> "1:15 min", 4000 -> "1:06 h"."""
    if seconds < 0.0005:
        return "<1 ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return local(f"{seconds:.1f} s")
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} min"
    return f"{minutes // 60}:{minutes % 60:02d} h"


def clock(at: float, now: float) -> str:
    """When something is expected: "within a minute", "about 23:10", "about 03:40, tomorrow", "about 03:40, Sunday".

    at, now: in seconds since 1970.
    """
    left = at - now
    if left < 60:
        return "within a minute"
    step = 60 if left < 600 else 300 if left < 7200 else 600
    when, today = datetime.fromtimestamp(round(at / step) * step), datetime.fromtimestamp(now).date()
    days = (when.date() - today).days
    day = "" if not days else ", tomorrow" if days == 1 else f", {when:%A}" if days < 7 else f", {when.day} {when:%B}"
    return f"about {when:%H:%M}{day}"


def byte_size(count: int) -> str:
    """900 -> "900 B", 34_000_000 -> "34 MB", 1_500_000_000 -> "1.5 GB"."""
    for size, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= size:
            return local(f"{count / size:.1f} {unit}") if count < 10 * size else f"{count / size:.0f} {unit}"
    return f"{count} B"


_OF_PARAMETER = re.compile(r"(?:^|(?<=\. ))((?:\w+, )*\w+): (.+?)(?=\. (?:\w+, )*\w+: |$)", re.MULTILINE)
_WRAPPED = re.compile(r"\n(?!\n|(?:\w+, )*\w+: )")


def parameter_help(doc: str, name: str) -> str:
    """What a docstring says of one parameter, as in "width, height: in pixels. batch: how many"; else empty."""
    for names, text in _OF_PARAMETER.findall(_WRAPPED.sub(" ", doc)):
        if name in names.split(", "):
            return text[:1].upper() + text[1:]
    return ""


_PAPER = re.compile(r"arXiv:(\d{4}\.\d{4,5})")


def help_markdown(doc: str) -> str:
    """A docstring as Markdown: what looks like markup by accident stays as it is, and papers become links."""
    text = doc.replace("\\", "\\\\").replace("<", "&lt;")
    return _PAPER.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", text)

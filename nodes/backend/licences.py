"""Under which licence a model may be used, as far as its files say: in their texts, or on the page that came with them.

modelspec.license of a .safetensors file (Stability AI, "modelspec" 1.0). README.md of a folder of the hub, which begins
with lines between two of "---": license, or license_name where that is "other" (the hub's "Model Cards").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

README = "README.md"
MOST = 64 << 10
"""Bytes of a page that are looked at: what is asked for stands at its beginning."""

LONGEST = 100
"""Characters of a licence's name."""

FRONT = re.compile(r"\A\ufeff?---\r?\n(.*?)\r?\n---", re.DOTALL)
SNAPSHOTS = "snapshots"


def licence(place: Path, told: Mapping[str, str]) -> str:
    """By the name that its writer has for it; "" where nobody says. told: the texts in a file."""
    if named := _short(told.get("modelspec.license", "")):
        return named
    page = page_of(place)
    return _on_page(page) if page else ""


def page_of(place: Path) -> Path | None:
    """The page that speaks of a file or a folder: that in the folder, or at the top of what the hub's cache has of it.

    Beside a file that lies anywhere else, a page may speak of anything.
    """
    if place.is_dir() and (place / README).is_file():
        return place / README
    for folder in place.parents[:4]:
        if folder.parent.name == SNAPSHOTS and folder.parent.parent.name.startswith("models--"):
            return folder / README if (folder / README).is_file() else None
    return None


def _on_page(page: Path) -> str:
    try:
        with page.open("rb") as file:
            text = file.read(MOST).decode("utf-8", "replace")
    except OSError:
        return ""
    front = FRONT.match(text)
    said = dict(re.findall(r"^(license|license_name):[ \t]*([^\r\n]+)", front[1], re.MULTILINE)) if front else {}
    names = {name: _short(value.strip("\"' ")) for name, value in said.items()}
    main = names.get("license", "")
    return names.get("license_name", "") or main if main in ("other", "") else main


def _short(text: str) -> str:
    return " ".join(text.split())[:LONGEST]

"""A domain of jars for tests of the library: what a jar says of itself is in its first line."""

from __future__ import annotations

from pathlib import Path

from nodegraph.domain import Stock, Told


def look(path: Path) -> Told | None:
    text = (path / "whole.txt").read_text() if path.is_dir() else path.read_text()
    kind, _, rest = text.split("\n")[0].partition(":")
    if kind == "broken":
        raise ValueError(f"{path} is broken")
    if kind not in ("jam", "pickle"):
        return None
    families, _, words = rest.partition(":")
    return Told(kind, tuple(filter(None, families.split(","))), "glass", tuple(filter(None, words.split(","))))


STOCK = Stock(
    kinds={"jam": "Jams", "pickle": "Pickles"},
    families={"plum": "Plums", "fig": "Figs"},
    suffixes=(".jar",),
    marks=("whole.txt",),
    places={"jams": "jam"},
    beside=(".label",),
    parts=lambda folder: frozenset({"parts", "whole.txt"}),
    look=look,
)


def jar(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path

"""Jars, of which people have many: files of the library (`tests.nodegraph.library.shelf`), and nodes that open them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from nodegraph.domain import Brought, Kind
from nodegraph.node import File, node
from nodegraph.types import socket_type
from tests.nodegraph.library.shelf import STOCK, look
from tests.toy_nodes.boxes import Box


@socket_type(color="#a23b72", plain=True)
@dataclass(frozen=True, slots=True)
class Jam:
    of: str


@node("toy.open_jar", title="Open jar")
def open_jar(path: Annotated[str, File((".jar",), kinds=("jam",))] = "") -> Jam:
    """What is in a jar of jam.

    path: a jar.
    """
    told = look(Path(path))
    if told is None or told.kind != "jam":
        raise ValueError(f"{path} is no jam")
    return Jam(told.families[0] if told.families else "")


@node("toy.season", title="Season")
def season(jam: Jam, path: Annotated[str, File((".jar",), kinds=("pickle",))] = "") -> Jam:
    """Jam with something from another jar."""
    return jam


@node("toy.taste", title="Taste")
def taste(jam: Jam) -> Box:
    """How it is."""
    return Box(len(jam.of))


def jar_becomes(path: Path) -> Brought | None:
    if path.suffix != ".jar":
        return None
    told = look(path)
    if told is None:
        raise ValueError(f"{path} is nothing to eat")
    return Brought("toy.open_jar" if told.kind == "jam" else "toy.season", {"path": str(path)})


def jar_kind(value: Any) -> Kind | None:
    """The family of a jam."""
    return Kind(STOCK.families[value.of], name=value.of) if isinstance(value, Jam) and value.of else None


__all__ = ["STOCK", "jar_becomes", "jar_kind"]

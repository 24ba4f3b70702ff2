"""The files that people have for these nodes: kinds, where programs keep them, and what one says of itself."""

from __future__ import annotations

from pathlib import Path

import nodes.backend.families as families
import nodes.backend.kinds as kinds
import nodes.backend.labels as labels
from nodegraph.domain import Stock, Told
from nodes.backend.beside import BESIDE
from nodes.backend.hub import ModelHub
from nodes.neighbours import neighbours


def look(path: Path) -> Told | None:
    """See `nodegraph.domain.Stock`."""
    return labels.look(path)


def parts(folder: Path) -> frozenset[str] | None:
    """See `nodegraph.domain.Stock`."""
    return labels.parts(folder)


STOCK = Stock(
    kinds=kinds.TITLES,
    families={family.name: family.title for family in families.FAMILIES},
    suffixes=(".safetensors", ".gguf", ".ckpt", ".pt", ".pth", ".bin"),
    marks=("model_index.json", "config.json"),
    places=kinds.PLACES,
    homes=kinds.HOMES,
    beside=BESIDE,
    parts=parts,
    look=look,
    hub=ModelHub(),
    neighbours=neighbours,
)

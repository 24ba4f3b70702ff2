"""One cell of the table: ours and theirs, and how far they are apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from tools.oracle import ours, theirs
from tools.oracle.asking import Ask
from tools.oracle.files import Files
from tools.oracle.rows import Row

Errors = Mapping[str, float]
"""By place: the folder, or the single file."""

LIMIT = 1e-4
"""Float32. Sums are made in another order, and noise levels come out of other formulas: see the notes of the page."""


def cell(row: Row, task: str, files: Files) -> Errors | None:
    """The relative errors of our latents; None where there is nothing to compare.

    Raises RuntimeError when the workflow is refused or fails.
    """
    if task in row.why:
        return None
    ask = row.ask(task)
    places: dict[str, Callable[[Row, Ask], Path]] = {"folder": files.folder, "file": files.file}
    with row.within():
        expected = theirs.latent(row, ask, files)
        return {name: relative(ours.latent(row, ask, files, places[name](row, ask)), expected) for name in row.places}


def relative(ours: Tensor, theirs: Tensor) -> float:
    if ours.shape != theirs.shape:
        raise RuntimeError(f"ours has the shape {tuple(ours.shape)}, theirs {tuple(theirs.shape)}")
    return float((ours - theirs).norm() / theirs.norm())

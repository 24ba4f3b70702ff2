"""What was told of pictures, against what is in the folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from nodegraph.formats import workflow


@dataclass(frozen=True, slots=True)
class Told:
    """A picture that somebody said was saved. seed: of its noise, which decides all of it."""

    path: Path
    seed: int


def faults(folder: Path, told: Sequence[Told]) -> list[str]:
    """As sentences: what is lost, doubled, left behind or not what it should be. folder: of all pictures."""
    there = {path for path in folder.rglob("*") if path.is_file()}
    times = Counter(one.path for one in told)
    return [
        *(f"lost: {path.name} was told and is not there" for path in times.keys() - there),
        *(f"doubled: {path.name} is there and nobody told of it" for path in there - times.keys()),
        *(f"doubled: {path.name} was told {count} times" for path, count in times.items() if count > 1),
        *_wrong([one for one in told if one.path in there]),
    ]


def _wrong(told: Sequence[Told]) -> list[str]:
    """A result of somebody else's shows in the pixels: those of one seed are the same, whoever computed them."""
    found: list[str] = []
    first: dict[int, tuple[Path, bytes]] = {}
    for one in told:
        try:
            seed = workflow.load(one.path).nodes["noise"].params["seed"]
            with Image.open(one.path) as image:
                pixels = image.tobytes()
        except (OSError, ValueError, KeyError) as error:
            found.append(f"damaged: {one.path.name}: {error}")
            continue
        if seed != one.seed:
            found.append(f"wrong: {one.path.name} should be of seed {one.seed} and is of {seed}")
        other, same = first.setdefault(one.seed, (one.path, pixels))
        if pixels != same:
            found.append(f"wrong: {one.path.name} is of seed {one.seed} and not the same as {other.name}")
    return found

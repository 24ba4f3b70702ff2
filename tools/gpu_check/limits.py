"""What a card with little memory would do: torch is allowed no more of this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import torch

from nodes.backend import pool
from tools.gpu_check import meter, models, ours

Row = dict[str, Any]
SIZES = (8.0, 4.0)
"""GiB of the cards that most people have."""

STEPS = 4


def rows(folder: Path, device: torch.device, left: Callable[[], float]) -> Iterator[Row]:
    """A row for each picture and size: made, or the sentence that says why not."""
    if device.type != "cuda":
        yield {"section": "limits", "picture": "all", "note": "left out: only of a card can torch be given a part"}
        return
    about: Any = cast(Any, torch.cuda).get_device_properties(device)
    total: int = about.total_memory
    for size in SIZES:
        torch.cuda.set_per_process_memory_fraction(min(size * meter.GIB / total, 1.0), device)
        for subject in (models.SUBJECTS[0], models.SUBJECTS[3], models.SUBJECTS[1]):
            row: Row = {"section": "limits", "picture": subject.name, "GiB": size}
            if left() <= 0:
                yield row | {"note": "left out: the time was up"}
                continue
            place = models.write(subject.family, folder, tiny=False)
            meter.forget_peak(device)
            made = ours.make(
                ours.engine(folder / f"limit_{size:g}", str(device)),
                ours.picture_of(subject, place, STEPS, seed=1),
                ("save",),
            )
            yield row | {"s": made.seconds, "peak GiB": meter.peak_gib(device), "note": made.failure or "made"}
            pool.free()
    torch.cuda.set_per_process_memory_fraction(1.0, device)

"""What a card with little memory would do: another process holds the rest of it, and torch is allowed no more."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch

from nodes.backend import pool
from tools.gpu_check import meter, models, ours
from tools.gpu_check.models import Subject

Row = dict[str, Any]
SIZES = (8.0, 4.0)
"""GiB of the cards that most people have."""

SUBJECTS = (models.SUBJECTS[0], models.SUBJECTS[3], models.SUBJECTS[1])
STEPS = 4

HOLD = """
import sys, torch
held = torch.empty(int(sys.argv[2]), dtype=torch.uint8, device=sys.argv[1])
torch.cuda.synchronize()
print("held", flush=True)
sys.stdin.read()
"""


def rows(folder: Path, device: torch.device, left: Callable[[], float]) -> Iterator[Row]:
    """A row for each picture and size: made, or the sentence that says why not."""
    if device.type != "cuda":
        yield {"section": "limits", "picture": "all", "note": "left out: only of a card can torch be given a part"}
        return
    about: Any = cast(Any, torch.cuda).get_device_properties(device)
    torch.zeros(1, device=device)  # what a process takes for itself is taken before the rest is counted
    for size in SIZES:
        limit = int(size * meter.GIB)
        torch.cuda.set_per_process_memory_fraction(min(limit / about.total_memory, 1.0), device)
        with held(device, int(meter.free_gib(device) * meter.GIB) - limit):
            for subject in SUBJECTS:
                row: Row = {"section": "limits", "picture": subject.name, "GiB": size}
                late = {"note": "left out: the time was up"}
                yield row | (_made(subject, folder, device, size) if left() > 0 else late)
    torch.cuda.set_per_process_memory_fraction(1.0, device)


def _made(subject: Subject, folder: Path, device: torch.device, size: float) -> Row:
    place = models.write(subject.family, folder, tiny=False)
    meter.forget_peak(device)
    engine = ours.engine(folder / f"limit_{size:g}", str(device))
    made = ours.make(engine, ours.picture_of(subject, place, STEPS, seed=1), ("save",))
    pool.free()
    return {"s": made.seconds, "peak GiB": meter.peak_gib(device), "note": made.failure or "made"}


@contextmanager
def held(device: torch.device, nbytes: int, code: str = HOLD) -> Generator[None]:
    """Let another process hold so much of a card meanwhile, as another program would."""
    if nbytes <= 0:
        yield
        return
    command = [sys.executable, "-c", code, str(device), str(nbytes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "held":
            raise RuntimeError(f"another process could not hold {nbytes / meter.GIB:.1f} GiB of {device}")
        try:
            yield
        finally:
            process.kill()

"""Milliseconds a step, from Run to PNG, peak memory, and loading: Denoodle, diffusers, and diffusers compiled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from nodes.backend import checkpoints, devices, launch, pool
from nodes.types import AS_STORED, Storage
from tools.gpu_check import meter, models, ours, stock
from tools.gpu_check.models import Subject
from tools.gpu_check.page import NARROW, PROGRAMS

Row = dict[str, Any]
Left = Callable[[], float]
"""Seconds that are left."""

WARM_UP = 3  # steps, in a first run that pays for what is made once
COMPILING = 45.0  # seconds that are kept for it


def rows(folder: Path, device: torch.device, *, tiny: bool, left: Left, compiled: bool) -> Iterator[Row]:
    """A row for each picture and program. What does not fit, or comes too late, is a row that says so."""
    subjects = models.TINY_SUBJECTS if tiny else models.SUBJECTS
    plain = [(subject, program) for subject in subjects for program in (*PROGRAMS[:2], *_narrow(subject))]
    for subject, program in (*plain, *((subject, PROGRAMS[2]) for subject in subjects[:3] if compiled)):
        row: Row = {"section": "speed", "picture": subject.name, "program": program}
        needed = COMPILING if program == PROGRAMS[2] else 0.0
        if left() <= needed:
            yield row | {"note": "left out: the time was up"}
        elif program == NARROW and (why := devices.no_float8_products(device)):
            yield row | {"note": f"left out: {why}"}
        elif (free := meter.free_gib(device)) < subject.least_gib:
            yield row | {"note": f"left out: it takes {subject.least_gib:g} GiB, and {free:.1f} are free"}
        else:
            yield row | _measured(program, subject, models.write(subject.family, folder, tiny=tiny), folder, device)


def _narrow(subject: Subject) -> tuple[str, ...]:
    return (NARROW,) if subject.family == "flux" else ()


def _measured(program: str, subject: Subject, place: Path, folder: Path, device: torch.device) -> Row:
    meter.forget_peak(device)
    try:
        if program in (PROGRAMS[0], NARROW):
            return _ours(subject, place, folder, device, "float8, fast" if program == NARROW else AS_STORED)
        return _stock(subject, place, folder, device, compiled=program == PROGRAMS[2])
    except Exception as error:  # one that fails must not cost the others
        return {"note": f"failed: {type(error).__name__}: {str(error).splitlines()[0][:200]}"}
    finally:
        pool.free()
        meter.forget_peak(device)


def _ours(subject: Subject, place: Path, folder: Path, device: torch.device, weights: Storage) -> Row:
    engine = ours.engine(folder, str(device))
    parts = checkpoints.checkpoint(str(place), weights)
    start = time.perf_counter()
    loaded = [pool.network(network) for network in models.networks(parts)]
    meter.synchronize(device)
    loading = time.perf_counter() - start
    if subject.least_gib:
        for module in loaded:
            models.randomise(module)
    del loaded

    def run(steps: int) -> float:
        made = ours.make(engine, ours.picture_of(subject, place, steps, seed=steps, weights=weights), ("save",))
        if made.failure:
            raise RuntimeError(made.failure)
        return made.seconds

    found = _timed(run, subject, device)
    engine.cache.close()
    return {"load s": loading, **found, "network": _called()}


def _called() -> str:
    """How the network was called most often, and what one call took in each way that was tried."""
    most = max(launch.told(), key=lambda told: told.calls, default=None)
    if most is None:
        return "simply called"
    times = ", ".join(f"{way} {1000 * seconds:.1f} ms" for way, seconds in most.seconds.items())
    return f"{' and '.join(most.ready) or 'eager'} ({times})"


def _stock(subject: Subject, place: Path, folder: Path, device: torch.device, *, compiled: bool) -> Row:
    made = stock.pipeline(subject, checkpoints.checkpoint(str(place)), device)
    if compiled:
        stock.compile_blocks(made)
    prompt = stock.prompt(made, subject)
    return _timed(lambda steps: stock.make(made, subject, prompt, steps, folder), subject, device)


def _timed(run: Callable[[int], float], subject: Subject, device: torch.device) -> Row:
    """The first run, then two of different lengths: what they differ by is steps and nothing else."""
    few, many = subject.steps
    first = run(WARM_UP if WARM_UP not in subject.steps else WARM_UP + 1)
    shorter, longer = run(few), run(many)
    return {
        "first run s": first,
        "ms a step": 1000 * (longer - shorter) / (many - few),
        "steps": few,
        "run to PNG s": shorter,
        "peak GiB": meter.peak_gib(device),
    }

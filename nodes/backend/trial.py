"""The self-test of a card: does it run kernels, are they right, which precision is fast.

    python -m nodes.backend.trial cuda:0

It runs once for each card and build of torch, in a process of its own, for a card that is broken takes its process with
it; what came of it is kept in the data folder.
"""

from __future__ import annotations

import json
import logging
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from nodegraph.formats.files import reason, write_atomic
from nodegraph.program import data_folder
from nodes.backend.cards import SINGLE, Card, Dtype, doubtful, expected

DTYPES: tuple[Dtype, ...] = ("float32", "float16", "bfloat16")
LIMITS: Mapping[str, float] = {"float32": 5e-3, "float16": 5e-3, "bfloat16": 4e-2, "float8": 4e-2}
"""Of the relative difference from float32 on the CPU: some ten times what rounding does (float32 is multiplied with ten
bits of mantissa on newer cards), and far below what a wrong kernel does. Products of float8 are compared with those of
the same rounded numbers on the CPU."""

ROUND = "2"
"""Changes when more is tried than was: cards are tried once more then."""

SLOWER = 1.25
"""Half the bits are worth it while they take at most so much of float32's time: they need half of its memory."""

TIMEOUT = 180.0
"""Seconds, of which the first start of a driver that has to compile its kernels may take most."""

ROUNDS = 5
"""Of which the fastest counts."""

FILE_BYTES = 1 << 20
_log = logging.getLogger(__name__)
NO_KERNEL = "no kernel image"
"""What a card says that this build of torch is not for. It stays so, unlike other failures."""


@dataclass(frozen=True)
class Trial:
    """errors: relative differences from float32 on the CPU, by dtype; none where there is no number.

    seconds: of the same work, by dtype. failure: why nothing could be computed; empty when it could.
    """

    errors: Mapping[str, float] = field(default_factory=dict[str, float])
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    failure: str = ""

    def right(self, dtype: Dtype | Literal["float8"]) -> bool:
        return self.errors.get(dtype, math.inf) <= LIMITS[dtype]

    def fast(self, dtype: Dtype) -> bool:
        return self.seconds.get(dtype, math.inf) <= SLOWER * self.seconds.get("float32", 0.0)


def good(card: Card, trial: Trial) -> frozenset[Dtype]:
    """What a card that was tried is fast and right in."""
    # Time is asked only where the kind of card leaves it open: of fast cards it says how long a launch takes.
    fast = frozenset[Dtype](filter(trial.fast, DTYPES))
    right = frozenset[Dtype](filter(trial.right, DTYPES))
    return ((expected(card) | fast) & right) - doubtful(card) | SINGLE


# Asking -----------------------------------------------------------------------------------------------


def of(card: Card, build: str, ask: Callable[[Card], Trial] | None = None) -> Trial:
    """What came of trying a card with this build of torch, now or earlier. ask: tries it; by default in a process."""
    key = f"{card.title} {card.arch} {card.driver}; {build}; {ROUND}"
    known = _read()
    if (found := _trial(known.get(key))) is not None:
        return found
    _log.warning("%s (%s) is tried for the first time, which takes some seconds", card.title, card.name)
    made = (ask or asked)(card)
    if not made.failure or NO_KERNEL in made.failure:
        _keep({**known, key: asdict(made)})
    return made


def asked(card: Card) -> Trial:
    """Try a card in a process of its own."""
    paths = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-m", "nodes.backend.trial", card.name]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # on Windows, a console would flash up
        )
    except subprocess.TimeoutExpired:
        return Trial(failure=f"it did not finish a small computation in {TIMEOUT:.0f} seconds")
    except OSError as error:
        return Trial(failure=f"it could not be tried: {reason(error)}")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return Trial(
            failure=f"a small computation on it ended its process (exit code {done.returncode}) {last}".strip()
        )
    said = done.stdout.strip().splitlines()
    try:
        found = _trial(json.loads(said[-1])) if said else None
    except ValueError:
        found = None
    return found or Trial(failure="the process that tried it said nothing that can be read")


def place() -> Path:
    """The file in which it is kept what came of trying."""
    return data_folder() / "cards.json"


def _read() -> dict[str, Any]:
    """What is kept; nothing where the file is not there or damaged: cards are tried again."""
    try:
        with place().open("rb") as file:
            found: Any = json.loads(file.read(FILE_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _keep(known: Mapping[str, Any]) -> None:
    try:
        place().parent.mkdir(parents=True, exist_ok=True)
        write_atomic(place(), json.dumps(known, indent=1).encode())
    except OSError:
        pass  # a folder that may not be written: the card is tried again next time


def _trial(said: Any) -> Trial | None:
    """What a process said, or a file; None when it is no trial."""
    about = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    errors, seconds, failure = (about.get(name) for name in ("errors", "seconds", "failure"))
    if not _numbers(errors) or not _numbers(seconds) or not isinstance(failure, str):
        return None
    return Trial(cast("dict[str, float]", errors), cast("dict[str, float]", seconds), failure)


def _numbers(said: Any) -> bool:
    return isinstance(said, dict) and all(type(n) in (int, float) for n in cast("dict[str, Any]", said).values())


# Trying -----------------------------------------------------------------------------------------------


def tried(device: Any) -> Trial:
    """Compute what denoising is made of on a torch.device, in each precision. Raises what float32 raises."""
    import torch

    errors: dict[str, float] = {}
    seconds: dict[str, float] = {}
    with torch.inference_mode():
        work = [(function, inputs, function(*inputs)) for function, *inputs in _work()]
        for dtype in DTYPES:
            try:
                error, took = _compared(work, device, dtype)
            except RuntimeError:
                if dtype == "float32":
                    raise
                continue  # a precision that the device has no kernels for
            seconds[dtype] = took
            if math.isfinite(error):
                errors[dtype] = error
        if device.type != "cpu" and math.isfinite(error := of_float8(device)):
            errors["float8"] = error
    return Trial(errors, seconds)


def of_float8(device: Any) -> float:
    """The relative difference of products of float8 from those on the CPU; infinite where there are none."""
    import torch

    from nodes.backend import layouts

    if not layouts.multiplies_float8(device):
        return math.inf
    x, weight = torch.randn(2, 96, 256, generator=torch.Generator().manual_seed(0))

    def product(place: Any, dtype: Any) -> Any:
        _, parts = layouts.pack(weight.to(place), "float8")
        return layouts.float8_product(x.to(place, dtype), parts["weight"], parts["scale"]).float().cpu()

    errors: list[float] = []
    try:
        for dtype in (torch.bfloat16, torch.float16):  # which are multiplied in two ways
            wanted, got = product("cpu", dtype), product(device, dtype)
            errors.append(float((got - wanted).norm() / wanted.norm()))
    except RuntimeError:  # no kernels
        return math.inf
    return sum(errors)  # which keeps what is no number


def _compared(work: list[tuple[Any, ...]], device: Any, dtype: Dtype) -> tuple[float, float]:
    """(the largest relative difference of all kinds of work, seconds of them). work: with what comes of it."""
    import torch

    worst, total = 0.0, 0.0
    for function, inputs, wanted in work:
        moved = [tensor.to(device, getattr(torch, dtype)) for tensor in inputs]
        got = function(*moved).float().cpu()
        error = float((got - wanted).norm() / wanted.norm())
        if not math.isfinite(error):
            return error, total
        worst = max(worst, error)
        total += min(_seconds(function, moved) for _ in range(ROUNDS))
    return worst, total


def _seconds(work: Callable[..., Any], inputs: list[Any]) -> float:
    start = time.perf_counter()
    work(*inputs).flatten()[0].item()  # which waits for it
    return time.perf_counter() - start


def _work() -> Iterator[tuple[Any, ...]]:
    """A function, and tensors of float32 on the CPU that it is called with: layers of the sizes of a U-Net."""
    import torch
    from torch.nn import functional

    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Any:
        return torch.randn(shape, generator=generator)

    def conv(x: Any, weight: Any) -> Any:
        return functional.conv2d(x, weight, padding=1)

    def normed(x: Any) -> Any:
        return functional.silu(functional.group_norm(x, 32))

    # Four channels first, as a denoiser begins: small ones have kernels of their own.
    yield conv, draw(2, 4, 32, 32), draw(320, 4, 3, 3) / 6
    yield conv, draw(2, 320, 32, 32), draw(320, 320, 3, 3) / 54
    yield conv, draw(2, 640, 8, 8), draw(640, 640, 3, 3) / 76
    yield functional.linear, draw(2, 1024, 320), draw(2560, 320) / 18
    yield functional.scaled_dot_product_attention, draw(2, 8, 256, 40), draw(2, 8, 256, 40), draw(2, 8, 256, 40)
    yield normed, draw(2, 320, 32, 32)


def main() -> None:
    import torch

    try:
        made = tried(torch.device(sys.argv[1]))
    except Exception as error:  # whatever a card that cannot compute says
        made = Trial(failure=reason(error))
    print(json.dumps(asdict(made)))  # noqa: T201  # to the process that asked
    sys.stdout.flush()
    os._exit(0)  # a broken card may stop the process from ending by itself


if __name__ == "__main__":
    main()

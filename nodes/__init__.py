"""The nodes of diffusion workflows: declarations in the modules here, numerics in `nodes.backend`.

The functions below are what the engine asks of a package of nodes. They import torch, so they are for the process
that computes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nodegraph.running.keeper import Keeper
from nodegraph.running.messages import PRECISIONS, Device, Holding
from nodegraph.types import NetworkId, Picture

if TYPE_CHECKING:
    from nodegraph.sweeping.sheet import Page
    from nodegraph.sweeping.sweep import Cell

_OLDER = {"PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF"} & os.environ.keys()
"""Older names of the allocator's variable, by which the user may have said something else."""

LIBRARY_SETTINGS = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_VERBOSITY": "error",
    "TRANSFORMERS_VERBOSITY": "error",
    "DIFFUSERS_VERBOSITY": "error",
    # Threads that spin while they wait for each other take the cores from whoever they wait for: beside one other busy
    # process on two cores, small layers took ten times as long.
    "OMP_WAIT_POLICY": "PASSIVE",
    # What Metal has no kernel for is computed by the processor then, in place of failing the node.
    "PYTORCH_ENABLE_MPS_FALLBACK": "1",
    # Blocks of a card's memory grow in place, so that weights that come and go leave no holes too small for the next.
    **({"PYTORCH_ALLOC_CONF": "expandable_segments:True"} if sys.platform == "linux" and not _OLDER else {}),
}
"""For the environment, before anything imports those libraries."""

LIBRARY_RULES = {"HF_HUB_OFFLINE": "1"}
"""The same, whatever the user has set: what computes never asks a hub. Files are fetched where a person asks for it."""


def configure(device: str, precision: str = "auto") -> None:
    """Compute on this device, "auto", "cuda:1" or "cpu", in this precision, one of PRECISIONS.

    Raises ValueError when it is not there, cannot compute, or not so.
    """
    from nodes.backend import pool

    pool.configure(device, _wish(precision))


def environment(device: str, precision: str = "auto") -> str:
    """What changes the bits of a result besides its inputs: the machine and the libraries."""
    from nodes.backend import devices

    return devices.environment(device, _wish(precision))


def devices() -> tuple[Device, ...]:
    """What there is to compute on. The processor is the last."""
    from nodes.backend import cards, devices

    return tuple(Device(card.name, card.title, cards.refusal(card) or "") for card in devices.present())


def measure(taken: Mapping[str, Any], text: str) -> str:
    """How long a prompt is, in tokens, for the text encoder among what its node takes."""
    from nodes.backend import counting

    return counting.measure(taken, text)


def device(name: str) -> str:
    """Which of them is meant, as "auto" may mean any. Raises ValueError when there is none that can compute."""
    from nodes.backend import devices

    return devices.card(devices.pick(name)).name


def _wish(name: str) -> Any:
    if name not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}; got {name!r}")
    return name


def broken(error: BaseException) -> str:
    """Why nothing more can be computed in this process after an error, in a few words; empty when it can."""
    from nodes.backend import broken, pool

    return broken.reason(error, pool.device())


def complaint(outputs: Mapping[str, Any], given: Mapping[str, Any]) -> str | None:
    """Why the results of a node must not be passed on, as a sentence; None when there is no reason."""
    from nodes.backend import finite

    return finite.complaint(outputs, given)


def under_way() -> Callable[[tuple[Any, ...]], bool] | None:
    """What tells whether results of a node are still on their way from the device; None where nothing ever is."""
    from nodes.backend import finite, pool, resident

    if pool.device().type not in resident.LANES:
        return None
    return lambda outputs: any(map(resident.is_under_way, finite.numbers(outputs)))


def preview(value: Any, max_side: int, item: int | None = None) -> Picture | None:
    """What a latent, a picture or a mask looks like, at most so many pixels along a side; of a batch, all or one."""
    from nodes.backend import previews

    return previews.preview(value, max_side, item)


def keep_tokenizer(place: str | None, told: Callable[[int, int], object] = lambda there, whole: None) -> str:
    """Keep T5's tokenizer for all models that read prompts by it: this one, or None for that of the model hub.

    Where it is kept. told: see `nodegraph.domain.Remedy`. Raises ValueError when it is none or cannot be fetched,
    OSError when it cannot be kept.
    """
    import os
    from pathlib import Path

    from nodes.backend import tokenizer_files

    for name, value in LIBRARY_SETTINGS.items():
        os.environ.setdefault(name, value)
    rows = tokenizer_files.ROWS
    return str(tokenizer_files.remember(Path(place), rows) if place else tokenizer_files.download(rows, told))


def kept_tokenizer() -> str | None:
    """Where T5's tokenizer is kept; None when it is not."""
    from nodes.backend import tokenizer_files, unigram

    place = tokenizer_files.remembered()
    return str(place) if unigram.files(place) else None


def codec() -> Any:
    """How results are written to disk and read back."""
    from nodes.backend import storage

    return storage


def keeper() -> Keeper:
    """Who looks after the memory that networks compute in."""
    from nodes.backend import keeper

    return keeper.Keeper()


def models() -> tuple[Holding, ...]:
    """The networks in memory."""
    from nodes.backend import narrow, parts, pool

    def holding(held: pool.Loaded) -> Holding:
        adapted = f", {held.num_adapted} adapted" if held.num_adapted else ""
        part = parts.part(held.network)
        storage = held.network.storage
        packed = f", {storage}" if storage in narrow.KINDS else ""
        title = f"{part.spec.title} of {part.place.name}{packed}{adapted}"
        return Holding(held.network.id, title, held.where, held.nbytes)

    return tuple(map(holding, pool.loaded()))


def free(id: NetworkId) -> None:
    """Forget a network; it loads again when it is used."""
    from nodes.backend import pool

    for held in pool.loaded():
        if held.network.id == id:
            pool.free(held.network)


def sweep_sheet(pages: Sequence[Page], images: Mapping[Cell, Sequence[str]], workflow: str) -> bytes:
    """The pictures of a sweep, the paths of each cell's, on one labelled sheet, a PNG that brings the workflow.

    Raises ValueError when there is none, or they are too many.
    """
    from nodegraph.formats import png
    from nodes.backend import sweep_sheet

    parts = [
        sweep_sheet.Part(
            page.title,
            page.columns,
            page.rows,
            {place: images.get(cell, ()) for place, cell in page.places.items()},
            {place: page.labels[cell] for place, cell in page.places.items() if cell in page.labels},
        )
        for page in pages
    ]
    return png.with_texts(sweep_sheet.draw(parts), {png.KEYWORD: workflow})

"""A small node package without torch, for tests of the engine, the command line and the window."""

import json
import logging
import os
from pathlib import Path
from typing import Any

from nodegraph.running.messages import Device
from nodegraph.types import NetworkId, Picture

CARDS = tuple(os.environ.get("TOY_CARDS", "toy:0").split())
"""The cards of this machine that compute."""


def environment(device: str, precision: str = "auto") -> str:
    if device == "cuda":
        raise ValueError("device cuda is not there: toys run on the cpu")
    if device == "old":
        logging.getLogger(__name__).warning("the old one is not used: it is too old")
    device = "toy:0" if device in CARDS else device  # cards are alike, as two of one kind are
    return f"toy on {device}" + (f" in {precision}" if precision != "auto" else "")


def devices() -> tuple[Device, ...]:
    return (
        *(Device(name, "A toy card") for name in CARDS),
        Device("toy:1", "An old toy card", "it is too old"),
        Device("cpu", "the processor"),
    )


def broken(error: Exception) -> str:
    return "an illegal memory access" if "toys broke" in str(error) else ""


def device(name: str) -> str:
    return "toy:0" if name == "auto" else name


class JsonCodec:
    """Boxes as JSON, one file an entry."""

    suffix = ".json"

    def save(self, values: tuple[Any, ...], path: Path) -> None:
        from tests.toy_nodes.boxes import Tray

        Path(path).write_text(json.dumps([box.values if isinstance(box, Tray) else box.value for box in values]))

    def load(self, path: Path) -> tuple[Any, ...]:
        from tests.toy_nodes.boxes import Box, Tray

        found = json.loads(Path(path).read_text())
        return tuple(Tray(value[0], tuple(value)) if isinstance(value, list) else Box(value) for value in found)


def codec() -> JsonCodec:
    return JsonCodec()


def measure(taken: dict[str, Any], text: str) -> str:
    if "break" in text:
        raise ValueError("toys broke nothing")
    return f"{len(text)} letters" + (f" for {', '.join(sorted(taken))}" if taken else "")


def preview(value: Any, max_side: int, item: int | None) -> Picture:
    from tests.toy_nodes import boxes

    return boxes.preview(value, max_side, item)


def models() -> tuple[Any, ...]:
    from tests.toy_nodes.lids import holdings

    return holdings()


def free(id: NetworkId) -> None:
    from tests.toy_nodes.lids import loaded

    loaded.pop(id.path, None)

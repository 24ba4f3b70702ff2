"""A small node package without torch, for tests of the engine, the command line and the window."""

import json
from pathlib import Path
from typing import Any

from nodegraph.types import NetworkId, Picture


def environment(device: str, precision: str = "auto") -> str:
    if device == "cuda":
        raise ValueError("device cuda is not there: toys run on the cpu")
    return f"toy on {device}"


def broken(error: Exception) -> str:
    return "an illegal memory access" if "toys broke" in str(error) else ""


class JsonCodec:
    """Boxes as JSON, one file an entry."""

    suffix = ".json"

    def save(self, values: tuple[Any, ...], path: Path) -> None:
        Path(path).write_text(json.dumps([box.value for box in values]))

    def load(self, path: Path) -> tuple[Any, ...]:
        from tests.toy_nodes.boxes import Box

        return tuple(Box(value) for value in json.loads(Path(path).read_text()))


def codec() -> JsonCodec:
    return JsonCodec()


def preview(value: Any, max_side: int) -> Picture:
    from tests.toy_nodes import boxes

    return boxes.preview(value, max_side)


def models() -> tuple[Any, ...]:
    from tests.toy_nodes.lids import holdings

    return holdings()


def free(id: NetworkId) -> None:
    from tests.toy_nodes.lids import loaded

    loaded.pop(id.path, None)

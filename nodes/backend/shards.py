"""Weights in one file, or cut into numbered ones with a list of which tensor is where.

Format: NAME-00001-of-00003.safetensors beside NAME.safetensors.index.json, {"metadata": {...}, "weight_map": {tensor:
file name}} (https://huggingface.co/docs/huggingface_hub/package_reference/serialization).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

from nodes.backend.headers import Shapes, shapes
from nodes.backend.strict_json import quoted, read_object

MAX_SHARDS = 1000
MAX_INDEX = 10_000_000  # bytes


def weight_files(folder: Path, stem: str) -> tuple[Path, ...]:
    """The files that hold the weights called `stem`, in order.

    Raises ValueError when there are none, when some of the numbered ones are missing, or when their list names others.
    """
    for ending in ("", ".fp16"):
        whole = folder / f"{stem}{ending}.safetensors"
        if whole.is_file():
            return (whole,)
    numbered = re.compile(re.escape(stem) + r"-(\d{5})-of-(\d{5})\.safetensors", re.ASCII)
    found = sorted(path for path in folder.glob(f"{stem}-*-of-*.safetensors") if numbered.fullmatch(path.name))
    if not found:
        raise ValueError(f"there are no weights in {folder}: {stem}.safetensors is missing")
    count = found[0].name.removesuffix(".safetensors")[-5:]
    wanted = [f"{stem}-{number:05d}-of-{count}.safetensors" for number in range(1, min(int(count), MAX_SHARDS) + 1)]
    lacking = next((name for name in wanted if not (folder / name).is_file()), None)
    if lacking or int(count) > MAX_SHARDS:
        raise ValueError(
            f"the weights in {folder} are not whole: {lacking or f'more than {MAX_SHARDS} files'} is missing"
        )
    if other := next((path.name for path in found if path.name not in wanted), None):
        raise ValueError(f"{other} in {folder} does not belong to the {int(count)} files of weights there")
    return tuple(folder / name for name in wanted)


def all_shapes(files: tuple[Path, ...]) -> Shapes:
    """The shape of every tensor in these files. Raises ValueError when they contradict each other or their list."""
    if len(files) == 1:
        return shapes(files[0])
    together: dict[str, tuple[int, ...]] = {}
    places: dict[str, str] = {}
    for file in files:
        for name, shape in shapes(file).items():
            if name in together:
                raise ValueError(f"{quoted(name)} stands in {files[0].parent / places[name]} and in {file}")
            together[name], places[name] = shape, file.name
    _check_index(
        files[0].parent / (files[0].name[: -len("-00001-of-00001.safetensors")] + ".safetensors.index.json"), places
    )
    return together


def _check_index(index: Path, places: dict[str, str]) -> None:
    """Nothing is taken from the list, but where it tells otherwise the folder is not what somebody meant it to be."""
    if not index.exists():
        return
    listed: Any = read_object(index, MAX_INDEX).get("weight_map")
    if not isinstance(listed, dict):
        raise ValueError(f"{index} has no weight_map")
    for name, file in cast("dict[str, Any]", listed).items():
        if name not in places:
            raise ValueError(f"{index} names {quoted(name)}, which is in none of the files beside it")
        if file != places[name]:
            raise ValueError(f"{index} says that {quoted(name)} is in {quoted(file)}; it is in {places[name]}")
    if extra := next((name for name in places if name not in listed), None):
        raise ValueError(f"{index} does not name {quoted(extra)}, which is in {places[extra]}")

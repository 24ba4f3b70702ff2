"""How strongly what a LoRA adds acts, where that is written beside the tensors and not among them.

diffusers writes the settings of peft's LoraConfig into the file's header, peft into adapter_config.json beside it.
Without either, and without tensors that say so, the scale is 1, as everywhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from nodes.backend.families.family import Role
from nodes.backend.headers import metadata, shapes
from nodes.backend.lora_file import Addition
from nodes.backend.strict_json import parse_object, quoted, read_object

DIFFUSERS_KEY = "lora_adapter_metadata"
MAX_SETTINGS = 1_000_000  # bytes
REFUSED = ("lora_bias", "fan_in_fan_out", "layer_replication", "use_qalora", "alora_invocation_tokens")
"""Settings that change what a pair does; without them it is B A."""
TYPES = {"LORA": "lora_alpha", "LOHA": "alpha", "LOKR": "alpha"}
"""What peft calls the kinds, and what it calls alpha in their settings."""


def config_file(place: Path) -> Path | None:
    """Where peft wrote the settings of a file of its own layout; None when there is no such file."""
    beside = place.parent / "adapter_config.json"
    is_peft = any("base_model.model." in name for name in shapes(place))
    return beside if is_peft and beside.is_file() else None


def settings(place: Path, role: Role) -> Mapping[str, Any]:
    """What is written about the pairs for one network; empty when nothing is.

    Raises ValueError when it asks for something that cannot be applied.
    """
    if text := metadata(place).get(DIFFUSERS_KEY):
        try:
            everything = parse_object(text.encode())
        except ValueError as error:
            raise ValueError(f"{place}: {DIFFUSERS_KEY} {error}") from None
        prefix = role.folder + "."
        found = {k.removeprefix(prefix): v for k, v in everything.items() if k.startswith(prefix)}
    elif beside := config_file(place):
        found = read_object(beside, MAX_SETTINGS)
    else:
        return {}
    if str(found.get("peft_type", "LORA")) not in TYPES:
        raise ValueError(
            f"{place} holds {quoted(found['peft_type'])}, which this program cannot apply; it can {', '.join(TYPES)}"
        )
    for name in REFUSED:
        if found.get(name):
            raise ValueError(f"{place} was made with {name}, which this program cannot apply")
    return found


def check(place: Path, role: Role, additions: Mapping[str, Addition]) -> None:
    """Raises ValueError when the settings for one network are none, or ask for what cannot be applied."""
    found = settings(place, role) if additions else dict[str, Any]()
    for layer, addition in additions.items():
        scale(place, found, layer, 1)
        if found and (kind := found.get("peft_type", "LORA")) != addition.kind.upper():
            what = f"tensors of {addition.kind} for {quoted(layer)}"
            raise ValueError(f"{place} has settings of {quoted(kind)}, and {what}")
        if found.get("use_dora") and "magnitude" not in addition.names:
            raise ValueError(f"{place} was made with use_dora, but has no magnitudes for {quoted(layer)}")


def scale(place: Path, settings: Mapping[str, Any], layer: str, rank: int | None) -> float:
    """alpha / rank, or with rslora alpha / sqrt(rank): Kalajdzievski 2023 (arXiv:2312.03732).

    rank: None for a product that has none, for which the settings' own counts. Raises ValueError when the settings are
    none.
    """
    if not settings:
        return 1.0
    rank = rank or _rank(place, settings)
    pattern: Any = settings.get("alpha_pattern") or {}
    if not isinstance(pattern, dict):
        raise ValueError(f"{place}: alpha_pattern must be an object, it is {quoted(pattern)}")
    named = (alpha for key, alpha in cast("dict[str, Any]", pattern).items() if _names(place, key, layer))
    called = TYPES[settings.get("peft_type", "LORA")]
    alpha: Any = next(named, settings.get(called, rank))
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not math.isfinite(alpha):
        raise ValueError(f"{place}: {called} must be a finite number, it is {quoted(alpha)}")
    return alpha / (math.sqrt(rank) if settings.get("use_rslora") else rank)


def _rank(place: Path, settings: Mapping[str, Any]) -> int:
    rank = settings.get("r", 1)
    if type(rank) is not int or rank < 1:
        raise ValueError(f"{place}: r must be a whole number from 1, it is {quoted(rank)}")
    return rank


def _names(place: Path, key: str, layer: str) -> bool:
    """Whether a key of alpha_pattern means this layer: its whole name, or the end of it.

    peft takes keys as regular expressions; those of a file from anywhere could take forever, so only names are read.
    """
    name = key.removeprefix("^").removesuffix("$").replace("\\.", ".")
    if not re.fullmatch(r"[\w.]+", name):
        raise ValueError(f"{place}: {quoted(key)} in alpha_pattern is no name of a layer")
    name = name.removeprefix("text_model.")  # text encoders had this in front of every layer once
    return layer == name or (not key.startswith("^") and layer.endswith("." + name))

"""A library of many files: found, found again, searched. The files are sparse, with the tables of tensors of real ones.

python -m tools.bench.library [FILES [FOLDER]]    the files alone: makes them in a folder, to look at
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nodegraph.domain import Stock
from nodegraph.library.library import Library
from nodegraph.library.scan import Scanned, update
from nodes.backend import families, lora_file
from nodes.backend.families.family import Family, Role
from nodes.backend.fields import check_fields
from nodes.stock import STOCK

FILES = 20_000
Tables = Mapping[str, tuple[int, ...]]
BYTES = {"F16": 2, "BF16": 2, "F32": 4}
SHARES = (
    ("lora", "sd1", 0.40),
    ("lora", "sdxl", 0.22),
    ("lora", "flux", 0.12),
    ("lora", "zimage", 0.05),
    ("lora", "sd3", 0.01),
    ("checkpoint", "sd1", 0.08),
    ("checkpoint", "sdxl", 0.05),
    ("denoiser", "flux", 0.01),
    ("denoiser", "zimage", 0.01),
    ("text encoder", "flux", 0.01),
    ("vae", "sd1", 0.01),
    ("embedding", "sd1", 0.02),
    ("damaged", "sd1", 0.01),
)
"""Of kinds and families, as in people's folders: most files are LoRAs, and most of those are for older models."""

# fmt: off
WORDS = (
    "anime", "ancient", "arcane", "autumn", "castle", "cinematic", "clay", "coast", "dark", "detail", "dragon",
    "dream", "ember", "epic", "film", "flat", "forest", "glass", "gold", "ink", "jade", "knight", "light", "line",
    "lush", "manga", "marble", "mecha", "mist", "moon", "neon", "night", "oil", "orchid", "paint", "paper", "pastel",
    "photo", "pixel", "portrait", "prism", "real", "retro", "river", "rose", "ruins", "sea", "shadow", "silver",
    "sketch", "sky", "smoke", "snow", "soft", "space", "steam", "stone", "storm", "style", "sun", "texture", "toon",
    "vapor", "velvet", "vintage", "water", "wild", "wind", "winter", "wood",
)
# fmt: on


def make(folder: Path, count: int, *, alike: bool = True) -> None:
    """Files in folders as ComfyUI names them. alike: many have one table, as those of one trainer do."""
    choice = random.Random(count)
    for number, (kind, family) in enumerate(_mixed(choice, count)):
        name = "_".join(choice.choice(WORDS) for _ in range(choice.randint(2, 4)))
        place = folder / STOCK.homes.get(kind, "others") / choice.choice(WORDS) / f"{name}_{number}.safetensors"
        place.parent.mkdir(parents=True, exist_ok=True)
        shape = kind, family, choice.choice((4, 8, 16, 32, 64)), choice.choice((True, False))
        dtype = choice.choice([*BYTES])
        text, end = _alike(*shape, dtype)
        _fill(place, *((text, end) if alike else _with_own(text, end, dtype, number)), _said(choice, name))
        if kind == "damaged":
            with place.open("r+b") as file:
                file.truncate(place.stat().st_size - 1)


def _mixed(choice: random.Random, count: int) -> list[tuple[str, str]]:
    made = [(kind, family) for kind, family, share in SHARES for _ in range(round(share * count))]
    choice.shuffle(made)
    return made


def _said(choice: random.Random, name: str) -> dict[str, str]:
    """The texts that a trainer leaves: most of it how often each word was in its captions."""
    counts = {f"{choice.choice(WORDS)} {choice.choice(WORDS)}": choice.randint(1, 400) for _ in range(40)}
    return {
        "modelspec.title": name.replace("_", " "),
        "modelspec.trigger_phrase": choice.choice(WORDS),
        "ss_tag_frequency": json.dumps({"10_set": counts}),
        "ss_output_name": name,
    }


@cache
def table_of(kind: str, name: str, rank: int = 8, attention: bool = True) -> Tables:
    """The tensors of a file of a kind, for a family of this name."""
    family = families.of(name)
    match kind:
        case "lora":
            return dict(_lora(family, rank, attention))
        case "checkpoint" | "damaged":
            parts = [family.roles[role] for role in (family.denoiser, *family.encoders, "vae")]
            return {k: v for role in parts for k, v in network_of(family, role, role.prefixes[0], 9).items()}
        case "embedding":
            return {"emb_params": (rank, 768)}
        case "denoiser":
            return network_of(family, family.roles[family.denoiser], "", 9)
        case "text encoder":
            return network_of(family, family.roles[family.encoders[-1]])
        case _:
            return network_of(family, family.roles["vae"], "", 9)


def _settings(family: Family, role: Role) -> dict[str, Any]:
    (key,) = (name for name, other in family.roles.items() if other is role)
    return check_fields(Path(family.name), family.default_settings(key), role.architecture.schema)


def network_of(family: Family, role: Role, prefix: str = "", spelling: int = 0) -> Tables:
    """The tensors of a published model, as files of one name them. spelling: which of the names that files use."""
    settings = _settings(family, role)
    spellings = role.architecture.spellings(settings)
    found: dict[str, tuple[int, ...]] = {}
    for name, shape in role.architecture.shapes(settings).items():
        spelled = spellings(name)
        stored = spelled[min(spelling, len(spelled) - 1)]
        whole = shape[::-1] if stored.change == "transposed" else shape
        if stored.rows is not None:
            whole = (max(stored.rows[1], found.get(prefix + stored.name, (0,))[0]), *shape[1:])
        found[prefix + stored.name] = whole
    return found


def _lora(family: Family, rank: int, attention: bool) -> Iterator[tuple[str, tuple[int, ...]]]:
    """In kohya's names, for the denoiser."""
    role = family.roles[family.denoiser]
    settings = _settings(family, role)
    layers = lora_file.layers(role.architecture.shapes(settings))
    if attention:
        layers = {name: shape for name, shape in layers.items() if "attn" in name or "attention" in name}
    done: set[str] = set()
    for called, targets in lora_file.names_of(role, layers, settings).items():
        layer, _ = targets[0]
        if called.startswith(role.flat_adapter_names) and not done & {target for target, _ in targets}:
            done |= {target for target, _ in targets}
            outputs, inputs, *kernel = layers[layer]
            rows = max((s.rows[1] for _, s in targets if s.rows), default=outputs)
            yield f"{called}.lora_down.weight", (rank, inputs, *kernel)
            yield f"{called}.lora_up.weight", (rows, rank, *(1 for _ in kernel))
            yield f"{called}.alpha", ()


def write(place: Path, table: Tables, dtype: str = "F16", said: Mapping[str, str] | None = None) -> Path:
    """A file with nothing but its table: what follows takes no room on the disk."""
    return _fill(place, *_text(table, dtype), said or {})


@cache
def _alike(kind: str, family: str, rank: int, attention: bool, dtype: str) -> tuple[bytes, int]:
    return _text(table_of(kind, family, rank, attention), dtype)


def _text(table: Tables, dtype: str) -> tuple[bytes, int]:
    """A table as it stands in a file, behind the texts; and how many bytes it is about."""
    entries: dict[str, Any] = {}
    end = 0
    for name, shape in table.items():
        begin, end = end, end + BYTES[dtype] * prod(shape)
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    return json.dumps(entries, separators=(",", ":")).encode()[1:], end


def _with_own(text: bytes, end: int, dtype: str, number: int) -> tuple[bytes, int]:
    """The same with a tensor that no other file has."""
    last = end + BYTES[dtype] * (number + 1)
    own = {"dtype": dtype, "shape": [number + 1], "data_offsets": [end, last]}
    return text[:-1] + b',"number":' + json.dumps(own, separators=(",", ":")).encode() + b"}", last


def _fill(place: Path, text: bytes, end: int, said: Mapping[str, str]) -> Path:
    text = b'{"__metadata__":' + json.dumps(said).encode() + b"," + text
    with place.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    return place


def rows() -> Iterator[dict[str, Any]]:
    with TemporaryDirectory() as folder:
        yield from _measured(Path(folder), FILES, STOCK)
    with TemporaryDirectory() as folder:
        yield from _unlike(Path(folder), FILES)


def _unlike(folder: Path, count: int) -> Iterator[dict[str, Any]]:
    make(folder / "models", count, alike=False)
    looked, seconds, cpu = _timed(lambda: _scan(folder, STOCK))
    note = f"{looked.looked:,} looked at, {_longest_memory():,.0f} MB at the most in one process"
    yield _row(f"{count:,} files, no two tables alike: found", seconds, cpu, note)


def _longest_memory() -> float:
    """Of this process, or of one that it had help of, in MB."""
    import resource  # Windows has none

    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return most / (1e6 if sys.platform == "darwin" else 1e3)


def _measured(folder: Path, count: int, stock: Stock) -> Iterator[dict[str, Any]]:
    make(folder / "models", count)
    for what in (f"{count:,} files: found", "nothing has changed: found again"):
        found, seconds, cpu = _timed(lambda: _scan(folder, stock))
        yield _row(what, seconds, cpu, f"{found.looked:,} of {found.entries:,} looked at")
    library = Library(folder / "library", stock.families)
    size = sum(file.stat().st_size for file in (folder / "library").iterdir())
    yield {"what": "the index", "note": f"{size / 1e6:.0f} MB"}
    for text in ("", "s", "sn", "sno", "snow", "snow castle", "nothing at all"):
        yield _quick(f"search {text!r}", lambda text=text: library.search(text))
    for what, act in (
        ("search 'snow' for LoRAs that fit", lambda: library.search("snow", kinds=["lora"], fitting=["sdxl"])),
        ("page 100 of all", lambda: library.search(offset=10_000)),
        ("counts by kind and family", library.counts),
    ):
        yield _quick(what, act)
    library.close()


def _quick(what: str, act: Callable[[], Any]) -> dict[str, Any]:
    """CPU milliseconds of what is done as one types: of twenty times the median, and the most."""
    times = [_timed(act)[2] * 1000 for _ in range(20)]
    return {"what": what, "CPU ms": statistics.median(times), "most": max(times)}


def _scan(folder: Path, stock: Stock) -> Scanned:
    return update(folder / "library", [str(folder / "models")], stock, lambda done, whole: None, "nodes")


def _row(what: str, seconds: float, cpu: float, note: str) -> dict[str, Any]:
    return {"what": what, "s": seconds, "CPU s": cpu, "note": note}


def _timed(act: Callable[[], Any]) -> tuple[Any, float, float]:
    """What came of it, the seconds that it took, and those that this process and others for it have computed."""
    begin, computed = time.perf_counter(), sum(os.times()[:4])
    found = act()
    return found, time.perf_counter() - begin, sum(os.times()[:4]) - computed


if __name__ == "__main__":
    if len(sys.argv) > 2:
        make(Path(sys.argv[2]), int(sys.argv[1]))
    else:
        count = int(sys.argv[1]) if len(sys.argv) > 1 else FILES
        with TemporaryDirectory() as place:
            for row in (*_measured(Path(place) / "alike", count, STOCK), *_unlike(Path(place) / "unlike", count)):
                print(row, flush=True)

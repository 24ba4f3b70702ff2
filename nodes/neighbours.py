"""Where other programs keep the files that these nodes take: found by what lies in their folders, and never changed.

ComfyUI: models/, and what extra_model_paths.yaml names (its extra_model_paths.yaml.example). AUTOMATIC1111's web UI,
its forks and SD.Next: models/ and embeddings/. InvokeAI: the models_dir of invokeai.yaml. Stability Matrix: Models/.
The hub's cache: HF_HUB_CACHE, HF_HOME/hub, ~/.cache/huggingface/hub (huggingface_hub, "Environment variables").
"""

from __future__ import annotations

import os
import string
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from os.path import isdir, isfile  # which are false, and not an error, of what nobody may look into
from pathlib import Path
from typing import TypeVar

from nodegraph.domain import Neighbour
from nodegraph.formats.files import read_limited

T = TypeVar("T")
MAX_YAML = 1 << 20  # bytes
SOME = 500
"""Folders in a folder that are looked at."""

DEEP = 2
"""Levels below where people keep programs."""


def neighbours(home: Path | None = None) -> Iterator[Neighbour]:
    """See `nodegraph.domain.Stock`. home: to look in; None for where this machine's people keep programs."""
    known: set[Path] = set()
    for folder in _programs([home] if home else [*_usual()]):
        for sign in (_comfy, _web_ui, _invoke, _matrix):
            if (found := sign(folder)) and known.isdisjoint(map(Path, found.folders)):
                known |= set(map(Path, found.folders))
                yield found
    yield from _comfy_desktop(home or Path.home())
    yield from _hub(home or Path.home(), {} if home else os.environ)


def _usual() -> Iterator[Path]:
    """Where people keep programs."""
    yield from (Path.home(), Path.cwd(), Path.cwd().parent)
    if sys.platform == "win32":
        yield from (Path(f"{letter}:\\") for letter in string.ascii_uppercase[2:])
    else:
        yield from (Path("/opt"), Path("/mnt"), Path("/media") / os.environ.get("USER", ""), Path("/Volumes"))
    for name in ("COMFYUI_PATH", "INVOKEAI_ROOT"):
        if place := os.environ.get(name):
            yield Path(place)


def _programs(places: list[Path]) -> Iterator[Path]:
    """These folders and those inside them, each once."""
    seen: set[Path] = set()
    level = places
    for depth in range(DEEP + 1):
        inside: list[Path] = []
        for folder in level:
            with suppress(OSError):
                real = Path(os.path.realpath(folder))
                if real in seen or not folder.is_dir():
                    continue
                seen.add(real)
                yield folder
                if depth < DEEP:
                    inside += [
                        path for path in islice(folder.iterdir(), SOME) if path.name[:1] != "." and path.is_dir()
                    ]
        level = sorted(inside)


def _comfy(folder: Path) -> Neighbour | None:
    models = folder / "models"
    if not (isdir(models) and (isdir(folder / "comfy") or isdir(folder / "custom_nodes"))):
        return None
    more = extra_paths(folder / "extra_model_paths.yaml")
    return Neighbour(f"ComfyUI in {folder}", (str(models), *(path for path in more if not _within(path, models))))


def _comfy_desktop(home: Path) -> Iterator[Neighbour]:
    """ComfyUI's own window keeps the paths with its settings."""
    for settings in (Path(".config"), Path("Library", "Application Support"), Path("AppData", "Roaming")):
        if found := extra_paths(home / settings / "ComfyUI" / "extra_models_config.yaml"):
            yield Neighbour("ComfyUI Desktop", tuple(found))


def _web_ui(folder: Path) -> Neighbour | None:
    models = folder / "models"
    if not isdir(models / "Stable-diffusion"):
        return None
    embeddings = folder / "embeddings"
    return Neighbour(f"Web UI in {folder}", (str(models), *([str(embeddings)] if isdir(embeddings) else [])))


def _invoke(folder: Path) -> Neighbour | None:
    settings = folder / "invokeai.yaml"
    if not isfile(settings):
        return None
    said = _read(settings, lambda text: dict(_pairs(text)))
    models = folder / os.path.expandvars(os.path.expanduser((said or {}).get("models_dir", "") or "models"))
    return Neighbour(f"InvokeAI in {folder}", (str(models),)) if isdir(models) else None


def _matrix(folder: Path) -> Neighbour | None:
    models = folder / "Models"
    is_one = isdir(models / "StableDiffusion")
    return Neighbour(f"Stability Matrix in {folder}", (str(models),)) if is_one else None


def _hub(home: Path, environment: Mapping[str, str]) -> Iterator[Neighbour]:
    base = environment.get("HF_HOME") or str(home / ".cache" / "huggingface")
    cache = Path(environment.get("HF_HUB_CACHE") or Path(base) / "hub").expanduser()
    if isdir(cache):
        yield Neighbour("Hugging Face's cache", (str(cache),))


def _within(path: str, folder: Path) -> bool:
    return Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder))


def extra_paths(file: Path) -> list[str]:
    """The folders that an extra_model_paths.yaml names and that are there; none when it cannot be read."""
    found: dict[str, None] = {}
    for section in (_read(file, sections) or {}).values():
        base = os.path.expandvars(os.path.expanduser("".join(section.get("base_path", [])[:1])))
        for name, paths in section.items():
            if name in ("base_path", "is_default", "custom_nodes"):
                continue
            for path in paths:
                place = os.path.normpath(file.parent / base / os.path.expandvars(os.path.expanduser(path)))
                if isdir(place):
                    found[place] = None
    return [*found]


def _read(file: Path, parse: Callable[[str], T]) -> T | None:
    if not isfile(file):  # reading from a pipe would wait for a writer
        return None
    try:
        text = read_limited(file, MAX_YAML).decode("utf-8-sig")
    except (OSError, ValueError):
        return None
    return parse(text) if "\0" not in text else None  # no path has one, and looking for it would raise


def sections(text: str) -> dict[str, dict[str, list[str]]]:
    """What such a file says: by section, by name, the lines of the value.

    As much of YAML as these files are written in: mappings two deep, plain and quoted values, and blocks behind `|` or
    `>` or as lists. Anything else is passed over; nothing is ever made of it but texts.
    """
    found: dict[str, dict[str, list[str]]] = {}
    section, name, depth = "", "", 0
    for line in text.splitlines():
        said = line.strip()
        if not said or said.startswith("#"):
            continue
        indent = len(line) - len(line.lstrip())
        if name and indent > depth:  # of the block above
            found[section][name].append(_plain(said.removeprefix("- ")))
            continue
        name, depth = "", indent
        key, colon, value = said.partition(":")
        if not colon:
            continue
        if not indent:
            section = _plain(key)
            found[section] = {}
        elif section:
            name = _plain(key)
            value = _plain(value)
            found[section][name] = [] if value in ("", "|", ">", "|-", ">-", "|+", ">+") else [value]
    return found


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """The plain values of a flat file, whatever is above them."""
    for line in text.splitlines():
        key, colon, value = line.strip().partition(":")
        if colon and not key.startswith("#"):
            yield _plain(key), _plain(value)


def _plain(text: str) -> str:
    text = text.strip()
    if text[:1] in ("'", '"'):
        return text[1:].partition(text[0])[0]
    return text.partition(" #")[0].rstrip()

"""What a file or folder of weights says of itself: its kind, whom it goes with, how its numbers are kept.

Told by the table of its tensors and the texts that its writer left; nothing else of it is read, and no torch is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from nodegraph.domain import Told
from nodes.backend import checkpoints, families, lora_file, weight_files
from nodes.backend.beside import beside
from nodes.backend.embedding_file import PARAMS
from nodes.backend.families.family import Family, Found
from nodes.backend.fields import check_fields
from nodes.backend.invoke_names import invoke_said
from nodes.backend.kinds import (
    CHECKPOINT,
    CONTROLNET,
    DENOISER,
    EMBEDDING,
    LORA,
    PIXEL_MODEL,
    TEXT_ENCODER,
    VAE,
)
from nodes.backend.licences import licence
from nodes.backend.parts import INDEX, Part
from nodes.backend.strict_json import read_object

MAX_INDEX = 1_000_000
"""Bytes of a model_index.json. Real ones have a thousand."""

WEIGHTS = (".safetensors", ".bin", ".pt", ".msgpack", ".json")

LONGEST_WORD = 75
"""Vectors that an embedding may have: places in a chunk of a prompt."""

ALONE = {
    VAE: (
        *("decoder.conv_in.", "first_stage_model.decoder.conv_in.", "vae.decoder.conv_in."),
        "decoder.conv1.",  # Wan's names
    ),
    TEXT_ENCODER: (
        "text_model.embeddings.",
        "transformer.text_model.embeddings.",
        "transformer.resblocks.0.",
        "encoder.layers.0.self_attn.",
        "encoder.block.0.layer.0.SelfAttention.",
        *("model.layers.0.self_attn.", "layers.0.self_attn."),
        *("model.language_model.layers.0.self_attn.", "language_model.model.layers.0.self_attn."),
        "language_model.layers.0.self_attn.",
    ),
}
"""By kind, what begins the name of a tensor in files of one network."""

LAYOUTS = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "fp8",
    "F8_E5M2": "fp8",
    "I8": "int8",
    "U8": "4 bit",
}
"""By the type that most bytes of a file are of, what people call it."""


def look(place: Path) -> Told | None:
    """See `nodegraph.domain.Stock`. Raises ValueError where it cannot be used."""
    return _folder(place) if place.is_dir() else _file(place)


def parts(folder: Path) -> frozenset[str] | None:
    """See `nodegraph.domain.Stock`."""
    try:
        if (folder / INDEX).is_file():
            said: Mapping[str, Any] = read_object(folder / INDEX, MAX_INDEX)
            return frozenset(name for name in said if not name.startswith("_")) | {INDEX}
        if not checkpoints.look(folder).kind(""):
            return None
        return frozenset(path.name for path in folder.iterdir() if path.suffix.lower() in WEIGHTS) | {"config.json"}
    except (OSError, ValueError):  # what is wrong with it is said where it is looked at
        return frozenset(path.name for path in folder.iterdir()) if (folder / INDEX).is_file() else None


def kind_of(found: Found) -> str:
    """Of a file's table of tensors. Raises ValueError when it is nothing we know."""
    if lora_file.is_lora(found.shapes):
        return LORA
    if controlled(found):
        return CONTROLNET
    if family := families.recognise(found):
        whole = "vae" in family.roles and found.has_any(family.roles["vae"].prefixes)
        return CHECKPOINT if whole or _is_checkpoint(found.place) else DENOISER
    for kind, beginnings in ALONE.items():
        if found.has_any(beginnings):
            return kind
    if _is_embedding(found):
        return EMBEDDING
    if kind := next(filter(None, (family.nearly(found) for family in families.FAMILIES)), None):
        raise ValueError(f"{found.place} is {kind}")
    raise ValueError(
        f"{found.place} is no checkpoint, denoiser, LoRA, ControlNet, VAE, text encoder or embedding that this program "
        "knows"
    )


def controlled(found: Found) -> Family | None:
    """The family whose ControlNet this is."""
    return next((family for family in families.FAMILIES if family.recognises_controlnet(found)), None)


def _is_checkpoint(place: Path) -> bool:
    """Whether what the file lacks lies in the folders around it."""
    try:
        checkpoints.checkpoint(str(place))
    except (OSError, ValueError):
        return False
    return True


def _is_embedding(found: Found) -> bool:
    """Vectors alone, no more than a prompt has words, which bear no name or that of an encoder."""
    shapes = found.shapes
    if not all(len(shape) == 1 or (len(shape) == 2 and shape[0] <= LONGEST_WORD) for shape in shapes.values()):
        return False
    known = {PARAMS, *(n for family in families.FAMILIES for r in family.roles.values() for n in r.embedding_names)}
    return len(shapes) == 1 or (bool(shapes) and shapes.keys() <= known)


def _folder(place: Path) -> Told | None:
    found = checkpoints.look(place)
    if family := controlled(found):
        return Told(CONTROLNET, (family.name,), _layout_within(place))
    if family := families.recognise(found):
        whole = (place / INDEX).is_file()
        kind = PIXEL_MODEL if "vae" not in family.roles else CHECKPOINT if whole else DENOISER
        if kind == DENOISER:  # its settings may be those of a model of another sort
            checkpoints.denoiser(str(place))
        title = invoke_said(place).title or _hub_name(place)
        return Told(kind, (family.name,), _layout_within(place), title=title, licence=licence(place, {}))
    if found.kind("") == "AutoencoderKL":
        return Told(VAE, tuple(_users(place, VAE)), _layout_within(place))
    return None


class _Seen(NamedTuple):
    """What a table of tensors tells of its file, wherever that lies."""

    kind: str
    families: tuple[str, ...]
    layout: str


_SEEN: dict[bytes, _Seen] = {}
"""By digests of tables. Files that were trained alike have the same, and making objects of one takes milliseconds."""

MOST_SEEN = 10_000


def _file(place: Path) -> Told:
    told, digest = weight_files.summary(place)
    alone = bool(digest) and not any((place.parent / name).is_file() for name in (INDEX, "config.json"))
    seen = _SEEN.get(digest) if alone else None
    if seen is None:
        found = checkpoints.look(place)
        kind = kind_of(found)
        seen = _Seen(kind, tuple(families_of(found, kind)), layout(place))
        if alone and len(_SEEN) < MOST_SEEN:
            _SEEN[digest] = seen
    said, named = beside(place), invoke_said(place)
    return Told(
        *(seen.kind, seen.families, seen.layout),
        words=tuple(dict.fromkeys((*_words(told), *said.words, *named.words))),
        base=_base(told) or said.base or named.base,
        title=named.title or _title(told) or said.title,  # what a person called it in front
        licence=licence(place, told),
    )


def families_of(found: Found, kind: str) -> Iterator[str]:
    """Those that a file goes with."""
    if kind in (CHECKPOINT, DENOISER):
        yield from (family.name for family in [families.recognise(found)] if family)
    elif kind == CONTROLNET:
        yield from (family.name for family in [controlled(found)] if family)
    elif kind == LORA:
        yield from _adapted(found)
    elif kind in (VAE, TEXT_ENCODER):
        yield from _users(found.place, kind)


def _adapted(found: Found) -> Iterator[str]:
    """The families that have all the layers which a LoRA names, with as many inputs."""
    inputs = lora_file.inputs(found.shapes)
    for family in families.FAMILIES:
        layers = _layers(family.name)
        if inputs and all(layers.get(stem) == count for stem, count in inputs.items()):
            yield family.name


@lru_cache(maxsize=64)
def _layers(name: str) -> Mapping[str, int]:
    """What LoRA files call the layers of a family's published models, and how many inputs each has."""
    family = families.of(name)
    found: dict[str, int] = {}
    for role in (family.denoiser, *family.encoders):
        spec = family.roles[role]
        settings = check_fields(Path(name), family.default_settings(role), spec.architecture.schema)
        layers = lora_file.layers(spec.architecture.shapes(settings))
        for called, targets in lora_file.names_of(spec, layers, settings).items():
            found.setdefault(called, layers[targets[0][0]][1])
    return found


def _users(place: Path, kind: str) -> Iterator[str]:
    """The families that can use one of their networks."""
    for family in families.FAMILIES:
        roles = family.encoders if kind == TEXT_ENCODER else ("vae",) if "vae" in family.roles else ()
        if any(_is(Part(place, family, role)) for role in roles):
            yield family.name


def _is(part: Part) -> bool:
    try:
        part.sources()
    except (OSError, ValueError):
        return False
    return True


def layout(place: Path) -> str:
    """How most of a file's numbers are kept."""
    if packed := weight_files.layout(place):
        return packed
    sizes = weight_files.sizes(place)
    return LAYOUTS.get(most := max(sizes, key=lambda name: sizes[name]), most) if sizes else ""


def _layout_within(folder: Path) -> str:
    files = sorted(folder.glob("**/*.safetensors"), key=lambda path: path.stat().st_size)
    return layout(files[-1]) if files else ""


def _hub_name(place: Path) -> str:
    """What the hub calls the model of a folder of its cache, models--ORGANISATION--NAME/snapshots/COMMIT."""
    snapshots, model = place.parent, place.parent.parent.name
    is_one = snapshots.name == "snapshots" and model.startswith("models--")
    return model.removeprefix("models--").replace("--", "/") if is_one else ""


def _words(told: Mapping[str, str]) -> tuple[str, ...]:
    said = told.get("modelspec.trigger_phrase") or told.get("trigger_words") or ""
    return tuple(word.strip() for word in said.split(",") if word.strip())


def _base(told: Mapping[str, str]) -> str:
    names = ("modelspec.architecture", "ss_base_model_version", "ss_sd_model_name")
    return next((told[name] for name in names if told.get(name)), "")


def _title(told: Mapping[str, str]) -> str:
    return next((told[name] for name in ("modelspec.title", "ss_output_name") if told.get(name)), "")

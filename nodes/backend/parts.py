"""One network of a checkpoint, before anything is loaded: its settings, its files, and where its tensors are.

It lies in a checkpoint's folder, in a folder of its own, in a file that holds a whole checkpoint, or in a file of its
own. A file brings no settings; where it lies in a checkpoint's folder, as published ones do, that folder has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path

from nodes.backend import families, narrow, shards
from nodes.backend.contents import Places, Source, sources
from nodes.backend.families.family import Family, Role
from nodes.backend.fields import MAX_SETTINGS, Field, Schema, Text, check_fields, read_settings
from nodes.backend.headers import Shapes
from nodes.backend.networks.architecture import Ignored, Settings
from nodes.backend.strict_json import read_object
from nodes.backend.tokenizer_kinds import KINDS
from nodes.backend.weight_files import is_zero, packed, shapes
from nodes.types import AS_STORED, Network, Storage, Weights

INDEX = "model_index.json"
CLASS: Schema = {"_class_name": Field(Text(), "")}


@dataclass(frozen=True)
class Part:
    """place: the folder or file it lies in."""

    place: Path
    family: Family
    role: str

    @property
    def spec(self) -> Role:
        return self.family.roles[self.role]

    def __str__(self) -> str:
        """For messages."""
        return f"the {self.role} of {self.place}"

    def network(self, storage: Storage = AS_STORED) -> Network:
        """Describe it. Raises ValueError when its weights are not those that its settings ask for, or are in fewer bits
        already and cannot be stored so.
        """
        sources = self.sources()
        if kind := narrow.KINDS.get(storage):
            self._refuse_other_layouts(sources, storage, kind.layout)
        weights = Weights.of(self.place, [*self.files(), *self._settings_files()])
        return Network(self.family.name, self.role, weights, storage)

    def _refuse_other_layouts(self, sources: Mapping[str, Source], storage: Storage, layout: str) -> None:
        """What has the layout that is asked for stays as it is; what was rounded once is not rounded again."""
        stored = (packed(source.file).get(self.stored_name(source.stored.name)) for source in sources.values())
        if other := next((weight for weight in stored if weight and weight.layout != layout), None):
            raise ValueError(
                f"weights is {storage!r}, but {self} is quantised already ({other.title}); choose {AS_STORED!r}, or a "
                "file in 16 bits"
            )

    def settings(self) -> Settings:
        """Raises ValueError when they are missing or cannot be meant."""
        schema = self.spec.architecture.schema
        if (path := self.settings_file()) is not None:
            written = self.spec.architecture.opened(read_object(path, MAX_SETTINGS))
            settings, said = check_fields(path, written, schema), str(path)
        else:
            own = self.family.default_settings(self.role)
            told = self.spec.architecture.told(check_fields(self.place, own, schema), self._shapes())
            settings, said = check_fields(self.place, told, schema), str(self)
        for name, value in self.spec.always.items():
            if settings[name] != value:
                ours = f"the {self.spec.title.lower()} of {self.family.title}"
                raise ValueError(f"{said}: {name} is {settings[name]}; that of {ours} is {value}")
        if problem := next(self.spec.architecture.contradictions(settings), None):
            raise ValueError(f"{said}: {problem}")
        return settings

    def settings_file(self) -> Path | None:
        """None where a file brings none."""
        if self.place.is_dir():
            return self.folder() / "config.json"
        if self.spec.alone:
            path = self.place.parent / "config.json"
            return path if path.is_file() and self._describes(path) else None
        folder = settings_folder(self.place)
        path = folder / self.spec.folder / "config.json" if folder else None
        return path if path and path.is_file() else None

    def _describes(self, path: Path) -> bool:
        name = read_settings(path, CLASS)["_class_name"]
        return name == self.spec.architecture.library_class.rpartition(":")[2]

    def folder(self) -> Path:
        """Of a checkpoint's folder the part's own; the place itself when it holds nothing else."""
        within = self.place / self.spec.folder
        return within if not self.spec.alone and within.is_dir() else self.place

    def tokenizer_folder(self) -> Path:
        """The file of the part itself where that holds one. Raises ValueError when the role has no tokenizer, or there
        is none for it.
        """
        if self.spec.tokenizer is None:
            raise ValueError(f"{self} reads no text")
        kind, folder, _ = self.spec.tokenizer
        if self.place.is_file() and KINDS[kind].inside(self.place):
            return self.place
        checkpoint = settings_folder(self.place)
        beside = checkpoint / folder if checkpoint and (checkpoint / folder).is_dir() else None
        return KINDS[kind].find(beside)

    def files(self) -> tuple[Path, ...]:
        """The .safetensors files. Raises ValueError when there are none, or not all."""
        if self.place.is_file():
            return (self.place,)
        return shards.weight_files(self.folder(), self.spec.architecture.stem)

    def sources(self) -> dict[str, Source]:
        """Where every tensor is; see `contents.sources`."""
        return sources(str(self), self.spec.architecture, self.settings(), self._found(), self._ignored())

    def nbytes(self, itemsize: int, storage: Storage = AS_STORED) -> int:
        """What its tensors take in a precision of so many bytes: of packed ones, what they have in their files.

        Raises ValueError as `sources` does.
        """
        found, total = self.sources(), 0.0
        for name, shape in self.spec.architecture.shapes(self.settings()).items():
            stored = found.get(name)
            weight = stored and packed(stored.file).get(self.stored_name(stored.stored.name))
            if weight:
                total += prod(shape) * weight.nbytes / prod(weight.shape)
            elif storage in narrow.KINDS and narrow.narrows(name, shape):
                total += narrow.nbytes(shape)
            else:
                total += prod(shape) * itemsize
        return round(total)

    def _prefix(self) -> str:
        """What all names of the part begin with."""
        if self.place.is_dir():
            return ""
        names = shapes(self.place)
        return next((p for p in self.spec.prefixes if any(name.startswith(p) for name in names)), "")

    def _found(self) -> Places:
        """The tensors of the part as they are called in its files, without what all names begin with."""
        files, prefix = self.files(), self._prefix()
        if len(files) > 1:
            shards.all_shapes(files)
        rest = "" if self.spec.alone else prefix  # of what lies around it, something else may be its own
        return {
            name.removeprefix(prefix): (file, shape)
            for file in files
            for name, shape in shapes(file).items()
            if name.startswith(rest)
        }

    def _shapes(self) -> Shapes:
        untrained = self.spec.architecture.untrained
        return {
            name: shape
            for name, (file, shape) in self._found().items()
            if not (name in untrained and is_zero(file, self.stored_name(name)))
        }

    def _ignored(self) -> tuple[Ignored, ...]:
        return self.spec.ignored

    def stored_name(self, name: str) -> str:
        """A tensor's name without what all names of the part begin with, as its file has it."""
        prefix = self._prefix()
        return prefix + name if prefix and prefix + name in shapes(self.place) else name

    def _settings_files(self) -> Iterator[Path]:
        """What is read besides the weights."""
        if path := self.settings_file():
            yield path
        if self.spec.tokenizer:
            folder = self.tokenizer_folder()
            yield from sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else ()


def settings_folder(place: Path) -> Path | None:
    """The checkpoint's folder that a place is, or lies in; None when there is none."""
    if place.is_dir() and not (place / "config.json").is_file():  # that of one network has one
        return place
    return place.parent if (place.parent / INDEX).is_file() else None


def part(network: Network) -> Part:
    """Where a network that was described lies."""
    return Part(Path(network.weights.path), families.of(network.family), network.role)


def num_tokens(settings: Settings) -> int:
    """How many tokens a text encoder of these settings knows."""
    return next(value for name, value in settings.items() if name.rpartition(".")[2] == "vocab_size")


@lru_cache(maxsize=64)
def settings(network: Network) -> Settings:
    """Those of a network that was described."""
    return part(network).settings()

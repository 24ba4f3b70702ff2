"""What may stand in one field of a settings file: a description of values, and what it says of a wrong one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

from nodes.backend.strict_json import quoted, read_object

MAX_SETTINGS = 1_000_000
"""Bytes of a file of settings; real ones have a few thousand."""


class Kind(Protocol):
    """str(kind) ends the sentence "it must be ..."."""

    def fits(self, value: Any) -> bool: ...


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer, both limits included; never true or false."""

    least: int
    most: int

    def fits(self, value: Any) -> bool:
        return type(value) is int and self.least <= value <= self.most

    def __str__(self) -> str:
        return f"a whole number from {self.least:,} to {self.most:,}"


@dataclass(frozen=True, slots=True)
class Real:
    """A number, both limits included."""

    least: float
    most: float

    def fits(self, value: Any) -> bool:
        return type(value) in (int, float) and self.least <= value <= self.most

    def __str__(self) -> str:
        return f"a number from {self.least:g} to {self.most:g}"


@dataclass(frozen=True, slots=True)
class Flag:
    def fits(self, value: Any) -> bool:
        return isinstance(value, bool)

    def __str__(self) -> str:
        return "true or false"


@dataclass(frozen=True, slots=True)
class Text:
    """Shown to people or compared; it names nothing that is looked up."""

    most: int = 200

    def fits(self, value: Any) -> bool:
        return isinstance(value, str) and len(value) <= self.most and value.isprintable()

    def __str__(self) -> str:
        return f"one line of text of up to {self.most} characters"


class Only:
    """One of these values, of which the program knows what they do."""

    def __init__(self, *options: str | float | bool | None) -> None:
        self.options = options

    def fits(self, value: Any) -> bool:
        # True == 1 and 1.0 == 1 in Python: of these three only the numbers mean the same.
        return any(option == value and isinstance(option, bool) == isinstance(value, bool) for option in self.options)

    def __str__(self) -> str:
        names = {None: "null", True: "true", False: "false"}
        shown = [str(names[option]) if isinstance(option, bool | None) else str(option) for option in self.options]
        return " or ".join([", ".join(shown[:-1]), shown[-1]] if shown[1:] else shown)


@dataclass(frozen=True, slots=True)
class Each:
    """A list of 1 to `most` values of one kind."""

    kind: Kind
    most: int

    def fits(self, value: Any) -> bool:
        if not isinstance(value, list):
            return False
        items = cast("list[Any]", value)
        return 0 < len(items) <= self.most and all(map(self.kind.fits, items))

    def __str__(self) -> str:
        return f"a list of 1 to {self.most}, each {self.kind}"


@dataclass(frozen=True, slots=True)
class Either:
    first: Kind
    second: Kind

    def fits(self, value: Any) -> bool:
        return self.first.fits(value) or self.second.fits(value)

    def __str__(self) -> str:
        return f"{self.first} or {self.second}"


class Field(NamedTuple):
    """default: what the format's own reader takes where the file is silent."""

    kind: Kind
    default: Any


Schema = Mapping[str, Field]
"""By name; "group.name" is in an object of its own, as files of several networks have them."""


def read_settings(path: Path, schema: Schema) -> dict[str, Any]:
    """Every field of the schema and nothing else, from a JSON file.

    What is not in the schema is dropped. Raises ValueError, naming file, field, value and limit.
    """
    return check_fields(path, read_object(path, MAX_SETTINGS), schema)


def check_fields(path: Path, found: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """As read_settings, from what was read already."""
    found = _flat(path, found, {name.partition(".")[0] for name in schema if "." in name})
    return {name: _checked(path, name, found, field) for name, field in schema.items()}


def _flat(path: Path, found: Mapping[str, Any], groups: Iterable[str]) -> Mapping[str, Any]:
    """With what is in groups as well, under both names."""
    flat = dict(found)
    for group in groups:
        within: Any = found.get(group, {})
        if not isinstance(within, dict):
            raise ValueError(f"{path}: {group} is {quoted(within)}; it must be an object")
        flat |= {f"{group}.{name}": value for name, value in cast("dict[str, Any]", within).items()}
    return flat


def grouped(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as files have them: the opposite of what `check_fields` does to groups."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        group, _, within = name.rpartition(".")
        (found.setdefault(group, {}) if group else found)[within] = value
    return found


def _checked(path: Path, name: str, found: Mapping[str, Any], field: Field) -> Any:
    if name not in found:
        default: Any = field.default
        return list(cast("tuple[Any, ...]", default)) if isinstance(default, tuple) else default
    if not field.kind.fits(found[name]):
        raise ValueError(f"{path}: {name} is {quoted(found[name])}; it must be {field.kind}")
    return found[name]

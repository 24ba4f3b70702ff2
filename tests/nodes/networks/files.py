"""Tensors as files have them, read by what is known of a network; and the libraries' own networks to compare with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from inspect import signature
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nodes.backend.fields import check_fields
from nodes.backend.headers import Shapes
from nodes.backend.networks.architecture import Architecture, Settings, Shape, Stored

Tensors = dict[str, Tensor]
PLACE = Path("config.json")


def settings(architecture: Architecture, change: Mapping[str, Any]) -> Settings:
    """The defaults with a change, as they come out of a settings file."""
    return check_fields(PLACE, change, architecture.schema)


def library_class(architecture: Architecture) -> type[nn.Module]:
    module, name = architecture.library_class.split(":")
    return getattr(import_module(module), name)


def library_defaults(architecture: Architecture) -> dict[str, Any]:
    fields = [*signature(library_class(architecture).__init__).parameters.values()][1:]
    return {f.name: tuple(f.default) if isinstance(f.default, list) else f.default for f in fields}


def library_shapes(architecture: Architecture, given: Settings) -> dict[str, Shape]:
    """Of the library's own network, built without memory."""
    return {name: tuple(tensor.shape) for name, tensor in on_meta(architecture, given).items()}


def on_meta(architecture: Architecture, given: Settings) -> Tensors:
    return dict(_built(library_class(architecture), json.dumps(given, sort_keys=True)))


@cache
def _built(network: type[nn.Module], given: str) -> Tensors:
    """The largest published ones take a tenth of a second, and several tests look at each."""
    with torch.device("meta"):
        return network(**json.loads(given)).state_dict()


def numbered(shapes: Mapping[str, Shape]) -> Tensors:
    """A tensor for each shape, of its rows alone; no number stands in two places."""
    start = count(step=1_000_000)
    return {name: torch.arange(shape[0]) + next(start) for name, shape in shapes.items()}


def taken(stored: Stored, tensors: Tensors) -> Tensor:
    tensor = tensors[stored.name]
    if stored.rows:
        tensor = tensor[slice(*stored.rows)]
    match stored.change:
        case "transposed":
            return tensor.T
        case "swapped":
            return torch.cat([*reversed(tensor.chunk(2))])
        case _:
            return tensor


def read(architecture: Architecture, given: Settings, tensors: Tensors) -> Tensors:
    """The network's tensors from a file's; every row of the file's is used."""
    spelled = architecture.spellings(given)
    found = {name: next(s for s in spelled(name) if s.name in tensors) for name in architecture.shapes(given)}
    assert sum(t.shape[0] for t in tensors.values()) == sum(taken(s, tensors).shape[0] for s in found.values())
    return {name: taken(stored, tensors) for name, stored in found.items()}


def same(first: Tensors, second: Tensors) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def shapes_of(tensors: Tensors) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


Original = Callable[[Architecture, Settings, Tensors], Tensors]
"""The tensors of a network as its makers call them in their files."""


def assert_is_read_in_either_layout(architecture: Architecture, given: Settings, original: Original) -> None:
    tensors = numbered(architecture.shapes(given))
    assert same(read(architecture, given, tensors), tensors)
    assert same(read(architecture, given, original(architecture, given, tensors)), tensors)


def assert_tells_its_tensors(architecture: Architecture, start: Settings, given: Settings, original: Original) -> None:
    """start: what holds where no tensor tells."""
    tensors = on_meta(architecture, given)
    told = architecture.told(start, shapes_of(original(architecture, given, tensors)))
    assert architecture.shapes(told) == shapes_of(tensors)
    assert not [*architecture.contradictions(told)]


def assert_tells_something_of_any_damage(architecture: Architecture, given: Settings, original: Original) -> None:
    found = shapes_of(original(architecture, given, on_meta(architecture, given)))
    for damage in (*damaged(found), {}):
        assert architecture.told(given, damage).keys() == architecture.schema.keys()


def wrong(architecture: Architecture, change: Mapping[str, Any]) -> list[str]:
    return [*architecture.contradictions(settings(architecture, change))]


def damaged(found: Shapes) -> Iterator[Shapes]:
    """The shapes of a file of which something is missing, or not what it should be."""
    for name in found:
        for shape in ((), (0,), (3,), (3, 0, 5, 7, 9)):
            yield {**found, name: shape}
        yield {other: shape for other, shape in found.items() if other != name}

"""Adapting a network without touching it, or copying its weights."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

from diffusers.configuration_utils import FrozenDict
from torch import nn

M = TypeVar("M", bound=nn.Module)

CONTAINERS = (dict, OrderedDict, FrozenDict, list, set)


def twin(module: M) -> M:
    """New module objects over the very same parameters and buffers.

    Adapters, hooks and settings put on one of the two never show on the other. Moving or casting one moves the
    weights of both.
    """
    copy = twin_of_one(module)
    children: dict[str, nn.Module | None] = vars(copy)["_modules"]
    children.update({name: child and twin(child) for name, child in children.items()})
    return copy


def twin_of_one(module: M) -> M:
    """The same, of a module alone: those in it are shared."""
    copy = object.__new__(type(module))
    state = {name: type(v)(v) if type(v) in CONTAINERS else v for name, v in vars(module).items()}
    copy.__dict__.update(state)
    return copy

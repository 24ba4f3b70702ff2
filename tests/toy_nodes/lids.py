"""A model to be loaded and freed: lids, described by a path and made when a box is closed."""

import warnings
from dataclasses import dataclass

from nodegraph.node import node
from nodegraph.running.messages import Holding
from nodegraph.types import NetworkId, socket_type
from tests.toy_nodes.boxes import Box

loaded: dict[str, bytes] = {}


@socket_type(color="#a3b1d4", plain=True)
@dataclass(frozen=True, slots=True)
class Lid:
    path: str

    @property
    def networks(self) -> tuple[NetworkId, ...]:
        return (NetworkId("lid", self.path, "oak"),)


@node("toy.lid")
def lid(path: str = "oak/lid") -> Lid:
    """Describe a lid."""
    return Lid(path)


@node("toy.close")
def close(box: Box, lid: Lid) -> Box:
    """Load a lid and put it on a box."""
    loaded.setdefault(lid.path, bytes(1000))
    return Box(box.value + 1)


@node("toy.mutter")
def mutter(box: Box) -> Box:
    """Warn, as libraries do."""
    warnings.warn("the lid is loose", stacklevel=1)
    return box


def holdings() -> tuple[Holding, ...]:
    return tuple(
        Holding(Lid(path).networks[0], path.split("/")[-1], "cpu", len(weights)) for path, weights in loaded.items()
    )

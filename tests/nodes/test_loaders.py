"""The shipped workflows with other loaders: whatever a model comes as, what it goes into stays linked."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Port
from nodegraph.group_type import document_types
from nodegraph.program import FOLDER
from nodegraph.registry import Registry
from nodes import loaders
from nodes.backend import families
from tests.examples import each

NAMES = [f"{family.name}_text" for family in families.FAMILIES if family.encoders and family.name != "sdxl_refiner"]
MADE = {"load.checkpoint", "load.denoiser", "load.text_encoders", "load.vae", "adapter.lora"}


@pytest.fixture(scope="module")
def registry() -> Registry:
    return discover("nodes")


@cache
def shipped(name: str) -> Graph:
    return workflow.load(FOLDER / "workflows" / "models" / f"{name}.json")


def readers(graph: Graph) -> dict[Port, str]:
    """What takes something of the model, beside what loads it, and which socket of what gives it."""
    loading = {id for id, node in graph.nodes.items() if node.type in MADE}
    return {dst: src.socket for dst, src in graph.links.items() if src.node in loading and dst.node not in loading}


CHANGES: dict[str, Callable[[Graph], Graph]] = {
    "checkpoint": lambda graph: loaders.from_checkpoint(graph, "a"),
    "denoiser": lambda graph: loaders.from_denoiser(graph, "a"),
    "texts beside a checkpoint": lambda graph: loaders.with_loader(loaders.from_checkpoint(graph, "a"), loaders.TEXTS),
    "VAE beside a checkpoint": lambda graph: loaders.with_loader(loaders.from_checkpoint(graph, "a"), loaders.VAE),
    "LoRA": loaders.with_lora,
    "LoRA on a denoiser": lambda graph: loaders.with_lora(loaders.from_denoiser(graph, "a")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_all_that_takes_the_model_is_linked_as_before(change: str, registry: Registry):
    for before in map(shipped, NAMES):
        after = CHANGES[change](before)
        assert readers(after) == readers(before)
        types = document_types(after.groups, registry)
        for dst, src in after.links.items():
            assert types[after.nodes[src.node].type].output(src.socket) is not None
            assert types[after.nodes[dst.node].type].input(dst.socket) is not None
        required = [
            Port(id, input.name)
            for id, node in after.nodes.items()
            for input in types[node.type].inputs
            if input.required and not input.editable
        ]
        assert set(required) <= after.links.keys()


@each("change", CHANGES)
def test_no_loader_lies_on_another_node(change: str):
    for before in map(shipped, NAMES):
        after = CHANGES[change](before)
        places = [node.pos for node in after.nodes.values() if node.type != "canvas.note"]
        for number, (x, y) in enumerate(places):
            for left, top in places[number + 1 :]:
                assert abs(x - left) >= 260 or abs(y - top) >= 100


def test_a_lora_stands_between_the_model_and_all_that_takes_it():
    after = loaders.with_lora(shipped("klein_text"))
    givers = {after.links[dst].node for dst, socket in readers(after).items() if socket in ("model", "text_encoder")}
    assert givers == {"lora"}
    assert after.links[Port("texts", "model")] == after.links[Port("lora", "model")] == Port("denoiser", "model")

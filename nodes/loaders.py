"""The nodes that load a model, in the workflows that ship: one checkpoint, or files of their own.

Pure edits of a graph whose nodes are called as in those workflows: "checkpoint", or "denoiser", "texts" and "vae".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nodegraph.graph import Graph, Node, Port, connect, set_param

CHECKPOINT, DENOISER, TEXTS, VAE, LORA = "checkpoint", "denoiser", "texts", "vae", "lora"
MADE_BY = {"model": DENOISER, "text_encoder": TEXTS, "vae": VAE}
"""By what a checkpoint gives, the node that gives it where each part has a file of its own."""

TYPES = {
    CHECKPOINT: "load.checkpoint",
    DENOISER: "load.denoiser",
    TEXTS: "load.text_encoders",
    VAE: "load.vae",
    LORA: "adapter.lora",
}
ENCODERS = ("path", "path_2", "path_3")
"""The parameters of `load.text_encoders` that name a file."""

COLUMN = 300
"""From one column of nodes to the next, in world units."""
ABOVE, BELOW = -68, 189
"""From a loader to those in the next column."""


def main(graph: Graph) -> str:
    """The node that gives the model."""
    return CHECKPOINT if CHECKPOINT in graph.nodes else DENOISER


def from_checkpoint(graph: Graph, path: str) -> Graph:
    """All of the model from one file or folder."""
    if CHECKPOINT not in graph.nodes:
        parts = MADE_BY.values()
        node = Node(TYPES[CHECKPOINT], pos=graph.nodes[DENOISER].pos)
        others = {id: other for id, other in graph.nodes.items() if id not in parts}
        links = {
            dst: Port(CHECKPOINT, src.socket) if src.node in parts else src
            for dst, src in graph.links.items()
            if dst.node not in parts
        }
        graph = replace(graph, nodes={CHECKPOINT: node, **others}, links=links)
    return set_param(graph, CHECKPOINT, "path", path)


def from_denoiser(graph: Graph, path: str) -> Graph:
    """The denoiser from a file of its own, beside loaders for the rest, which have no file yet."""
    if DENOISER not in graph.nodes:
        node = replace(graph.nodes[CHECKPOINT], type=TYPES[DENOISER])
        graph = with_loader(with_loader(graph, TEXTS), VAE)
        nodes = {DENOISER if id == CHECKPOINT else id: other for id, other in graph.nodes.items()}
        links = {dst: Port(DENOISER, "model") if src.node == CHECKPOINT else src for dst, src in graph.links.items()}
        graph = replace(graph, nodes={**nodes, DENOISER: node}, links=links)
    return set_param(graph, DENOISER, "path", path)


def with_loader(graph: Graph, which: str) -> Graph:
    """A loader for the text encoders, or for the VAE, in place of the checkpoint's own."""
    if which in graph.nodes:
        return graph
    gives = next(socket for socket, node in MADE_BY.items() if node == which)
    if not MADE_BY.values() & graph.nodes.keys():
        graph = _with_column(graph, CHECKPOINT)
    x, y = graph.nodes[CHECKPOINT].pos
    node = Node(TYPES[which], pos=(x + COLUMN, y + (ABOVE if which == VAE else BELOW)))
    own = Port(CHECKPOINT, gives)
    links = {dst: Port(which, gives) if src == own else src for dst, src in graph.links.items()}
    links[Port(which, "model")] = Port(CHECKPOINT, "model")
    return replace(graph, nodes={**graph.nodes, which: node}, links=links)


def with_lora(graph: Graph) -> Graph:
    """A LoRA between what loads the model and its text encoders, and all that takes them."""
    if LORA in graph.nodes:
        return graph
    model = Port(main(graph), "model")
    text = Port(TEXTS if TEXTS in graph.nodes else CHECKPOINT, "text_encoder")
    before = [id for id in (main(graph), TEXTS, VAE) if id in graph.nodes]
    last = max(before, key=lambda id: graph.nodes[id].pos[0])
    graph = _with_column(graph, last)
    through = {model: Port(LORA, "model"), text: Port(LORA, "text_encoder")}
    links = {dst: src if dst.node in before else through.get(src, src) for dst, src in graph.links.items()}
    place = (graph.nodes[last].pos[0] + COLUMN, graph.nodes[main(graph)].pos[1])
    graph = replace(graph, nodes={**graph.nodes, LORA: Node(TYPES[LORA], pos=place)}, links=links)
    return connect(connect(graph, model, Port(LORA, "model")), text, Port(LORA, "text_encoder"))


def with_encoders(graph: Graph, paths: Sequence[str]) -> Graph:
    """paths: one for each of the family's text encoders; empty where there is none."""
    for name, path in zip(ENCODERS, paths, strict=False):
        graph = set_param(graph, TEXTS, name, path)
    return graph


def _with_column(graph: Graph, after: str) -> Graph:
    """Room for one more column of nodes on the right of a node."""
    edge = graph.nodes[after].pos[0]
    nodes = {
        id: replace(node, pos=(node.pos[0] + COLUMN, node.pos[1])) if node.pos[0] > edge else node
        for id, node in graph.nodes.items()
    }
    return replace(graph, nodes=nodes)

"""The graph in words: for screen readers and for the outline."""

from __future__ import annotations

from nodegraph.editing.seeds import seeds
from nodegraph.graph import Graph, Port
from nodegraph.node import REQUIRED, Input, Multiline, Output, TypeOf
from nodegraph.types import type_name
from ui.base.text import duration, label, value_text
from ui.documents.scope import Scope
from ui.runs.node_run import NodeRun


def state(run: NodeRun, mode: str) -> str:
    """How the node is: "muted", "running, step 3 of 20", "failed: sentence", "done in 1.2 s", or nothing."""
    if mode != "on":
        return mode
    match run.state:
        case "running" if run.calls > 1:
            return f"running, step {min(run.done + 1, run.calls)} of {run.calls}"
        case "failed":
            return f"failed: {run.message}"
        case "done" | "cached" if run.stale:
            return "outdated"
        case "done":
            return f"done in {duration(run.seconds)}"
        case "idle":
            return ""
        case other:
            return other


def summary(graph: Graph, type_of: TypeOf) -> str:
    """What people tell runs apart by, the first prompt and the seeds: "a red mushroom · seed 5"; empty without them."""
    types = {id: type for id, node in graph.nodes.items() if (type := type_of(node.type)) and not type.annotation}
    texts = (
        " ".join(str(graph.nodes[id].params.get(spec.name, "")).split())
        for id, type in types.items()
        for spec in type.inputs
        if spec.get(Multiline)
    )
    numbers = dict.fromkeys(map(str, seeds(graph, type_of).values()))
    return " · ".join(filter(None, (next(filter(None, texts), ""), f"seed {', '.join(numbers)}" if numbers else "")))


def input_text(scope: Scope, id: str, spec: Input) -> str:
    """ "Latent: from Noise, latent", "Steps: 20", "Model: not linked, takes Model"."""
    source = scope.graph.links.get(Port(id, spec.name))
    if source is not None:
        return f"{label(spec.name)}: from {scope.title_of(source.node)}, {label(source.socket).lower()}"
    value = scope.graph.nodes[id].params.get(spec.name, spec.default)
    if spec.editable and value is not REQUIRED:
        return f"{label(spec.name)}: {value_text(spec, value)}"
    needed = "not linked" if spec.required else "open"
    return f"{label(spec.name)}: {needed}, takes {type_name(spec.type)}"


def output_text(scope: Scope, id: str, output: Output) -> str:
    """ "Latent: to Denoise, latent and VAE decode, latent", or "Latent: to nothing"."""
    takers = [
        f"{scope.title_of(dst.node)}, {label(dst.socket).lower()}"
        for dst in takers_of(scope.graph, Port(id, output.name))
    ]
    return f"{label(output.name)}: to {' and '.join(takers) or 'nothing'}"


def takers_of(graph: Graph, src: Port) -> list[Port]:
    """The inputs that an output feeds, in the order of the graph."""
    return [dst for dst, source in graph.links.items() if source == src]

"""Our latents, by the workflow that ships: planned and run as for people."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port, add_node, connect, set_param
from nodegraph.planning.keys import Ref
from nodegraph.planning.plan import plan
from nodegraph.registry import Registry
from nodegraph.running.cache import Cache
from nodegraph.running.executor import execute
from nodegraph.running.messages import Event, Failed
from tools.oracle.asking import CONTROLLED, HINT_STRENGTH, SEED, STEPS, TOKEN, Ask
from tools.oracle.files import Files
from tools.oracle.rows import Row

WORKFLOWS = Path(__file__).parents[2] / "workflows"


Made = tuple[Graph, str]
"""A graph, and the node whose first output is the finished latent."""


def latent(row: Row, ask: Ask, files: Files, place: Path) -> Tensor:
    """What the workflow makes of a checkpoint. Raises RuntimeError when it is refused or fails."""
    graph, last = _graph(row, ask, files, place)
    if ask.batch == 1 or not _from_picture(row, ask):
        return _run(row, graph, last)
    # No node repeats a picture: each of the batch is made alone, with its number.
    numbered = (set_param(graph, "noise", "batch_index", number) for number in range(ask.batch))
    return torch.cat([_run(row, graph, last) for graph in numbered])


def _run(row: Row, graph: Graph, last: str) -> Tensor:
    planned, results = plan(graph, _registry(), [last]), Cache(1 << 30)
    if planned.problems:
        raise RuntimeError(f"{row.title}: {planned.problems[0].node}: {planned.problems[0].message}")

    def emit(event: Event) -> None:
        if isinstance(event, Failed):
            raise RuntimeError(f"{row.title}: {event.node}: {event.message}\n{event.traceback}")

    execute(planned, [last], results, emit)
    made = cast("Ref", planned.outputs[last][0])
    values: Any = results.get(made.key)
    outputs = [output.name for output in planned.calls[made.key].type.outputs]
    return values[outputs.index(made.output)].samples


@cache
def _registry() -> Registry:
    return discover("nodes")


def _from_picture(row: Row, ask: Ask) -> bool:
    return ask.kind == "image" or row.text_from is not None


def _graph(row: Row, ask: Ask, files: Files, place: Path) -> Made:
    masked = ask.kind == "inpaint"
    step = "step" if masked else "denoise"
    graph = workflow.load(WORKFLOWS / ("text_to_image_steps.json" if masked else "text_to_image.json"))
    split = row.alone_in_file and place.is_file()
    params: dict[tuple[str, str], Any] = {
        ("checkpoint", "path"): str(files.folder(row, ask) if split else place),
        ("positive", "text"): ask.prompt,
        ("negative", "text"): row.negative,
        ("scheduler", "schedule"): ask.schedule,
        ("scheduler", "steps"): STEPS,
        ("scheduler", "denoise"): ask.strength,
        ("latent", "width"): ask.size[0],
        ("latent", "height"): ask.size[1],
        ("latent", "batch"): ask.batch,
        ("noise", "seed"): SEED,
        (step, "solver"): ask.solver,
        (step, "guidance_scale"): row.scale if ask.scale is None else ask.scale,
    }
    for (node, name), value in params.items():
        graph = set_param(graph, node, name, value)
    if split:
        graph = _add(graph, "denoiser", "load.denoiser", path=str(place))
        graph = _replaced(graph, Port("checkpoint", "model"), Port("denoiser", "model"))
    for edit in EDITS:
        graph = edit(graph, row, ask, files)
    if ask.refined:
        return _refined(graph, row, files, place), "refine"
    return graph, "end" if masked else "denoise"


def _add(graph: Graph, id: str, type: str, *links: tuple[str, str, str], **params: Any) -> Graph:
    """links: (node, output, input)."""
    graph = add_node(graph, id, Node(type, params))
    for node, output, socket in links:
        graph = connect(graph, Port(node, output), Port(id, socket))
    return graph


def _link(graph: Graph, node: str, output: str, to: str, socket: str) -> Graph:
    return connect(graph, Port(node, output), Port(to, socket))


def _with_pixels(graph: Graph, row: Row, ask: Ask, files: Files) -> Graph:
    """A model of pixels, which has neither VAE nor text encoder of its own."""
    if not row.text_from:
        return graph
    path = graph.nodes["checkpoint"].params["path"]
    graph = set_param(graph, "checkpoint", "path", str(files.folder(row.text_from, Ask())))
    graph = _add(graph, "pixel_model", "load.pixel_model", path=path)
    graph = _replaced(graph, Port("checkpoint", "model"), Port("pixel_model", "model"))
    graph = _add(graph, "grey", "image.grey", width=ask.size[0], height=ask.size[1], brightness=0.5)
    graph = _add(graph, "empty", "latent.from_pixels", ("grey", "image", "image"))
    return _link(_link(graph, "empty", "latent", "noise", "latent"), "empty", "latent", "scheduler", "latent")


def _with_picture(graph: Graph, row: Row, ask: Ask, files: Files) -> Graph:
    """What an image to image, or the rest of an inpainting, is made of."""
    if ask.kind not in ("image", "inpaint", "fill"):
        return graph
    graph = _add(graph, "picture", "image.load", path=str(files.picture(ask.size)))
    if ask.kind == "fill":
        return graph
    if row.text_from:
        graph = _add(graph, "encode", "latent.from_pixels", ("picture", "image", "image"))
    else:
        graph = _add(graph, "encode", "vae.encode", ("picture", "image", "image"), ("checkpoint", "vae", "vae"))
    if ask.kind == "inpaint":
        return graph
    return _link(_link(graph, "encode", "latent", "noise", "latent"), "encode", "latent", "scheduler", "latent")


def _with_shown(graph: Graph, row: Row, ask: Ask, files: Files) -> Graph:
    """A picture that the model itself sees: to complete it, or to work from it."""
    vae = ("checkpoint", "vae", "vae")
    if ask.kind == "fill":
        graph = _add(graph, "mask", "mask.rectangle", ("picture", "image", "image"))
        links = (("positive", "conditioning", "conditioning"), vae, ("picture", "image", "image"))
        graph = _add(graph, "shown", "conditioning.inpaint", *links, ("mask", "mask", "mask"))
        return _link(graph, "shown", "conditioning", "denoise", "positive")
    if ask.kind == "inpaint" and row.works_from_masked:
        links = (("positive", "conditioning", "conditioning"), vae, ("picture", "image", "image"))
        graph = _add(graph, "shown", "conditioning.reference", *links, best_size=False)
        return _link(graph, "shown", "conditioning", "step", "positive")
    if ask.kind == "reference" and row.sees_pictures:
        return _told_of_pictures(graph, ask, files)
    if ask.kind != "reference":
        return graph
    told = "positive"
    for number, size in enumerate(ask.shown):
        picture, id = f"picture_{number}", f"shown_{number}"
        graph = _add(graph, picture, "image.load", path=str(files.picture(size)))
        links = ((told, "conditioning", "conditioning"), vae, (picture, "image", "image"))
        graph = _add(graph, id, "conditioning.reference", *links, best_size=False)
        told = id
    return _link(graph, told, "conditioning", "denoise", "positive")


def _told_of_pictures(graph: Graph, ask: Ask, files: Files) -> Graph:
    """Both prompts speak of them."""
    pictures = [f"picture_{number}" for number in range(len(ask.shown))]
    for picture, size in zip(pictures, ask.shown, strict=True):
        graph = _add(graph, picture, "image.load", path=str(files.picture(size)))
    inputs = [(picture, "image", f"image_{n}" if n > 1 else "image") for n, picture in enumerate(pictures, 1)]
    for name in ("positive", "negative"):
        links = (("checkpoint", "text_encoder", "text_encoder"), ("checkpoint", "vae", "vae"), *inputs)
        text = graph.nodes[name].params["text"]
        graph = _add(graph, f"{name}_of_picture", "text.encode_with_pictures", *links, text=text)
        graph = _link(graph, f"{name}_of_picture", "conditioning", "denoise", name)
    return graph


def _with_mask(graph: Graph, row: Row, ask: Ask, files: Files) -> Graph:
    """After every step the rest of the picture is put back."""
    if ask.kind != "inpaint":
        return graph
    graph = _add(graph, "mask", "mask.rectangle", ("picture", "image", "image"))
    kept = (("step", "latent", "latent"), ("encode", "latent", "original"), ("mask", "mask", "mask"))
    noise = (("sigmas_at", "sigma_next", "sigma"), ("noise", "seed", "seed"))
    graph = _add(graph, "keep", "latent.keep_outside", *kept, *noise)
    return _link(graph, "keep", "latent", "end", "next")


def _with_hint(graph: Graph, row: Row, ask: Ask, files: Files) -> Graph:
    if ask.kind not in CONTROLLED:
        return graph
    graph = _add(graph, "hint", "image.load", path=str(files.picture(ask.size)))
    graph = _add(graph, "controlnet", "control.load", path=str(files.controlnet(row, ask)))
    links = [("controlnet", "controlnet", "controlnet"), ("checkpoint", "vae", "vae")]
    if ask.kind == "completing":
        graph = _add(graph, "mask", "mask.rectangle", ("hint", "image", "image"))
        links += [("mask", "mask", "mask")]
    if ask.kind == "completing" and row.completes_beside:
        graph = _add(graph, "followed", "image.invert", ("hint", "image", "image"))
        links += [("followed", "image", "image"), ("hint", "image", "inpaint_image")]
    else:
        links += [("hint", "image", "image")]
    graph = _add(graph, "control", "control.apply", *links, strength=HINT_STRENGTH)
    return _link(graph, "control", "control", "denoise", "control")


def _replaced(graph: Graph, source: Port, by: Port) -> Graph:
    """Whatever a socket led to, another leads to."""
    for port in [port for port, linked in graph.links.items() if linked == source]:
        graph = connect(graph, by, port)
    return graph


def _text_encoder(graph: Graph) -> Port:
    """What reads the positive prompt."""
    return graph.links[Port("positive", "text_encoder")]


def _with_words(graph: Graph, row: Row, ask: Ask, files: Files) -> Graph:
    """One that is taught by a file."""
    if not ask.embedding:
        return graph
    source = _text_encoder(graph)
    graph = _replaced(graph, source, Port("words", "textencoder"))
    link = (source.node, source.socket, "text_encoder")
    return _add(graph, "words", "text.load_embedding", link, path=str(files.embedding(row)), name=TOKEN)


def _with_loras(graph: Graph, row: Row, ask: Ask, files: Files) -> Graph:
    for seed, strength in ask.loras:
        id, path = f"lora_{seed}", str(files.lora(row, seed))
        sources = {"model": graph.links[Port("scheduler", "model")], "text_encoder": _text_encoder(graph)}
        for name, source in sources.items():
            graph = _replaced(graph, source, Port(id, name))
        links = ((source.node, source.socket, name) for name, source in sources.items())
        graph = _add(graph, id, "adapter.lora", *links, path=path, strength=strength, text_strength=strength)
    return graph


def _with_clip_skip(graph: Graph, row: Row, ask: Ask, files: Files) -> Graph:
    """For the positive prompt alone, as the stock pipelines have it."""
    if not ask.clip_skip:
        return graph
    node, socket = _text_encoder(graph)
    graph = _add(graph, "clip_skip", "text.clip_skip", (node, socket, "text_encoder"), skip_layers=ask.clip_skip)
    return _link(graph, "clip_skip", "textencoder", "positive", "text_encoder")


EDITS = (
    *(_with_pixels, _with_words, _with_loras, _with_clip_skip),
    *(_with_picture, _with_shown, _with_mask, _with_hint),
)


def _refined(graph: Graph, row: Row, files: Files, place: Path) -> Graph:
    """The first half of the steps by one model, the second by another that goes on from its latent."""
    assert row.refiner is not None
    at = files.folder(row.refiner, Ask()) if place.is_dir() else files.file(row.refiner, Ask())
    graph = _add(graph, "refiner", "load.checkpoint", path=str(at))
    for name in ("positive", "negative"):
        text = graph.nodes[name].params["text"]
        graph = _add(graph, f"{name}_2", "text.encode", ("refiner", "text_encoder", "text_encoder"), text=text)
    half = STEPS // 2
    graph = _add(graph, "first", "schedule.slice", ("scheduler", "sigmas", "sigmas"), end=half)
    graph = _add(graph, "second", "schedule.slice", ("scheduler", "sigmas", "sigmas"), start=half)
    graph = _link(graph, "first", "sigmas", "denoise", "sigmas")
    links = (
        ("refiner", "model", "model"),
        ("denoise", "latent", "latent"),
        ("positive_2", "conditioning", "positive"),
        ("negative_2", "conditioning", "negative"),
        ("second", "sigmas", "sigmas"),
        ("noise", "seed", "seed"),
    )
    return _add(graph, "refine", "group:Denoise", *links, **graph.nodes["denoise"].params)

"""What files of models begin on an empty canvas: the workflow for them that ships, with these files in their places.

What else it takes comes from what a person has: first what is called as the workflow says, then whatever fits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import nodes.backend.checkpoints as checkpoints
import nodes.backend.families as families
import nodes.backend.labels as labels
import nodes.backend.parts as parts
from nodegraph.domain import Brought, Having
from nodegraph.failure import Missing
from nodegraph.formats import workflow
from nodegraph.formats.needs import NEEDS, needs
from nodegraph.graph import Graph, Port, remove_nodes, set_param
from nodegraph.program import FOLDER
from nodes import fit, loaders
from nodes.backend.kinds import CHECKPOINT, CONTROLNET, DENOISER, LORA, TEXT_ENCODER, VAE
from nodes.brought import TAKEN_BY
from nodes.types import Model

if TYPE_CHECKING:
    from nodes.backend.families.family import Family

WORKFLOWS = FOLDER / "workflows" / "models"
LEADS = (LORA, CONTROLNET, CHECKPOINT, DENOISER, TEXT_ENCODER, VAE)
"""The kinds of files that begin a workflow. Of several files, one of the first of these says which."""

CALLED = (("kontext",), "kontext"), (("edit",), "edit"), (("turbo", "lightning", "lcm", "hyper", "dmd"), "few_steps")
"""Words in the names of files of models, and the task of a workflow: no tensor tells these."""

MOST = 8
"""Files of a kind that are looked into before something is said to be lacking."""

NOTE, ABOUT = "files", "about"
"""What a shipped workflow says of the files that it needs, in a note, and of itself."""


class _Source(NamedTuple):
    """Where a model comes from. path: of a checkpoint, or of a denoiser alone."""

    kind: str
    path: str
    model: Model

    @property
    def family(self) -> Family:
        return families.of(self.model.network.family)

    @property
    def task(self) -> str:
        return self.family.task(parts.settings(self.model.network))


class _Stock(NamedTuple):
    """What there is to choose from. given: files that a person has brought together, which come first."""

    given: Mapping[str, str]
    having: Having

    def of(self, kind: str, family: Family, what: str) -> list[str]:
        """Paths. what: the workflow's words for what it needs, which may name the file."""
        mine = [path for path, of in self.given.items() if of == kind]
        others = [path for path in self.having(kind, family.name) if path not in self.given]
        theirs = (_folded(family.name), _folded(family.title))
        return mine + sorted(
            others, key=lambda path: (not _is_called(path, what), not any(name in _folded(path) for name in theirs))
        )


def begin(brought: Sequence[Brought], having: Having) -> Graph | None:
    """See `nodegraph.domain.Domain`."""
    kinds = {type: kind for kind, type in TAKEN_BY.items() if kind in LEADS}
    if not brought or any(thing.type not in kinds for thing in brought):
        return None
    given = {str(thing.params["path"]): kinds[thing.type] for thing in brought}
    lead = min(given, key=lambda path: LEADS.index(given[path]))
    begun = _begun(given[lead], lead, _Stock(given, having))
    if begun is None or not given.keys() <= {value for node in begun.nodes.values() for value in node.params.values()}:
        return None
    return _with_needs_left(begun)


def _begun(kind: str, path: str, stock: _Stock) -> Graph | None:
    match kind:
        case "checkpoint" | "denoiser":
            return _of_model(_source(kind, path), stock)
        case "lora":
            return _of_part(kind, path, stock, _adapted)
        case "controlnet":
            return _of_part(kind, path, stock, _controlled)
        case _:
            return _of_part(kind, path, stock, _read_or_decoded)


# A model ----------------------------------------------------------------------------------------------


def _source(kind: str, path: str) -> _Source:
    """Raises ValueError when it cannot be used."""
    read: Callable[[str], Model] = _whole if kind == CHECKPOINT else checkpoints.denoiser
    return _Source(kind, path, read(path))


def _whole(path: str) -> Model:
    try:
        return checkpoints.checkpoint(path).model
    except Missing:  # what no file brings has a remedy of its own
        return checkpoints.denoiser(path)


def _of_model(source: _Source, stock: _Stock) -> Graph | None:
    words = _folded(Path(source.path).stem)
    called = [task for signs, task in CALLED if any(sign in words for sign in signs)] if source.task == "text" else []
    shipped = _shipped(source.family, [*called, source.task], without=loaders.LORA)
    return _made_with(shipped, source, stock) if shipped else _refining(source, stock)


def _refining(source: _Source, stock: _Stock) -> Graph | None:
    """The second of two models: its family has no workflow with it alone."""
    shipped = _load(source.family.name)
    if shipped is None:
        return None
    graph, base = set_param(shipped, "refiner", "path", source.path), families.of("sdxl")
    found = next(_sources(base, (CHECKPOINT,), stock, _said(shipped).get(Port("base", "path"), "")), None)
    return set_param(graph, "base", "path", found.path) if found else graph


def _made_with(shipped: Graph, source: _Source, stock: _Stock) -> Graph:
    """The workflow, with all that it loads."""
    if source.kind == CHECKPOINT:
        return loaders.from_checkpoint(shipped, source.path)
    said = _said(shipped)
    graph = loaders.from_denoiser(shipped, source.path)
    graph = loaders.with_encoders(graph, _encoders(source, stock, said))
    return set_param(graph, loaders.VAE, "path", _vae(source, stock, said))


def _encoders(source: _Source, stock: _Stock, said: Mapping[Port, str]) -> Sequence[str]:
    """One path for each text encoder of the family; all are empty where no set of them fits the model."""
    family = source.family
    found = [
        [
            path
            for path in stock.of(TEXT_ENCODER, family, said.get(Port(loaders.TEXTS, name), ""))
            if _holds(path, family, role)
        ][:MOST]
        for name, role in zip(loaders.ENCODERS, family.encoders, strict=False)
    ]
    whole = [(path,) for path in stock.of(CHECKPOINT, family, "")[:MOST]]
    sets = [*islice(product(*[paths or [""] for paths in found]), MOST**2), *whole]
    fitting = next((paths for paths in sets if _reads_for(source.model, paths)), None)
    return fitting or [paths[0] if paths and not all(found) else "" for paths in found]


def _holds(path: str, family: Family, role: str) -> bool:
    try:
        parts.Part(checkpoints.find(path), family, role).sources()
    except (OSError, ValueError):
        return False
    return True


def _reads_for(model: Model, paths: Sequence[str]) -> bool:
    try:
        fit.check_prompt(model, fit.prompt_of(checkpoints.text_encoders(model, paths)))
    except Missing:  # a list of words that no file brings; it has a remedy of its own
        family = families.of(model.network.family)
        needed = [role for role in family.encoders if not family.roles[role].optional]
        return all(any(_holds(path, family, role) for path in paths if path) for role in needed)
    except (OSError, ValueError):
        return False
    return True


def _vae(source: _Source, stock: _Stock, said: Mapping[Port, str]) -> str:
    paths = stock.of(VAE, source.family, said.get(Port(loaders.VAE, "path"), ""))
    return next((path for path in [*paths, *stock.of(CHECKPOINT, source.family, "")] if _decodes(source, path)), "")


def _decodes(source: _Source, path: str) -> bool:
    try:
        checkpoints.autoencoder(source.model, path)
    except (OSError, ValueError):
        return False
    return True


# What goes with a model -------------------------------------------------------------------------------


def _of_part(
    kind: str, path: str, stock: _Stock, made: Callable[[str, str, _Source, _Stock], Graph | None]
) -> Graph | None:
    """The first workflow that lacks nothing, or else the first of all."""
    found = checkpoints.look(checkpoints.find(path))
    named = [families.of(name) for name in labels.families_of(found, kind)]
    some = named or [family for family in families.FAMILIES if family.encoders]
    first: Graph | None = None
    for family in some:
        text = _shipped(family, ["text"])
        for source in _sources(family, (DENOISER, CHECKPOINT), stock, _model_said(text)) if text else ():
            graph = made(kind, path, source, stock)
            if graph is not None and not needs(_with_needs_left(graph)):
                return graph
            first = first or graph
    if first is None:
        titles = " or ".join(family.title for family in named)
        what = f"goes with {titles}, and no such model" if titles else "needs a model that it goes with, and none"
        raise ValueError(f"{Path(path).name} {what} is in the library")
    return first


def _sources(family: Family, kinds: Sequence[str], stock: _Stock, what: str) -> Iterator[_Source]:
    """Models of a family that are asked with a prompt alone, those for another task last."""
    found: list[_Source] = []
    for kind in kinds:
        for path in stock.of(kind, family, what)[:MOST]:
            try:
                found.append(_source(kind, path))
            except (OSError, ValueError):
                continue
    ours = (source for source in found if source.family is family)
    plain = [source for source in ours if "masked" not in family.takes(parts.settings(source.model.network))]
    yield from sorted(plain, key=lambda source: _is_special(source) and source.path not in stock.given)


def _is_special(source: _Source) -> bool:
    words = _folded(Path(source.path).stem)
    return source.task not in ("text", "few_steps") or "kontext" in words or "edit" in words


def _adapted(kind: str, path: str, source: _Source, stock: _Stock) -> Graph | None:
    try:
        checkpoints.lora(path, source.model)
    except (OSError, ValueError):
        return None
    fast = ["few_steps"] if any(sign in _folded(Path(path).stem) for sign in CALLED[-1][0]) else []
    shipped = _shipped(source.family, [*fast, LORA], holding=loaders.LORA) or _shipped(source.family, ["text"])
    if shipped is None:
        return None
    return set_param(loaders.with_lora(_made_with(shipped, source, stock)), loaders.LORA, "path", path)


def _controlled(kind: str, path: str, source: _Source, stock: _Stock) -> Graph | None:
    family, settings = source.family, parts.settings(checkpoints.controlnet(path).network)
    if family.controlnet_complaint(parts.settings(source.model.network), settings):
        return None
    tasks = ["inpaint"] if family.completes(settings) == "always" else []
    shipped = _shipped(family, [*tasks, CONTROLNET], holding=CONTROLNET)
    return set_param(_made_with(shipped, source, stock), CONTROLNET, "path", path) if shipped else None


def _read_or_decoded(kind: str, path: str, source: _Source, stock: _Stock) -> Graph | None:
    shipped = _shipped(source.family, [source.task, "text"])
    if shipped is None:
        return None
    first = stock._replace(given={path: kind, **stock.given})
    graph, said = _made_with(shipped, source, first), _said(shipped)
    if kind == VAE:
        graph = set_param(loaders.with_loader(graph, loaders.VAE), loaders.VAE, "path", path)
        return graph if _decodes(source, path) else None
    paths = _encoders(source, first, said)
    if path not in paths or (source.kind == CHECKPOINT and not _reads_for(source.model, paths)):
        return None
    return loaders.with_encoders(loaders.with_loader(graph, loaders.TEXTS), paths)


# Workflows that ship ----------------------------------------------------------------------------------


def _shipped(family: Family, tasks: Sequence[str], holding: str = "", without: str = "") -> Graph | None:
    """The first that there is for one of the tasks, or else for prompts; with this node, and without that."""
    for task in (*tasks, "text"):
        graph = _load(f"{family.name}_{task}")
        if graph and (not holding or holding in graph.nodes) and without not in graph.nodes:
            return graph
    return None


def _load(name: str) -> Graph | None:
    path = WORKFLOWS / f"{name}.json"
    return workflow.load(path) if path.is_file() else None


def _said(shipped: Graph) -> dict[Port, str]:
    return {need.parameter: need.what for need in needs(shipped)}


def _model_said(shipped: Graph | None) -> str:
    return _said(shipped).get(Port(loaders.main(shipped), "path"), "") if shipped else ""


def _with_needs_left(graph: Graph) -> Graph:
    """The workflow, which says of what it still lacks, and of nothing else, what that is."""
    shipped = {Port(*entry["parameter"]): entry for entry in graph.extra.get(NEEDS, ())}
    empty = {port: str(entry["what"]) for port, entry in shipped.items() if _is_empty(graph, port)}
    lacking = _of_parts(graph, empty) if loaders.DENOISER in graph.nodes else empty
    left = [shipped.get(port, {"what": what, "parameter": [*port]}) for port, what in lacking.items()]
    extra = {name: value for name, value in graph.extra.items() if name not in (NEEDS, ABOUT)}
    kept = replace(graph, extra={**extra, NEEDS: left} if left else extra)
    return remove_nodes(kept, {NOTE} & kept.nodes.keys())


def _is_empty(graph: Graph, port: Port) -> bool:
    return port.node in graph.nodes and not graph.nodes[port.node].params.get(port.socket)


def _of_parts(graph: Graph, empty: Mapping[Port, str]) -> dict[Port, str]:
    """What is lacking where a denoiser has a file of its own. empty: what the shipped workflow says of its parameters.

    One file may hold all text encoders, and the shipped workflow may have a checkpoint in place of all of these.
    """
    model = checkpoints.denoiser(str(graph.nodes[loaders.DENOISER].params["path"]))
    family = families.of(model.network.family)
    texts = {Port(loaders.TEXTS, name): role for name, role in zip(loaders.ENCODERS, family.encoders, strict=False)}
    given = [str(graph.nodes[loaders.TEXTS].params.get(port.socket, "")) for port in texts]
    lacking = {port: what for port, what in empty.items() if port not in texts}
    if not _reads_for(model, given):
        roles = {port: family.roles[role] for port, role in texts.items() if _is_empty(graph, port)}
        lacking |= {
            port: empty.get(port, f"{role.title} of {family.title}")
            for port, role in roles.items()
            if not role.optional
        }
    vae = Port(loaders.VAE, "path")
    return {vae: f"The autoencoder of {family.title}", **lacking} if _is_empty(graph, vae) else lacking


# Names ------------------------------------------------------------------------------------------------


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _is_called(path: str, what: str) -> bool:
    """Whether a file is called what a workflow says it needs: "Qwen3 4B" qwen_3_4b.safetensors, or by its own name."""
    named = re.search(r"\(([^()\s]+\.\w+)\)", what)
    if named:
        return Path(path).name.lower() == named[1].lower()
    return bool(what) and _folded(what) in _folded(Path(path).stem)

"""What model files begin on an empty canvas: a workflow that can be run, of what a person has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from nodegraph.domain import Brought
from nodegraph.formats.needs import needs
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Port
from nodegraph.planning.plan import plan
from nodegraph.registry import Registry
from nodes.backend import families
from nodes.backend.kinds import CHECKPOINT, DENOISER, TEXT_ENCODER, VAE
from nodes.beginning import begin
from nodes.brought import file_becomes
from tests import tiny_modern, tiny_split
from tests.headers import zeros
from tools.bench.library import network_of, table_of, write

STARTER = Path(__file__).parents[2] / "models" / "starter"

Have = Mapping[str, list[Path]]
"""Files by kind."""


@pytest.fixture(scope="module")
def registry() -> Registry:
    return discover("nodes")


@pytest.fixture(scope="module")
def klein(tmp_path_factory: pytest.TempPathFactory) -> Have:
    """Files of their own, as ComfyUI has them, with a text encoder of another width that is called better."""
    root = tmp_path_factory.mktemp("klein")
    files = tiny_split.write_split(tiny_modern.build_klein(root / "folder"), root / "models")
    return {DENOISER: [files["transformer"]], TEXT_ENCODER: [files["text_encoder"]], VAE: [files["vae"]]}


def begun(have: Have, *paths: Path) -> Graph | None:
    brought = [file_becomes(path) for path in paths]
    return begin(
        [thing for thing in brought if thing is not None], lambda kind, family: [*map(str, have.get(kind, ()))]
    )


def files(graph: Graph) -> dict[str, str]:
    """By node and parameter, the names of the files of models."""
    loading = ("load.", "adapter.", "control.load")
    return {
        f"{id}.{name}": Path(str(value)).name
        for id, node in graph.nodes.items()
        for name, value in node.params.items()
        if node.type.startswith(loading) and name.startswith("path") and value
    }


STARTED: dict[str, dict[str, str]] = {
    "": {"checkpoint.path": "starter"},
    "lora/ink.safetensors": {"checkpoint.path": "starter", "lora.path": "ink.safetensors"},
    "controlnet": {"checkpoint.path": "starter", "controlnet.path": "controlnet"},
    "vae": {"checkpoint.path": "starter", "vae.path": "vae"},
}


@pytest.mark.parametrize("place", STARTED)
def test_what_ships_begins_a_workflow_in_which_nothing_is_wrong(place: str, registry: Registry):
    graph = begun({CHECKPOINT: [STARTER]}, STARTER / place)
    assert graph is not None
    assert files(graph) == STARTED[place]
    assert not plan(graph, registry).problems
    assert needs(graph) == ()
    assert "files" not in graph.nodes


@pytest.mark.parametrize("kind", [DENOISER, TEXT_ENCODER, VAE])
def test_a_file_of_its_own_takes_the_others_from_what_there_is(kind: str, klein: Have, registry: Registry):
    graph = begun(klein, *klein[kind])
    assert graph is not None
    assert files(graph) == {
        "denoiser.path": "flux-2-klein-4b.safetensors",
        "texts.path": "qwen_3_4b.safetensors",
        "vae.path": "flux2-vae.safetensors",
    }
    assert not plan(graph, registry).problems
    assert needs(graph) == ()


def test_what_a_person_does_not_have_is_said_in_the_needs(klein: Have):
    graph = begun({DENOISER: klein[DENOISER], VAE: klein[VAE]}, *klein[DENOISER])
    assert graph is not None
    (need,) = needs(graph)
    assert need.parameter == Port("texts", "path")
    assert need.what == "Qwen3 4B"
    assert need.source.startswith("https://huggingface.co/")


def test_files_that_are_brought_together_come_before_others(klein: Have, tmp_path: Path):
    mine = tmp_path / "mine.safetensors"
    mine.write_bytes(klein[VAE][0].read_bytes())
    graph = begun(klein, mine, *klein[DENOISER])
    assert graph is not None
    assert files(graph)["vae.path"] == "mine.safetensors"
    assert begun(klein, *klein[DENOISER], STARTER / "ink.webp") is None  # a picture has no place in it


def test_without_a_model_that_it_goes_with_a_file_begins_nothing_and_says_why(klein: Have):
    with pytest.raises(ValueError, match=r"^flux2-vae\.safetensors goes with .+, and no such model is in the library$"):
        begun({}, *klein[VAE])
    with pytest.raises(ValueError, match=r"^ink\.safetensors needs a model that it goes with, and none is"):
        begun(klein, STARTER / "lora" / "ink.safetensors")


def test_what_is_no_model_begins_nothing(tmp_path: Path):
    vectors = zeros(tmp_path / "cat.safetensors", {"emb_params": (4, 768)})
    assert begun({}, vectors) is None
    assert begun({}, STARTER / "pixel") is None
    assert begun({}, STARTER / "ink.webp") is None
    assert begin([Brought("text.encode", {"text": "a cat"})], lambda kind, family: []) is None


QUICK = ("sdxl", "zimage")
"""Those that every run of the tests tries."""

NOT_TOLD = ("sdxl_refiner", "klein", "flux2")
"""Families of which a table of tensors is not all: another model, another width, words inside the file."""

OTHERS = {TEXT_ENCODER: ("flux", "qwenimage"), VAE: ("sd1", "qwenimage21")}
"""Families whose files are there besides, under names that come first."""


@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in (family.name for family in families.FAMILIES if family.encoders)
        if name not in NOT_TOLD
    ],
)
def test_of_published_sizes_each_family_finds_its_own_among_others(name: str, tmp_path: Path, registry: Registry):
    """The files are sparse: their tables of tensors are those of the published ones."""
    family = families.of(name)
    have: dict[str, list[Path]] = {TEXT_ENCODER: [], VAE: []}
    for kind, others in OTHERS.items():
        for other in others:
            have[kind].append(write(tmp_path / f"a {other} {kind}.safetensors", table_of(kind, other), "BF16"))
    for role in family.encoders:
        table = network_of(family, family.roles[role])
        have[TEXT_ENCODER].append(write(tmp_path / f"{role}.safetensors", table, "BF16"))
    have[VAE].append(write(tmp_path / "vae.safetensors", table_of(VAE, name), "BF16"))
    graph = begun(have, write(tmp_path / f"{name}.safetensors", table_of(DENOISER, name), "BF16"))
    assert graph is not None
    assert needs(graph) == ()
    assert {problem.remedy for problem in plan(graph, registry).problems} <= {"t5_tokenizer"}
    chosen = {graph.nodes["texts"].params.get(name, "") for name in ("path", "path_2", "path_3")} - {""}
    assert len(chosen) == len(family.encoders)


def test_a_set_of_text_encoders_is_not_whole_where_words_are_missing_too(tmp_path: Path):
    """T5 reads with words that no file brings, which have a remedy of their own; CLIP is a file that is not there."""
    t5 = write(tmp_path / "t5xxl.safetensors", table_of(TEXT_ENCODER, "flux"), "BF16")
    denoiser = write(tmp_path / "flux.safetensors", table_of(DENOISER, "flux"), "BF16")
    graph = begun({TEXT_ENCODER: [t5]}, denoiser)
    assert graph is not None
    assert graph.nodes["texts"].params["path_2"] == str(t5)
    assert {need.parameter.socket for need in needs(graph) if need.parameter.node == "texts"} == {"path"}


@pytest.mark.parametrize("completes", [False, True])
def test_a_controlnet_begins_the_workflow_for_what_it_does(completes: bool, tmp_path: Path):
    """One that completes pictures is shown masks: by its first layer, which is wider."""
    family = families.of("qwenimage")
    table = network_of(family, family.roles["controlnet"])
    if completes:
        name = "controlnet_x_embedder.weight"
        table = table | {name: (table[name][0], table[name][1] + 4)}
    controlnet = write(tmp_path / "controlnet.safetensors", table, "BF16")
    denoiser = write(tmp_path / "qwen.safetensors", table_of(DENOISER, "qwenimage"), "BF16")
    graph = begun({DENOISER: [denoiser]}, controlnet)
    assert graph is not None
    assert graph.nodes["controlnet"].params["path"] == str(controlnet)
    assert any(dst.socket == "mask" for dst in graph.links) == completes

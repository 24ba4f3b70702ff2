"""The workflows that ship: they plan, and scripts find the nodes and parameters they rely on."""

from pathlib import Path

import pytest

from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, set_param
from nodegraph.planning.plan import plan
from nodegraph.registry import Registry
from nodegraph.running.cache import Cache
from nodegraph.running.executor import execute
from nodegraph.running.messages import Failed
from tests import tiny_models
from tests.examples import some_slow

FOLDER = Path(__file__).parents[2] / "workflows"
DOCUMENTS = Path(__file__).parent / "documents"
NAMES = ("text_to_image", "text_to_image_steps", "controlnet", "lora")

PARAMETERS = {
    "checkpoint": {"path"},
    "positive": {"text"},
    "negative": {"text"},
    "latent": {"width", "height", "batch"},
    "noise": {"seed"},
    "scheduler": {"schedule", "steps"},
    "denoise": {"guidance_scale", "solver"},
    "decode": set(),
    "save": {"filename"},
}
"""What scripts set, by node; the names are part of the file format."""


@pytest.fixture(scope="module")
def registry() -> Registry:
    return discover("nodes")


@pytest.fixture(scope="module")
def files(sd15_folder: Path, controlnet_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Tiny models for the nodes that load one."""
    lora = tiny_models.build_lora(tmp_path_factory.mktemp("loras") / "lora.safetensors", sd15_folder)
    return {"checkpoint": str(sd15_folder), "controlnet": str(controlnet_folder), "lora": str(lora)}


def shipped(name: str, files: dict[str, str]) -> Graph:
    graph = workflow.load(FOLDER / f"{name}.json")
    for node, path in files.items():
        if node in graph.nodes:
            graph = set_param(graph, node, "path", path)
    return graph


def test_scripts_find_the_nodes_they_rely_on(registry: Registry):
    nodes = workflow.load(FOLDER / "text_to_image.json").nodes
    for id, names in PARAMETERS.items():
        assert names <= {i.name for i in registry[nodes[id].type].inputs}


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_workflow_has_no_problems(name: str, registry: Registry, files: dict[str, str]):
    assert plan(shipped(name, files), registry).problems == ()


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_workflow_is_written_as_the_program_writes_it(name: str):
    path = FOLDER / f"{name}.json"
    assert workflow.dumps(workflow.load(path)) == path.read_text("utf-8")


def test_the_steps_in_the_open_are_the_calls_of_the_group(registry: Registry, files: dict[str, str]):
    group, steps = (plan(shipped(name, files), registry) for name in ("text_to_image", "text_to_image_steps"))
    assert group.keys["decode"] == steps.keys["decode"]


@pytest.mark.parametrize(
    ("name", "node"),
    some_slow(
        [("text_to_image", "decode"), ("controlnet", "decode"), ("pixels_and_latents", "grid")],
        [("controlnet", "decode")],
    ),
)
def test_a_document_of_the_64_pixel_starter_still_runs(name: str, node: str, registry: Registry, tmp_path: Path):
    """They were written when the model that ships drew 64 x 64 pixels, and state that size."""
    graph = workflow.load(DOCUMENTS / f"{name}_64.json")
    for id in ("scheduler", "pixel_scheduler"):
        graph = set_param(graph, id, "steps", 2) if id in graph.nodes else graph
    made, cache, failures = plan(graph, registry), Cache(1 << 30), []
    assert made.problems == ()
    execute(made, [node], cache, failures.append, out_dir=str(tmp_path))
    assert [event for event in failures if isinstance(event, Failed)] == []
    decoded = cache.get(made.keys["decode"])
    assert decoded is not None
    assert decoded[0].pixels.shape == (1, 3, 64, 64)


@pytest.mark.parametrize("name", ["controlnet", "lora"])
def test_a_file_to_choose_is_asked_for(name: str, registry: Registry, sd15_folder: Path):
    (problem,) = plan(shipped(name, {"checkpoint": str(sd15_folder), name: ""}), registry).problems
    assert (problem.node, problem.message) == (name, "choose a file: the path is empty")

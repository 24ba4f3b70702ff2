"""The workflows for larger models, one for each family and task, run as they ship once their files are chosen."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

from denoodle import headless
from nodegraph.builtin import NOTE
from nodegraph.formats import workflow
from nodegraph.formats.needs import needs
from nodegraph.graph import Graph, set_param
from nodes.backend import families
from tests import tiny_models, tiny_modern, tiny_variants
from tests.examples import each
from tests.nodes.families import test_flux, test_inpainting, test_sd3

FOLDER = Path(__file__).parents[2] / "workflows" / "models"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
SIDE, STEPS = 64, 2
QUICK = ("sdxl_text", "sd3_text", "flux_text")
"""Those that every run of the tests tries; the others take as long together as many tests."""


OWN = ("sd1_inpaint", "sd1_few_steps", "sd2_inpaint", "sdxl_inpaint", "flux_few_steps", "flux_fill", "qwenimage_edit")
"""Those for a model of their own and not the family's usual one."""

COMPLETED = ("qwenimage_inpaint", "zimage_controlnet_inpaint")
"""Those for a ControlNet of their own, which completes pictures."""

WITHIN = {
    ("denoiser", "path"): "transformer",
    ("texts", "path"): "text_encoder",
    ("texts", "path_2"): "text_encoder_2",
    ("vae", "path"): "vae",
}
"""Which folder of a checkpoint's stands for a file of its own, by node and parameter."""


class Models:
    """Tiny models, built when they are asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.get = cache(self._build)

    def _build(self, name: str) -> Path:
        place = self.root / name
        builders: dict[str, Callable[[], object]] = {
            "sd1": lambda: tiny_models.build_sd15(place),
            "sd1_inpaint": lambda: tiny_models.build_sd15_inpaint(place),
            "sd1_controlnet": lambda: tiny_models.build_controlnet_sd15(place),
            "sd1_few_steps": lambda: tiny_variants.distilled(self.get("sd1"), place),
            "sd2": lambda: tiny_models.build_sd21(place),
            "sd2_inpaint": lambda: test_inpainting.build(self.get("sd2"), place),
            "sd2_controlnet": lambda: tiny_models.build_controlnet_sd21(place),
            "sdxl": lambda: tiny_models.build_sdxl(place),
            "sdxl_refiner": lambda: tiny_models.build_sdxl_refiner(place),
            "sdxl_inpaint": lambda: test_inpainting.build(self.get("sdxl"), place),
            "sdxl_controlnet": lambda: tiny_models.build_controlnet_sdxl(place),
            "sd3": lambda: tiny_models.build_sd3(place),
            "sd3_controlnet": lambda: test_sd3.tiny_controlnet(self.get("sd3")).save_pretrained(place),
            "flux": lambda: tiny_models.build_flux(place),
            "flux_few_steps": lambda: tiny_models.build_flux(place, distilled_guidance=False),
            "flux_fill": lambda: test_flux.build_fill(self.get("flux"), place),
            "zimage": lambda: tiny_modern.build_z_image(place),
            "zimage_controlnet": lambda: tiny_modern.build_controlnet_z_image(place),
            "zimage_controlnet_inpaint_controlnet": lambda: tiny_variants.z_image_completing(self.get("zimage"), place),
            "klein": lambda: tiny_modern.build_klein(place),
            "flux2": lambda: tiny_modern.build_flux2_dev(place),
            "qwenimage": lambda: tiny_modern.build_qwen_image(place),
            "qwenimage_edit": lambda: tiny_modern.build_qwen_edit_11(place),
            "qwenimage_controlnet": lambda: tiny_modern.build_controlnet_qwen(place),
            "qwenimage_inpaint_controlnet": lambda: tiny_modern.build_controlnet_qwen(
                place, extra_condition_channels=4
            ),
            "qwenimage21": lambda: tiny_modern.build_qwen_21(place),
            "krea2": lambda: tiny_modern.build_krea2(place),
            "flux_controlnet": lambda: test_flux.build_controlnet(place, self.get("flux") / "transformer"),
        }
        builders[name]()
        return place

    def file(self, workflow: str, node: str, parameter: str) -> Path:
        """What a person would choose there."""
        family = workflow.split("_")[0]
        if node == "lora":
            path = self.root / f"{family}.safetensors"
            return path if path.exists() else tiny_models.build_lora(path, self.get(family))
        if node == "controlnet":
            return self.get(f"{workflow if workflow in COMPLETED else family}_controlnet")
        if node == "refiner":
            return self.get("sdxl_refiner")
        return self.get(workflow if workflow in OWN else family) / WITHIN.get((node, parameter), "")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("models"))


def chosen(name: str, models: Models) -> Graph:
    """The workflow with tiny files, small and short."""
    graph = workflow.load(FOLDER / f"{name}.json")
    for need in needs(graph):
        graph = set_param(graph, need.parameter.node, need.parameter.socket, str(models.file(name, *need.parameter)))
    for id, node in graph.nodes.items():
        sides = {"width", "height"}
        for side in sides if node.type == "latent.empty" else sides & node.params.keys():
            graph = set_param(graph, id, side, SIDE)
        if node.type == "schedule.noise_scheduler":
            graph = set_param(graph, id, "steps", 4 if name == "sdxl_refiner" else STEPS)
        if node.type == "schedule.slice":  # the refiner takes over after the third of four steps
            graph = set_param(graph, id, "end" if id == "first" else "start", 3)
    return graph


@pytest.mark.filterwarnings("ignore:.*FluxPosEmbed:FutureWarning")  # diffusers' ControlNet has it from a former place
@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)
def test_it_makes_its_picture(name: str, models: Models, tmp_path: Path):
    workflow.save(chosen(name, models), str(tmp_path / "flow.json"))
    arguments = ["run", str(tmp_path / "flow.json"), "--device", "cpu", "--cache", str(tmp_path / "cache")]
    assert headless.main([*arguments, "--out", str(tmp_path / "out")]) == 0
    (picture,) = (tmp_path / "out").glob("*.png")
    with Image.open(picture) as image:
        assert image.size == (SIDE, SIDE)
        assert any(low < high for low, high in image.getextrema())


@each("name", NAMES)
def test_it_says_on_the_canvas_which_files_it_needs_and_how_much_memory(name: str):
    graph = workflow.load(FOLDER / f"{name}.json")
    (note,) = (str(node.params["text"]) for node in graph.nodes.values() if node.type == NOTE)
    assert needs(graph)
    for need in needs(graph):
        assert need.what in note
        assert need.source in note
        assert need.path == ""  # nobody's files but one's own
    assert re.search(r"about [\d.]+ GB of memory", note)
    assert str(graph.extra["about"]).startswith("# ")


def test_every_family_that_reads_prompts_of_its_own_has_one():
    shipped = {name.split("_")[0] for name in NAMES} | {"sdxl_refiner"}
    assert {family.name for family in families.FAMILIES if family.encoders} <= shipped
